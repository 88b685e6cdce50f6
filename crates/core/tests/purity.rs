//! The core stays pure: the same input gives the same output, on any machine and at any time.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// What the core may depend on; none of it does I/O or knows the time, save jiff, whose impure half is named below.
const DEPENDENCIES: [&str; 10] = [
    "croner",
    "granit-parser",
    "jiff",
    "json-patch",
    "regex",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
];

/// What its sources may not name.
const IMPURE: [&str; 16] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "env!",
    "::now(",
    "in_tz(",
    "TimeZone::get",
    "TimeZone::system",
    "tz::db",
    "kube::",
    "tokio",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the folder is readable").path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .collect()
}

#[test]
fn only_pure_dependencies() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest is readable");
    let section = manifest
        .split("\n[dependencies]\n")
        .nth(1)
        .expect("there are dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty());
    for name in names {
        assert!(DEPENDENCIES.contains(&name), "the core may not depend on {name}");
    }
    assert!(
        !manifest.contains("dependencies."),
        "dependencies stand in the plain sections"
    );
}

#[test]
fn no_clock_files_network_or_environment() {
    let sources = sources(&root().join("src"));
    assert!(sources.len() > 20, "the sources were not found");
    for path in sources {
        let text = fs::read_to_string(&path).expect("sources are readable");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            let word = IMPURE.iter().find(|word| line.contains(**word));
            assert_eq!(
                word,
                None,
                "{} (line of code {}) is not pure: {line}",
                path.display(),
                number + 1
            );
        }
    }
}
