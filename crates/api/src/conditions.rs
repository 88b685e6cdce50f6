//! Conditions in a status: the one way to build, to merge and to find them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

/// The type of the one condition that says whether a thing does its work.
pub const READY: &str = "Ready";

/// The longest message that the schema of a condition admits, in characters.
const MESSAGE_LIMIT: usize = 32_768;

/// Why a `RestoreInterception` is ready or is not. The words are API: scripts and alerts read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The rules are loaded and in force.
    Ready,
    /// The interception itself says something that can't be carried out.
    InterceptionInvalid,
    /// The rules don't parse, don't validate, or are not the ones that the reference pins.
    RulesInvalid,
    /// The `ConfigMap` doesn't exist.
    RulesMissing,
    /// The webhook may not read the `ConfigMap`.
    RulesForbidden,
}

impl Reason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::InterceptionInvalid,
        Self::RulesInvalid,
        Self::RulesMissing,
        Self::RulesForbidden,
    ];

    /// The reason as it stands in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::InterceptionInvalid => "InterceptionInvalid",
            Self::RulesInvalid => "RulesInvalid",
            Self::RulesMissing => "RulesMissing",
            Self::RulesForbidden => "RulesForbidden",
        }
    }

    /// Status of the `Ready` condition that carries this reason.
    const fn status(self) -> &'static str {
        match self {
            Self::Ready => "True",
            _ => "False",
        }
    }
}

/// A `Ready` condition as of `now`; its status follows from the reason.
pub fn ready(reason: Reason, message: &str, generation: Option<i64>, now: Time) -> Condition {
    Condition {
        type_: READY.to_owned(),
        status: reason.status().to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.chars().take(MESSAGE_LIMIT).collect(),
        observed_generation: generation,
        last_transition_time: now,
    }
}

/// Puts `condition` in the place of the one of its type. The time of the last transition stays when the
/// status does: a new message is no transition.
pub fn merge(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        Some(known) => {
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time.clone();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

/// The condition of this type.
pub fn find<'a>(conditions: impl IntoIterator<Item = &'a Condition>, type_: &str) -> Option<&'a Condition> {
    let mut conditions = conditions.into_iter();
    conditions.find(|condition| condition.type_ == type_)
}

/// The schema of a list of conditions, as Kubernetes has it for its own kinds: a map by type, bounded.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "What the condition is about, for example Ready.",
                    "type": "string",
                    "maxLength": 316
                },
                "status": {
                    "description": "Whether it holds: True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"]
                },
                "reason": {
                    "description": "Why, in one stable word for programs.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
                },
                "message": {
                    "description": "Why, and what to do about it, for people.",
                    "type": "string",
                    "maxLength": MESSAGE_LIMIT
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string",
                    "format": "date-time"
                },
                "observedGeneration": {
                    "description": "The generation of the object that the condition speaks of.",
                    "type": "integer",
                    "format": "int64"
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn only_the_reason_ready_makes_a_condition_true() {
        for reason in Reason::ALL {
            let condition = ready(reason, "", None, at(0));
            assert_eq!(condition.status == "True", reason == Reason::Ready, "{reason:?}");
            assert_eq!(condition.reason, format!("{reason:?}"));
        }
    }

    #[test]
    fn a_new_message_is_no_transition() {
        let mut conditions = vec![ready(Reason::RulesMissing, "no ConfigMap a/b", Some(1), at(1))];
        merge(
            &mut conditions,
            ready(Reason::RulesInvalid, "line 3: …", Some(2), at(2)),
        );
        let [condition] = conditions.as_slice() else {
            panic!("{conditions:?}")
        };
        assert_eq!(condition.last_transition_time, at(1));
        assert_eq!(
            (condition.reason.as_str(), condition.observed_generation),
            ("RulesInvalid", Some(2))
        );
    }

    #[test]
    fn a_new_status_is_a_transition() {
        let mut conditions = vec![ready(Reason::RulesMissing, "", Some(1), at(1))];
        merge(&mut conditions, ready(Reason::Ready, "", Some(1), at(2)));
        assert_eq!(conditions[0].last_transition_time, at(2));
    }

    #[test]
    fn conditions_of_other_types_stay() {
        let mut other = ready(Reason::Ready, "", None, at(1));
        other.type_ = "Audited".to_owned();
        let mut conditions = vec![other];
        merge(&mut conditions, ready(Reason::Ready, "", None, at(2)));
        let types: Vec<_> = conditions
            .iter()
            .map(|condition| condition.type_.as_str())
            .collect();
        assert_eq!(types, ["Audited", READY]);
    }

    #[test]
    fn a_message_is_cut_to_what_the_schema_admits() {
        let condition = ready(Reason::RulesInvalid, &"ß".repeat(40_000), None, at(0));
        assert_eq!(condition.message.chars().count(), MESSAGE_LIMIT);
    }
}
