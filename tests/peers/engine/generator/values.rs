//! Paths that are there and paths that just aren't, and every value that `docs/rules.md` has a row for.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::engine::rules::{Written, quoted};

/// A row of the documentation's table of values.
struct Row {
    yaml: String,
    plain: Option<Value>,
    in_text_field: Option<Value>,
}

/// A path, and a value for what is there. Compared with it, `null` asks for absence whatever the field.
pub(super) fn located_value(
    object: &Value,
    compared: bool,
) -> impl Strategy<Value = (String, Written)> + use<> {
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
pub(super) fn path(object: &Value) -> impl Strategy<Value = String> + use<> {
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
    let documented = include_str!("../../../../docs/rules.md")
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
