//! What the shipped roles grant, asked of the API server with the token of each ServiceAccount.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::{Cluster, eventually, manifests, webhook};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use crate::runner::{Context, scenarios};

scenarios! {
    Webhook: [the_webhook_may_do_what_it_needs_and_no_more],
    Own: [agents_and_leader_may_do_what_they_need_and_no_more],
}

const OWN: &str = webhook::NAMESPACE;
const AGENTS: &str = "clusterbackup-agents";

const LIMIT: Duration = Duration::from_secs(10);

/// Verb; resource, with group and subresource; namespace; name; whether it is granted.
type Right<'a> = (&'a str, &'a str, &'a str, &'a str, bool);

/// What nobody of ours may do, wherever.
const NOBODY: [Right<'_>; 7] = [
    ("get", "secrets", "default", "a", false),
    ("create", "pods", OWN, "", false),
    ("create", "pods", AGENTS, "", false),
    ("create", "serviceaccounts/token", OWN, "a", false),
    ("create", "serviceaccounts/token", AGENTS, "a", false),
    (
        "bind",
        "clusterroles.rbac.authorization.k8s.io",
        "",
        "cluster-admin",
        false,
    ),
    ("get", "nodes/proxy", "", "a", false),
];

async fn the_webhook_may_do_what_it_needs_and_no_more(context: &Context) -> Result<()> {
    const TLS: &str = "clusterbackup-webhook-tls";
    const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
    const VALIDATING: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";
    const KIND: &str = "restoreinterceptions.clusterbackup.io";
    const RESTORE: &str = "restores.velero.io";
    const DEFINITION: &str = "customresourcedefinitions.apiextensions.k8s.io";
    let elsewhere = context.namespace.name();
    #[rustfmt::skip]
    let table = [
        // verb, resource, namespace, name, allowed
        ("list", KIND, "", "", true),
        ("watch", KIND, "", "", true),
        ("patch", "restoreinterceptions.clusterbackup.io/status", "", "a", true),
        ("update", "restoreinterceptions.clusterbackup.io/status", "", "a", false),
        ("patch", KIND, "", "a", false),
        ("update", KIND, "", "a", false),
        ("create", KIND, "", "a", false),
        ("delete", KIND, "", "a", false),
        ("get", "configmaps", OWN, "rules", true),
        ("watch", "configmaps", OWN, "rules", true),
        ("update", "configmaps", OWN, "rules", false),
        ("get", "configmaps", elsewhere, "rules", false),
        ("list", "configmaps", elsewhere, "", false),
        ("list", "configmaps", "", "", false),
        ("get", "secrets", OWN, TLS, true),
        ("update", "secrets", OWN, TLS, true),
        ("create", "secrets", OWN, "", true),
        ("delete", "secrets", OWN, TLS, false),
        ("get", "secrets", OWN, "another", false),
        ("list", "secrets", OWN, "", false),
        ("get", "secrets", elsewhere, TLS, false),
        ("list", "secrets", "", "", false),
        ("patch", MUTATING, "", "clusterbackup-intercept", true),
        ("patch", MUTATING, "", "clusterbackup-velero", true),
        ("patch", VALIDATING, "", "clusterbackup-validate", true),
        ("patch", MUTATING, "", "another", false),
        ("patch", VALIDATING, "", "another", false),
        ("update", MUTATING, "", "clusterbackup-intercept", false),
        ("create", MUTATING, "", "", false),
        ("delete", MUTATING, "", "clusterbackup-intercept", false),
        ("create", VALIDATING, "", "", false),
        ("delete", VALIDATING, "", "clusterbackup-validate", false),
        ("list", MUTATING, "", "", false),
        ("get", RESTORE, elsewhere, "a", false),
        ("list", RESTORE, elsewhere, "", false),
        ("list", RESTORE, "", "", false),
        ("patch", MUTATING, "", "clusterbackup-requester", true),
        ("patch", VALIDATING, "", "clusterbackup-validate-backups", true),
        ("create", "subjectaccessreviews.authorization.k8s.io", "", "", true),
        ("get", "backupinstances.clusterbackup.io", elsewhere, "a", false),
        ("list", "backupinstances.clusterbackup.io", elsewhere, "", true),
        ("get", "backupvaults.clusterbackup.io", elsewhere, "a", true),
        ("list", "backupvaults.clusterbackup.io", elsewhere, "", false),
        ("get", "backuppolicies.clusterbackup.io", elsewhere, "a", true),
        ("get", "recoverypoints.clusterbackup.io", elsewhere, "a", false),
        ("patch", "backupvaults.clusterbackup.io", elsewhere, "a", false),
        ("get", "backuphooks.clusterbackup.dataprotection.microsoft.com", elsewhere, "a", false),
        ("get", DEFINITION, "", "a", true),
        ("list", DEFINITION, "", "", false),
        ("patch", DEFINITION, "", "a", false),
        ("impersonate", "users", "", "admin", false),
        ("get", "restores.clusterbackup.io", elsewhere, "a", false),
    ];
    let account = context.cluster.service_account(OWN, webhook::NAME).await?;
    has(account, &table).await
}

