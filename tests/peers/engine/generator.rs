//! Objects and rules that fit them more or less: every condition, every operation, paths that are there and paths that
//! just aren't, and every value that `docs/rules.md` has a row for.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::rules::{Match, Operation, PatchData, Patches, Rule, Written, quoted};

/// An object and rules for it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) group_resource: &'static str,
    pub(crate) object: Value,
    pub(crate) rules: Vec<Rule>,
}

/// A row of the documentation's table of values.
struct Row {
    yaml: String,
    plain: Option<Value>,
    in_text_field: Option<Value>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    select(objects()).prop_flat_map(|(group_resource, object)| {
        vec(rule(group_resource, &object), 1..4).prop_map(move |rules| Case {
            group_resource,
            object: object.clone(),
            rules,
        })
    })
}

fn objects() -> Vec<(&'static str, Value)> {
    let metadata = |namespace: Option<&str>| {
        let mut metadata = json!({
            "name": "my-mysql-0",
            "labels": { "app": "db", "example.com/tier": "back", "n": "12" },
            "annotations": { "a/b": "true", "text": "say \"hi\"" },
            "finalizers": ["example.com/a", "example.com/b"],
        });
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        metadata
    };
    let pod = json!({
        "nodeSelector": { "ssd": "true" },
        "containers": [
            { "name": "a", "image": "x:1", "env": [{ "name": "E", "value": "1" }], "ports": [{ "containerPort": 80 }] },
            { "name": "b", "image": "y:2", "args": ["--level", "3", ""] },
        ],
    });
    vec![
        (
            "deployments.apps",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(Some("shop")),
                "spec": {
                    "replicas": 3, "paused": false, "selector": { "matchLabels": { "app": "db" } },
                    "template": { "metadata": { "labels": { "app": "db" } }, "spec": pod },
                },
            }),
        ),
        (
            "configmaps",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(Some("team-a.b")),
                "data": { "n": "12", "flag": "true", "file.yaml": "a: 1\nb: 2\n", "empty": "" },
            }),
        ),
        (
            "secrets",
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": metadata(Some("shop")),
                "type": "Opaque", "data": { "password": "aHVudGVyMg==" },
            }),
        ),
        (
            "persistentvolumeclaims",
            json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(Some("ns.1")),
                "spec": {
                    "storageClassName": "standard", "accessModes": ["ReadWriteOnce"],
                    "resources": { "requests": { "storage": "1Gi" } },
                },
            }),
        ),
        (
            "clusterroles.rbac.authorization.k8s.io",
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata(None),
                "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] }],
            }),
        ),
        (
            "widgets.example.com",
            json!({
                "apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata(Some("shop")),
                "spec": {
                    "n": 1, "float": 1.5, "whole": 2.0, "large": 9_007_199_254_740_993_i64, "nothing": null,
                    "list": [1, 2.0, 3], "nested": { "deep/er": { "til~de": [{ "a": 1 }, { "a": 2 }] } },
                },
            }),
        ),
    ]
}

fn rule(group_resource: &'static str, object: &Value) -> impl Strategy<Value = Rule> + use<> {
    let pattern = prop_oneof![
        6 => Just(group_resource.to_owned()),
        4 => Just("**".to_owned()),
        3 => select(PATTERNS).prop_map(str::to_owned),
    ];
    let matches = condition(object);
    (
        pattern,
        weighted(0.3, select(REGEXES)),
        weighted(0.3, vec(select(NAMESPACES), 0..3)),
        weighted(0.2, select(SELECTORS)),
        prop_oneof![3 => Just(Vec::new()), 1 => vec(matches, 1..3)],
        patches(object),
    )
        .prop_map(
            |(group_resource, name_regex, namespaces, label_selector, matches, patches)| Rule {
                group_resource,
                name_regex,
                namespaces,
                label_selector,
                matches,
                patches,
            },
        )
}

const PATTERNS: &[&str] = &[
    "*",
    "*.*",
    "*.apps",
    "**.k8s.io",
    "*.rbac.authorization.k8s.io",
    "{deployments.apps,configmaps}",
    "{deployments,statefulsets}.apps",
    "[cd]*",
    "[!c]**",
    "[a-d]*.apps",
    "?onfigmaps",
    "secret*",
    "*.example.com",
    "widgets.*.*",
    "configmap",
    "ConfigMaps",
    " configmaps",
    "pvc",
    "deployments",
    "[a",
    "{a,b",
    "a[]",
    "",
];

