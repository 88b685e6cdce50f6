//! Whose rights count: who writes a hook or an instance is recorded, whatever he sends, and may have done for him what
//! he may do himself and nothing else.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::{Cluster, eventually};
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::kinds::object;
use crate::runner::{Context, scenarios};
use crate::steps::{api_of, create, refusal};

scenarios! {
    Webhook: [
        who_may_write_hooks_but_not_exec_is_refused,
        an_instance_takes_what_its_writer_may_list,
        a_requester_is_recorded_whatever_a_client_sends,
        what_is_recorded_of_an_odd_name_is_what_the_policy_wants,
        who_changes_what_an_object_says_takes_it_over,
        what_only_the_webhook_can_tell_is_refused_with_its_place,
    ],
}

const LIMIT: Duration = Duration::from_secs(20);

/// Creates a role in the namespace, or a cluster-wide one, and binds it to a user.
async fn allow(
    cluster: &Cluster,
    namespace: Option<&str>,
    user: &str,
    verb: &str,
    resources: &str,
) -> Result<()> {
    let name = format!("{user}-{verb}-{}", resources.replace(['/', '.', ','], "-"));
    let (kind, binding, place) = match namespace {
        Some(namespace) => ("role", "rolebinding", vec!["-n", namespace]),
        None => ("clusterrole", "clusterrolebinding", Vec::new()),
    };
    let (of_verb, of_resources) = (format!("--verb={verb}"), format!("--resource={resources}"));
    let (role, subject) = (format!("--{kind}={name}"), format!("--user={user}"));
    let role_command = ["create", kind, &name, &of_verb, &of_resources];
    let binding_command = ["create", binding, &name, &role, &subject];
    for command in [role_command, binding_command] {
        let command = [&command[..], &place].concat();
        cluster.kubectl(&command).await?.success()?;
    }
    let asked = resources.split(',').next().unwrap_or(resources);
    let (asked, part) = asked.split_once('/').unwrap_or((asked, ""));
    let part = format!("--subresource={part}");
    let question = [&["auth", "can-i", verb, asked, &part, "--as", user][..], &place].concat();
    eventually("the right is known", LIMIT, || async {
        cluster.kubectl(&question).await?.success().map(drop)
    })
    .await
}

/// Allows a user to do himself what an instance does for him.
async fn may_list(cluster: &Cluster, namespace: Option<&str>, user: &str) -> Result<()> {
    allow(cluster, namespace, user, "list", "pods,persistentvolumeclaims").await
}

/// A user who may write hooks and instances in the namespace, and nothing else.
async fn writer(context: &Context, name: &str) -> Result<(String, Client)> {
    let namespace = context.namespace.name();
    let user = format!("{name}-{namespace}");
    let kinds = "backupinstances.clusterbackup.io,\
                 backuphooks.clusterbackup.dataprotection.microsoft.com,\
                 restorehooks.clusterbackup.dataprotection.microsoft.com";
    for verb in ["create", "patch", "get"] {
        allow(&context.cluster, Some(namespace), &user, verb, kinds).await?;
    }
    let client = context.cluster.user(&user, &["writers"]).await?;
    Ok((user, client))
}

fn hook(namespaces: &[&str]) -> Value {
    let step = json!([{ "exec": { "command": ["/bin/true"] } }]);
    let hook = json!({ "name": "h", "includedNamespaces": namespaces, "preHooks": step, "postHooks": step });
    object("BackupHook", "tried", &json!({ "backupHook": [hook] }))
}

async fn who_may_write_hooks_but_not_exec_is_refused(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let (user, jane) = writer(context, "jane").await?;
    let own = hook(&[namespace]);
    let message = refusal(create(&jane, Some(namespace), &own).await)?;
    let lacked = format!("{user} may not: create pods/exec in namespace {namespace}");
    ensure!(message.contains(&lacked), "{message}");

    allow(&context.cluster, Some(namespace), &user, "create", "pods/exec").await?;
    create(&jane, Some(namespace), &own)
        .await
        .context("with the right")?;
    for namespaces in [&[][..], &["team-*"], &[namespace, "default"]] {
        let message = refusal(create(&jane, Some(namespace), &hook(namespaces)).await)?;
        ensure!(
            message.contains("may not: create pods/exec in"),
            "{namespaces:?}: {message}"
        );
    }
    let step = json!([{ "exec": { "command": ["/bin/true"] } }]);
    let restore = object(
        "RestoreHook",
        "tried",
        &json!({ "restoreHook": [{ "name": "h", "postHooks": step }] }),
    );
    let message = refusal(create(&jane, Some(namespace), &restore).await)?;
    ensure!(
        message.contains("may not: create pods/exec in every namespace"),
        "{message}"
    );

    // More than what was allowed can't be had by an update either.
    let patch = Patch::Merge(json!({ "spec": hook(&[])["spec"] }));
    let hooks = api_of(&jane, &own, Some(namespace))?;
    let message = refusal(hooks.patch("tried", &PatchParams::default(), &patch).await)?;
    ensure!(
        message.contains("create pods/exec in every namespace"),
        "{message}"
    );
    Ok(())
}

