//! What `docs/hooks.md` shows is what the kinds take: no field is misspelt, and what runs is what is written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use clusterbackup_api::{BackupHook, BackupInstance, RestoreHook};
use clusterbackup_core::yaml;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/hooks.md");

/// Whether everything that is written is in what was read. The durations of the page are written as they are shown.
fn contains(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => written
            .iter()
            .all(|(key, value)| read.get(key).is_some_and(|read| contains(read, value))),
        (Value::Array(read), Value::Array(written)) => {
            read.len() == written.len()
                && read
                    .iter()
                    .zip(written)
                    .all(|(read, written)| contains(read, written))
        }
        _ => read == written,
    }
}

fn assert_is<K: DeserializeOwned + Serialize>(object: &Value) {
    let read: K = serde_json::from_value(object.clone()).unwrap();
    let read = serde_json::to_value(read).unwrap();
    assert!(contains(&read, object), "written {object:#}, read {read:#}");
}

#[test]
fn the_examples_are_objects_of_their_kinds() {
    let blocks = PAGE.split("```yaml\n").skip(1);
    let texts = blocks.map(|block| block.split("```").next().unwrap());
    let objects: Vec<Value> = texts
        .flat_map(|text| yaml::to_json_documents(text).unwrap())
        .collect();
    let mut kinds = Vec::new();
    for object in &objects {
        match object["kind"].as_str().unwrap() {
            "BackupHook" => assert_is::<BackupHook>(object),
            "RestoreHook" => assert_is::<RestoreHook>(object),
            "BackupInstance" => assert_is::<BackupInstance>(object),
            other => panic!("{other} is no kind of this page"),
        }
        kinds.push(object["kind"].as_str().unwrap());
    }
    assert_eq!(kinds, ["BackupHook", "BackupInstance", "RestoreHook"]);
}