const REGEXES: &[&str] = &[
    "mysql",
    "^mysql",
    "^my-mysql-0$",
    "(?i)MYSQL",
    r"my\-mysql-\d",
    r"\Qmy-m\E",
    "my{",
    "{my",
    "m{,5}",
    "[m[a]y",
    "[a&&b]",
    "m{2}",
    "my|your",
    r"\w+-\w+-0",
    r"\bmysql\b",
    "",
    "(a",
    "(?=my)",
    r"\1",
    "m{1001}",
    "a**",
    r"\pL+",
    "(?P<a>my)",
    "[[:alpha:]]+-",
    r"\x6d",
    r"\155y",
    r"\z",
    r"\Z",
    r"\C",
    r"0\z",
    "(?s).*",
    "^$",
    "x*",
];

const NAMESPACES: &[&str] = &[
    "shop",
    "*",
    "sh*",
    "SHOP",
    "",
    "team-*",
    "ns.1",
    "ns*",
    "s?op",
    "{shop,other}",
    "[a-z]hop",
    "other",
    "{shop",
];

const SELECTORS: &[&str] = &[
    "{}",
    "null",
    "{matchLabels: {app: db}}",
    "{matchLabels: {app: web}}",
    "{matchLabels: {n: \"12\"}}",
    "{matchExpressions: [{key: app, operator: In, values: [db, web]}]}",
    "{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}",
    "{matchExpressions: [{key: gone, operator: NotIn, values: [db]}]}",
    "{matchExpressions: [{key: app, operator: Exists}]}",
    "{matchExpressions: [{key: app, operator: DoesNotExist}]}",
    "{matchLabels: {app: db}, matchExpressions: [{key: example.com/tier, operator: Exists}]}",
    "{matchExpressions: [{key: app, operator: Within}]}",
    "{matchExpressions: [{key: app, operator: In}]}",
];

fn condition(object: &Value) -> impl Strategy<Value = Match> + use<> {
    located_value(object, true).prop_map(|(path, value)| Match { path, value })
}

fn patches(object: &Value) -> impl Strategy<Value = Patches> + use<> {
    prop_oneof![
        12 => vec(operation(object), 1..4).prop_map(Patches::Json),
        4 => vec(patch_data(), 1..3).prop_map(Patches::Merge),
        1 => Just(Patches::None),
    ]
}

fn operation(object: &Value) -> impl Strategy<Value = Operation> + use<> {
    let name = prop_oneof![
        12 => select(&["add", "remove", "replace", "move", "copy", "test", "test"][..]),
        1 => select(&["Replace", "delete"][..]),
    ];
    (
        located_value(object, false),
        located_value(object, true),
        path(object),
        0..10_u8,
        name,
    )
        .prop_map(|((path, value), (compared_path, compared), from, odd, name)| {
            let takes_from = matches!(name, "move" | "copy");
            // One in ten has `from` where it has no meaning, or lacks it.
            let from = (takes_from != (odd == 0)).then_some(from);
            let (path, value) = if name == "test" {
                (compared_path, compared)
            } else {
                (path, value)
            };
            Operation {
                name,
                from,
                path,
                value,
            }
        })
}

/// A path, and a value for what is there. Compared with it, `null` asks for absence whatever the field.
fn located_value(object: &Value, compared: bool) -> impl Strategy<Value = (String, Written)> + use<> {
    let is_data = ["ConfigMap", "Secret"].contains(&object["kind"].as_str().unwrap_or_default());
    let present = object.clone();
    (
        path(object),
        select((0..ROWS.len()).collect::<Vec<_>>()),
        any::<bool>(),
    )
        .prop_map(move |(path, row, as_it_is)| {
            if compared
                && as_it_is
                && let Some(value) = present.pointer(&path)
            {
                return (path, as_text(value));
            }
            let row = &ROWS[row];
            let value = Written {
                yaml: row.yaml.clone(),
                meant: row.meant(Field::at(&path, is_data), compared),
            };
            (path, value)
        })
}

