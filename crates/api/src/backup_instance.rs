//! `BackupInstance`: what is protected.

use clusterbackup_core::duration::Span;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use clusterbackup_core::retention::Protection;

pub use crate::requester::Requester;
use crate::{conditions, schema};

/// What is protected: the namespaces, which of their pods and claims, by which hooks.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "BackupInstance",
    namespaced,
    derive = "PartialEq",
    status = "BackupInstanceStatus",
    shortname = "bi",
    category = "clusterbackup",
    doc = "What is protected: the namespaces, which of their pods and claims, by which hooks.",
    validation = Rule::new("!has(self.spec.policy) || has(self.spec.vault)")
        .message("spec.policy says for how long recovery points are kept, and they lie in a vault: name one in spec.vault"),
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.includedNamespaces"),
    printcolumn(name = "Requester", type_ = "string", json_path = ".spec.requester.username"),
    printcolumn(name = "Last", type_ = "date", json_path = ".status.lastSuccessful"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextBackup"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct BackupInstanceSpec {
    /// The namespaces, as names or globs (`*`, `?`, `[a-c]`, `{a,b}`). At most 800. Default: all, also future ones.
    /// Never kube-system, kube-public, kube-node-lease and our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub included_namespaces: Option<Vec<String>>,
    /// Namespaces left out, as names or globs; they win over includedNamespaces. At most 800. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// Which objects, pods and claims among them. A claim is also taken when a selected pod mounts it. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub label_selector: Option<LabelSelector>,
    /// The BackupVault in the same namespace that objects are stored in. Default: none; then objects are not stored, and a
    /// backup is the snapshots of its claims alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_object_name")]
    pub vault: Option<String>,
    /// The BackupPolicy in the same namespace by which backups run and recovery points are kept. Default: none; then backups
    /// run when somebody asks, and recovery points are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_object_name")]
    pub policy: Option<String>,
    /// What becomes of it and its recovery points. Protect: it is backed up, and they are kept by its policy.
    /// StopAndRetain: no backup runs by schedule, and they are kept. StopAndRetainByPolicy: no backup runs by schedule, and they
    /// are kept by its policy. StopAndDelete: no backup runs by schedule, and they are deleted. Default: Protect.
    #[serde(default)]
    pub protection: Protection,
    /// The kinds that are stored, as plural names with or without their group, or globs: configmaps, deployments.apps,
    /// *.example.com. At most 200. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resource_types")]
    pub included_resource_types: Option<Vec<String>>,
    /// Kinds that are not stored, in the same words; they win over includedResourceTypes. At most 200. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resource_types")]
    pub excluded_resource_types: Option<Vec<String>>,
    /// Whether objects outside of namespaces are stored. true: all of them. false: none but the Namespaces. Default:
    /// all where every namespace is taken, else those that belong to what is stored: the volumes of claims, the
    /// priority classes of pods, the cluster roles of service accounts, the definitions of custom resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_cluster_scope_resources: Option<bool>,
    /// Whether Secrets are stored. Consider encryption in the vault. Default: false.
    #[serde(default)]
    pub include_secrets: bool,
    /// Whether volumes are cut. Default: true.
    #[serde(default = "enabled")]
    pub snapshot_volumes: bool,
    /// The BackupHooks that run, by name and namespace. At most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub backup_hooks: Vec<HookReference>,
    /// How applications are frozen and volumes are cut.
    #[serde(default)]
    #[x_kube(
        validation = Rule::new("duration(self.maxFreeze) > duration(self.cutLimit)")
            .message("maxFreeze must exceed cutLimit, by what the pre hooks may take: raise it, or lower cutLimit"),
        validation = Rule::new("duration(self.cutLimit) > duration('0s')")
            .message("cutLimit must be more than nothing, for example 20s")
    )]
    pub freeze: Freeze,
    /// Limits of what is cut.
    #[serde(default)]
    #[x_kube(
        validation = Rule::new("!has(self.maxVolumeSize) || (isQuantity(self.maxVolumeSize) && quantity(self.maxVolumeSize).isGreaterThan(quantity('0')))")
            .message("maxVolumeSize must be a quantity, for example 1Ti or 500Gi")
    )]
    pub limits: Limits,
    /// Whose rights count: who made the instance, or was the last to change what it says. Written at admission,
    /// whatever a client sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
}

/// A hook, by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct HookReference {
    /// The hook's name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The hook's namespace.
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: String,
}

/// How applications are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Freeze {
    /// The longest time from the first pre hook to the undo; it must exceed cutLimit and the time-outs of a pod's pre
    /// hooks together. Default: 60s.
    pub max_freeze: Span,
    /// The longest time that the cuts may take. Default: 20s.
    pub cut_limit: Span,
    /// Whether all freeze units are cut at one moment, not only those that share claims. Default: false.
    pub barrier: bool,
    /// What a barrier that didn't hold means for the backup. Fail: it fails. Warn: it ends with warnings. Default:
    /// Warn.
    pub on_broken_barrier: OnBrokenBarrier,
    /// Whether the last KiB of the output of failed commands is kept in reports. Don't where commands may print
    /// secrets. Default: false.
    pub keep_output: bool,
}
/// What a barrier that didn't hold means for the backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum OnBrokenBarrier {
    /// It fails.
    Fail,
    /// It ends with warnings.
    #[default]
    Warn,
}

/// Limits of what is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Claims with larger volumes are skipped; a quantity, for example 1Ti. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub max_volume_size: Option<String>,
    /// Claims that have as many snapshots are skipped. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_snapshots_per_volume: Option<u32>,
}

/// What the controller knows of an instance.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupInstanceStatus {
    /// The generation that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The schedule of its policy that is followed, in words. It holds from the moment at which the leader first sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub schedule: Option<String>,
    /// Since when that schedule is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_since: Option<Time>,
    /// Up to here the schedule is followed: the last slot that has its backup, or the moment from which it holds. Whoever
    /// leads next goes on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scheduled: Option<Time>,
    /// When the next backup by schedule begins. Absent where there is no schedule, and while a backup is due and waits for
    /// the end of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_backup: Option<Time>,
    /// When the last backup ended in which nothing is missing, on demand or by schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful: Option<Time>,
    /// Ready: whether a backup of it could run now, as far as that is up to the instance, its hooks and the rights of who
    /// wrote them, and whether its policy can be followed. The leader looks when the instance changes, and every 30 s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for Freeze {
    fn default() -> Self {
        Self {
            max_freeze: Span::seconds(60),
            cut_limit: Span::seconds(20),
            barrier: false,
            on_broken_barrier: OnBrokenBarrier::default(),
            keep_output: false,
        }
    }
}

const fn enabled() -> bool {
    true
}