async fn agents_and_leader_may_do_what_they_need_and_no_more(cluster: Cluster) -> Result<()> {
    manifests::apply(&cluster, "system", &[]).await?;
    let leader = cluster.service_account(OWN, "clusterbackup-leader").await?;
    has(leader, &LEADER).await.context("the leader")?;
    let agent = cluster.service_account(AGENTS, "clusterbackup-agent").await?;
    has(agent.clone(), &AGENT).await.context("the agent")?;
    has(agent.clone(), &exec(false))
        .await
        .context("hooks by the runtime")?;

    manifests::apply(&cluster, "system", &["pods-exec"]).await?;
    has(agent, &exec(true)).await.context("hooks by the API server")
}

/// What the component `pods-exec` grants, and nothing else does.
const fn exec(granted: bool) -> [Right<'static>; 2] {
    [
        ("create", "pods/exec", "default", "a", granted),
        ("get", "pods/exec", "default", "a", granted),
    ]
}

#[rustfmt::skip]
const AGENT: [Right<'_>; 34] = [
    ("list", TASKS, AGENTS, "", true),
    ("watch", TASKS, AGENTS, "", true),
    ("patch", TASK_STATUS, AGENTS, "a", true),
    ("list", TASKS, "default", "", false),
    ("create", TASKS, AGENTS, "", false),
    ("update", TASKS, AGENTS, "a", false),
    ("patch", TASKS, AGENTS, "a", false),
    ("delete", TASKS, AGENTS, "a", false),
    ("patch", TASK_STATUS, "default", "a", false),
    ("watch", "pods", "", "", true),
    ("patch", "pods", "default", "a", false),
    ("delete", "pods", "default", "a", false),
    ("create", "pods/eviction", "default", "a", false),
    ("create", SNAPSHOTS, "default", "", true),
    ("watch", SNAPSHOTS, "", "", true),
    ("delete", SNAPSHOTS, "default", "a", false),
    ("patch", SNAPSHOTS, "default", "a", false),
    ("create", GROUPS, "default", "", true),
    ("delete", GROUPS, "default", "a", false),
    ("get", CONTENTS, "", "a", false),
    ("patch", CONTENTS, "", "a", false),
    ("delete", CONTENTS, "", "a", false),
    ("create", EVENTS, "default", "", true),
    ("list", "persistentvolumeclaims", "", "", false),
    ("patch", "persistentvolumeclaims", "default", "a", false),
    ("list", BACKUPS, "", "", false),
    ("get", BACKUP_HOOKS, "default", "a", false),
    ("list", "configmaps", OWN, "", false),
    ("list", "configmaps", AGENTS, "", false),
    ("update", LEASES, OWN, "clusterbackup-leader", false),
    ("list", "nodes", "", "", false),
    ("list", "secrets", "", "", false),
    ("impersonate", "users", "", "admin", false),
    ("list", RESTORES, "", "", false),
];

