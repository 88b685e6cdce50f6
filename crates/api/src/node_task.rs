//! `NodeTask`: the work of one node in one backup, or in one new pod of a restore. The contract between the leader, which
//! writes the spec, and the agent of the node, which writes the status.
//!
//! Of a backup, the leader makes every task of a backup with `state: Prepared`, then sets them `Running`: so a leader that dies in
//! between leaves nothing frozen. A unit without a barrier runs through by itself: pre hooks, cuts, undo. A unit
//! with one stops twice and goes on when the leader has raised its `released`: before the cut and before the undo.
//!
//! Of a restore, there is a task for each new pod with hooks, called after restore and pod: so nobody makes it twice. It
//! stays until the restore has ended, and says which commands have run.

mod report;

use std::collections::BTreeMap;

pub use clusterbackup_core::cut::{Consistency, CutOutcome};
use clusterbackup_core::duration::Span;
pub use clusterbackup_core::freeze::thaw::Thaw;
pub use clusterbackup_core::freeze::{Step, UnitPhase};
use clusterbackup_core::hook::{self, OnError};
pub use clusterbackup_core::hook::{ExecOutcome, Stage};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::schema;

pub use report::{CutReport, ExecReport, Killed, NodeTaskStatus, PodReport, TaskPhase, UnitReport};

/// The work of one node in one backup, or in one new pod of a restore.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
    doc = "The work of one node in one backup, or in one new pod of a restore; written by the leader, reported by the node's agent.",
    selectable = ".spec.nodeName",
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.nodeName"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("has(self.backup) != has(self.restored)").message("a task is either of a backup or of a restored pod")
)]
pub struct NodeTaskSpec {
    /// The node whose agent does the work; empty: the leader itself does it.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a task stays with its node"))]
    #[schemars(length(max = 253))]
    pub node_name: String,

    /// The leader's fencing epoch. An agent begins nothing for an epoch lower than the highest it has seen.
    pub epoch: i64,

    /// The backup that the work is for, if it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<RunReference>,

    /// How far the leader lets the node go.
    pub state: TaskState,

    /// Whether the last KiB of the output of failed commands goes into the status.
    #[serde(default)]
    pub keep_output: bool,

    /// The freeze units with pods on this node; independent of each other.
    #[schemars(length(max = 200))]
    pub units: Vec<FreezeUnit>,

    /// The new pod of a restore, if the work is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<RestoredPod>,
}

/// What a task is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// A backup, whose units are to be frozen and cut.
    Backup(&'a RunReference),
    /// A new pod of a restore, whose hooks are to run.
    Restored(&'a RestoredPod),
}

impl NodeTaskSpec {
    /// What it is for; none of a task that the schema doesn't admit.
    pub fn purpose(&self) -> Option<Purpose<'_>> {
        let restored = self.restored.as_ref().map(Purpose::Restored);
        restored.or_else(|| self.backup.as_ref().map(Purpose::Backup))
    }
}

/// Which backup, or which restore.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct RunReference {
    /// Its namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its uid.
    #[schemars(length(max = 128))]
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
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The longest time from the first pre hook to the undo.
    pub max_freeze: Span,
    /// The longest time that the cuts may take.
    pub cut_limit: Span,
    /// Steps that the leader has released; without it the unit waits for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<Step>")]
    pub released: Option<Step>,
    /// The pods to freeze, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub pods: Vec<PodOrder>,
    /// What this node cuts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub cuts: Vec<CutOrder>,
}

/// One pod's commands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct PodOrder {
    /// Its namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its uid: a pod of the same name that came later is another pod.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// What freezes it, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub pre: Vec<Command>,
    /// What undoes that, in this order. Without `pre`: what runs once after the cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub post: Vec<Command>,
}

/// One command in one container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// The hook that it comes from: `<namespace>/<BackupHook or RestoreHook>/<name of the hook>`.
    #[schemars(length(max = 512))]
    pub hook: String,
    /// The container that it runs in.
    #[schemars(length(min = 1, max = 63))]
    pub container: String,
    /// Program and arguments; no shell.
    #[schemars(length(min = 1, max = 256), inner(length(max = 32768)))]
    pub command: Vec<String>,
    /// What its failure means.
    pub on_error: OnError,
    /// After this it is ended, with everything it started, and has failed.
    pub timeout: Span,
}

/// A pod that is new by a restore, and what runs in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct RestoredPod {
    /// The restore.
    pub restore: RunReference,
    /// Its namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its uid: a pod of the same name that came later is another pod.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// What runs in it, in this order, each once.
    #[schemars(length(max = 200))]
    pub commands: Vec<RestoreCommand>,
}

/// One command in a container that has to come up before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct RestoreCommand {
    /// The command.
    pub exec: Command,
    /// How long its container may take to come up; then it is not run.
    pub wait: Span,
    /// Whether a container that runs has to be ready as well.
    pub ready: bool,
}

impl From<hook::Command> for Command {
    fn from(command: hook::Command) -> Self {
        Self {
            hook: command.hook,
            container: command.container,
            command: command.command,
            on_error: command.on_error,
            timeout: command.timeout,
        }
    }
}

impl From<Command> for hook::Command {
    fn from(command: Command) -> Self {
        Self {
            hook: command.hook,
            container: command.container,
            command: command.command,
            on_error: command.on_error,
            timeout: command.timeout,
        }
    }
}

impl From<hook::restore::RestoreCommand> for RestoreCommand {
    fn from(restore: hook::restore::RestoreCommand) -> Self {
        Self {
            exec: restore.command.into(),
            wait: restore.wait,
            ready: restore.ready,
        }
    }
}

impl From<RestoreCommand> for hook::restore::RestoreCommand {
    fn from(restore: RestoreCommand) -> Self {
        Self {
            command: restore.exec.into(),
            wait: restore.wait,
            ready: restore.ready,
        }
    }
}

/// One snapshot, or one group of them, to be made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutOrder {
    /// Namespace of the claims and the snapshot.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
    /// Name of the VolumeSnapshot or VolumeGroupSnapshot.
    #[schemars(schema_with = "schema::object_name")]
    pub snapshot: String,
    /// The VolumeSnapshotClass or VolumeGroupSnapshotClass.
    #[schemars(schema_with = "schema::object_name")]
    pub class: String,
    /// The claims: one for a single snapshot.
    #[schemars(length(min = 1, max = 200), inner(length(min = 1, max = 253)))]
    pub claims: Vec<String>,
    /// For a group: the labels that its claims, and no others in the namespace, carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels_schema")]
    pub group_labels: Option<BTreeMap<String, String>>,
}

fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}
