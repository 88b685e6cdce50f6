//! The table in `docs/conflicts.md` is the one that updates go by.

use std::fmt::Write as _;

use clusterbackup_core::clash::remarks;

const PAGE: &str = include_str!("../../../../docs/conflicts.md");

/// The table as it has to stand at the end of the page.
fn markdown() -> String {
    let mut table = "| of | field | on an update |\n|---|---|---|\n".to_owned();
    let mut last = String::new();
    for remark in remarks() {
        let of = if remark.of == last { "" } else { &remark.of };
        let fields: Vec<_> = remark.fields.iter().map(|field| format!("`{field}`")).collect();
        let fields = fields.join(", ");
        writeln!(table, "| {of} | {fields} | {} |", remark.what).unwrap();
        last = remark.of;
    }
    table
}

#[test]
fn the_page_has_the_table_that_updates_go_by() {
    let expected = markdown();
    assert!(
        PAGE.ends_with(&expected),
        "docs/conflicts.md has to end with:\n{expected}"
    );
}
