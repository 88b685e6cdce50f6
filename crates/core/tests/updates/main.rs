//! What becomes of an update to an object that exists, by the conflict policies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

mod page;

use std::collections::BTreeSet;
use std::sync::Arc;

use clusterbackup_core::clash::{Outcome, Reason};
use clusterbackup_core::interception::{
    Case, Concerned, ConflictPolicy, CustomResourceStrategy, Decision, Denial, Fate, Interception, MODIFIED,
    Matches, NamespaceMappings, OnModifierError, Scope, SkipAs, Subject, Verdict, decide,
};
use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName};
use serde_json::{Value, json};

const NO_RULE: &str = "
version: v1
resourceModifierRules:
- {conditions: {groupResource: pods}, patches: [{operation: remove, path: /spec/x}]}
";

fn interception(name: &str, conflict_policy: ConflictPolicy, rules: &str) -> Interception {
    Interception {
        name: name.to_owned(),
        priority: 0,
        matches: Matches::default(),
        scope: Scope::Unlimited,
        on_error: OnModifierError::Deny,
        conflict_policy,
        custom_resources: CustomResourceStrategy::default(),
        mappings: NamespaceMappings::default(),
        velero_namespaces: BTreeSet::new(),
        rules: Ok(Arc::new(RuleSet::parse(rules).unwrap())),
    }
}

fn patching(rules: &str) -> Interception {
    interception("nightly", ConflictPolicy::Patch, rules)
}

/// A Deployment as it is in the cluster.
fn live() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "live",
            "resourceVersion": "7",
            "generation": 3,
            "managedFields": [{"manager": "live"}],
            "labels": {"app": "web"},
            "annotations": {"deployment.kubernetes.io/revision": "5"},
            "ownerReferences": [{"uid": "live"}],
            "finalizers": ["live.example/a"],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "proxy", "image": "proxy:1"}]},
            },
        },
        "status": {"replicas": 3},
    })
}

/// The same as a restore sends it: an older state of it, with what the restore writes.
fn restored() -> Value {
    let mut object = live();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("generation");
    metadata["managedFields"] = json!([{"manager": "velero"}]);
    metadata["labels"]["velero.io/restore-name"] = json!("nightly-1");
    metadata["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    metadata["ownerReferences"] = json!([{"uid": "dead"}]);
    metadata["finalizers"] = json!(["backup.example/b"]);
    let spec = &mut object["spec"];
    spec["replicas"] = json!(2);
    spec["selector"]["matchLabels"]["app"] = json!("shop");
    spec["template"]["spec"]["containers"] = json!([{"name": "web", "image": "web:0"}]);
    object.as_object_mut().unwrap().remove("status");
    object
}

fn update(interceptions: &[&Interception], object: Value, existing: Value) -> Verdict {
    let group_resource = GroupResource::new("apps", "deployments");
    let concerned: Vec<_> = interceptions
        .iter()
        .map(|&interception| Concerned::from(interception))
        .collect();
    let case = Case {
        subject: Subject {
            group_resource: &group_resource,
            name: ObjectName::Exact("web"),
            namespace: Some("shop"),
        },
        rename: Rename::Allowed,
        object,
        existing: Some(existing),
        custom: None,
    };
    decide(&concerned, case)
}

fn admitted(verdict: Verdict) -> Decision {
    verdict
        .outcome
        .unwrap_or_else(|denial| panic!("refused: {denial}"))
}

/// What the verdict says of fields, as text.
fn fields(verdict: &Verdict) -> Vec<String> {
    let text = |outcome: Outcome| outcome.reason().map_or_else(|| outcome.name(), Reason::name);
    let fields = verdict.fields.iter();
    fields
        .map(|field| format!("{} {}", field.path, text(field.outcome)))
        .collect()
}

#[test]
fn under_patch_what_can_change_changes_field_by_field_and_the_rest_stays() {
    let verdict = update(&[&patching(NO_RULE)], restored(), live());
    assert_eq!(
        fields(&verdict),
        [
            "/metadata/annotations/deployment.kubernetes.io~1revision Allocated",
            "/metadata/finalizers/0 LeftOut",
            "/metadata/finalizers/1 Changed",
            "/metadata/ownerReferences Allocated",
            "/spec/replicas Changed",
            "/spec/selector Immutable",
            "/spec/template/spec/containers/0/image Changed",
            "/spec/template/spec/containers/1 LeftOut",
        ]
    );
    let mut object = restored();
    let decision = admitted(verdict);
    json_patch::patch(&mut object, &json_patch::Patch(decision.operations)).unwrap();
    assert_eq!(object, decision.object, "the operations make it of what came");
    let mut expected = live();
    expected["metadata"]["labels"]["velero.io/restore-name"] = json!("nightly-1");
    expected["metadata"]["managedFields"] = json!([{"manager": "velero"}]);
    expected["metadata"]["finalizers"] = json!(["live.example/a", "backup.example/b"]);
    expected["metadata"].as_object_mut().unwrap().remove("generation");
    expected.as_object_mut().unwrap().remove("status");
    expected["spec"]["replicas"] = json!(2);
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:0");
    let mark = object["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove(MODIFIED);
    assert!(mark.unwrap().as_str().unwrap().contains("nightly"));
    assert_eq!(object, expected);
}

/// The API server refuses a template that the selector doesn't match.
#[test]
fn the_labels_of_a_template_stay_with_the_selector_that_asks_for_them() {
    let by = |app: &str| json!({"app": app, "of": "the backup"});
    for (selector, labels, result) in [
        (json!({"matchLabels": {"app": "web"}}), by("web"), by("web")),
        (
            json!({"matchLabels": {"app": "web"}}),
            by("shop"),
            json!({"app": "web"}),
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "shop"]}]}),
            by("shop"),
            by("shop"),
        ),
        (
            json!({"matchExpressions": [{"key": "of", "operator": "DoesNotExist"}]}),
            by("shop"),
            json!({"app": "web"}),
        ),
    ] {
        let (mut existing, mut object) = (live(), restored());
        existing["spec"]["selector"] = selector.clone();
        object["spec"]["template"]["metadata"]["labels"] = labels;
        let decision = admitted(update(&[&patching(NO_RULE)], object, existing));
        let spec = &decision.object["spec"];
        assert_eq!(spec["template"]["metadata"]["labels"], result, "{selector}");
        assert_eq!(spec["selector"], selector);
    }
}

