//! What is told of each object of a restore: in its report, and from that in its sums and its status.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Outcome, Wave};
use crate::clash;
use crate::interception::Fate;
use crate::object::ObjectId;

/// What a restore tells of one object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReport {
    /// Where it was.
    pub origin: ObjectId,
    /// Where it goes.
    pub target: ObjectId,
    /// When it has its turn.
    pub wave: Wave,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where that isn't what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The rules whose conditions hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleReport>,
    /// The fields in which it differs from the one that was there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<clash::Field>,
    /// What is not as it should be, although it is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What the API server warns of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_warnings: Vec<String>,
    /// The one that was there, before it was changed or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
}

/// What a rule did to an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    /// Its index among the rules of the restore.
    pub rule: usize,
    /// What it did.
    pub fate: Fate,
    /// Why it could not be applied, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A field that has another value than before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Change {
    /// JSON pointer to it.
    pub path: String,
    /// What it was; none where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it becomes; none where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl ObjectReport {
    /// Of an object that met this outcome, with nothing more to tell.
    pub const fn new(origin: ObjectId, target: ObjectId, wave: Wave, outcome: Outcome) -> Self {
        Self {
            origin,
            target,
            wave,
            outcome,
            message: None,
            rules: Vec::new(),
            fields: Vec::new(),
            warnings: Vec::new(),
            server_warnings: Vec::new(),
            before: None,
        }
    }

    /// What has to be told of it even where there is no room for all: why it is not restored, or not as it should be.
    pub fn troubles(&self) -> impl Iterator<Item = &str> {
        let warnings = self.warnings.iter();
        self.message.iter().chain(warnings).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clash::Reason;
    use crate::object::GroupResource;

    fn object(namespace: &str) -> ObjectId {
        ObjectId {
            kind: GroupResource::new("apps", "deployments"),
            namespace: Some(namespace.to_owned()),
            name: "web".to_owned(),
        }
    }

    #[test]
    fn a_line_of_a_report_says_what_programs_look_for_and_is_read_again() {
        let mut report = ObjectReport::new(
            object("shop"),
            object("again"),
            Wave::Controllers,
            Outcome::Patched,
        );
        report.fields = vec![
            clash::Field {
                path: "/spec/replicas".to_owned(),
                outcome: clash::Outcome::Changed,
            },
            clash::Field {
                path: "/spec/selector".to_owned(),
                outcome: clash::Outcome::Kept(Reason::Immutable),
            },
        ];
        report.rules = vec![RuleReport {
            rule: 0,
            fate: Fate::Applied,
            message: None,
            changes: vec![Change {
                path: "/spec/replicas".to_owned(),
                before: Some(json!(3)),
                after: Some(json!(1)),
            }],
        }];
        let line = serde_json::to_value(&report).unwrap();
        let expected = json!({
            "origin": {"groupResource": "deployments.apps", "namespace": "shop", "name": "web"},
            "target": {"groupResource": "deployments.apps", "namespace": "again", "name": "web"},
            "wave": "Controllers",
            "outcome": "Patched",
            "rules": [{"rule": 0, "fate": "Applied", "changes": [{"path": "/spec/replicas", "before": 3, "after": 1}]}],
            "fields": [
                {"path": "/spec/replicas", "outcome": "Changed"},
                {"path": "/spec/selector", "outcome": "Kept", "reason": "Immutable"},
            ],
        });
        assert_eq!(line, expected);
        assert_eq!(serde_json::from_value::<ObjectReport>(line).unwrap(), report);
    }
}
