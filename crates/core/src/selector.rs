//! Label selectors (`metav1.LabelSelector`): what may be written in one, and which labels satisfy it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// A selector; all its requirements have to hold. Without any it selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

/// One demand on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
}

/// What is demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// It is there and has one of these values.
    In(Vec<String>),
    /// It is not there or has none of these values.
    NotIn(Vec<String>),
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// Why a requirement could never be met, or not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The key is not one Kubernetes allows.
    #[error(
        "`{0}` is no label key: at most 63 letters, digits, `-`, `_` and `.`, starting and ending with a \
         letter or digit, optionally after a DNS name and `/`"
    )]
    BadKey(String),
    /// A value is not one Kubernetes allows.
    #[error(
        "`{0}` is no label value: at most 63 letters, digits, `-`, `_` and `.`, starting and ending with a \
         letter or digit"
    )]
    BadValue(String),
    /// `In` or `NotIn` without values.
    #[error("`In` and `NotIn` need at least one value")]
    NoValues,
    /// `Exists` or `DoesNotExist` with values.
    #[error("`Exists` and `DoesNotExist` take no values")]
    NeedlessValues,
    /// An operator that does not exist.
    #[error("the operator `{0}` does not exist; use In, NotIn, Exists or DoesNotExist")]
    UnknownOperator(String),
}

impl Operator {
    /// The operator of that name.
    pub fn parse(name: &str, values: Vec<String>) -> Result<Self, SelectorError> {
        match name {
            "In" | "NotIn" if values.is_empty() => Err(SelectorError::NoValues),
            "In" => Ok(Self::In(values)),
            "NotIn" => Ok(Self::NotIn(values)),
            "Exists" | "DoesNotExist" if !values.is_empty() => Err(SelectorError::NeedlessValues),
            "Exists" => Ok(Self::Exists),
            "DoesNotExist" => Ok(Self::DoesNotExist),
            _ => Err(SelectorError::UnknownOperator(name.to_owned())),
        }
    }
}

impl Requirement {
    /// A requirement, if a label like that can exist.
    pub fn new(key: String, operator: Operator) -> Result<Self, SelectorError> {
        if !is_key(&key) {
            return Err(SelectorError::BadKey(key));
        }
        if let Operator::In(values) | Operator::NotIn(values) = &operator
            && let Some(bad) = values.iter().find(|value| !value.is_empty() && !is_name(value))
        {
            return Err(SelectorError::BadValue(bad.clone()));
        }
        Ok(Self { key, operator })
    }

    /// The label it is about.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn holds(&self, label: Option<&str>) -> bool {
        match (&self.operator, label) {
            (Operator::In(values), Some(value)) => values.iter().any(|wanted| *wanted == value),
            (Operator::NotIn(values), Some(value)) => !values.iter().any(|wanted| *wanted == value),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::In(_), None) => false,
            (Operator::NotIn(_), None) => true,
        }
    }
}

impl LabelSelector {
    /// A selector of these requirements.
    pub const fn new(requirements: Vec<Requirement>) -> Self {
        Self(requirements)
    }

    /// Whether every object satisfies it.
    pub const fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The selector in an object that the API server has stored; `None` if it can't be read.
    pub fn stored(selector: &Value) -> Option<Self> {
        let equal = selector.get("matchLabels").and_then(Value::as_object);
        let equal = equal.into_iter().flatten().map(|(key, value)| {
            let operator = Operator::In(vec![value.as_str()?.to_owned()]);
            Requirement::new(key.clone(), operator).ok()
        });
        let demands = selector.get("matchExpressions").and_then(Value::as_array);
        let demands = demands.into_iter().flatten().map(|demand| {
            let values = demand.get("values").and_then(Value::as_array);
            let values = values
                .into_iter()
                .flatten()
                .map(|value| value.as_str().map(str::to_owned));
            let operator = Operator::parse(demand.get("operator")?.as_str()?, values.collect::<Option<_>>()?);
            Requirement::new(demand.get("key")?.as_str()?.to_owned(), operator.ok()?).ok()
        });
        equal.chain(demands).collect::<Option<_>>().map(Self)
    }

