//! A condition of a rule in words: what it wants, and what it finds in the object.

use clusterbackup_core::modifier::{Condition, Judged, Judgement};
use clusterbackup_core::patch::Pointer;
use serde_json::Value;

use crate::mask::Mask;

/// What there is to say of one condition.
#[derive(Debug)]
pub(crate) struct Words {
    /// The field of the rule.
    pub(crate) field: &'static str,
    pub(crate) wanted: String,
    pub(crate) found: String,
}

impl Words {
    pub(crate) fn of(judged: &Judged<'_>, mask: &Mask) -> Self {
        let words = Self::of_condition(&judged.condition, mask);
        match &judged.judgement {
            Judgement::Broken(error) => Self {
                found: error.to_string(),
                ..words
            },
            _ => words,
        }
    }

    fn of_condition(condition: &Condition<'_>, mask: &Mask) -> Self {
        let (field, wanted, found) = match condition {
            Condition::GroupResource { wanted, found } => {
                ("groupResource", (*wanted).to_owned(), format!("it is {found}"))
            }
            Condition::Namespaces { wanted, found } => (
                "namespaces",
                wanted.join(", "),
                match found {
                    Some(found) => format!("it comes from {found}"),
                    None => "it is cluster-scoped, so that nothing is asked".to_owned(),
                },
            ),
            Condition::Name { wanted, found } => (
                "resourceNameRegex",
                (*wanted).to_owned(),
                format!("its name is {found}"),
            ),
            Condition::Label { wanted, found } => {
                let path = Pointer::from_tokens(["metadata", "labels", wanted.key()]);
                let found = seen(&path, *found, "it has no such label", mask);
                ("labelSelector", wanted.to_string(), found)
            }
            Condition::Match { path, wanted, found } => (
                "matches",
                match wanted {
                    Some(Value::Null) => format!("{path} is not there"),
                    Some(wanted) => format!("{path} is {}", shown(path, wanted, mask)),
                    None => path.to_string(),
                },
                seen(path, *found, "there is nothing", mask),
            ),
        };
        Self { field, wanted, found }
    }
}

fn seen(path: &Pointer, found: Option<&Value>, nothing: &str, mask: &Mask) -> String {
    match found {
        Some(found) => format!("it is {}", shown(path, found, mask)),
        None => nothing.to_owned(),
    }
}

fn shown(path: &Pointer, value: &Value, mask: &Mask) -> String {
    mask.value(path.tokens(), value).to_string()
}
