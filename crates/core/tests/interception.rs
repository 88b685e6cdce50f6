//! What becomes of one object under the interceptions that concern it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use clusterbackup_core::glob::{Glob, Separator};
use clusterbackup_core::interception::{
    Case, Concern, Concerned, ConflictPolicy, CustomResourceStrategy, Decision, Denial, Fate, Interception,
    MODIFIED, Mark, Matches, NamespaceMappings, OnModifierError, OptIn, Scope, Subject, Unusable, Verdict,
    concern, decide, order, preview,
};
use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName};
use serde_json::{Value, json};

const FASTER: &str = "
version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    namespaces: [shop]
  patches:
  - operation: replace
    path: /spec/storageClassName
    value: premium
";

const NEEDS_A_FIELD: &str = r#"
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  patches:
  - {operation: remove, path: /spec/volumeName}
- conditions: {groupResource: persistentvolumeclaims}
  mergePatches:
  - patchData: '{"metadata": {"labels": {"restored": "yes"}}}'
"#;

const RENAMES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  patches:
  - {operation: replace, path: /metadata/name, value: renamed}
";

fn rules(text: &str) -> Arc<RuleSet> {
    Arc::new(RuleSet::parse(text).unwrap())
}

fn globs(texts: &[&str]) -> Vec<Glob> {
    texts
        .iter()
        .map(|text| Glob::parse(text, Separator::None).unwrap())
        .collect()
}

fn interception(name: &str, text: &str) -> Interception {
    Interception {
        name: name.to_owned(),
        priority: 0,
        matches: Matches {
            intercept_labels: globs(&[name]),
            ..Matches::default()
        },
        scope: Scope::Unlimited,
        on_error: OnModifierError::Deny,
        conflict_policy: ConflictPolicy::default(),
        custom_resources: CustomResourceStrategy::default(),
        mappings: NamespaceMappings::default(),
        velero_namespaces: BTreeSet::new(),
        rules: Ok(rules(text)),
    }
}

fn limited(home: &str) -> Scope {
    Scope::Limited {
        home: home.to_owned(),
        target_namespaces: Vec::new(),
        allow_cluster_scoped: false,
        allow_privileged_kinds: false,
    }
}

fn claim() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {"storageClassName": "standard"}})
}

fn review(interceptions: &[&Interception], namespace: &str, object: Value) -> Verdict {
    let group_resource = GroupResource::new("", "persistentvolumeclaims");
    let subject = Subject {
        group_resource: &group_resource,
        name: ObjectName::Exact("data"),
        namespace: Some(namespace),
    };
    decide_on(interceptions, subject, Rename::Allowed, object)
}

/// The verdict over a new object.
fn decide_on(
    interceptions: &[&Interception],
    subject: Subject<'_>,
    rename: Rename,
    object: Value,
) -> Verdict {
    let concerned: Vec<Concerned<'_>> = interceptions
        .iter()
        .map(|&interception| interception.into())
        .collect();
    let case = Case {
        subject,
        rename,
        object,
        existing: None,
        custom: None,
    };
    decide(&concerned, case)
}

fn admitted(verdict: Verdict) -> Decision {
    verdict
        .outcome
        .unwrap_or_else(|denial| panic!("refused: {denial}"))
}

fn denied(verdict: Verdict) -> Denial {
    verdict.outcome.expect_err("admitted")
}

#[test]
fn the_operations_make_the_object_out_of_the_one_that_came() {
    let decision = admitted(review(&[&interception("faster", FASTER)], "shop", claim()));
    let mut object = claim();
    json_patch::patch(&mut object, &json_patch::Patch(decision.operations)).unwrap();
    assert_eq!(object, decision.object);
    assert_eq!(object["spec"]["storageClassName"], "premium");
}

#[test]
fn rules_speak_of_the_original_namespace() {
    let mut mapped = interception("faster", FASTER);
    mapped.mappings = NamespaceMappings::invert([("shop", "staging")]);
    let class = |interception: &Interception, namespace| {
        admitted(review(&[interception], namespace, claim())).object["spec"]["storageClassName"].clone()
    };
    assert_eq!(class(&mapped, "staging"), "premium");
    assert_eq!(class(&interception("faster", FASTER), "staging"), "standard");
}

