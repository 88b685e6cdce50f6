//! Classes for the tables of tests.

use super::{Class, Classes};

/// A class `class-of-<driver>` for each of these drivers.
pub(crate) fn classes(drivers: &[&str]) -> Classes {
    let class = |driver: &&str| Class {
        name: format!("class-of-{driver}"),
        driver: (*driver).to_owned(),
        for_backups: false,
        default: false,
    };
    Classes::new(drivers.iter().map(class).collect())
}
