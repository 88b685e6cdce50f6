//! `BackupHook`: commands before and after the cut, in the group and shape of AKS Backup.

use clusterbackup_core::duration::Span;
use clusterbackup_core::hook::OnError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::Schema;
use serde::{Deserialize, Serialize};

use crate::misplaced::{self, Misplaced};
use crate::schema;

/// Fields of one hook, where somebody wrote them right below the spec.
const FLAT: [Misplaced; 6] = [
    Misplaced::text("name"),
    Misplaced::names("includedNamespaces"),
    Misplaced::names("excludedNamespaces"),
    Misplaced::object("labelSelector"),
    Misplaced::objects("preHooks"),
    Misplaced::objects("postHooks"),
];

/// The limits of a restore hook's command.
const LIMITS_OF_RESTORE: [Misplaced; 2] = [Misplaced::text("execTimeout"), Misplaced::text("waitTimeout")];

/// Commands that run in pods before and after their volumes are cut.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "BackupHook",
    namespaced,
    derive = "PartialEq",
    shortname = "bh",
    category = "clusterbackup",
    doc = "Commands that run in pods before and after their volumes are cut.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(transform = declare_flat)]
#[x_kube(
    validation = Rule::new(
        "!has(self.name) && !has(self.includedNamespaces) && !has(self.excludedNamespaces) && !has(self.labelSelector) && !has(self.preHooks) && !has(self.postHooks)"
    ).message(
        "hooks are entries of a list: put what stands right below spec into an entry of spec.backupHook, as in spec: {backupHook: [{name: hook1, includedNamespaces: [shop], preHooks: [{exec: {container: web, command: [/bin/sync]}}], postHooks: []}]}"
    ),
    validation = Rule::new("has(self.backupHook) && size(self.backupHook) > 0").message(
        "there is no hook: list at least one, as in spec: {backupHook: [{name: hook1, preHooks: [{exec: {command: [/bin/sync]}}]}]}"
    )
)]
pub struct BackupHookSpec {
    /// The hooks, each with a name of its own; of several that select a pod, all run, in this order. At least 1, at
    /// most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub backup_hook: Vec<BackupHookEntry>,
}

/// One hook.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.preHooks) && size(self.preHooks) > 0, has(self.postHooks) && size(self.postHooks) > 0].exists(some, some)")
        .message("the hook runs nothing: list commands in preHooks, postHooks or both, each as exec: {command: [...]}")
)]
pub struct BackupHookEntry {
    /// Its name, unique in the list; at most 253 characters.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The namespaces whose pods it is for, as names or globs (`*`, `?`, `[a-c]`, `{a,b}`). At most 800. Default: all
    /// that the backup takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub included_namespaces: Option<Vec<String>>,
    /// The namespaces whose pods it is not for, as names or globs; they win over includedNamespaces. At most 800.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// The pods it is for. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub label_selector: Option<LabelSelector>,
    /// What freezes the application, in this order: run in each selected pod before its volumes are cut. At most 64.
    /// Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub pre_hooks: Option<Vec<BackupResourceHook>>,
    /// What undoes that, in this order: run as soon as the volumes are cut, or as soon as anything went wrong, and
    /// again until it succeeds. So it has to bear being run twice. At most 64. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub post_hooks: Option<Vec<BackupResourceHook>>,
}

/// A step of a hook.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BackupResourceHook {
    /// The command.
    pub exec: BackupExec,
}

/// A command around the cut.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = declare_limits_of_restore)]
#[x_kube(
    validation = Rule::new("!has(self.execTimeout) && !has(self.waitTimeout)")
        .message("execTimeout and waitTimeout belong to restore hooks; a backup hook has timeout: 30s")
)]
pub struct BackupExec {
    /// The container. Default: the first of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// Program and arguments. There is no shell around it: for one, write [/bin/sh, -c, "..."].
    #[schemars(schema_with = "schema::command")]
    pub command: Vec<String>,
    /// What its failure means. Continue: the backup goes on and ends with warnings. Fail: the pod's further
    /// pre hooks don't run, its volumes are not cut, what was frozen is undone. Default: Fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<OnError>")]
    pub on_error: Option<OnError>,
    /// After this it is ended, with every process that it started, and has failed. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

fn declare_flat(schema: &mut Schema) {
    misplaced::declare(schema, &FLAT, "Belongs into an entry of backupHook");
}

fn declare_limits_of_restore(schema: &mut Schema) {
    misplaced::declare(schema, &LIMITS_OF_RESTORE, "Belongs to restore hooks");
}
