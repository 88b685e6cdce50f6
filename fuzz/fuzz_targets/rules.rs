//! Any text as a rule set: valid or refused, in bounded time; and what valid rules do to an object is what the
//! operations say they did.
#![no_main]

use std::sync::LazyLock;

use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use json_patch::Patch;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static OBJECT: LazyLock<Value> = LazyLock::new(|| {
    let mut review: Value =
        serde_json::from_str(include_str!("../../webhook/fixtures/review.json")).expect("JSON");
    review["request"]["object"].take()
});

fuzz_target!(|text: &str| {
    let Ok(rules) = RuleSet::parse(text) else { return };
    for (group, resource, original_namespace) in [
        ("apps", "deployments", Some("staging")),
        ("", "configmaps", Some("shop")),
        ("example.com", "things", None),
    ] {
        let target = Target {
            group_resource: &GroupResource::new(group, resource),
            name: ObjectName::Exact("web"),
            original_namespace,
        };
        for rename in [Rename::Allowed, Rename::Refused("for a reason")] {
            let selection = rules.select(&target, &OBJECT);
            let mut draft = Draft::new(OBJECT.clone());
            rules.apply(&selection, &mut draft, &rename.into());
            let (result, operations) = draft.into_parts();
            let mut repeated = OBJECT.clone();
            json_patch::patch(&mut repeated, &Patch(operations)).expect("the operations fit");
            assert_eq!(repeated, result);
        }
    }
});