#[test]
fn an_update_of_nothing_but_restore_labels_passes_untouched_whatever_the_policy() {
    let mut labelled = live();
    labelled["metadata"]["labels"] = json!({
        "app": "web",
        "velero.io/restore-name": "nightly-2",
        "velero.io/backup-name": "nightly",
        "clusterbackup.io/intercept": "nightly",
    });
    labelled["metadata"]["managedFields"] = json!([{"manager": "velero"}]);
    labelled["metadata"].as_object_mut().unwrap().remove("generation");
    labelled.as_object_mut().unwrap().remove("status");
    for policy in [
        ConflictPolicy::Patch,
        ConflictPolicy::Skip(SkipAs::Silent),
        ConflictPolicy::Skip(SkipAs::Deny),
    ] {
        let verdict = update(
            &[&interception("nightly", policy, NO_RULE)],
            labelled.clone(),
            live(),
        );
        assert_eq!(fields(&verdict), Vec::<String>::new());
        let decision = admitted(verdict);
        assert_eq!((decision.operations, decision.mark), (Vec::new(), None));
    }
    let mut first = live();
    first["metadata"].as_object_mut().unwrap().remove("labels");
    let mut labelled = first.clone();
    labelled["metadata"]["labels"] = json!({"velero.io/restore-name": "nightly-2"});
    let verdict = update(&[&patching(NO_RULE)], labelled, first);
    assert_eq!(admitted(verdict).mark, None, "also where there were no labels");
}

#[test]
fn skip_refuses_the_update_as_of_an_object_that_exists() {
    let skip = interception("nightly", ConflictPolicy::default(), NO_RULE);
    let verdict = update(&[&skip], restored(), live());
    assert!(fields(&verdict).contains(&"/spec/replicas Skipped".to_owned()));
    let denial = verdict.outcome.unwrap_err();
    assert_eq!((denial.code(), denial.reason()), (409, Some("AlreadyExists")));
    for part in ["nightly", "deployments.apps shop/web", "conflictPolicy: Patch"] {
        assert!(denial.to_string().contains(part), "{denial} lacks {part}");
    }
}

#[test]
fn silent_skip_leaves_everything_but_the_labels_of_the_restore() {
    let skip = interception("nightly", ConflictPolicy::Skip(SkipAs::Silent), NO_RULE);
    for labels in [
        Some(json!({"velero.io/restore-name": "nightly-1", "app": "other"})),
        None,
    ] {
        let mut incoming = restored();
        match labels {
            Some(labels) => incoming["metadata"]["labels"] = labels,
            None => drop(incoming["metadata"].as_object_mut().unwrap().remove("labels")),
        }
        let mut expected = live();
        expected["metadata"]["managedFields"] = incoming["metadata"]["managedFields"].clone();
        expected["metadata"].as_object_mut().unwrap().remove("generation");
        expected.as_object_mut().unwrap().remove("status");
        if incoming["metadata"]["labels"].is_object() {
            expected["metadata"]["labels"]["velero.io/restore-name"] = json!("nightly-1");
        }
        let decision = admitted(update(&[&skip], incoming.clone(), live()));
        json_patch::patch(&mut incoming, &json_patch::Patch(decision.operations)).unwrap();
        assert_eq!(incoming, expected);
        assert_eq!(decision.mark, None);
    }
}

