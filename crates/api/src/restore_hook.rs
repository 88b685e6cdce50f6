//! `RestoreHook`: commands after a restore, in the group and shape of AKS Backup.

#![expect(
    unreachable_pub,
    reason = "KubeSchema declares a copy of the struct inside of a function"
)]
#![expect(
    clippy::doc_markdown,
    reason = "the comments are shown by kubectl explain, as plain text"
)]

use clusterbackup_core::duration::Span;
use clusterbackup_core::hook::OnError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Commands that run in the new pods of a restore.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "RestoreHook",
    namespaced,
    derive = "PartialEq",
    category = "clusterbackup",
    doc = "Commands that run in the new pods of a restore."
)]
pub struct RestoreHookSpec {
    /// The hooks; of several that select a pod, all run, in this order.
    pub restore_hook: Vec<RestoreHookEntry>,
}

/// One hook.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreHookEntry {
    /// Its name, unique in the list.
    pub name: String,
    /// The restored namespaces whose pods it is for. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included_namespaces: Option<Vec<String>>,
    /// The restored namespaces whose pods it is not for. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// The pods it is for. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
    /// The commands, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_hooks: Option<Vec<RestoreResourceHook>>,
}

/// A step of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct RestoreResourceHook {
    /// The command.
    pub exec: RestoreExec,
}

/// A command after a restore.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreExec {
    /// The container. Default: the first of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Program and arguments; no shell.
    pub command: Vec<String>,
    /// What its failure means. Default: Continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// After this it is ended and has failed. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec_timeout: Option<Span>,
    /// How long the container may take to come up. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<Span>,
}