#[test]
fn several_originals_are_fine_while_the_rules_make_the_same_of_them() {
    let mut ambiguous = interception("faster", FASTER);
    ambiguous.mappings = NamespaceMappings::invert([("shop", "all"), ("till", "all")]);
    let denial = denied(review(&[&ambiguous], "all", claim()));
    let Denial::AmbiguousOrigin { originals, .. } = &denial else {
        panic!("{denial}")
    };
    assert_eq!(originals, &["shop", "till"]);

    let already = json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "premium"}});
    admitted(review(&[&ambiguous], "all", already));
}

#[test]
fn a_rule_that_fails_for_any_of_several_originals_is_never_lost() {
    let text = "
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims, namespaces: [till]}
  patches: [{operation: remove, path: /spec/volumeName}]
";
    let from = |on_error, scope| Interception {
        mappings: NamespaceMappings::invert([("shop", "all"), ("till", "all")]),
        on_error,
        scope,
        ..interception("claims", text)
    };
    for scope in [Scope::Unlimited, limited("team")] {
        let denial = denied(review(&[&from(OnModifierError::Deny, scope)], "all", claim()));
        assert!(
            matches!(denial, Denial::RuleFailed { .. } | Denial::OutOfScope { .. }),
            "{denial}"
        );
    }
    let verdict = review(&[&from(OnModifierError::Warn, Scope::Unlimited)], "all", claim());
    assert_eq!(verdict.rules.len(), 1);
    assert_eq!(admitted(verdict).warnings.len(), 1);
}

#[test]
fn marks_of_an_earlier_restore_count_for_nothing() {
    let mut object = claim();
    object["metadata"]["annotations"] =
        json!({MODIFIED: "[{\"interception\":\"old\"}]", "clusterbackup.io/original-namespace": "shop"});
    let decision = admitted(review(&[&interception("faster", FASTER)], "staging", object));
    assert_eq!(
        decision.object["spec"]["storageClassName"], "standard",
        "its own namespace is the original one"
    );
    let mark = decision.object["metadata"]["annotations"][MODIFIED]
        .as_str()
        .unwrap();
    assert!(mark.contains("faster") && !mark.contains("old"), "{mark}");
}

