//! Restore hooks: in the new pods of a restore and in no others, each once, whoever dies meanwhile.

mod ground;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clusterbackup_api::restore::{HookCounts, RestorePhase, RestoreStatus};
use clusterbackup_tests::stage::shell;
use clusterbackup_tests::{Cluster, eventually, leader};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use self::ground::{Shop, Up};
use super::ground::jane;
use crate::leader::stage::LIMIT;
use crate::runner::scenarios;

scenarios! {
    Own: [
        hooks_run_in_new_pods_as_aks_backup_documents_them_and_in_no_others,
        a_hook_runs_once_though_its_agent_and_its_leader_die,
        a_hook_that_fails_is_told_and_stops_its_own_pod_at_most,
        hooks_that_wait_are_bounded_and_end_when_the_restore_is_stopped,
        hooks_that_can_not_be_read_or_may_not_run_are_told,
    ],
}

/// As AKS Backup documents it, with the keys that it leaves empty.
fn documented() -> Value {
    json!({
        "restoreHook": [{
            "name": "myhook-1",
            "includedNamespaces": null,
            "excludedNamespaces": null,
            "labelSelector": null,
            "postHooks": [{
                "exec": {
                    "container": "webcontainer",
                    "command": ["/bin/bash", "-c", "echo hello > hello.txt && echo goodbye > goodbye.txt"],
                    "onError": "Continue",
                    "execTimeout": "30s",
                    "waitTimeout": "5m",
                },
            }],
        }],
    })
}

/// Hooks with these commands, and what each says beside that.
fn hooks(commands: &[(&str, Value)]) -> Value {
    let steps = commands.iter().map(|(script, more)| {
        let mut exec = json!({ "command": shell(script) });
        for (field, value) in more.as_object().into_iter().flatten() {
            exec[field] = value.clone();
        }
        json!({ "exec": exec })
    });
    json!({ "restoreHook": [{ "name": "h", "postHooks": steps.collect::<Vec<_>>() }] })
}

fn counts(total: u64, succeeded: u64, failed: u64, not_run: u64) -> HookCounts {
    HookCounts {
        total,
        succeeded,
        failed,
        not_run,
    }
}

fn told(status: &RestoreStatus, text: &str) -> bool {
    let mut problems = status.problems.iter();
    problems.any(|problem| problem.message.contains(text))
}

async fn hooks_run_in_new_pods_as_aks_backup_documents_them_and_in_no_others(cluster: Cluster) -> Result<()> {
    let shop = Shop::set_up(cluster, 2).await?;
    let _leader = shop.ground.leaders.start().await?;
    let point = shop.ground.point("nightly").await?;
    shop.hook("documented", documented()).await?;

    let target = shop.restore("away", &point, &["documented"]).await?;
    let folders = shop.starts(&target, 2, Up::Running).await?;
    let status = shop.ground.restored("away", RestorePhase::Completed).await?;
    ensure!(status.hooks == Some(counts(2, 2, 0, 0)), "{status:#?}");
    for folder in &folders {
        let text = |file: &str| fs::read_to_string(folder.join(file));
        ensure!(text("hello.txt")? == "hello\n" && text("goodbye.txt")? == "goodbye\n");
    }
    ensure!(shop.ground.tasks().await?.is_empty(), "tasks are left");

    // Everything is there already: nothing is new.
    for folder in &folders {
        fs::remove_file(folder.join("hello.txt"))?;
    }
    shop.restore_into("again", &point, &["documented"], &target)
        .await?;
    let status = shop.ground.restored("again", RestorePhase::Completed).await?;
    ensure!(status.hooks == Some(counts(0, 0, 0, 0)), "{status:#?}");
    ensure!(folders.iter().all(|folder| !folder.join("hello.txt").exists()));
    Ok(())
}

