//! What rules do to objects: which ones they concern, and what becomes of them.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use clusterbackup_core::modifier::{PatchKind, Rename, RuleOutcome, RuleResult, RuleSet, Selection};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use serde_json::{Value, json};

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(&format!("version: v1\nresourceModifierRules:\n{text}")).expect(text)
}

fn rule(conditions: &str, patches: &str) -> RuleSet {
    rules(&format!(
        "- {{conditions: {{groupResource: '**', {conditions}}}, {patches}}}"
    ))
}

const ADD: &str = "patches: [{operation: add, path: /x, value: y}]";

fn pod(fields: &Value) -> Value {
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "db"}}});
    pod.as_object_mut()
        .expect("an object")
        .extend(fields.as_object().expect("an object").clone());
    pod
}

fn select_as(rules: &RuleSet, name: ObjectName<'_>, namespace: Option<&str>, object: &Value) -> Selection {
    let group_resource = GroupResource::new("", "pods");
    rules.select(
        &Target {
            group_resource: &group_resource,
            name,
            original_namespace: namespace,
        },
        object,
    )
}

fn select(rules: &RuleSet, object: &Value) -> Selection {
    select_as(rules, ObjectName::Exact("my-mysql-0"), Some("ns.1"), object)
}

fn apply(rules: &RuleSet, object: &Value, rename: Rename) -> (Value, Vec<RuleOutcome>) {
    let mut draft = Draft::new(object.clone());
    let results = rules.apply(&select(rules, object), &mut draft, &rename.into());
    (
        draft.into_parts().0,
        results
            .into_iter()
            .map(|RuleResult { outcome, .. }| outcome)
            .collect(),
    )
}

fn error(outcomes: &[RuleOutcome]) -> Option<String> {
    outcomes.iter().find_map(|outcome| match outcome {
        RuleOutcome::Failed(error) => Some(error.to_string()),
        _ => None,
    })
}

#[test]
fn conditions_are_judged_together() {
    let object = pod(&json!({"spec": {"class": "a", "n": 1, "list": [1]}}));
    for (conditions, expected) in [
        ("", true),
        ("namespaces: []", true),
        ("namespaces:", true),
        ("namespaces: [other, 'ns*']", true),
        ("namespaces: ['*']", true),
        ("namespaces: ['']", false),
        ("namespaces: [NS.1]", false),
        ("resourceNameRegex: mysql", true),
        ("resourceNameRegex: ''", true),
        ("resourceNameRegex: ^mysql", false),
        ("labelSelector:", true),
        ("labelSelector: {}", true),
        ("labelSelector: {matchLabels: {app: db}}", true),
        ("labelSelector: {matchLabels: {app: web}}", false),
        (
            "labelSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}",
            true,
        ),
        (
            "labelSelector: {matchLabels: {app: db}, matchExpressions: [{key: app, operator: DoesNotExist}]}",
            false,
        ),
        ("matches: [{path: /spec/class, value: a}]", true),
        (
            "matches: [{path: /spec/class, value: a}, {path: /spec/n, value: '2'}]",
            false,
        ),
        ("matches: [{path: /spec/n, value: '1'}]", true),
        ("matches: [{path: /spec/n, value: 1.0}]", true),
        ("matches: [{path: /spec/missing, value: a}]", false),
        ("matches: [{path: /spec/missing, value: 'null'}]", true),
        ("matches: [{path: /missing/x, value: 'null'}]", false),
        ("matches: [{path: /spec/class/deeper, value: a}]", false),
        ("matches: [{path: /spec/list/5/deeper, value: 'null'}]", false),
        ("matches: [{path: /spec/list/x/deeper, value: a}]", false),
        ("matches: [{path: /metadata/labels/missing, value: 'null'}]", true),
        (
            "namespaces: [ns.1], resourceNameRegex: sql, matches: [{path: /spec/class, value: b}]",
            false,
        ),
    ] {
        let selection = select(&rule(conditions, ADD), &object);
        assert_eq!(!selection.is_empty(), expected, "{conditions}");
    }
}