async fn an_instance_takes_what_its_writer_may_list(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let (user, jane) = writer(context, "jane").await?;
    let own = object(
        "BackupInstance",
        "own",
        &json!({ "includedNamespaces": [namespace] }),
    );
    let message = refusal(create(&jane, Some(namespace), &own).await)?;
    for resource in ["pods", "persistentvolumeclaims"] {
        let lacked = format!("list {resource} in namespace {namespace}");
        ensure!(message.contains(&lacked), "{message}");
    }
    may_list(&context.cluster, Some(namespace), &user).await?;
    create(&jane, Some(namespace), &own)
        .await
        .context("with the right")?;

    let all = object("BackupInstance", "all", &json!({}));
    let message = refusal(create(&jane, Some(namespace), &all).await)?;
    ensure!(message.contains("list pods in every namespace"), "{message}");
    may_list(&context.cluster, None, &user).await?;
    create(&jane, Some(namespace), &all)
        .await
        .context("with the right everywhere")?;
    let everywhere = format!("{user}-list-pods-persistentvolumeclaims");
    let granted = ["delete", "clusterrole,clusterrolebinding", &everywhere];
    context.cluster.kubectl(&granted).await?.success().map(drop)
}

async fn a_requester_is_recorded_whatever_a_client_sends(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let (user, jane) = writer(context, "jane").await?;
    allow(&context.cluster, Some(namespace), &user, "create", "pods/exec").await?;
    may_list(&context.cluster, Some(namespace), &user).await?;

    let forged = json!({ "username": "admin", "groups": ["system:masters"] });
    let spec = json!({ "includedNamespaces": [namespace], "requester": forged });
    let stored = create(&jane, Some(namespace), &object("BackupInstance", "forged", &spec)).await?;
    let groups = json!(["writers", "system:authenticated"]);
    ensure!(
        stored["spec"]["requester"]["username"] == user && stored["spec"]["requester"]["groups"] == groups,
        "{stored:#}"
    );
    let mut hook = hook(&[namespace]);
    hook["metadata"]["annotations"] = json!({ labels::REQUESTER: forged.to_string() });
    let stored = create(&jane, Some(namespace), &hook).await?;
    ensure!(recorded(&stored)?["username"] == user, "{stored:#}");

    // Nor afterwards, by whatever form of update.
    let hooks = api_of(&jane, &hook, Some(namespace))?;
    for annotation in [json!(forged.to_string()), Value::Null] {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { labels::REQUESTER: annotation } } }));
        let stored = hooks.patch("tried", &PatchParams::default(), &patch).await?;
        ensure!(
            recorded(&serde_json::to_value(stored)?)?["username"] == user,
            "{annotation}"
        );
    }
    let instances = api_of(&jane, &object("BackupInstance", "forged", &spec), Some(namespace))?;
    for requester in [forged, Value::Null] {
        let patch = Patch::Merge(json!({ "spec": { "requester": requester } }));
        let stored = instances.patch("forged", &PatchParams::default(), &patch).await?;
        ensure!(
            stored.data["spec"]["requester"]["username"] == user,
            "{requester}"
        );
    }
    Ok(())
}

