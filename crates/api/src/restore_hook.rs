//! `RestoreHook`: commands after a restore, in the group and shape of AKS Backup.

use clusterbackup_core::duration::Span;
use clusterbackup_core::hook::OnError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::Schema;
use serde::{Deserialize, Serialize};

use crate::misplaced::{self, Misplaced};
use crate::schema;

/// Fields of one hook, where somebody wrote them right below the spec.
const FLAT: [Misplaced; 5] = [
    Misplaced::text("name"),
    Misplaced::names("includedNamespaces"),
    Misplaced::names("excludedNamespaces"),
    Misplaced::object("labelSelector"),
    Misplaced::objects("postHooks"),
];

/// What a backup hook has.
const PRE_HOOKS: [Misplaced; 1] = [Misplaced::objects("preHooks")];

/// The limit of a backup hook's command.
const LIMIT_OF_BACKUP: [Misplaced; 1] = [Misplaced::text("timeout")];

/// Commands that run in the new pods of a restore.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.dataprotection.microsoft.com",
    version = "v1alpha1",
    kind = "RestoreHook",
    namespaced,
    derive = "PartialEq",
    shortname = "rh",
    category = "clusterbackup",
    doc = "Commands that run in the new pods of a restore.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(transform = declare_flat)]
#[x_kube(
    validation = Rule::new(
        "!has(self.name) && !has(self.includedNamespaces) && !has(self.excludedNamespaces) && !has(self.labelSelector) && !has(self.postHooks)"
    ).message(
        "hooks are entries of a list: put what stands right below spec into an entry of spec.restoreHook, as in spec: {restoreHook: [{name: hook1, includedNamespaces: [shop], postHooks: [{exec: {container: web, command: [/bin/true]}}]}]}"
    ),
    validation = Rule::new("!has(self.preHooks)").message("a restore hook has postHooks alone: nothing can run in a pod before it is restored"),
    validation = Rule::new("has(self.restoreHook) && size(self.restoreHook) > 0").message(
        "there is no hook: list at least one, as in spec: {restoreHook: [{name: hook1, postHooks: [{exec: {command: [/bin/true]}}]}]}"
    )
)]
pub struct RestoreHookSpec {
    /// The hooks, each with a name of its own; of several that select a pod, all run, in this order. At least 1, at
    /// most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub restore_hook: Vec<RestoreHookEntry>,
}

/// One hook.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = declare_pre_hooks)]
#[x_kube(
    validation = Rule::new("!has(self.preHooks)").message("a restore hook has postHooks alone: nothing can run in a pod before it is restored"),
    validation = Rule::new("has(self.postHooks) && size(self.postHooks) > 0")
        .message("the hook runs nothing: list commands in postHooks, each as exec: {command: [...]}")
)]
pub struct RestoreHookEntry {
    /// Its name, unique in the list; at most 253 characters.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The namespaces whose pods it is for, as they are after the restore; names or globs (`*`, `?`, `[a-c]`,
    /// `{a,b}`). At most 800. Default: all that the restore writes to.
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
    /// The commands, in this order. At most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub post_hooks: Option<Vec<RestoreResourceHook>>,
}

/// A step of a hook.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RestoreResourceHook {
    /// The command.
    pub exec: RestoreExec,
}

/// A command after a restore.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = declare_limit_of_backup)]
#[x_kube(
    validation = Rule::new("!has(self.timeout)")
        .message("timeout belongs to backup hooks; a restore hook has execTimeout: 30s, and waitTimeout: 5m for the container to come up")
)]
pub struct RestoreExec {
    /// The container. Default: the first of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// Program and arguments. There is no shell around it: for one, write [/bin/sh, -c, "..."].
    #[schemars(schema_with = "schema::command")]
    pub command: Vec<String>,
    /// What its failure means. Continue: the pod's further hooks run, the restore ends with warnings. Fail: the pod's
    /// further hooks don't run. Default: Continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<OnError>")]
    pub on_error: Option<OnError>,
    /// After this it is ended, with every process that it started, and has failed. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec_timeout: Option<Span>,
    /// How long the container may take to come up; the command of one that is later is not run. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout: Option<Span>,
    /// Whether a container that runs has to be ready as well, as its readiness probe says. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_ready: Option<bool>,
}

fn declare_flat(schema: &mut Schema) {
    misplaced::declare(schema, &FLAT, "Belongs into an entry of restoreHook");
    declare_pre_hooks(schema);
}

fn declare_pre_hooks(schema: &mut Schema) {
    misplaced::declare(schema, &PRE_HOOKS, "Belongs to backup hooks");
}

fn declare_limit_of_backup(schema: &mut Schema) {
    misplaced::declare(schema, &LIMIT_OF_BACKUP, "Belongs to backup hooks");
}