#[test]
fn matches_that_cannot_be_judged_fail_the_rule() {
    let object = pod(&json!({"spec": {"list": [1]}}));
    for (path, cause) in [
        ("/spec/list/5", "the array index is out of range"),
        ("/spec/list/-2", "the array index is out of range"),
        ("/spec/list/x", "an array needs a number as index"),
        ("/spec/list/-", "an array needs a number as index"),
    ] {
        let rules = rule(&format!("matches: [{{path: {path}, value: a}}]"), ADD);
        let (after, outcomes) = apply(&rules, &object, Rename::Allowed);
        let expected = format!("resourceModifierRules[0].conditions.matches[0]: {path}: {cause}; guard");
        assert!(
            error(&outcomes).is_some_and(|error| error.starts_with(&expected)),
            "{outcomes:?}"
        );
        assert_eq!(after, object);
    }
}

#[test]
fn cluster_scoped_objects_skip_the_namespaces() {
    let rules = rule("namespaces: [a]", ADD);
    assert_eq!(
        select_as(&rules, ObjectName::Exact("p"), None, &pod(&json!({})))
            .rules()
            .count(),
        1
    );
    assert!(select_as(&rules, ObjectName::Exact("p"), Some("b"), &pod(&json!({}))).is_empty());
}

#[test]
fn a_name_to_be_made_is_matched_by_its_prefix() {
    let object = pod(&json!({}));
    for (regex, expected) in [("^web-", true), ("^web-.+", false)] {
        let rules = rule(&format!("resourceNameRegex: '{regex}'"), ADD);
        let selection = select_as(&rules, ObjectName::Prefix("web-"), Some("a"), &object);
        assert_eq!(!selection.is_empty(), expected, "{regex}");
    }
}

#[test]
fn exact_and_glob_rules_keep_the_order_of_the_text() {
    let rules = rules(
        "- {conditions: {groupResource: '*'}, patches: [{operation: add, path: /x, value: a}]}
- {conditions: {groupResource: pods}, patches: [{operation: add, path: /x, value: b}]}
- {conditions: {groupResource: configmaps}, patches: [{operation: add, path: /x, value: c}]}
- {conditions: {groupResource: '**'}, mergePatches: [{patchData: {z: d}}]}
",
    );
    let object = pod(&json!({}));
    let selected: Vec<_> = select(&rules, &object).rules().collect();
    assert_eq!(
        selected.iter().copied().map(usize::from).collect::<Vec<_>>(),
        [0, 1, 3]
    );
    let kinds: Vec<_> = selected
        .iter()
        .map(|index| rules.rule(*index).patch_kind())
        .collect();
    assert_eq!(kinds, [PatchKind::Json, PatchKind::Json, PatchKind::Merge]);
    let (after, _) = apply(&rules, &object, Rename::Allowed);
    assert_eq!((&after["x"], &after["z"]), (&json!("b"), &json!("d")));
}

#[test]
fn conditions_see_the_object_before_any_rule() {
    let step = |from: &str, to: &str| {
        format!(
            "- {{conditions: {{groupResource: pods, matches: [{{path: /class, value: {from}}}]}}, \
             patches: [{{operation: replace, path: /class, value: {to}}}]}}\n"
        )
    };
    let rules = rules(&(step("standard", "premium") + &step("premium", "gold")));
    let (after, outcomes) = apply(&rules, &pod(&json!({"class": "standard"})), Rename::Allowed);
    assert_eq!((&after["class"], outcomes.len()), (&json!("premium"), 1));
}

#[test]
fn the_last_of_two_rules_wins() {
    let rules = rules(
        "- {conditions: {groupResource: pods}, patches: [{operation: add, path: /x, value: a}]}
- {conditions: {groupResource: pods}, patches: [{operation: replace, path: /x, value: b}]}\n",
    );
    let (after, outcomes) = apply(&rules, &pod(&json!({})), Rename::Allowed);
    assert_eq!(after["x"], "b");
    assert_eq!(outcomes, [RuleOutcome::Applied, RuleOutcome::Applied]);
}