/// The value as a rule for Velero has it: JSON in quotes, and a text as it is unless it looks like something else.
fn as_text(value: &Value) -> Written {
    let yaml = match value {
        Value::String(text) => quoted(&quoted(text)),
        other => quoted(&other.to_string()),
    };
    Written {
        yaml,
        meant: Some(value.clone()),
    }
}

/// What a value becomes where, as `docs/rules.md` says.
#[derive(Clone, Copy)]
enum Field {
    Plain,
    /// It stays text.
    Text,
    /// What is in it stays text.
    Texts,
}

impl Field {
    fn at(path: &str, is_data: bool) -> Self {
        let tokens: Vec<&str> = path.split('/').skip(1).collect();
        match tokens[..] {
            [.., "metadata", "labels" | "annotations", _] | [.., "env", _, "value"] => Self::Text,
            ["data" | "binaryData" | "stringData", _] if is_data => Self::Text,
            [.., "metadata", "labels" | "annotations"] => Self::Texts,
            ["data" | "binaryData" | "stringData"] if is_data => Self::Texts,
            _ => Self::Plain,
        }
    }
}

impl Row {
    fn meant(&self, field: Field, compared: bool) -> Option<Value> {
        let asks_for_absence = compared && self.plain == Some(Value::Null);
        match field {
            Field::Text if !asks_for_absence => self.in_text_field.clone(),
            Field::Texts => self.plain.clone().map(texts),
            _ => self.plain.clone(),
        }
    }
}

/// A list or map with the texts of what is in it.
fn texts(holder: Value) -> Value {
    let text = |value: Value| match value {
        Value::Number(number) => Value::from(number.to_string()),
        other => other,
    };
    match holder {
        Value::Array(items) => items.into_iter().map(text).collect(),
        other => other,
    }
}

/// A path of the object, or one that is close to it.
fn path(object: &Value) -> impl Strategy<Value = String> + use<> {
    let mut paths = Vec::new();
    collect(object, String::new(), &mut paths);
    let suffix = prop_oneof![
        12 => Just(String::new()),
        6 => select(&["/new", "/-", "/0", "/-1", "/1", "/99", "/-99", "/x~1y", "/a/b", "/ä", "/a\"b", "/", "/"][..])
            .prop_map(str::to_owned),
    ];
    (select(paths), suffix, 0..40_u8).prop_map(|(path, suffix, odd)| match odd {
        0 => "spec/without/slash".to_owned(),
        1 => String::new(),
        _ => path + &suffix,
    })
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            collect(value, format!("{path}/{key}"), paths);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            collect(value, format!("{path}/{index}"), paths);
        }),
        _ => {}
    }
    paths.push(path);
}

/// Values as people write them: the rows of the documentation, and lists and maps as such.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let documented = include_str!("../../../docs/rules.md")
        .lines()
        .skip_while(|line| !line.starts_with("| value | becomes |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line
                .trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            Row {
                yaml: cells[0].to_owned(),
                plain: serde_json::from_str(cells[1]).ok(),
                in_text_field: serde_json::from_str(cells[2]).ok(),
            }
        });
    let as_such = [("{a: b}", json!({ "a": "b" })), ("[a, 2]", json!(["a", 2]))].map(|(yaml, meant)| Row {
        yaml: yaml.to_owned(),
        plain: Some(meant.clone()),
        in_text_field: Some(meant),
    });
    documented.chain(as_such).collect()
});

/// A merge patch in one of the ways in which it can be written.
fn patch_data() -> impl Strategy<Value = PatchData> {
    let written = (fields(), 0..4_u8).prop_map(|(fields, way)| {
        let json = fields.to_string();
        let yaml = match way {
            // As such.
            0 => json,
            // A text, as Velero has it, of JSON or of YAML.
            1 => quoted(&format!("# YAML\n{json}\n")),
            _ => quoted(&json),
        };
        PatchData {
            yaml,
            meant: Some(fields),
        }
    });
    prop_oneof![8 => written, 2 => select(ODD_PATCH_DATA).prop_map(odd_patch_data)]
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
            proptest::collection::btree_map(key.prop_map(str::to_owned), inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let texts = || {
        let key = select(&["app", "example.com/tier", "new", "a/b"][..]).prop_map(str::to_owned);
        weighted(0.4, proptest::collection::btree_map(key, text(), 0..3))
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
