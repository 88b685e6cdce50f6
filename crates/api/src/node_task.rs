//! `NodeTask`: the work of one node in one backup. The contract between the leader, which writes the spec, and the
//! agent of the node, which writes the status.
//!
//! The leader makes every task of a backup with `state: Prepared`, then sets them `Running`: so a leader that dies in
//! between leaves nothing frozen. A unit without a barrier runs through by itself: pre hooks, cuts, undo. A unit
//! with one stops twice and goes on when the leader has raised its `released`: before the cut and before the undo.

#![expect(
    unreachable_pub,
    reason = "KubeSchema declares a copy of the struct inside of a function"
)]
#![expect(
    clippy::doc_markdown,
    reason = "the comments are shown by kubectl explain, as plain text"
)]

use std::collections::BTreeMap;

pub use clusterbackup_core::cut::{Consistency, CutOutcome};
use clusterbackup_core::duration::Span;
pub use clusterbackup_core::freeze::thaw::Thaw;
pub use clusterbackup_core::freeze::{Step, UnitPhase};
use clusterbackup_core::hook::OnError;
pub use clusterbackup_core::hook::{ExecOutcome, Stage};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The work of one node in one backup.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "NodeTask",
    namespaced,
    derive = "PartialEq",
    status = "NodeTaskStatus",
    shortname = "nt",
    category = "clusterbackup",
    doc = "The work of one node in one backup; written by the leader, reported by the node's agent.",
    selectable = ".spec.nodeName",
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.nodeName"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct NodeTaskSpec {
    /// The node whose agent does the work.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a task stays with its node"))]
    pub node_name: String,

    /// The leader's fencing epoch. An agent begins nothing for an epoch lower than the highest it has seen.
    pub epoch: i64,

    /// The backup that the work is for.
    pub backup: BackupReference,

    /// How far the leader lets the node go.
    pub state: TaskState,

    /// Whether the last KiB of the output of failed commands goes into the status.
    #[serde(default)]
    pub keep_output: bool,

    /// The freeze units with pods on this node; independent of each other.
    pub units: Vec<FreezeUnit>,
}

/// Which backup.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct BackupReference {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// How far the leader lets a node go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum TaskState {
    /// Nothing begins yet.
    Prepared,
    /// The work is to be done.
    Running,
    /// Nothing more begins; what is frozen is thawed at once.
    Cancelled,
}

/// Pods that share claims, as far as they run on this node: frozen, cut and thawed together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeUnit {
    /// Unique within the backup; the parts of a unit on several nodes have the same name.
    pub name: String,
    /// The longest time from the first pre hook to the undo.
    pub max_freeze: Span,
    /// The longest time that the cuts may take.
    pub cut_limit: Span,
    /// Steps that the leader has released; without it the unit waits for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Step>,
    /// The pods to freeze, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodOrder>,
    /// What this node cuts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<CutOrder>,
}

/// One pod's commands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct PodOrder {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a pod of the same name that came later is another pod.
    pub uid: String,
    /// What freezes it, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre: Vec<Command>,
    /// What undoes that, in this order. Without `pre`: what runs once after the cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post: Vec<Command>,
}

/// One command in one container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// The hook that it comes from: `<namespace>/<BackupHook>/<name of the hook>`.
    pub hook: String,
    /// The container that it runs in.
    pub container: String,
    /// Program and arguments; no shell.
    pub command: Vec<String>,
    /// What its failure means.
    pub on_error: OnError,
    /// After this it is ended, with everything it started, and has failed.
    pub timeout: Span,
}

/// One snapshot, or one group of them, to be made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutOrder {
    /// Namespace of the claims and the snapshot.
    pub namespace: String,
    /// Name of the VolumeSnapshot or VolumeGroupSnapshot.
    pub snapshot: String,
    /// The VolumeSnapshotClass or VolumeGroupSnapshotClass.
    pub class: String,
    /// The claims: one for a single snapshot.
    pub claims: Vec<String>,
    /// For a group: the labels that its claims, and no others in the namespace, carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_labels: Option<BTreeMap<String, String>>,
}

/// What the node did.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeTaskStatus {
    /// The epoch under which the agent last acted.
    #[serde(default)]
    pub observed_epoch: i64,
    /// Where the task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TaskPhase>,
    /// Why it ended as it did, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the agent began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// When everything was done, the last undo included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<MicroTime>,
    /// One entry for each unit of the spec that has begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitReport>,
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
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitReport {
    /// The unit.
    pub name: String,
    /// How far it is.
    pub phase: UnitPhase,
    /// Whether the undo began before the leader released it: a barrier, if there is one, didn't hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
    /// Why the cuts were not taken or can't be trusted, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its pods, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodReport>,
    /// Its cuts, one entry for each claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<CutReport>,
}

/// What became of one pod.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodReport {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Whether it runs freely again.
    pub thaw: Thaw,
    /// From the beginning of the first pre hook to the end of the last undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_millis: Option<u64>,
    /// Every command that ran, in order. Repeated tries of an undo are one entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub execs: Vec<ExecReport>,
}

/// One command that ran.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecReport {
    /// The hook that it comes from.
    pub hook: String,
    /// Before the cut, or after.
    pub stage: Stage,
    /// The container.
    pub container: String,
    /// What came of it.
    pub outcome: ExecOutcome,
    /// The exit code, where there is one; of a signal 128 + its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What became of its processes, where it had to be ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    pub message: Option<String>,
    /// The end of the output of a failed command, at most 1 KiB, where the instance asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    pub namespace: String,
    /// The claim.
    pub claim: String,
    /// What came of it.
    pub outcome: CutOutcome,
    /// The VolumeSnapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// What a taken cut can be trusted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
    /// When it was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<MicroTime>,
    /// From the request to the moment that the driver had cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// What went wrong, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
