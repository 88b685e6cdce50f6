//! What holds for any input.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use clusterbackup_core::modifier::{Concerned, Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::strategic::{self, Metadata};
use clusterbackup_core::patch::{Draft, Pointer, json, merge};
use clusterbackup_core::schema::built_in;
use clusterbackup_core::{glob, pattern, yaml};
use json_patch::{Patch, PatchOperation};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Few keys, so that patches meet what they are about.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c/d", "e~f", "-1", "0", "labels", "metadata"])
        .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        prop::sample::select(vec![0.5, 1.0]).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), object_of(inner)]
    })
}

fn object_of(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    btree_map(key(), inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn object() -> impl Strategy<Value = Value> {
    object_of(value())
}

fn pointer() -> impl Strategy<Value = Pointer> {
    let token = prop_oneof![3 => key(), 1 => "-|-?[0-3]"];
    vec(token, 1..4).prop_map(|tokens| Pointer::from_tokens(tokens.iter().map(String::as_str)))
}

/// The specification of a pod, or a patch for one: few names, so that they meet.
fn pod_spec() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let directive = || prop::option::weighted(0.2, prop::sample::select(vec!["replace", "delete", "merge"]));
    let elements = || {
        let element = (name(), directive(), prop::option::of(value())).prop_map(|(name, directive, more)| {
            let mut element = json!({"name": name, "image": more});
            if let Some(directive) = directive {
                element["$patch"] = directive.into();
            }
            element
        });
        vec(element, 0..4)
    };
    let order = || prop::option::weighted(0.3, vec(name(), 0..4));
    let texts = || vec(name(), 0..4);
    (elements(), elements(), order(), texts(), directive(), value()).prop_map(
        |(containers, volumes, order, args, directive, other)| {
            let mut spec = json!({"containers": containers, "volumes": volumes, "nodeName": other,
                "securityContext": {"supplementalGroups": args}, "nodeSelector": {"a": other}});
            if let Some(order) = order {
                let order: Vec<_> = order.iter().map(|name| json!({ "name": name })).collect();
                spec["$setElementOrder/containers"] = order.into();
                spec["securityContext"]["$deleteFromPrimitiveList/supplementalGroups"] = json!(args);
            }
            if let Some(directive) = directive {
                spec["securityContext"]["$patch"] = directive.into();
            }
            json!({ "spec": spec })
        },
    )
}

/// An operation that owns its parts.
#[derive(Debug, Clone)]
struct Step {
    name: &'static str,
    from: Pointer,
    path: Pointer,
    value: Value,
}

impl Step {
    fn operation(&self) -> json::Operation<'_> {
        let Self {
            name,
            from,
            path,
            value,
        } = self;
        match *name {
            "add" => json::Operation::Add { path, value },
            "remove" => json::Operation::Remove { path },
            "replace" => json::Operation::Replace { path, value },
            "move" => json::Operation::Move { from, path },
            "copy" => json::Operation::Copy { from, path },
            _ => json::Operation::Test { path, value },
        }
    }

    fn for_oracle(&self) -> PatchOperation {
        let Self {
            name,
            from,
            path,
            value,
        } = self;
        let (from, path) = (from.as_str(), path.as_str());
        serde_json::from_value(json!({"op": name, "from": from, "path": path, "value": value}))
            .expect("is an operation")
    }
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop::sample::select(vec!["add", "add", "remove", "replace", "move", "copy", "test"]);
    (name, pointer(), pointer(), value()).prop_map(|(name, from, path, value)| Step {
        name,
        from,
        path,
        value,
    })
}

/// Applies the steps that fit and takes back what the others have left.
fn run(steps: &[Step], draft: &mut Draft) {
    for step in steps {
        let savepoint = draft.savepoint();
        if json::apply(step.operation(), draft).is_err() {
            draft.rollback(savepoint);
        }
    }
}

fn oracle(object: &Value, operations: &[PatchOperation]) -> Option<Value> {
    let mut object = object.clone();
    json_patch::patch(&mut object, &Patch(operations.to_vec())).ok()?;
    Some(object)
}