#[test]
fn skip_beats_patch_deny_beats_silent_and_needs_no_rules() {
    let patch = patching(NO_RULE);
    let silent = interception("silent", ConflictPolicy::Skip(SkipAs::Silent), NO_RULE);
    let mut deny = interception("deny", ConflictPolicy::Skip(SkipAs::Deny), NO_RULE);
    deny.rules = Err(clusterbackup_core::interception::Unusable::Unread(
        "later".to_owned(),
    ));
    let other = interception("other", ConflictPolicy::Skip(SkipAs::Deny), NO_RULE);
    let verdict = update(&[&patch, &silent], restored(), live());
    assert_eq!(admitted(verdict).object["spec"]["replicas"], 3);
    let denial = update(&[&patch, &deny, &silent, &other], restored(), live())
        .outcome
        .unwrap_err();
    assert!(
        matches!(&denial, Denial::Skipped { interception, .. } if interception == "deny"),
        "{denial}"
    );
}

#[test]
fn conditions_see_the_merged_object_and_what_rules_delete_stays_deleted() {
    let rules = r"
version: v1
resourceModifierRules:
- conditions:
    groupResource: deployments.apps
    matches: [{path: /spec/template/spec/containers/1/name, value: proxy}]
  patches:
  - {operation: remove, path: /spec/template/spec/containers/1}
  - {operation: replace, path: /spec/replicas, value: 1}
";
    let verdict = update(&[&patching(rules)], restored(), live());
    assert!(
        fields(&verdict).contains(&"/spec/template/spec/containers/1 Changed".to_owned()),
        "{:?}",
        verdict.fields
    );
    let decision = admitted(verdict);
    assert_eq!(decision.object["spec"]["replicas"], 1);
    assert_eq!(
        decision.object["spec"]["template"]["spec"]["containers"],
        json!([{"name": "web", "image": "web:0"}])
    );
}

#[test]
fn a_rules_change_that_can_not_be_made_is_never_lost_silently() {
    let rules = r"
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  patches:
  - {operation: replace, path: /spec/replicas, value: 9}
  - {operation: add, path: /spec/selector/matchLabels/tier, value: web}
- conditions: {groupResource: deployments.apps}
  patches: [{operation: add, path: /spec/paused, value: true}]
- conditions: {groupResource: deployments.apps}
  patches: [{operation: replace, path: /metadata/name, value: other}]
";
    let verdict = update(&[&patching(rules)], restored(), live());
    let fates: Vec<_> = verdict.rules.iter().map(|record| record.fate).collect();
    assert_eq!(fates, [Fate::NotApplicable, Fate::Applied, Fate::Failed]);
    let denial = verdict.outcome.unwrap_err();
    assert_eq!(denial.code(), 422);
    for part in ["RuleNotApplicable", "resourceModifierRules[0]", "/spec/selector"] {
        assert!(denial.to_string().contains(part), "{denial} lacks {part}");
    }

    let warning = Interception {
        on_error: OnModifierError::Warn,
        ..patching(rules)
    };
    let decision = admitted(update(&[&warning], restored(), live()));
    assert_eq!(decision.warnings.len(), 2, "{:?}", decision.warnings);
    assert_eq!(
        decision.object["spec"]["replicas"], 2,
        "a rule is applied as a whole or not at all"
    );
    assert_eq!(decision.object["spec"]["paused"], true);
    assert_eq!(decision.object["metadata"]["name"], "web");
}

#[test]
fn what_the_client_loses_is_no_rules_fault() {
    let rules = "
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  patches: [{operation: replace, path: /spec/replicas, value: 1}]
- conditions: {groupResource: deployments.apps}
  patches: [{operation: replace, path: /spec/selector/matchLabels/app, value: web}]
";
    let verdict = update(&[&patching(rules)], restored(), live());
    assert!(
        !fields(&verdict)
            .iter()
            .any(|field| field.starts_with("/spec/selector")),
        "the rule mends it"
    );
    let fates: Vec<_> = verdict.rules.iter().map(|record| record.fate).collect();
    assert_eq!(fates, [Fate::Applied, Fate::Applied]);
}

#[test]
fn a_second_review_of_the_result_changes_nothing() {
    let patch = patching(NO_RULE);
    let first = admitted(update(&[&patch], restored(), live()));
    let second = admitted(update(&[&patch], first.object.clone(), live()));
    assert_eq!(second.operations, []);
}