async fn a_hook_runs_once_though_its_agent_and_its_leader_die(cluster: Cluster) -> Result<()> {
    let mut shop = Shop::set_up(cluster, 1).await?;
    let first = shop.ground.leaders.start().await?;
    leader::leads(&first).await?;
    let point = shop.ground.point("nightly").await?;
    let long = json!({ "execTimeout": "50s" });
    let script = "echo ran >> runs; until [ -e word ]; do sleep 0.05; done; echo whole >> runs";
    shop.hook("once", hooks(&[(script, long)])).await?;

    let target = shop.restore("first", &point, &["once"]).await?;
    let folder = shop.starts(&target, 1, Up::Running).await?.remove(0);
    shop.runs(&folder, "ran\n").await?;
    first.kill().await?;
    let second = shop.ground.leaders.start().await?;
    leader::leads(&second).await?;
    fs::write(folder.join("word"), "")?;
    let status = shop.ground.restored("first", RestorePhase::Completed).await?;
    ensure!(status.hooks == Some(counts(1, 1, 0, 0)), "{status:#?}");
    shop.runs(&folder, "ran\nwhole\n").await?;

    let target = shop.restore("second", &point, &["once"]).await?;
    let folder = shop.starts(&target, 1, Up::Running).await?.remove(0);
    shop.runs(&folder, "ran\n").await?;
    shop.node.agent.kill().await?;
    shop.node.agent = shop.node.place.agent().await?;
    let status = shop
        .ground
        .restored("second", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(status.hooks == Some(counts(1, 0, 1, 0)), "{status:#?}");
    ensure!(
        told(&status, "whether it did all its work is not known"),
        "{status:#?}"
    );
    fs::write(folder.join("word"), "")?;
    shop.runs(&folder, "ran\n").await
}

async fn a_hook_that_fails_is_told_and_stops_its_own_pod_at_most(cluster: Cluster) -> Result<()> {
    let shop = Shop::set_up(cluster, 1).await?;
    let _leader = shop.ground.leaders.start().await?;
    let point = shop.ground.point("nightly").await?;
    let fails = "echo secret-6f1d; exit 3";
    for (name, on_error, phase, expected) in [
        (
            "goes-on",
            "Continue",
            RestorePhase::CompletedWithWarnings,
            counts(2, 1, 1, 0),
        ),
        ("stops", "Fail", RestorePhase::Failed, counts(2, 0, 1, 1)),
    ] {
        let commands = [
            (fails, json!({ "onError": on_error })),
            ("echo second > second", json!({})),
        ];
        shop.hook(name, hooks(&commands)).await?;
        let target = shop.restore(name, &point, &[name]).await?;
        let folder = shop.starts(&target, 1, Up::Running).await?.remove(0);
        let status = shop.ground.restored(name, phase).await?;
        ensure!(status.hooks == Some(expected), "{status:#?}");
        ensure!(told(&status, "it ended with exit code 3"), "{status:#?}");
        ensure!(!format!("{status:?}").contains("secret-6f1d"), "{status:#?}");
        ensure!(folder.join("second").exists() == (on_error == "Continue"));
    }
    Ok(())
}

async fn hooks_that_wait_are_bounded_and_end_when_the_restore_is_stopped(cluster: Cluster) -> Result<()> {
    let shop = Shop::set_up(cluster, 1).await?;
    let _leader = shop.ground.leaders.start().await?;
    let point = shop.ground.point("nightly").await?;

    // One that runs is not enough where it has to be ready.
    let ready = json!({ "waitForReady": true, "waitTimeout": "2s" });
    shop.hook("ready", hooks(&[("touch came", ready)])).await?;
    let target = shop.restore("late", &point, &["ready"]).await?;
    let folder = shop.starts(&target, 1, Up::Running).await?.remove(0);
    let status = shop
        .ground
        .restored("late", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(status.hooks == Some(counts(1, 0, 0, 1)), "{status:#?}");
    ensure!(told(&status, "was not ready within 2s"), "{status:#?}");
    ensure!(!folder.join("came").exists());
    let patient = json!({ "waitForReady": true, "waitTimeout": "50s" });
    shop.hook("patient", hooks(&[("touch came", patient)])).await?;
    let target = shop.restore("ready", &point, &["patient"]).await?;
    let folder = shop.starts(&target, 1, Up::Running).await?.remove(0);
    shop.says(&target, Up::Ready).await?;
    shop.ground.restored("ready", RestorePhase::Completed).await?;
    ensure!(folder.join("came").exists());

    // Nobody ever binds its pod to a node.
    let short = json!({ "waitTimeout": "2s" });
    shop.hook("short", hooks(&[("true", short)])).await?;
    shop.restore("unbound", &point, &["short"]).await?;
    let status = shop
        .ground
        .restored("unbound", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(told(&status, "it was not bound to a node in time"), "{status:#?}");

    let long = json!({ "execTimeout": "5m" });
    shop.hook("long", hooks(&[("echo ran >> runs; sleep 250", long)]))
        .await?;
    let target = shop.restore("stopped", &point, &["long"]).await?;
    let folder = shop.starts(&target, 1, Up::Running).await?.remove(0);
    shop.runs(&folder, "ran\n").await?;
    let asked = Instant::now();
    let cancel = Patch::Merge(json!({ "spec": { "cancel": true } }));
    let restores = shop.ground.restores();
    restores
        .patch("stopped", &PatchParams::default(), &cancel)
        .await?;
    shop.ground.restored("stopped", RestorePhase::Cancelled).await?;
    ensure!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    eventually("no command runs", LIMIT, || async {
        let running = shop.node.cri.calls().in_flight;
        ensure!(running == 0, "{running} run");
        Ok(())
    })
    .await
}

async fn hooks_that_can_not_be_read_or_may_not_run_are_told(cluster: Cluster) -> Result<()> {
    let shop = Shop::set_up(cluster, 1).await?;
    let _leader = shop.ground.leaders.start().await?;
    let point = shop.ground.point("nightly").await?;
    shop.hook("documented", documented()).await?;
    let home = shop.ground.home.name().to_owned();

    shop.restore("missing", &point, &["nowhere"]).await?;
    let status = shop.ground.restored("missing", RestorePhase::Failed).await?;
    let message = status.message.clone().unwrap_or_default();
    let expected = format!("RestoreHook {home}/nowhere, which spec.restoreHooks names, doesn't exist");
    ensure!(message.contains(&expected), "{status:#?}");
    ensure!(status.counts.created == 0, "{status:#?}");

    // Jane may restore, but neither get hooks nor run commands there.
    let person = shop.ground.cluster.user("jane", &["restorers"]).await?;
    shop.grant("restorers", &json!([
        { "apiGroups": ["clusterbackup.io"], "resources": ["restores"], "verbs": ["create"] },
        { "apiGroups": ["clusterbackup.io"], "resources": ["backupinstances"], "verbs": ["restore"] },
        { "apiGroups": ["", "apps"], "resources": ["namespaces", "serviceaccounts", "deployments", "configmaps", "pods"], "verbs": ["create", "get", "patch"] },
    ]))
    .await?;
    let spec = |name: &str| {
        json!({
            "includedNamespaces": [shop.ground.shop.name()],
            "namespaceMappings": { shop.ground.shop.name(): name },
            "restoreHooks": [{ "name": "documented", "namespace": home }],
            "requester": jane(),
        })
    };
    shop.ground
        .restore_as(&person, "blind", &point, spec("blind"))
        .await?;
    let status = shop.ground.restored("blind", RestorePhase::Failed).await?;
    let message = status.message.clone().unwrap_or_default();
    ensure!(
        message.contains("in the name of the requester") && message.contains("forbidden"),
        "{status:#?}"
    );
    shop.grant("readers", &json!([
        { "apiGroups": ["clusterbackup.dataprotection.microsoft.com"], "resources": ["restorehooks"], "verbs": ["get"] },
    ]))
    .await?;
    shop.ground
        .restore_as(&person, "unarmed", &point, spec("unarmed"))
        .await?;
    let status = shop
        .ground
        .restored("unarmed", RestorePhase::CompletedWithWarnings)
        .await?;
    let refused = "restore hooks don't run in its pods: the requester jane may not create pods/exec in namespace unarmed";
    ensure!(told(&status, refused), "{status:#?}");
    ensure!(status.hooks.is_none(), "{status:#?}");
    Ok(())
}