fn namespace() -> impl Strategy<Value = Option<String>> {
    prop::sample::select(vec![None, Some("shop"), Some("till")]).prop_map(|name| name.map(str::to_owned))
}

/// The conditions of a rule, of which about half hold.
fn conditions() -> impl Strategy<Value = Value> {
    let group_resource = prop::sample::select(vec!["pods", "*", "**", "deployments.apps"]);
    let name = prop::sample::select(vec!["", "^web", "db"]);
    let namespaces = prop::sample::select(vec![
        json!([]),
        json!(["shop"]),
        json!(["s*", "till"]),
        json!([""]),
    ]);
    let labels = prop::sample::select(vec![
        json!({}),
        json!({"matchLabels": {"a": "a"}}),
        json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}, {"key": "b", "operator": "NotIn", "values": ["b"]}]}),
    ]);
    let wanted = prop::sample::select(vec!["null", "1", "a", "{}"]);
    let matches = vec((pointer(), wanted), 0..3).prop_map(|matches| {
        matches
            .into_iter()
            .map(|(path, value)| json!({"path": path.as_str(), "value": value}))
            .collect::<Vec<_>>()
    });
    (group_resource, name, namespaces, labels, matches).prop_map(
        |(group_resource, name, namespaces, labels, matches)| {
            json!({
                "groupResource": group_resource,
                "resourceNameRegex": name,
                "namespaces": namespaces,
                "labelSelector": labels,
                "matches": matches,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_operations_of_a_draft_make_its_value(object in object(), steps in vec(step(), 0..12)) {
        let mut draft = Draft::new(object.clone());
        run(&steps, &mut draft);
        let expected = oracle(&object, draft.operations());
        prop_assert_eq!(expected.as_ref(), Some(draft.value()));
    }

    #[test]
    fn a_rollback_restores_everything(object in object(), kept in vec(step(), 0..4), undone in vec(step(), 0..12)) {
        let mut draft = Draft::new(object);
        run(&kept, &mut draft);
        let (value, operations, savepoint) = (draft.value().clone(), draft.operations().to_vec(), draft.savepoint());
        run(&undone, &mut draft);
        draft.rollback(savepoint);
        prop_assert_eq!((draft.value(), draft.operations()), (&value, operations.as_slice()));
        prop_assert_eq!(draft.savepoint(), savepoint);
    }

    #[test]
    fn what_the_oracle_can_do_is_done_the_same_way(object in object(), step in step()) {
        if let Some(expected) = oracle(&object, &[step.for_oracle()]) {
            let mut draft = Draft::new(object);
            prop_assert_eq!(json::apply(step.operation(), &mut draft), Ok(()));
            prop_assert_eq!(draft.value(), &expected);
        }
    }

    #[test]
    fn merges_agree_with_the_oracle_and_are_idempotent(object in object(), patch in object()) {
        let mut expected = object.clone();
        json_patch::merge(&mut expected, &patch);
        let members = patch.as_object().expect("an object");
        let mut draft = Draft::new(object.clone());
        prop_assert_eq!(merge::apply(members, &mut draft), Ok(()));
        prop_assert_eq!(draft.value(), &expected);
        prop_assert_eq!(oracle(&object, draft.operations()), Some(expected.clone()));
        let mut again = Draft::new(expected);
        prop_assert_eq!(merge::apply(members, &mut again), Ok(()));
        prop_assert!(again.operations().is_empty());
    }

    #[test]
    fn strategic_merges_are_their_operations_and_can_be_taken_back(object in pod_spec(), patches in vec(pod_spec(), 1..3)) {
        let metadata = Metadata::BuiltIn(built_in("v1", "Pod").expect("is built in"));
        let mut draft = Draft::new(object.clone());
        for patch in &patches {
            let (before, savepoint) = (draft.value().clone(), draft.savepoint());
            if strategic::apply(patch.as_object().expect("an object"), &mut draft, metadata).is_err() {
                draft.rollback(savepoint);
                prop_assert_eq!(draft.value(), &before);
            }
            let expected = oracle(&object, draft.operations());
            prop_assert_eq!(expected.as_ref(), Some(draft.value()));
        }
    }

    #[test]
    fn idempotent_rules_find_nothing_to_do_on_their_result(object in object(), patch in object(), text in "[a-z0-9.]{0,4}") {
        let mut patch = patch;
        patch.as_object_mut().expect("an object").remove("metadata");
        let rules = json!({"version": "v1", "resourceModifierRules": [
            {"conditions": {"groupResource": "**"}, "mergePatches": [{"patchData": patch}]},
            {"conditions": {"groupResource": "pods"}, "patches": [{"operation": "add", "path": "/spec", "value": {"x": text}}]},
        ]});
        let rules = RuleSet::parse(&rules.to_string()).expect("is valid");
        let group_resource = GroupResource::new("", "pods");
        let target = Target { group_resource: &group_resource, name: ObjectName::Exact("p"), original_namespace: None };
        let run = |object: &Value| {
            let mut draft = Draft::new(object.clone());
            rules.apply(&rules.select(&target, object), &mut draft, &Rename::Allowed.into());
            draft.into_parts()
        };
        let (result, operations) = run(&object);
        prop_assert_eq!(oracle(&object, &operations), Some(result.clone()));
        prop_assert_eq!(run(&result), (result, Vec::new()));
    }

    #[test]
    fn what_is_explained_is_what_is_selected(object in object(), rules in vec(conditions(), 1..6), namespace in namespace()) {
        let rules: Vec<_> = rules
            .into_iter()
            .map(|conditions| json!({"conditions": conditions, "mergePatches": [{"patchData": {}}]}))
            .collect();
        let text = json!({"version": "v1", "resourceModifierRules": rules}).to_string();
        let rules = RuleSet::parse(&text).expect("is valid");
        let group_resource = GroupResource::new("", "pods");
        let target = Target {
            group_resource: &group_resource,
            name: ObjectName::Exact("web-1"),
            original_namespace: namespace.as_deref(),
        };
        let selection = rules.select(&target, &object);
        let mut draft = Draft::new(object.clone());
        let failures: Vec<_> = rules
            .apply(&selection, &mut draft, &Rename::Allowed.into())
            .into_iter()
            .filter_map(|result| match result.outcome {
                RuleOutcome::Failed(error) => Some(error),
                _ => None,
            })
            .collect();
        let explanations = rules.explain(&target, &object);
        let concerned = explanations.iter().filter(|explanation| explanation.concerned() != Concerned::No);
        prop_assert_eq!(concerned.map(|explanation| explanation.rule).collect::<Vec<_>>(), selection.rules().collect::<Vec<_>>());
        let broken = explanations.iter().filter_map(|explanation| match explanation.concerned() {
            Concerned::Broken(error) => Some(error.clone()),
            Concerned::Yes | Concerned::No => None,
        });
        prop_assert_eq!(broken.collect::<Vec<_>>(), failures);
    }

    #[test]
    fn json_reads_the_same_as_yaml(value in object()) {
        let text = value.to_string();
        let read = yaml::to_json_documents(&text).expect("JSON is YAML");
        let mut draft = Draft::new(json!({"v": value}));
        let path = Pointer::from_tokens(["v"]);
        let same = json::Operation::Test { path: &path, value: &read[0] };
        prop_assert_eq!(json::apply(same, &mut draft), Ok(()));
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>(), yaml in "[-a-c:{}\\[\\]'\"|>&*!#,?\n \t<0-1]{0,60}") {
        for text in [&text, &yaml] {
            drop(RuleSet::parse(text));
            drop(RuleSet::parse(&format!("version: v1\nresourceModifierRules:\n{text}")));
            drop(glob::Glob::parse(text, glob::Separator::Dot));
            drop(pattern::Pattern::parse(text));
            drop(Pointer::parse(text));
        }
    }

    #[test]
    fn no_value_makes_a_rule_panic(value in any::<String>(), path in "/[a-c/~01-]{0,8}") {
        let rules = json!({"version": "v1", "resourceModifierRules": [
            {"conditions": {"groupResource": "**", "resourceNameRegex": value, "namespaces": [value]},
             "patches": [{"operation": "add", "path": path, "value": value}]},
        ]});
        drop(RuleSet::parse(&rules.to_string()));
    }
}