#[rustfmt::skip]
const LEADER: [Right<'_>; 83] = [
    ("list", BACKUPS, "", "", true),
    ("patch", BACKUPS, "default", "a", true),
    ("update", "backups.clusterbackup.io/status", "default", "a", true),
    ("create", BACKUPS, "default", "", true),
    ("delete", BACKUPS, "default", "a", true),
    ("get", INSTANCES, "default", "a", true),
    ("watch", INSTANCES, "", "", true),
    ("patch", "backupinstances.clusterbackup.io/status", "default", "a", true),
    ("patch", INSTANCES, "default", "a", false),
    ("get", BACKUP_HOOKS, "default", "a", true),
    ("watch", BACKUP_HOOKS, "", "", false),
    ("list", "widgets.example.com", "", "", true),
    ("get", "widgets.example.com", "default", "a", false),
    ("list", "secrets", "", "", true),
    ("watch", "secrets", "", "", false),
    ("get", "pods/log", "default", "a", false),
    ("get", "pods/exec", "default", "a", false),
    ("get", RESTORES, "default", "a", true),
    ("watch", RESTORES, "", "", true),
    ("update", "restores.clusterbackup.io/status", "default", "a", true),
    ("create", RESTORES, "default", "", false),
    ("patch", RESTORES, "default", "a", false),
    ("impersonate", "users", "", "jane", true),
    ("impersonate", "groups", "", "team", true),
    ("impersonate", "serviceaccounts", "default", "a", true),
    ("impersonate", "uids.authentication.k8s.io", "", "7", true),
    ("impersonate", "userextras.authentication.k8s.io/oid", "", "7", true),
    ("create", "widgets.example.com", "default", "", false),
    ("create", "deployments.apps", "default", "", false),
    ("watch", "customresourcedefinitions.apiextensions.k8s.io", "", "", true),
    ("watch", "namespaces", "", "", true),
    ("watch", "pods", "", "", true),
    ("get", "restorehooks.clusterbackup.dataprotection.microsoft.com", "default", "a", false),
    ("watch", POLICIES, "", "", true),
    ("patch", "backuppolicies.clusterbackup.io/status", "default", "a", true),
    ("patch", POLICIES, "default", "a", false),
    ("watch", "backupvaults.clusterbackup.io", "", "", true),
    ("patch", "backupvaults.clusterbackup.io/status", "default", "a", true),
    ("patch", "backupvaults.clusterbackup.io", "default", "a", false),
    ("create", "recoverypoints.clusterbackup.io", "default", "", true),
    ("watch", "recoverypoints.clusterbackup.io", "", "", true),
    ("delete", "recoverypoints.clusterbackup.io", "default", "a", true),
    ("update", "recoverypoints.clusterbackup.io/status", "default", "a", true),
    ("patch", "recoverypoints.clusterbackup.io", "default", "a", false),
    ("create", "subjectaccessreviews.authorization.k8s.io", "", "", true),
    ("create", TASKS, AGENTS, "", true),
    ("patch", TASKS, AGENTS, "a", true),
    ("delete", TASKS, AGENTS, "a", true),
    ("patch", TASK_STATUS, AGENTS, "a", true),
    ("create", TASKS, "default", "", false),
    ("list", "pods", "", "", true),
    ("patch", "pods", "default", "a", false),
    ("create", "pods/exec", "default", "a", false),
    ("delete", "pods", AGENTS, "a", false),
    ("list", "namespaces", "", "", true),
    ("delete", "namespaces", "", "a", false),
    ("list", "persistentvolumes", "", "", true),
    ("patch", "persistentvolumes", "", "a", false),
    ("patch", "persistentvolumeclaims", "default", "a", true),
    ("delete", "persistentvolumeclaims", "default", "a", false),
    ("create", SNAPSHOTS, "default", "", true),
    ("delete", SNAPSHOTS, "default", "a", true),
    ("patch", SNAPSHOTS, "default", "a", false),
    ("create", GROUPS, "default", "", true),
    ("patch", CONTENTS, "", "a", true),
    ("delete", CONTENTS, "", "a", true),
    ("create", CONTENTS, "", "", true),
    ("watch", CONTENTS, "", "", true),
    ("update", CONTENTS, "", "a", false),
    ("watch", "persistentvolumeclaims", "", "", true),
    ("create", "persistentvolumeclaims", "default", "", false),
    ("watch", "deployments.apps", "", "", true),
    ("patch", "deployments.apps", "default", "a", false),
    ("list", "volumesnapshotclasses.snapshot.storage.k8s.io", "", "", true),
    ("create", EVENTS, "default", "", true),
    ("update", LEASES, OWN, "clusterbackup-leader", true),
    ("update", LEASES, OWN, "another", false),
    ("update", LEASES, "kube-system", "clusterbackup-leader", false),
    ("update", "configmaps", OWN, "clusterbackup-leader-epoch", true),
    ("delete", "configmaps", OWN, "clusterbackup-leader-epoch", false),
    ("get", "configmaps", OWN, "another", false),
    ("create", "configmaps", "default", "", false),
    ("get", "secrets", OWN, "clusterbackup-webhook-tls", false),
];

const TASKS: &str = "nodetasks.clusterbackup.io";
const TASK_STATUS: &str = "nodetasks.clusterbackup.io/status";
const BACKUPS: &str = "backups.clusterbackup.io";
const INSTANCES: &str = "backupinstances.clusterbackup.io";
const RESTORES: &str = "restores.clusterbackup.io";
const POLICIES: &str = "backuppolicies.clusterbackup.io";
const BACKUP_HOOKS: &str = "backuphooks.clusterbackup.dataprotection.microsoft.com";
const SNAPSHOTS: &str = "volumesnapshots.snapshot.storage.k8s.io";
const CONTENTS: &str = "volumesnapshotcontents.snapshot.storage.k8s.io";
const GROUPS: &str = "volumegroupsnapshots.groupsnapshot.storage.k8s.io";
const EVENTS: &str = "events.events.k8s.io";
const LEASES: &str = "leases.coordination.k8s.io";

/// Has an account ask for itself. The API server's authorizer learns of new roles by a watch, in a moment.
async fn has(account: Client, rights: &[Right<'_>]) -> Result<()> {
    let reviews = Api::<SelfSubjectAccessReview>::all(account);
    for right in rights.iter().chain(&NOBODY) {
        eventually("the right is as it should be", LIMIT, || ask(&reviews, right)).await?;
    }
    Ok(())
}

async fn ask(reviews: &Api<SelfSubjectAccessReview>, right: &Right<'_>) -> Result<()> {
    let (verb, resource, namespace, name, expected) = right;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let question = json!({ "spec": { "resourceAttributes": {
        "verb": verb, "group": group, "resource": resource, "subresource": subresource,
        "namespace": namespace, "name": name,
    } } });
    let answer = reviews
        .create(&PostParams::default(), &serde_json::from_value(question)?)
        .await?;
    let allowed = answer.status.context("no answer")?.allowed;
    ensure!(
        allowed == *expected,
        "{verb} {resource}/{subresource} {name:?} in {namespace:?} is {}",
        if allowed { "allowed" } else { "forbidden" }
    );
    Ok(())
}