/// The policy that holds without the webhook puts the record together by itself, and compares.
async fn what_is_recorded_of_an_odd_name_is_what_the_policy_wants(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let user = format!(r#"CORP\{namespace} "the first""#);
    for (verb, resources) in [
        ("create", "backuphooks.clusterbackup.dataprotection.microsoft.com"),
        ("create", "pods/exec"),
    ] {
        let role = format!("{verb}-{}", resources.replace('/', "-"));
        let binding = [
            vec!["create", "role", &role, "--verb", verb, "--resource", resources],
            vec!["create", "rolebinding", &role, "--role", &role, "--user", &user],
        ];
        for command in binding {
            let command = [command, vec!["-n", namespace]].concat();
            context.cluster.kubectl(&command).await?.success()?;
        }
    }
    let file = context.cluster.folder().join(format!("{namespace}.json"));
    std::fs::write(&file, hook(&[namespace]).to_string())?;
    let file = file.to_str().context("the folder is not text")?;
    let sent = [
        "create", "-n", namespace, "-f", file, "-o", "json", "--as", &user, "--as-uid", "7",
    ];
    let more = [
        "--as-group",
        r"CORP\writers",
        "--as-user-extra",
        "oid=1",
        "--as-user-extra",
        "scopes=a",
    ];
    let sent = [&sent[..], &more, &["--as-user-extra", r#"scopes="b""#]].concat();
    let stored = eventually("the rights are known", LIMIT, || async {
        context.cluster.kubectl(&sent).await?.success()
    })
    .await?;
    let recorded = recorded(&serde_json::from_str(&stored)?)?;
    ensure!(
        recorded["username"] == user && recorded["extra"]["scopes"] == json!(["a", "\"b\""]),
        "{recorded:#}"
    );
    Ok(())
}

/// Who is recorded in a hook.
fn recorded(hook: &Value) -> Result<Value> {
    let text = hook["metadata"]["annotations"][labels::REQUESTER].as_str();
    Ok(serde_json::from_str(
        text.with_context(|| format!("nobody: {hook:#}"))?,
    )?)
}

async fn who_changes_what_an_object_says_takes_it_over(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let (john, as_john) = writer(context, "john").await?;
    let admin = context.cluster.admin();
    let everything = object("BackupInstance", "shared", &json!({}));
    let made = create(&admin, Some(namespace), &everything).await?;
    let administrator = made["spec"]["requester"]["username"].clone();
    let instances = api_of(&as_john, &everything, Some(namespace))?;

    let label = Patch::Merge(json!({ "metadata": { "labels": { "seen-by": "john" } } }));
    let stored = instances.patch("shared", &PatchParams::default(), &label).await?;
    ensure!(
        stored.data["spec"]["requester"]["username"] == administrator,
        "{stored:?}"
    );

    // What the administrator may select, john may not by an edit of his.
    let wider = Patch::Merge(json!({ "spec": { "snapshotVolumes": false } }));
    let message = refusal(instances.patch("shared", &PatchParams::default(), &wider).await)?;
    ensure!(
        message.contains(&format!("{john} may not: list pods in every namespace")),
        "{message}"
    );

    may_list(&context.cluster, Some(namespace), &john).await?;
    let narrower = Patch::Merge(json!({ "spec": { "includedNamespaces": [namespace] } }));
    let stored = instances
        .patch("shared", &PatchParams::default(), &narrower)
        .await?;
    ensure!(stored.data["spec"]["requester"]["username"] == john, "{stored:?}");
    Ok(())
}

async fn what_only_the_webhook_can_tell_is_refused_with_its_place(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let admin = context.cluster.admin();
    let step = json!([{ "exec": { "command": ["/bin/true"] } }]);
    #[rustfmt::skip]
    let table = [
        ("BackupInstance", json!({ "includedNamespaces": ["["] }), "spec.includedNamespaces[0]: `[` is not closed"),
        ("BackupInstance", json!({ "includedNamespaces": ["kube-system"] }), "kube-system is never backed up"),
        ("BackupInstance", json!({ "labelSelector": { "matchLabels": { "-a": "b" } } }), "spec.labelSelector.matchLabels[-a]"),
        ("BackupHook", json!({ "backupHook": [{ "name": "h", "includedNamespaces": ["{"], "preHooks": step }] }), "spec.backupHook[0].includedNamespaces[0]"),
        ("RestoreHook", json!({ "restoreHook": [{ "name": "h", "postHooks": [{ "exec": { "command": ["a"], "execTimeout": "0s" } }] }] }), "spec.restoreHook[0].postHooks[0].exec.execTimeout: 0s leaves no time"),
    ];
    for (kind, spec, part) in table {
        let message = refusal(create(&admin, Some(namespace), &object(kind, "senseless", &spec)).await)?;
        ensure!(message.contains(part), "{message}");
    }
    Ok(())
}