    /// Whether an object's labels satisfy it.
    pub fn matches(&self, object: &Value) -> bool {
        self.judge(object).all(|(_, _, holds)| holds)
    }

    /// Whether these labels satisfy it.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = |requirement: &Requirement| labels.get(&requirement.key).map(String::as_str);
        self.0
            .iter()
            .all(|requirement| requirement.holds(label(requirement)))
    }

    /// Each requirement with the label of the object that it is about, and whether it holds.
    pub fn judge<'a>(
        &'a self,
        object: &'a Value,
    ) -> impl Iterator<Item = (&'a Requirement, Option<&'a Value>, bool)> {
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        self.0.iter().map(move |requirement| {
            let label = labels.and_then(|labels| labels.get(&requirement.key));
            let holds = requirement.holds(label.and_then(as_label).as_deref());
            (requirement, label, holds)
        })
    }
}

/// As `kubectl` takes selectors: `app in (web, db)`, `tier notin (x)`, `app`, `!app`.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.operator {
            Operator::In(values) => write!(f, "{key} in ({})", values.join(", ")),
            Operator::NotIn(values) => write!(f, "{key} notin ({})", values.join(", ")),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

/// As the API server takes selectors of a list.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

/// Labels are read leniently: a number or boolean among them counts as its text and spoils no other label.
fn as_label(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        _ => None,
    }
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && is_name(name),
        None => is_name(key),
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.ends_with(|last: char| last.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn requirement(key: &str, operator: &str, values: &[&str]) -> Result<Requirement, SelectorError> {
        let values = values.iter().map(ToString::to_string).collect();
        Requirement::new(key.to_owned(), Operator::parse(operator, values)?)
    }

    #[test]
    fn labels_are_judged_as_kubernetes_does() {
        let object = json!({"metadata": {"labels": {"app": "db", "tier": "", "odd": 2, "list": []}}});
        for (key, operator, values, expected) in [
            ("app", "In", &["web", "db"][..], true),
            ("app", "In", &["web"], false),
            ("none", "In", &["db"], false),
            ("app", "NotIn", &["db"], false),
            ("app", "NotIn", &["web"], true),
            ("none", "NotIn", &["db"], true),
            ("tier", "In", &[""], true),
            ("tier", "Exists", &[], true),
            ("none", "Exists", &[], false),
            ("none", "DoesNotExist", &[], true),
            ("app", "DoesNotExist", &[], false),
            ("odd", "In", &["2"], true),
            ("list", "Exists", &[], false),
        ] {
            let selector = LabelSelector::new(vec![requirement(key, operator, values).expect(key)]);
            assert_eq!(selector.matches(&object), expected, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn requirements_are_written_as_kubectl_takes_them() {
        for (operator, values, written) in [
            ("In", &["web", "db"][..], "app in (web, db)"),
            ("NotIn", &["x"], "app notin (x)"),
            ("Exists", &[], "app"),
            ("DoesNotExist", &[], "!app"),
        ] {
            let requirement = requirement("app", operator, values).expect(operator);
            assert_eq!(requirement.to_string(), written);
        }
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(LabelSelector::default().matches(&json!({})));
    }

    #[test]
    fn labels_that_cannot_exist_are_refused() {
        for (key, operator, values) in [
            ("", "Exists", &[][..]),
            ("-a", "Exists", &[]),
            ("Example.com/a", "Exists", &[]),
            ("/a", "Exists", &[]),
            ("a/b/c", "Exists", &[]),
            ("app", "In", &[]),
            ("app", "Exists", &["x"]),
            ("app", "in", &["x"]),
            ("app", "In", &["no blanks"]),
        ] {
            assert!(
                requirement(key, operator, values).is_err(),
                "{key} {operator} {values:?}"
            );
        }
        assert!(requirement("example.com/a_b.c", "In", &["A-1"]).is_ok());
        assert!(requirement(&"a".repeat(64), "Exists", &[]).is_err());
    }
}
