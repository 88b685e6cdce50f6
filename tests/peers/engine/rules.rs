//! Rules as the generator makes them: written as somebody may write them, and, beside that, written so that Velero
//! understands them as `docs/rules.md` says they are meant.

use std::fmt;

use serde_json::Value;

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) group_resource: String,
    pub(crate) name_regex: Option<&'static str>,
    pub(crate) namespaces: Option<Vec<&'static str>>,
    /// YAML.
    pub(crate) label_selector: Option<&'static str>,
    pub(crate) matches: Vec<Match>,
    pub(crate) patches: Patches,
}

/// One of a rule's `matches`.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    pub(crate) path: String,
    pub(crate) value: Written,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub(crate) enum Patches {
    Json(Vec<Operation>),
    Merge(Vec<PatchData>),
    Strategic(Vec<PatchData>),
    None,
}

/// A JSON patch operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) from: Option<String>,
    pub(crate) path: String,
    pub(crate) value: Written,
}

/// A value as YAML, and the JSON that it means.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) yaml: String,
    /// None if it is refused.
    pub(crate) meant: Option<Value>,
}

/// A merge patch or strategic patch as YAML, and the JSON that it means.
#[derive(Clone, Debug)]
pub(crate) struct PatchData {
    pub(crate) yaml: String,
    /// None if it is refused.
    pub(crate) meant: Option<Value>,
}

/// The text of a rule set.
pub(crate) fn set(rules: &[Rule]) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("- {rule}\n")).collect();
    format!("version: v1\nresourceModifierRules:\n{}", rules.concat())
}

impl Rule {
    /// The same rule with every value and path as Velero has to be told what is meant.
    pub(crate) fn spelled_out(&self) -> Self {
        let mut rule = self.clone();
        for condition in &mut rule.matches {
            condition.value.spell_out();
            condition.path = escaped(&condition.path);
        }
        match &mut rule.patches {
            Patches::Json(operations) => {
                for operation in operations {
                    operation.value.spell_out();
                    operation.path = escaped(&operation.path);
                    operation.from = operation.from.as_deref().map(escaped);
                }
            }
            Patches::Merge(patches) | Patches::Strategic(patches) => {
                patches.iter_mut().for_each(PatchData::spell_out);
            }
            Patches::None => {}
        }
        rule
    }

    /// What of the rule can't be carried out on any object as it is written; nothing if it could on this one.
    pub(crate) fn refused_part(&self) -> Option<Self> {
        let matches = self.unreadable_matches();
        let patches = match &self.patches {
            Patches::Json(operations) => {
                let refused = operations.iter().filter(|operation| !operation.is_complete());
                Patches::Json(refused.cloned().collect())
            }
            other => other.clone(),
        };
        let is_nothing = match &patches {
            Patches::Json(operations) => operations.is_empty(),
            Patches::Merge(_) | Patches::Strategic(_) => true,
            Patches::None => false,
        };
        (!matches.is_empty() || !is_nothing).then(|| Self {
            group_resource: "**".to_owned(),
            name_regex: None,
            namespaces: None,
            label_selector: None,
            matches,
            patches,
        })
    }

    fn unreadable_matches(&self) -> Vec<Match> {
        let matches = self.matches.iter();
        matches
            .filter(|condition| condition.value.meant.is_none())
            .cloned()
            .collect()
    }

    /// Whether a path in it ends with a slash.
    pub(crate) fn names_a_key_without_a_name(&self) -> bool {
        self.paths().any(|path| path.ends_with('/'))
    }

    /// Every path in it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let matches = self.matches.iter().map(|condition| &*condition.path);
        let operations = match &self.patches {
            Patches::Json(operations) => &operations[..],
            _ => &[],
        };
        let from = operations
            .iter()
            .filter_map(|operation| operation.from.as_deref());
        matches
            .chain(from)
            .chain(operations.iter().map(|operation| &*operation.path))
    }

    /// Every value in it: as YAML, and what it means.
    pub(crate) fn values(&self) -> Vec<(&str, Option<&Value>)> {
        let matches = self.matches.iter().map(|condition| &condition.value);
        let (operations, patches): (&[Operation], &[PatchData]) = match &self.patches {
            Patches::Json(operations) => (operations, &[]),
            Patches::Merge(patches) | Patches::Strategic(patches) => (&[], patches),
            Patches::None => (&[], &[]),
        };
        matches
            .chain(operations.iter().map(|operation| &operation.value))
            .map(|value| (&*value.yaml, value.meant.as_ref()))
            .chain(patches.iter().map(|patch| (&*patch.yaml, patch.meant.as_ref())))
            .collect()
    }
}

impl Operation {
    fn is_complete(&self) -> bool {
        match self.name {
            "add" | "replace" | "test" => self.value.meant.is_some(),
            "move" | "copy" => self.from.as_deref().is_some_and(|from| !from.is_empty()),
            "remove" => true,
            _ => false,
        }
    }
}

impl Written {
    fn spell_out(&mut self) {
        let Some(meant) = &self.meant else { return };
        self.yaml = match meant {
            Value::String(text) => quoted(&quoted(text)),
            other => quoted(&as_velero_prints(other).to_string()),
        };
    }
}

impl PatchData {
    fn spell_out(&mut self) {
        if let Some(meant) = &self.meant {
            self.yaml = quoted(&as_velero_prints(meant).to_string());
        }
    }
}

/// Velero compares the texts of numbers, after it has printed the object's anew: whole ones without a fraction.
fn as_velero_prints(value: &Value) -> Value {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "it is small and whole")]
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                Value::from(float as i64)
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(as_velero_prints).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), as_velero_prints(value)));
            Value::Object(members.collect())
        }
        _ => value.clone(),
    }
}

/// A text as it stands between quotes in JSON.
fn escaped(text: &str) -> String {
    let quoted = quoted(text);
    quoted[1..quoted.len() - 1].to_owned()
}

/// A text in quotes: JSON, and so YAML.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{conditions: {{groupResource: {}",
            quoted(&self.group_resource)
        )?;
        if let Some(regex) = self.name_regex {
            write!(f, ", resourceNameRegex: {}", quoted(regex))?;
        }
        if let Some(namespaces) = &self.namespaces {
            write!(f, ", namespaces: {}", Value::from(namespaces.clone()))?;
        }
        if let Some(selector) = self.label_selector {
            write!(f, ", labelSelector: {selector}")?;
        }
        if !self.matches.is_empty() {
            write!(f, ", matches: [{}]", joined(&self.matches))?;
        }
        f.write_str("}")?;
        match &self.patches {
            Patches::Json(operations) => write!(f, ", patches: [{}]", joined(operations))?,
            Patches::Merge(patches) => write!(f, ", mergePatches: [{}]", joined(patches))?,
            Patches::Strategic(patches) => write!(f, ", strategicPatches: [{}]", joined(patches))?,
            Patches::None => {}
        }
        f.write_str("}")
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{path: {}, value: {}}}", quoted(&self.path), self.value.yaml)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{operation: {}", self.name)?;
        if let Some(from) = &self.from {
            write!(f, ", from: {}", quoted(from))?;
        }
        write!(f, ", path: {}", quoted(&self.path))?;
        if ["add", "replace", "test"].contains(&self.name) {
            write!(f, ", value: {}", self.value.yaml)?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for PatchData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{patchData: {}}}", self.yaml)
    }
}

fn joined(parts: &[impl fmt::Display]) -> String {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    parts.join(", ")
}