#[test]
fn a_rule_is_applied_wholly_or_not_at_all() {
    let object = pod(&json!({"a": 1, "list": [1]}));
    let change = "{operation: replace, path: /a, value: '2'}, {operation: remove, path: /list/0}";
    for (last, outcome) in [
        (
            "{operation: test, path: /a, value: '1'}",
            Some(RuleOutcome::TestFailed),
        ),
        (
            "{operation: test, path: /missing, value: '1'}",
            Some(RuleOutcome::TestFailed),
        ),
        ("{operation: test, path: /missing/x, value: '1'}", None),
        ("{operation: remove, path: /missing}", None),
        ("{operation: test, path: /list/0, value: '1'}", None),
    ] {
        let (after, outcomes) = apply(
            &rule("", &format!("patches: [{change}, {last}]")),
            &object,
            Rename::Allowed,
        );
        assert_eq!(after, object, "{last}");
        match outcome {
            Some(outcome) => assert_eq!(outcomes, [outcome], "{last}"),
            None => assert!(
                matches!(outcomes[..], [RuleOutcome::Failed(_)]),
                "{last}: {outcomes:?}"
            ),
        }
    }
}

#[test]
fn a_failing_rule_does_not_stop_the_next() {
    let rules = rules(
        "- {conditions: {groupResource: pods}, patches: [{operation: remove, path: /missing}]}
- {conditions: {groupResource: pods}, patches: [{operation: add, path: /x, value: a}]}\n",
    );
    let (after, outcomes) = apply(&rules, &pod(&json!({})), Rename::Allowed);
    assert_eq!(after["x"], "a");
    assert!(matches!(
        outcomes[..],
        [RuleOutcome::Failed(_), RuleOutcome::Applied]
    ));
}

#[test]
fn errors_are_one_line_without_values() {
    let object = pod(&json!({"list": []}));
    for (operation, expected) in [
        (
            "{operation: add, path: /a/b, value: s3cret}",
            "resourceModifierRules[0].patches[0]: /a/b: the parent does not exist; guard the rule with a `test`, or use \
             mergePatches, which create and remove as needed",
        ),
        (
            "{operation: add, path: /list/4, value: s3cret}",
            "resourceModifierRules[0].patches[0]: /list/4: the array index is out of range; guard the rule with a \
             `test`, or use `-` to append",
        ),
    ] {
        let (_, outcomes) = apply(
            &rule("", &format!("patches: [{operation}]")),
            &object,
            Rename::Allowed,
        );
        assert_eq!(error(&outcomes).as_deref(), Some(expected));
    }
}

#[test]
fn values_that_fit_only_some_kinds_fail_on_the_others() {
    let rules = rule(
        "",
        "patches: [{operation: add, path: /data, value: {a: '007', b: .inf}}]",
    );
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
    let (after, _) = apply(&rules, &config_map, Rename::Allowed);
    assert_eq!(after["data"], json!({"a": "007", "b": ".inf"}));
    let (_, outcomes) = apply(&rules, &pod(&json!({})), Rename::Allowed);
    assert!(
        error(&outcomes).is_some_and(|error| error.contains("JSON has no such number")),
        "{outcomes:?}"
    );
}

#[test]
fn data_stays_text_by_the_kind_of_the_object() {
    let rules = rule(
        "",
        "mergePatches: [{patchData: '{\"data\": {\"a\": 1.10, \"gone\": null}}'}]",
    );
    for (kind, api_version, expected) in [
        ("ConfigMap", "v1", json!("1.10")),
        ("Secret", "v1", json!("1.10")),
        ("ConfigMap", "example.com/v1", json!(1.1)),
        ("Widget", "v1", json!(1.1)),
    ] {
        let object = json!({"apiVersion": api_version, "kind": kind, "data": {"gone": "x"}});
        let (after, _) = apply(&rules, &object, Rename::Allowed);
        assert_eq!(after["data"], json!({"a": expected}), "{api_version} {kind}");
    }
}