#[test]
fn an_object_is_marked_even_when_no_rule_holds_on_it() {
    let decision = admitted(review(&[&interception("faster", FASTER)], "elsewhere", claim()));
    let mark: Value = serde_json::from_str(
        decision.object["metadata"]["annotations"][MODIFIED]
            .as_str()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(mark[0]["rules"], json!([]));
    assert_eq!(mark[0]["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn a_second_review_of_the_result_changes_nothing() {
    let interception = interception("faster", FASTER);
    let first = admitted(review(&[&interception], "shop", claim()));
    let second = admitted(review(&[&interception], "shop", first.object.clone()));
    assert_eq!(second.operations, []);
    assert_eq!(second.object, first.object);
}

#[test]
fn interceptions_act_by_priority_then_by_name() {
    let with = |name: &str, priority| Interception {
        priority,
        ..interception(name, FASTER)
    };
    let mut interceptions = [with("b", 1), with("a", 1), with("z", -1)].map(Arc::new);
    order(&mut interceptions);
    let names: Vec<_> = interceptions
        .iter()
        .map(|interception| interception.name.as_str())
        .collect();
    assert_eq!(names, ["z", "a", "b"]);
}

#[test]
fn a_rule_that_fails_refuses_the_object_unless_every_interception_says_warn() {
    let deny = interception("strict", NEEDS_A_FIELD);
    let warn = Interception {
        on_error: OnModifierError::Warn,
        ..interception("lenient", NEEDS_A_FIELD)
    };
    for (interceptions, admitted) in [
        (vec![&deny], false),
        (vec![&warn], true),
        (vec![&warn, &deny], false),
    ] {
        let verdict = review(&interceptions, "shop", claim());
        assert_eq!(verdict.outcome.is_ok(), admitted);
        assert!(
            verdict.rules.iter().any(|record| record.fate == Fate::Failed),
            "it is counted either way"
        );
    }
}

#[test]
fn what_is_counted_names_its_interception_and_rule() {
    let warn = |name| Interception {
        on_error: OnModifierError::Warn,
        ..interception(name, NEEDS_A_FIELD)
    };
    let verdict = review(
        &[&interception("faster", FASTER), &warn("lenient")],
        "shop",
        claim(),
    );
    let places: Vec<_> = verdict
        .rules
        .iter()
        .map(|record| (record.interception, usize::from(record.rule), record.fate))
        .collect();
    assert_eq!(
        places,
        [(0, 0, Fate::Applied), (1, 0, Fate::Failed), (1, 1, Fate::Applied)]
    );
}

#[test]
fn under_warn_only_the_rule_that_fails_is_left_out() {
    let warn = Interception {
        on_error: OnModifierError::Warn,
        ..interception("lenient", NEEDS_A_FIELD)
    };
    let decision = admitted(review(&[&warn], "shop", claim()));
    assert_eq!(decision.object["metadata"]["labels"]["restored"], "yes");
    let [warning] = decision.warnings.as_slice() else {
        panic!("{:?}", decision.warnings)
    };
    for part in ["lenient", "persistentvolumeclaims shop/data", "/spec/volumeName"] {
        assert!(warning.contains(part), "{warning} lacks {part}");
    }
}

#[test]
fn each_rule_is_told_apart_by_its_operations_and_its_error() {
    let mut failing = interception("needs", NEEDS_A_FIELD);
    failing.on_error = OnModifierError::Warn;
    let mut faster = interception("faster", FASTER);
    faster.on_error = OnModifierError::Warn;
    let Verdict { outcome, rules, .. } = review(&[&faster, &failing], "shop", claim());
    let operations = outcome.unwrap().operations;
    let told: Vec<_> = rules
        .iter()
        .map(|record| {
            let own = operations[record.operations.clone()].iter();
            let paths: Vec<_> = own.map(|operation| operation.path().to_string()).collect();
            (
                usize::from(record.rule),
                record.fate,
                paths,
                record.error.is_some(),
            )
        })
        .collect();
    let path = |text: &str| vec![text.to_owned()];
    let expected = [
        (0, Fate::Applied, path("/spec/storageClassName"), false),
        (0, Fate::Failed, Vec::new(), true),
        (1, Fate::Applied, path("/metadata/labels"), false),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_preview_is_the_decision_without_the_mark() {
    let interception = interception("faster", FASTER);
    let group_resource = GroupResource::new("", "persistentvolumeclaims");
    let case = || Case {
        subject: Subject {
            group_resource: &group_resource,
            name: ObjectName::Exact("data"),
            namespace: Some("shop"),
        },
        rename: Rename::Allowed,
        object: claim(),
        existing: None,
        custom: None,
    };
    let concerned = [Concerned::from(&interception)];
    let mut decided = admitted(decide(&concerned, case())).object;
    let previewed = admitted(preview(&concerned, case())).object;
    decided["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(previewed, decided);
}

#[test]
fn rules_reach_no_further_than_their_scope() {
    let everything = "
version: v1
resourceModifierRules:
- conditions: {groupResource: '**'}
  mergePatches: [{patchData: '{\"metadata\": {\"labels\": {\"mine\": \"yes\"}}}'}]
";
    let wide = || Scope::Limited {
        home: "team".to_owned(),
        target_namespaces: globs(&["shop-*"]),
        allow_cluster_scoped: true,
        allow_privileged_kinds: false,
    };
    let mighty = || Scope::Limited {
        home: "team".to_owned(),
        target_namespaces: Vec::new(),
        allow_cluster_scoped: true,
        allow_privileged_kinds: true,
    };
    let secret = json!({"metadata": {"name": "x"}, "type": "Opaque"});
    let token = json!({"metadata": {"name": "x"}, "type": "kubernetes.io/service-account-token"});
    let table = [
        (limited("team"), ("", "secrets"), Some("team"), &secret, Ok(())),
        (
            limited("team"),
            ("", "secrets"),
            Some("shop"),
            &secret,
            Err("spec.targetNamespaces"),
        ),
        (wide(), ("", "secrets"), Some("shop-1"), &secret, Ok(())),
        (wide(), ("", "secrets"), Some("team"), &secret, Ok(())),
        (
            limited("team"),
            ("", "namespaces"),
            None,
            &secret,
            Err("spec.allowClusterScoped"),
        ),
        (wide(), ("", "namespaces"), None, &secret, Ok(())),
        (
            limited("team"),
            ("", "secrets"),
            Some("team"),
            &token,
            Err("spec.allowPrivilegedKinds"),
        ),
        (
            limited("team"),
            ("rbac.authorization.k8s.io", "roles"),
            Some("team"),
            &secret,
            Err("spec.allowPrivilegedKinds"),
        ),
        (
            wide(),
            ("apiextensions.k8s.io", "customresourcedefinitions"),
            None,
            &secret,
            Err("spec.allowPrivilegedKinds"),
        ),
        (
            mighty(),
            ("rbac.authorization.k8s.io", "clusterroles"),
            None,
            &secret,
            Ok(()),
        ),
        (
            Scope::Unlimited,
            ("rbac.authorization.k8s.io", "clusterroles"),
            None,
            &token,
            Ok(()),
        ),
    ];
    for (scope, (group, resource), namespace, object, expected) in table {
        let group_resource = GroupResource::new(group, resource);
        let subject = Subject {
            group_resource: &group_resource,
            name: ObjectName::Exact("x"),
            namespace,
        };
        let interception = Interception {
            scope,
            ..interception("team", everything)
        };
        let verdict = decide_on(&[&interception], subject, Rename::Allowed, object.clone());
        let outcome = verdict.outcome.map(|_| ()).map_err(|denial| denial.to_string());
        match (&outcome, expected) {
            (Ok(()), Ok(())) => {}
            (Err(message), Err(remedy)) if message.contains(remedy) => {}
            _ => panic!("{subject}: {outcome:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_rule_can_not_make_a_privileged_object_of_an_ordinary_one() {
    let text = "
version: v1
resourceModifierRules:
- conditions: {groupResource: secrets}
  patches: [{operation: replace, path: /type, value: kubernetes.io/service-account-token}]
";
    let group_resource = GroupResource::new("", "secrets");
    let subject = Subject {
        group_resource: &group_resource,
        name: ObjectName::Exact("x"),
        namespace: Some("team"),
    };
    for (on_error, admitted) in [(OnModifierError::Deny, false), (OnModifierError::Warn, true)] {
        let interception = Interception {
            scope: limited("team"),
            on_error,
            ..interception("team", text)
        };
        let secret = json!({"metadata": {"name": "x"}, "type": "Opaque"});
        let outcome = decide_on(&[&interception], subject, Rename::Allowed, secret).outcome;
        assert_eq!(outcome.is_ok(), admitted);
        if let Ok(decision) = outcome {
            assert_eq!(decision.object["type"], "Opaque");
        }
    }
}

#[test]
fn rules_out_of_scope_that_do_not_hold_concern_nobody() {
    let interception = Interception {
        scope: limited("team"),
        ..interception("team", FASTER)
    };
    let decision = admitted(review(&[&interception], "elsewhere", claim()));
    assert_eq!(decision.warnings, Vec::<String>::new());
}

#[test]
fn without_rules_nothing_is_admitted_whatever_the_error_policy() {
    let interception = Interception {
        on_error: OnModifierError::Warn,
        rules: Err(Unusable::Missing {
            configmap: "team/rules".to_owned(),
        }),
        ..interception("team", FASTER)
    };
    let denial = denied(review(&[&interception], "shop", claim())).to_string();
    assert!(
        denial.contains("interception team") && denial.contains("team/rules"),
        "{denial}"
    );
}

#[test]
fn a_rename_is_told_to_the_client_and_refused_where_it_would_be_lost() {
    let interception = interception("claims", RENAMES);
    let decision = admitted(review(&[&interception], "shop", claim()));
    assert_eq!(decision.object["metadata"]["name"], "renamed");
    assert!(
        decision.warnings[0].contains("renamed"),
        "{:?}",
        decision.warnings
    );

    let group_resource = GroupResource::new("", "persistentvolumeclaims");
    let subject = Subject {
        group_resource: &group_resource,
        name: ObjectName::Exact("data"),
        namespace: Some("shop"),
    };
    let verdict = decide_on(
        &[&interception],
        subject,
        Rename::Refused("it is applied"),
        claim(),
    );
    assert!(denied(verdict).to_string().contains("it is applied"));
}

#[test]
fn a_name_that_is_yet_to_be_made_is_matched_by_its_prefix_with_a_warning_where_a_rule_asks_for_it() {
    let by_name = "
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims, resourceNameRegex: ^data}
  patches: [{operation: replace, path: /spec/storageClassName, value: premium}]
";
    let group_resource = GroupResource::new("", "persistentvolumeclaims");
    let subject = Subject {
        group_resource: &group_resource,
        name: ObjectName::Prefix("data-"),
        namespace: Some("shop"),
    };
    for (rules, warnings) in [(by_name, 1), (FASTER, 0)] {
        let object = json!({"metadata": {"generateName": "data-"}, "spec": {"storageClassName": "standard"}});
        let verdict = decide_on(
            &[&interception("claims", rules)],
            subject,
            Rename::Allowed,
            object,
        );
        let decision = admitted(verdict);
        assert_eq!(decision.object["spec"]["storageClassName"], "premium");
        assert_eq!(decision.warnings.len(), warnings, "{:?}", decision.warnings);
    }
}

#[test]
fn an_unanswered_label_is_unknown_and_an_unanswered_velero_restore_is_nobodys_concern() {
    let mut velero = interception("nightly", FASTER);
    velero.matches.velero_restores = globs(&["nightly-*"]);
    let interceptions = [Arc::new(velero), Arc::new(interception("other", FASTER))];
    let concerned = |intercept, velero_restore| match concern(
        &interceptions,
        OptIn {
            intercept,
            velero_restore,
            username: "jane",
        },
    ) {
        Concern::None => vec!["none"],
        Concern::Unknown => vec!["unknown"],
        Concern::Interceptions(concerned) => concerned
            .iter()
            .map(|interception| interception.name.as_str())
            .collect(),
    };
    assert_eq!(concerned(None, None), ["none"]);
    assert_eq!(concerned(None, Some("weekly-1")), ["none"]);
    assert_eq!(concerned(None, Some("nightly-1")), ["nightly"]);
    assert_eq!(concerned(Some("gone"), None), ["unknown"]);
    assert_eq!(concerned(Some("gone"), Some("nightly-1")), ["unknown"]);
    assert_eq!(concerned(Some("other"), Some("nightly-1")), ["nightly", "other"]);
}

/// Of a restore that jane has asked for.
fn of_a_restore() -> Interception {
    let mut interception = interception("restore-7f1c", FASTER);
    interception.matches.requester = Some("jane".to_owned());
    interception
}

#[test]
fn the_rules_of_a_restore_answer_to_what_its_requester_creates_and_to_nobody_elses() {
    let interceptions = [Arc::new(of_a_restore())];
    for (username, known) in [("jane", true), ("mary", false), ("", false)] {
        let opt_in = OptIn {
            intercept: Some("restore-7f1c"),
            velero_restore: None,
            username,
        };
        // What nobody answers to is refused.
        let concerned = matches!(concern(&interceptions, opt_in), Concern::Interceptions(_));
        assert_eq!(concerned, known, "{username}");
    }
}

#[test]
fn what_a_restore_creates_comes_from_where_it_says_and_loses_the_label_of_the_way_in() {
    let restored = |annotations: Value| {
        let mut object = claim();
        object["metadata"]["labels"] = json!({"app": "web", "clusterbackup.io/intercept": "restore-7f1c"});
        object["metadata"]["annotations"] = annotations;
        let decision = admitted(review(&[&of_a_restore()], "staging", object.clone()));
        let operations = serde_json::from_value(json!(decision.operations)).unwrap();
        json_patch::patch(&mut object, &json_patch::Patch(operations)).unwrap();
        assert_eq!(object, decision.object);
        assert_eq!(object["metadata"]["labels"], json!({"app": "web"}));
        let mark = Mark::read(object["metadata"]["annotations"][MODIFIED].as_str().unwrap());
        assert!(mark.names("restore-7f1c", rules(FASTER).hash()));
        assert!(!mark.names("restore-7f1c", rules(RENAMES).hash()));
        assert!(!mark.names("restore-0000", rules(FASTER).hash()));
        object["spec"]["storageClassName"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        restored(json!({"clusterbackup.io/original-namespace": "shop"})),
        "premium"
    );
    assert_eq!(restored(json!({})), "standard");

    // Nobody else is believed.
    let mut object = claim();
    object["metadata"]["labels"] = json!({"clusterbackup.io/intercept": "other"});
    object["metadata"]["annotations"] = json!({"clusterbackup.io/original-namespace": "shop"});
    let decision = admitted(review(&[&interception("other", FASTER)], "staging", object));
    assert_eq!(decision.object["spec"]["storageClassName"], "standard");
    assert_eq!(
        decision.object["metadata"]["labels"]["clusterbackup.io/intercept"],
        "other"
    );
}

#[test]
fn a_mark_that_is_none_names_nobody() {
    for text in ["", "null", "{}", "[{}]", "[1]"] {
        assert_eq!(Mark::read(text), Mark::default(), "{text}");
    }
}
