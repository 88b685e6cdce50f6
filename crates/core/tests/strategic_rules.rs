//! Strategic patches as rules: what they need, how they fail, what they may not do.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::modifier::{Circumstances, PatchKind, Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use serde_json::{Value, json};

/// A set of one rule for anything.
fn rules(patches: &Value) -> RuleSet {
    let patches: Value = patches
        .as_array()
        .unwrap()
        .iter()
        .map(|data| json!({ "patchData": data }))
        .collect();
    let rule = json!({"conditions": {"groupResource": "**"}, "strategicPatches": patches});
    RuleSet::parse(&json!({"version": "v1", "resourceModifierRules": [rule]}).to_string()).unwrap()
}

/// What the rule makes of an object, or why it fails.
fn apply(rules: &RuleSet, object: &Value, circumstances: &Circumstances<'_>) -> Result<Value, String> {
    let group_resource = GroupResource::new("", "any");
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact("web"),
        original_namespace: None,
    };
    let mut draft = Draft::new(object.clone());
    let results = rules.apply(&rules.select(&target, object), &mut draft, circumstances);
    match &results[0].outcome {
        RuleOutcome::Failed(error) => {
            assert_eq!(
                (draft.value(), draft.operations().len()),
                (object, 0),
                "taken back"
            );
            Err(error.to_string())
        }
        _ => Ok(draft.into_parts().0),
    }
}

fn allowed<'a>() -> Circumstances<'a> {
    Rename::Allowed.into()
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
           "spec": {"containers": [{"name": "web", "image": "a"}, {"name": "side"}]}})
}

fn widget() -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "web"},
           "spec": {"parts": [{"name": "a", "size": 1}]}})
}

#[test]
fn several_patches_are_one_rule() {
    let rules = rules(&json!([
        {"spec": {"containers": [{"name": "web", "image": "b"}]}},
        {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}},
    ]));
    assert_eq!(
        rules.rules().next().map(|(_, rule)| rule.patch_kind()),
        Some(PatchKind::Strategic)
    );
    let after = apply(&rules, &pod(), &allowed()).unwrap();
    assert_eq!(
        after["spec"]["containers"],
        json!([{"name": "web", "image": "b"}])
    );
}

#[test]
fn a_failure_takes_all_of_the_rule_back_and_names_the_place() {
    let rules = rules(&json!([
        {"spec": {"containers": [{"name": "web", "image": "b"}]}},
        {"spec": {"containers": [{"image": "c"}]}},
    ]));
    assert_eq!(
        apply(&rules, &pod(), &allowed()).unwrap_err(),
        "resourceModifierRules[0].strategicPatches[1]: /spec/containers: an element of the list has no `name`, by which \
         it is merged"
    );
}

#[test]
fn custom_kinds_need_their_definition() {
    let rules = rules(&json!([{"spec": {"parts": [{"name": "a", "colour": "red"}]}}]));
    assert_eq!(
        apply(&rules, &widget(), &allowed()).unwrap_err(),
        "resourceModifierRules[0].strategicPatches[0]: strategicPatches are for the kinds that Kubernetes itself has, \
         whose lists have known keys; use mergePatches, or give the interception `customResourceStrategy: ListMapKeys`"
    );
    let definition = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object",
        "properties": {"spec": {"type": "object", "properties": {"parts": {"type": "array",
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}}}}}}}}}}]}});
    let kind = CustomKind::read(&definition, "v1").unwrap();
    let circumstances = Circumstances {
        custom: Some(&kind),
        ..allowed()
    };
    let after = apply(&rules, &widget(), &circumstances).unwrap();
    assert_eq!(
        after["spec"]["parts"],
        json!([{"name": "a", "size": 1, "colour": "red"}])
    );
    // What Kubernetes knows itself, it knows better.
    let after = apply(&rules, &pod(), &circumstances).unwrap();
    assert_eq!(after["spec"]["parts"], json!([{"name": "a", "colour": "red"}]));
}

#[test]
fn text_fields_stay_text() {
    let text = "version: v1
resourceModifierRules:
- conditions: {groupResource: '**'}
  strategicPatches:
  - patchData:
      metadata: {labels: {restored: true}}
      spec: {containers: [{name: web, env: [{name: LEVEL, value: 3}]}], priority: 3}";
    let after = apply(&RuleSet::parse(text).unwrap(), &pod(), &allowed()).unwrap();
    assert_eq!(after["metadata"]["labels"], json!({"restored": "true"}));
    assert_eq!(
        after["spec"]["containers"][0]["env"],
        json!([{"name": "LEVEL", "value": "3"}])
    );
    assert_eq!(after["spec"]["priority"], json!(3));
}

#[test]
fn a_name_changes_only_where_it_may() {
    let rules = rules(&json!([{"metadata": {"name": "other"}}]));
    assert_eq!(
        apply(&rules, &pod(), &allowed()).unwrap()["metadata"]["name"],
        "other"
    );
    let refused = Rename::Refused("it is applied").into();
    assert_eq!(
        apply(&rules, &pod(), &refused).unwrap_err(),
        "resourceModifierRules[0]: /metadata/name: the name can't be changed: it is applied"
    );
}

#[test]
fn it_is_known_for_which_kinds_there_are_strategic_rules() {
    let text = "version: v1
resourceModifierRules:
- {conditions: {groupResource: widgets.example.com}, strategicPatches: [{patchData: {spec: {a: 1}}}]}
- {conditions: {groupResource: pods}, mergePatches: [{patchData: {spec: {a: 1}}}]}";
    let rules = RuleSet::parse(text).unwrap();
    for (group, resource, expected) in [
        ("example.com", "widgets", true),
        ("", "pods", false),
        ("apps", "deployments", false),
    ] {
        let group_resource = GroupResource::new(group, resource);
        assert_eq!(
            rules.has_strategic_rules_for(&group_resource),
            expected,
            "{group_resource}"
        );
    }
}

#[test]
fn directives_about_managed_fields_keep_them_read() {
    for (patch, expected) in [
        (json!({"metadata": {"labels": {"a": "b"}}}), false),
        (json!({"metadata": {"managedFields": null}}), true),
        (json!({"metadata": {"$setElementOrder/managedFields": []}}), true),
        (json!({"spec": {"$retainKeys": []}}), false),
    ] {
        assert_eq!(
            rules(&json!([patch])).touches_managed_fields(),
            expected,
            "{patch}"
        );
    }
}
