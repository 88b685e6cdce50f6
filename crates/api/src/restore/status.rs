//! How far a restore is, and what came of it: bounded, however many objects it has.

use std::fmt;

use clusterbackup_core::restore::{Outcome, RestorePhase};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{conditions, schema};

/// How far a restore is, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStatus {
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<RestorePhase>")]
    pub phase: Option<RestorePhase>,
    /// Why it stands there, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// What became of the objects.
    #[serde(default)]
    pub counts: RestoreCounts,
    /// Of the objects that were created and tell whether they are ready, how many are; there when it is waited for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<RestoreReadiness>,
    /// Of a preview: how sure it is of what it says about the objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<CertaintyCounts>,
    /// Where the report is, which says what became of each object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportStatus>,
    /// Which objects are restored at the moment: each wave needs what those before it have made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub wave: Option<String>,
    /// Objects that are not restored, or not as they should be, the worst first, at most 200; the counts are complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub problems: Vec<ObjectProblem>,
    /// What became of the commands of restore hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<HookCounts>,
    /// Complete: whether it ended, and how. Ready: whether what it created runs, where that was waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// What became of the commands of restore hooks. The rest of the total waits or runs; at the end there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HookCounts {
    /// Commands that are to run in the new pods that are there by now.
    pub total: u64,
    /// Commands that succeeded.
    pub succeeded: u64,
    /// Commands that ran and failed, or of which that is not known.
    pub failed: u64,
    /// Commands that were not run: their container did not come up in time, or one before them failed.
    pub not_run: u64,
}

/// What became of the objects of a restore. The parts add up to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreCounts {
    /// Objects that are asked for.
    pub total: u64,
    /// Objects that this restore created.
    pub created: u64,
    /// Objects that were in the cluster already, were different there, and were changed.
    pub patched: u64,
    /// Objects that were in the cluster already, were deleted there, and created anew.
    pub replaced: u64,
    /// Objects that are in the cluster already, as the recovery point has them.
    pub unchanged: u64,
    /// Objects that are in the cluster already and are different there: they stay as they are.
    pub skipped: u64,
    /// Objects that others make, or that nobody wants a second time.
    pub left_out: u64,
    /// Objects that could not be created, or not be changed.
    pub failed: u64,
    /// Objects whose turn has not come.
    pub pending: u64,
}

/// How many objects are ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReadiness {
    /// Objects that tell whether they are ready.
    pub awaited: u64,
    /// Those of them that are.
    pub ready: u64,
}

/// `3 of 4 objects are ready`.
impl fmt::Display for RestoreReadiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} objects are ready", self.ready, self.awaited)
    }
}

/// How sure a preview is, in objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertaintyCounts {
    /// A restore does what the preview says, unless somebody changes something meanwhile.
    pub certain: u64,
    /// It probably does.
    pub likely: u64,
    /// A dry run can't tell.
    pub unknown: u64,
}

/// The report of a restore, in the vault of its recovery point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportStatus {
    /// The folder in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub folder: Option<String>,
    /// Why there is none, or not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub missing: Option<String>,
}

/// An object that is not restored, or not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectProblem {
    /// Its kind, as plural name and group.
    #[schemars(length(max = 317))]
    pub group_resource: String,
    /// The namespace that it would be in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What became of it.
    pub action: Outcome,
    /// Why, for a person.
    #[schemars(schema_with = "schema::message")]
    pub message: String,
}

/// `1 of 3 commands have run well, 1 failed, 1 did not run`.
impl fmt::Display for HookCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} commands have run well", self.succeeded, self.total)?;
        for (count, what) in [(self.failed, "failed"), (self.not_run, "did not run")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// `12 of 14 objects are created, 1 unchanged, 1 failed`.
impl fmt::Display for RestoreCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} objects are created", self.created, self.total)?;
        for (count, what) in [
            (self.patched, "patched"),
            (self.replaced, "replaced"),
            (self.unchanged, "unchanged"),
            (self.skipped, "skipped"),
            (self.left_out, "left out"),
            (self.failed, "failed"),
            (self.pending, "not tried"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
