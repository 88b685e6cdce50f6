//! `BackupInstance`: what is protected.

#![expect(
    unreachable_pub,
    reason = "KubeSchema declares a copy of the struct inside of a function"
)]
#![expect(
    clippy::doc_markdown,
    reason = "the comments are shown by kubectl explain, as plain text"
)]

use clusterbackup_core::duration::Span;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    printcolumn(name = "Requester", type_ = "string", json_path = ".spec.requester.username"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct BackupInstanceSpec {
    /// The namespaces, as names or globs. Default: all, also future ones. Never kube-system, kube-public,
    /// kube-node-lease and our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included_namespaces: Option<Vec<String>>,
    /// Namespaces left out, as names or globs. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// Which objects, pods and claims among them. A claim is also taken when a selected pod mounts it. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
    /// Whether volumes are cut. Default: true.
    #[serde(default = "enabled")]
    pub snapshot_volumes: bool,
    /// The backup hooks that run, by name and namespace. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_hooks: Vec<HookReference>,
    /// How applications are frozen and volumes are cut.
    #[serde(default)]
    pub freeze: Freeze,
    /// Limits of what is cut.
    #[serde(default)]
    pub limits: Limits,
    /// Who made the instance, whose rights count; written at admission, whatever a client sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
}

/// A hook, by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct HookReference {
    /// The hook's name.
    pub name: String,
    /// The hook's namespace.
    pub namespace: String,
}

/// How applications are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Freeze {
    /// The longest time from the first pre hook to the undo. Default: 60s.
    pub max_freeze: Span,
    /// The longest time that the cuts may take. Default: 20s.
    pub cut_limit: Span,
    /// Whether all freeze units are cut at one moment, not only those that share claims. Default: false.
    pub barrier: bool,
    /// What a barrier that didn't hold means: Fail or Warn. Default: Warn.
    pub on_broken_barrier: OnBrokenBarrier,
    /// Whether the last KiB of the output of failed commands is kept in reports. Default: false.
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
    pub max_volume_size: Option<String>,
    /// Claims that have as many snapshots are skipped. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_snapshots_per_volume: Option<u32>,
}

/// Whose rights count.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Requester {
    /// The user's name.
    pub username: String,
    /// The user's uid, where the authenticator gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The user's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// What the controller knows of an instance.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupInstanceStatus {
    /// The generation that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready: whether a backup of it could run now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
