//! Merge patches and strategic patches in each of the ways in which they can be written.

use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::engine::rules::{PatchData, quoted};

/// A merge patch.
pub(super) fn merge_patch() -> impl Strategy<Value = PatchData> {
    prop_oneof![
        8 => written(fields()),
        2 => select(ODD_PATCH_DATA).prop_map(odd_patch_data),
    ]
}

/// A strategic patch.
pub(super) fn strategic_patch() -> impl Strategy<Value = PatchData> {
    let template = |pod: Value| json!({ "spec": { "template": { "spec": pod } } });
    // Of the right types: on others, the API server's own merge fails sooner or later, and the object in any case.
    let metadata = fields().prop_map(|mut fields| {
        fields.as_object_mut().map(|fields| fields.remove("spec"));
        fields
    });
    prop_oneof![
        3 => written(pod().prop_map(template)),
        1 => written(metadata),
    ]
}

/// One of the ways in which a patch can be written.
fn written(patch: impl Strategy<Value = Value>) -> impl Strategy<Value = PatchData> {
    (patch, 0..4_u8).prop_map(|(patch, way)| {
        let json = patch.to_string();
        let yaml = match way {
            // As such.
            0 => json,
            // A text, as Velero has it, of JSON or of YAML.
            1 => quoted(&format!("# YAML\n{json}\n")),
            _ => quoted(&json),
        };
        PatchData {
            yaml,
            meant: Some(patch),
        }
    })
}

fn odd_patch_data((yaml, meant): (&str, &str)) -> PatchData {
    PatchData {
        yaml: yaml.to_owned(),
        meant: serde_json::from_str(meant).ok(),
    }
}

/// YAML, and the JSON that it means; nothing where it is refused.
const ODD_PATCH_DATA: &[(&str, &str)] = &[
    (
        r#"'{"metadata": {"labels": {"flag": true, "n": 12}}}'"#,
        r#"{"metadata": {"labels": {"flag": "true", "n": "12"}}}"#,
    ),
    (
        r#""metadata: {annotations: {version: 1.10}}""#,
        r#"{"metadata": {"annotations": {"version": "1.10"}}}"#,
    ),
    (r#""spec: {on: 1}""#, r#"{"spec": {"true": 1}}"#),
    (
        r#""spec: {large: 12345678901234567890}""#,
        r#"{"spec": {"large": 12345678901234567890}}"#,
    ),
    (
        r#"'{"spec": {"new": [{"a": null, "b": 1}]}}'"#,
        r#"{"spec": {"new": [{"a": null, "b": 1}]}}"#,
    ),
    (r#"'{"spec": {"a": 1, "a": 2}}'"#, ""),
    (r#""spec: {a: 1}\n---\nspec: {a: 2}""#, ""),
    ("''", ""),
    ("'null'", ""),
    ("text", ""),
    ("'[1]'", ""),
    (r#""{a: [""#, ""),
    (r#"'{"kind": "Other"}'"#, ""),
    (r#"'{"metadata": {"namespace": "other"}}'"#, ""),
    (r#"'{"metadata": null}'"#, ""),
    ("{}", "{}"),
    ("'{}'", "{}"),
];

/// What a merge patch may say, with texts where texts belong.
fn fields() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![Just(Value::Null), "[a-c]{1,2}".prop_map(Value::from)];
    let scalar = prop_oneof![
        text(),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        Just(json!(1.5)),
    ];
    let spec = scalar.prop_recursive(3, 12, 3, |inner| {
        let key = select(&["n", "nested", "list", "replicas", "deep/er", "template", "new"][..]);
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(key.prop_map(str::to_owned), inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let texts = || {
        let key = select(&["app", "example.com/tier", "new", "a/b"][..]).prop_map(str::to_owned);
        weighted(0.4, btree_map(key, text(), 0..3))
    };
    (weighted(0.7, spec), texts(), texts()).prop_map(|(spec, labels, annotations)| {
        let mut fields = json!({});
        for (name, texts) in [("labels", labels), ("annotations", annotations)] {
            if let Some(texts) = texts {
                fields["metadata"][name] = json!(texts);
            }
        }
        if let Some(spec) = spec {
            fields["spec"] = spec;
        }
        fields
    })
}

/// A patch of a pod's spec, with lists that are merged by keys, and the directives for that.
fn pod() -> impl Strategy<Value = Value> {
    let name = || select(&["a", "b", "c"][..]).prop_map(str::to_owned);
    let text = || prop_oneof![Just(Value::Null), "[a-c]{1,2}".prop_map(Value::from)];
    let label = select(&["ssd", "zone"][..]).prop_map(str::to_owned);
    (
        btree_map(name(), container(), 0..3),
        any::<bool>(),
        weighted(0.3, (btree_map(label, text(), 0..3), any::<bool>())),
        weighted(0.2, vec(select(&["a", "b"][..]), 1..3)),
    )
        .prop_map(|(containers, ordered, node_selector, tolerations)| {
            let mut pod = json!({});
            if ordered && !containers.is_empty() {
                pod["$setElementOrder/containers"] =
                    ["c", "b", "a"].map(|name| json!({ "name": name })).into();
            }
            if !containers.is_empty() {
                pod["containers"] = by_name(containers);
            }
            if let Some((labels, replaced)) = node_selector {
                pod["nodeSelector"] = json!(labels);
                if replaced {
                    pod["nodeSelector"]["$patch"] = json!("replace");
                }
            }
            if let Some(keys) = tolerations {
                pod["tolerations"] = keys.iter().map(|key| json!({ "key": key })).collect();
            }
            pod
        })
}

fn container() -> impl Strategy<Value = Value> {
    let variable = prop_oneof![
        3 => "[a-c]".prop_map(|value| json!({ "value": value })),
        1 => Just(json!({ "$patch": "delete" })),
    ];
    let env = btree_map(select(&["E", "F"][..]).prop_map(str::to_owned), variable, 1..3);
    let changed = (
        weighted(0.5, Just(json!("z:9"))),
        weighted(0.4, env),
        // Both at once go by chance in Velero, as on the API server.
        weighted(
            0.3,
            prop_oneof![
                Just(("args", json!(["x"]))),
                Just(("$deleteFromPrimitiveList/args", json!(["3", "x"]))),
            ],
        ),
        weighted(0.3, select(&[80, 81][..])),
    )
        .prop_map(|(image, env, args, port)| {
            let mut container = json!({});
            for (field, value) in [
                ("image", image),
                ("env", env.map(by_name)),
                (
                    "ports",
                    port.map(|port| json!([{ "containerPort": port, "name": "web" }])),
                ),
            ] {
                if let Some(value) = value {
                    container[field] = value;
                }
            }
            if let Some((field, value)) = args {
                container[field] = value;
            }
            container
        });
    prop_oneof![5 => changed, 1 => Just(json!({ "$patch": "delete" }))]
}

/// A list of what is known by name.
fn by_name(items: std::collections::BTreeMap<String, Value>) -> Value {
    items
        .into_iter()
        .map(|(name, mut item)| {
            item["name"] = json!(name);
            item
        })
        .collect()
}
