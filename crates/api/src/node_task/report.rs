//! The node's report: the status of a `NodeTask`.

use clusterbackup_core::cut::{Consistency, CutOutcome};
use clusterbackup_core::freeze::UnitPhase;
use clusterbackup_core::freeze::thaw::Thaw;
use clusterbackup_core::hook::{ExecOutcome, Stage};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What the node did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeTaskStatus {
    /// The epoch under which the agent last acted.
    #[serde(default)]
    pub observed_epoch: i64,
    /// Where the task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<TaskPhase>")]
    pub phase: Option<TaskPhase>,
    /// Why it ended as it did, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
    /// When the agent began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// When everything was done, the last undo included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// One entry for each unit of the spec that has begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub units: Vec<UnitReport>,
    /// Every command of a restored pod that has had its turn, in order; the one that runs as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub execs: Vec<ExecReport>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum TaskPhase {
    /// The agent is at it.
    Running,
    /// Everything was done, every undo included; failures stand in the units.
    Done,
    /// Nothing was begun: cancelled before, of an old epoch, or the agent is about to stop.
    Refused,
}

/// What became of one unit on this node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitReport {
    /// The unit.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// How far it is.
    pub phase: UnitPhase,
    /// Whether the undo began before the leader released it: a barrier, if there is one, didn't hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
    /// Whether a container that a pre hook had frozen was not sure to have stood still until the thaw: it started again,
    /// or could not be looked at. What any node cuts of the unit is then crash consistent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disturbed: bool,
    /// Why the cuts were not taken or can't be trusted, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
    /// Its pods, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub pods: Vec<PodReport>,
    /// Its cuts, one entry for each claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub cuts: Vec<CutReport>,
}

/// What became of one pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodReport {
    /// Its namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its uid.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Whether it runs freely again.
    pub thaw: Thaw,
    /// From the beginning of the first pre hook to the end of the last undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_millis: Option<u64>,
    /// Every command that ran, in order. Repeated tries of an undo are one entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub execs: Vec<ExecReport>,
}

/// One command that ran.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecReport {
    /// The hook that it comes from.
    #[schemars(length(max = 512))]
    pub hook: String,
    /// Before the cut, after it, or after a restore.
    pub stage: Stage,
    /// The container.
    #[schemars(length(min = 1, max = 63))]
    pub container: String,
    /// What came of it.
    pub outcome: ExecOutcome,
    /// The exit code, where there is one; of a signal 128 + its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What became of its processes, where it had to be ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<Killed>")]
    pub killed: Option<Killed>,
    /// When the first try began.
    pub started_at: MicroTime,
    /// How long the last try took.
    pub millis: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// Bytes that the last try wrote.
    pub output_bytes: u64,
    /// What went wrong, for a person; never the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
    /// The end of the output of a failed command, at most 1 KiB, where the instance asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub output: Option<String>,
}

/// What became of the processes of a command that had to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Killed {
    /// All of them are gone.
    KilledAll,
    /// At least one left the tree and lives on.
    Escaped,
    /// They could not be told from the application's, or can't be reached: nothing was killed.
    NotKillable,
}

/// What became of one claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutReport {
    /// Its namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// The claim.
    #[schemars(schema_with = "schema::object_name")]
    pub claim: String,
    /// What came of it.
    pub outcome: CutOutcome,
    /// The VolumeSnapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub snapshot: Option<String>,
    /// What a taken cut can be trusted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<Consistency>")]
    pub consistency: Option<Consistency>,
    /// When it was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// From the request to the moment that the driver had cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// What went wrong, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::message")]
    pub message: Option<String>,
}
