//! Before and after: where two versions of an object differ, as the few lines of YAML that tell it.

use clusterbackup_api::labels;
use owo_colors::Style;
use serde_json::{Map, Value, json};

use super::page;

/// What the API server gives each object anew, and the marks of the interception: no work of a rule.
const NOT_BY_RULES: [&[&str]; 8] = [
    &["metadata", "creationTimestamp"],
    &["metadata", "resourceVersion"],
    &["metadata", "uid"],
    &["metadata", "annotations", labels::MODIFIED],
    &["metadata", "labels", labels::INTERCEPT],
    &["spec", "clusterIP"],
    &["spec", "clusterIPs"],
    &["status"],
];

/// A difference: the lines that were taken away and added, and the keys that lead to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change(Vec<Line>);

#[derive(Debug, PartialEq, Eq)]
struct Line {
    side: Side,
    indent: usize,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Before,
    After,
}

impl Change {
    /// What rules made of an object that would have become `before` without them.
    pub(super) fn between(before: &Value, after: &Value) -> Self {
        let mut lines = Vec::new();
        compare(&stripped(before), &stripped(after), 0, &mut lines);
        Self(lines)
    }

    pub(super) fn print(&self, indent: usize) {
        for line in &self.0 {
            let (sign, style) = match line.side {
                Side::Both => (' ', Style::new().dimmed()),
                Side::Before => ('-', Style::new().red()),
                Side::After => ('+', Style::new().green()),
            };
            let text = format!("{sign} {:1$}{2}", "", line.indent, line.text);
            println!("{:indent$}{}", "", page::styled(&text, style));
        }
    }
}

fn stripped(object: &Value) -> Value {
    let mut object = object.clone();
    for path in NOT_BY_RULES {
        if let [way @ .., last] = path {
            let parent = way.iter().try_fold(&mut object, |at, key| at.get_mut(key));
            parent
                .and_then(Value::as_object_mut)
                .and_then(|parent| parent.remove(*last));
        }
    }
    // An object that had none before the mark has none again.
    if let Some(metadata) = object["metadata"].as_object_mut()
        && metadata.get("annotations") == Some(&json!({}))
    {
        metadata.remove("annotations");
    }
    object
}

fn compare(before: &Value, after: &Value, indent: usize, lines: &mut Vec<Line>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => compare_maps(before, after, indent, lines),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after).filter(|(before, after)| before != after) {
                lines.push(Line::new(Side::Both, indent, &title(after)));
                compare(before, after, indent + 2, lines);
            }
        }
        _ => {
            write(Side::Before, before, indent, lines);
            write(Side::After, after, indent, lines);
        }
    }
}

fn compare_maps(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    indent: usize,
    lines: &mut Vec<Line>,
) {
    let added = after.iter().filter(|(key, _)| !before.contains_key(*key));
    for (key, old) in before {
        match after.get(key) {
            Some(new) if new == old => {}
            Some(new) if is_nested(old) && is_nested(new) => {
                lines.push(Line::new(Side::Both, indent, &format!("{key}:")));
                compare(old, new, indent + 2, lines);
            }
            Some(new) => {
                write_entry(Side::Before, key, old, indent, lines);
                write_entry(Side::After, key, new, indent, lines);
            }
            None => write_entry(Side::Before, key, old, indent, lines),
        }
    }
    for (key, new) in added {
        write_entry(Side::After, key, new, indent, lines);
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// The line for an item of a list, with what tells it from the others.
fn title(item: &Value) -> String {
    item["name"]
        .as_str()
        .or_else(|| item["metadata"]["name"].as_str())
        .map_or_else(|| "-".to_owned(), |name| format!("- name: {name}"))
}

fn write_entry(side: Side, key: &str, value: &Value, indent: usize, lines: &mut Vec<Line>) {
    if is_nested(value) {
        lines.push(Line::new(side, indent, &format!("{key}:")));
        write(side, value, indent + 2, lines);
    } else {
        lines.push(Line::new(side, indent, &format!("{key}: {}", scalar(value))));
    }
}

fn write(side: Side, value: &Value, indent: usize, lines: &mut Vec<Line>) {
    let text = scalar(value);
    lines.extend(text.lines().map(|line| Line::new(side, indent, line)));
}

/// A value as YAML; what can't be written as such is shown as JSON.
fn scalar(value: &Value) -> String {
    serde_saphyr::to_string(value).map_or_else(|_| value.to_string(), |text| text.trim_end().to_owned())
}

impl Line {
    fn new(side: Side, indent: usize, text: &str) -> Self {
        Self {
            side,
            indent,
            text: text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &Value, after: &Value) -> String {
        let mut text = String::new();
        for line in Change::between(before, after).0 {
            text.push(match line.side {
                Side::Both => ' ',
                Side::Before => '-',
                Side::After => '+',
            });
            text.push_str(&" ".repeat(line.indent));
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    #[test]
    fn only_what_differs_is_told_under_the_keys_that_lead_there() {
        let before = json!({
            "metadata": { "uid": "1", "annotations": { "gone": "x" }, "labels": { "environment": "production" } },
            "spec": { "replicas": 6, "containers": [
                { "name": "web", "image": "old/web:1" },
                { "name": "proxy", "image": "proxy:1" },
            ]},
        });
        let after = json!({
            "metadata": { "uid": "2", "annotations": { labels::MODIFIED: "[]", "text": "true" }, "labels": {
                "environment": "staging", labels::INTERCEPT: "shop",
            }},
            "spec": { "replicas": 1, "containers": [
                { "name": "web", "image": "new/web:1" },
                { "name": "proxy", "image": "proxy:1" },
            ]},
        });
        let wanted = "\u{20}metadata:
   annotations:
-    gone: x
+    text: \"true\"
   labels:
-    environment: production
+    environment: staging
 spec:
   containers:
     - name: web
-      image: old/web:1
+      image: new/web:1
-  replicas: 6
+  replicas: 1
";
        assert_eq!(told(&before, &after), wanted);
    }

    #[test]
    fn equal_objects_have_nothing_to_tell() {
        let object = json!({ "spec": { "a": [1, 2] } });
        assert_eq!(told(&object, &object), "");
    }
}
