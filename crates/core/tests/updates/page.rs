//! `docs/conflicts.md` shows what happens.

use clusterbackup_core::interception::{ConflictPolicy, MODIFIED};
use clusterbackup_core::yaml;

use crate::{NO_RULE, admitted, fields, interception, patching, update};

/// A block of the page, by what stands behind its fence.
fn shown(info: &str) -> String {
    let page = include_str!("../../../../docs/conflicts.md");
    let (_, rest) = page.split_once(&format!("```{info}\n")).unwrap();
    rest.split_once("```").unwrap().0.trim_end().to_owned()
}

#[test]
fn the_example_of_the_page_is_what_happens() {
    let object = |info| yaml::to_json_documents(&shown(info)).unwrap().remove(0);
    let (cluster, restored) = (object("yaml cluster"), object("yaml restored"));
    let verdict = update(&[&patching(NO_RULE)], restored.clone(), cluster.clone());
    assert_eq!(fields(&verdict), shown("text fields").lines().collect::<Vec<_>>());
    let mut result = admitted(verdict).object;
    result["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove(MODIFIED);
    assert_eq!(result, object("yaml result"));

    let skip = interception("shop", ConflictPolicy::default(), NO_RULE);
    let refusal = update(&[&skip], restored, cluster).outcome.unwrap_err();
    assert_eq!(refusal.to_string(), shown("text refusal"));
}