#[test]
fn a_rule_without_effect_is_unchanged() {
    let object = pod(&json!({"a": 1}));
    for patches in [
        "patches: [{operation: replace, path: /a, value: '1'}]",
        "patches: [{operation: test, path: /a, value: '1'}]",
        "mergePatches: [{patchData: {a: 1, b: null, metadata: {labels: {app: db}}}}]",
    ] {
        assert_eq!(
            apply(&rule("", patches), &object, Rename::Allowed).1,
            [RuleOutcome::Unchanged],
            "{patches}"
        );
    }
}

#[test]
fn a_refused_rename_fails_the_rule() {
    let object = pod(&json!({}));
    let refused = Rename::Refused("the object exists already");
    for patches in [
        "patches: [{operation: replace, path: /metadata/name, value: other}]",
        "patches: [{operation: remove, path: /metadata/name}]",
        "mergePatches: [{patchData: {metadata: {name: other}}}]",
    ] {
        let rules = rule("", patches);
        assert_eq!(
            apply(&rules, &object, Rename::Allowed).1,
            [RuleOutcome::Applied],
            "{patches}"
        );
        let (after, outcomes) = apply(&rules, &object, refused);
        let expected =
            "resourceModifierRules[0]: /metadata/name: the name can't be changed: the object exists already";
        assert_eq!(
            (after, error(&outcomes).as_deref()),
            (object.clone(), Some(expected)),
            "{patches}"
        );
    }
    let same = rule(
        "",
        "patches: [{operation: replace, path: /metadata/name, value: p}]",
    );
    assert_eq!(apply(&same, &object, refused).1, [RuleOutcome::Unchanged]);
}

#[test]
fn copies_cannot_explode() {
    let double = "{operation: copy, from: /x, path: /x/-}, ".repeat(30);
    let object = pod(&json!({"x": ["0123456789"]}));
    let (after, outcomes) = apply(
        &rule("", &format!("patches: [{double}]")),
        &object,
        Rename::Allowed,
    );
    assert!(
        error(&outcomes).is_some_and(|error| error.contains("write more than")),
        "{outcomes:?}"
    );
    assert_eq!(after, object);
}

#[test]
fn sets_are_known_by_the_hash_of_their_text() {
    let text = "version: v1\nresourceModifierRules:\n- {conditions: {groupResource: pods}, mergePatches: [{patchData: {}}]}";
    let rules = RuleSet::parse(text).expect("is valid");
    let sha256 = "3ec78cf0da456de73e3751df1f4cd952639bafbf3f213611300d1b96ad60f063";
    assert_eq!(rules.hash().to_string(), sha256);
    assert_ne!(
        rules.hash(),
        RuleSet::parse(&format!("{text}\n")).expect("is valid").hash()
    );
}

#[test]
fn managed_fields_are_touched_by_whatever_reads_or_writes_them_or_what_holds_them() {
    for (conditions, patches, touches) in [
        (
            "",
            "patches: [{operation: remove, path: /metadata/managedFields}]",
            true,
        ),
        (
            "",
            "patches: [{operation: remove, path: /metadata/managedFields/0/time}]",
            true,
        ),
        (
            "",
            "patches: [{operation: copy, from: /metadata, path: /spec/copy}]",
            true,
        ),
        (
            "",
            "patches: [{operation: copy, from: /metadata/labels, path: /spec/copy}]",
            false,
        ),
        (
            "",
            "patches: [{operation: remove, path: /metadata/labels}]",
            false,
        ),
        (
            "matches: [{path: /metadata/managedFields/0/manager, value: x}]",
            ADD,
            true,
        ),
        ("matches: [{path: /spec/managedFields, value: x}]", ADD, false),
        (
            "",
            "mergePatches: [{patchData: '{\"metadata\": {\"managedFields\": null}}'}]",
            true,
        ),
        (
            "",
            "mergePatches: [{patchData: '{\"metadata\": {\"labels\": null}}'}]",
            false,
        ),
        ("", "mergePatches: [{patchData: '{\"spec\": {}}'}]", false),
    ] {
        assert_eq!(
            rule(conditions, patches).touches_managed_fields(),
            touches,
            "{conditions} {patches}"
        );
    }
}
