//! What is told of each object of a restore: in its report, and from that in its sums and its status.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Certainty, Outcome, RestorePhase, Wave};
use crate::clash;
use crate::interception::Fate;
use crate::object::ObjectId;

/// Whether a restore writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Mode {
    /// It does.
    #[default]
    Apply,
    /// It finds out what it would do, and writes nothing.
    Preview,
}

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReportLine {
    /// A leader begins, or goes on.
    Opening(Opening),
    /// What became of an object.
    Object(Box<ObjectReport>),
    /// What turned out later of an object.
    Warning(LateWarning),
    /// It has ended so.
    End(RestorePhase),
}

/// Which restore a report is of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub restore: String,
    /// What it reads.
    pub recovery_point: String,
    /// In whose name.
    pub requester: String,
    /// Whether it writes.
    pub mode: Mode,
}

/// What is not as it should be of an object that is told of already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct LateWarning {
    /// Which.
    pub target: ObjectId,
    /// What.
    pub warning: String,
}

/// A whole report, put together from its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Of which restore; none as long as nothing is told.
    pub opening: Option<Opening>,
    /// The objects, in the order of their waves.
    objects: BTreeMap<(Wave, ObjectId), ObjectReport>,
    /// How it ended, if it has.
    pub end: Option<RestorePhase>,
}

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
    /// How sure that is, in a preview.
    #[serde(flatten)]
    pub certainty: Option<Certainty>,
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
            certainty: None,
        }
    }

    /// This one, with what it doesn't know of what an earlier leader did.
    fn after(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if earlier.outcome == self.outcome && self.fields.is_empty() => Self {
                rules: earlier.rules,
                fields: earlier.fields,
                server_warnings: earlier.server_warnings,
                before: earlier.before,
                ..self
            },
            _ => self,
        }
    }

    /// What has to be told of it even where there is no room for all: why it is not restored, or not as it should be.
    pub fn troubles(&self) -> impl Iterator<Item = &str> {
        let warnings = self.warnings.iter();
        self.message.iter().chain(warnings).map(String::as_str)
    }
}

impl Report {
    /// Adds a line. Whoever goes on with a restore tells of all its objects again, so that the later word counts; what an
    /// earlier leader did to an object only he knows.
    pub fn add(&mut self, line: ReportLine) {
        match line {
            ReportLine::Opening(opening) => self.opening = Some(opening),
            ReportLine::End(phase) => self.end = Some(phase),
            ReportLine::Object(report) => {
                let key = (report.wave, report.origin.clone());
                let earlier = self.objects.remove(&key);
                self.objects.insert(key, report.after(earlier));
            }
            ReportLine::Warning(LateWarning { target, warning }) => {
                let told = self.objects.values_mut().find(|report| report.target == target);
                if let Some(report) = told
                    && !report.warnings.contains(&warning)
                {
                    report.warnings.push(warning);
                }
            }
        }
    }

    /// The objects, to be changed before they are shown.
    pub fn objects_mut(&mut self) -> impl Iterator<Item = &mut ObjectReport> {
        self.objects.values_mut()
    }

    /// The objects, wave by wave.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = &ObjectReport> {
        self.objects.values()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clash::Reason;
    use crate::object::GroupResource;
    use crate::restore::Doubt;

    fn object(namespace: &str) -> ObjectId {
        ObjectId {
            kind: GroupResource::new("apps", "deployments"),
            namespace: Some(namespace.to_owned()),
            name: "web".to_owned(),
        }
    }

    #[test]
    fn what_an_earlier_leader_did_stays_in_the_report() {
        let told = |outcome| ObjectReport::new(object("shop"), object("shop"), Wave::Controllers, outcome);
        let patched = ObjectReport {
            before: Some(json!({"kind": "Deployment"})),
            fields: vec![clash::Field {
                path: "/spec/replicas".to_owned(),
                outcome: clash::Outcome::Changed,
            }],
            ..told(Outcome::Patched)
        };
        for (first, then, expected) in [
            (patched.clone(), told(Outcome::Patched), patched.clone()),
            (
                told(Outcome::Failed),
                told(Outcome::Created),
                told(Outcome::Created),
            ),
            (patched, told(Outcome::Unchanged), told(Outcome::Unchanged)),
        ] {
            let mut report = Report::default();
            for line in [first, then] {
                report.add(ReportLine::Object(Box::new(line)));
            }
            assert_eq!(report.objects().collect::<Vec<_>>(), [&expected]);
        }
    }

    #[test]
    fn a_late_warning_stands_with_its_object_once() {
        let mut report = Report::default();
        let created = ObjectReport::new(
            object("shop"),
            object("again"),
            Wave::Controllers,
            Outcome::Created,
        );
        report.add(ReportLine::Object(Box::new(created)));
        for target in ["again", "again", "elsewhere"] {
            let (target, warning) = (object(target), "it is not ready".to_owned());
            report.add(ReportLine::Warning(LateWarning { target, warning }));
        }
        let warnings: Vec<_> = report.objects().flat_map(|object| &object.warnings).collect();
        assert_eq!(warnings, ["it is not ready"]);
    }

    #[test]
    fn a_line_of_a_report_says_what_programs_look_for_and_is_read_again() {
        let mut report = ObjectReport::new(
            object("shop"),
            object("again"),
            Wave::Controllers,
            Outcome::Patched,
        );
        report.certainty = Some(Certainty::Likely(Doubt::Quota));
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
            "certainty": "Likely",
            "doubt": "Quota",
            "rules": [{"rule": 0, "fate": "Applied", "changes": [{"path": "/spec/replicas", "before": 3, "after": 1}]}],
            "fields": [
                {"path": "/spec/replicas", "outcome": "Changed"},
                {"path": "/spec/selector", "outcome": "Kept", "reason": "Immutable"},
            ],
        });
        assert_eq!(line, expected);
        assert_eq!(serde_json::from_value::<ObjectReport>(line).unwrap(), report);
        let plain = ObjectReport::new(
            object("shop"),
            object("shop"),
            Wave::Controllers,
            Outcome::Created,
        );
        let again = serde_json::to_value(&plain).and_then(serde_json::from_value::<ObjectReport>);
        assert_eq!(again.unwrap(), plain);
    }
}
