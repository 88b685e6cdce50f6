//! `backup …` beside a real API server. What a leader and nodes would report is written by the scenario, so that every
//! turn can be seen.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::{Backup, BackupInstance, NodeTask, labels};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually, manifests};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{Ran, plugin};
use crate::runner::scenarios;

scenarios! {
    Own: [
        who_waits_for_a_backup_sees_it_go_on_and_gets_its_end_as_an_exit_code,
        what_the_nodes_report_is_told_in_order_and_as_it_happens,
        what_a_user_may_not_read_is_told,
    ],
}

const AGENTS: &str = "clusterbackup-agents";
pub(super) const SHOP: &str = "shop";
const LIMIT: Duration = Duration::from_secs(20);

/// A cluster with the kinds, and an instance to back up.
pub(super) struct Stage {
    pub(super) kubeconfig: PathBuf,
    // What is written for us passes through it.
    _replica: Replica,
    _webhook: Webhook,
    pub(super) cluster: Cluster,
}

impl Stage {
    pub(super) async fn new(cluster: Cluster) -> Result<Self> {
        let webhook = Webhook::install(&cluster, &[]).await?;
        let replica = webhook.start(ReplicaOptions::default()).await?;
        manifests::apply(&cluster, "base/agent", &[]).await?;
        cluster.kubectl(&["create", "namespace", SHOP]).await?.success()?;
        let instance = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "BackupInstance",
            "metadata": {"name": "nightly", "namespace": SHOP},
            "spec": {"includedNamespaces": [SHOP]},
        });
        let file = cluster.folder().join("instance.json");
        std::fs::write(&file, instance.to_string())?;
        let create = ["create".as_ref(), "-f".as_ref(), file.as_os_str()];
        cluster.kubectl(&create).await?.success()?;
        Ok(Self {
            kubeconfig: cluster.admin_kubeconfig(),
            _replica: replica,
            _webhook: webhook,
            cluster,
        })
    }

    pub(super) async fn plugin(&self, arguments: &[&str]) -> Result<Ran> {
        let arguments: Vec<_> = arguments.iter().copied().chain(["-n", SHOP]).collect();
        plugin(Some(&self.kubeconfig), &arguments).await
    }

    fn backups(&self) -> Api<Backup> {
        Api::namespaced(self.cluster.admin(), SHOP)
    }

    /// Waits for a Backup, and reports for the leader.
    pub(super) async fn report(&self, backup: &str, status: Value) -> Result<Backup> {
        let patch = Patch::Merge(json!({ "status": status }));
        eventually("the Backup takes a status", LIMIT, || async {
            let backups = self.backups();
            Ok(backups
                .patch_status(backup, &PatchParams::default(), &patch)
                .await?)
        })
        .await
    }

    /// Makes the task of a node, and reports for the node.
    async fn task(&self, backup: &Backup, node: &str, status: Value) -> Result<()> {
        let tasks = Api::<NodeTask>::namespaced(self.cluster.admin(), AGENTS);
        let uid = backup.uid().context("it has no uid")?;
        let name = format!("{node}-task");
        let task = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "NodeTask",
            "metadata": {"name": name, "labels": {labels::BACKUP_UID: uid}},
            "spec": {"nodeName": node, "epoch": 1, "state": "Running", "units": [],
                     "backup": {"namespace": SHOP, "name": backup.name_any(), "uid": uid}},
        });
        if tasks.get_opt(&name).await?.is_none() {
            tasks
                .create(&PostParams::default(), &serde_json::from_value(task)?)
                .await?;
        }
        let patch = Patch::Merge(json!({ "status": status }));
        tasks
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
            .map(drop)?;
        Ok(())
    }
}

/// What a node tells of a pod and its volume.
fn told(thaw: &str, execs: &[Value], cut: &str) -> Value {
    json!({
        "observedEpoch": 1, "phase": "Running", "startedAt": "2026-01-01T10:00:00.000000Z",
        "units": [{
            "name": "u1", "phase": "Thawing",
            "pods": [{"namespace": SHOP, "name": "db-0", "uid": "1", "thaw": thaw, "frozenMillis": 250, "execs": execs}],
            "cuts": [{"namespace": SHOP, "claim": "data", "outcome": cut, "snapshot": "data-1", "millis": 40,
                      "startedAt": "2026-01-01T10:00:00.100000Z"}],
        }],
    })
}

fn exec(stage: &str, began: &str) -> Value {
    json!({
        "hook": "shop/hooks/quiesce", "stage": stage, "container": "main", "outcome": "Succeeded", "exitCode": 0,
        "startedAt": format!("2026-01-01T10:00:00.{began}000Z"), "millis": 30, "attempts": 1, "outputBytes": 0,
    })
}

async fn who_waits_for_a_backup_sees_it_go_on_and_gets_its_end_as_an_exit_code(
    cluster: Cluster,
) -> Result<()> {
    let stage = Stage::new(cluster).await?;
    let ran = stage.plugin(&["backup", "create", "weekly"]).await?;
    ensure!(
        ran.code == Some(1) && ran.err.contains("there is no BackupInstance shop/weekly"),
        "{}",
        ran.err
    );
    let ran = stage.plugin(&["backup", "create", "nightly"]).await?;
    ensure!(
        ran.code == Some(0)
            && ran.out.starts_with("backup.clusterbackup.io/nightly-")
            && ran.out.ends_with(" created\n"),
        "{} {}",
        ran.out,
        ran.err
    );

    for (phase, code) in [
        ("Completed", 0),
        ("CompletedWithWarnings", 2),
        ("Failed", 1),
        ("Cancelled", 1),
    ] {
        let name = phase.to_lowercase();
        let create = [
            "backup", "create", "nightly", "--name", &name, "--wait", "-o", "json",
        ];
        let counts = json!({"pods": 2, "hooks": 4, "hooksSucceeded": 1, "claims": 3});
        let leader = async {
            stage.report(&name, json!({"phase": "Planning"})).await?;
            stage
                .report(&name, json!({"phase": "Running", "counts": counts}))
                .await?;
            stage
                .report(&name, json!({"phase": phase, "message": "as it was to be"}))
                .await
        };
        let (ran, reported) = tokio::join!(stage.plugin(&create), leader);
        let (ran, _) = (ran?, reported?);
        ensure!(ran.code == Some(code), "{phase} is {:?}: {}", ran.code, ran.err);
        let shown: Value = serde_json::from_str(&ran.out)?;
        ensure!(shown["status"]["phase"] == phase, "{shown:#}");
        // Each of the steps before may have been overtaken by the next.
        let last = ran.err.lines().last().unwrap_or_default();
        ensure!(
            last.starts_with(&format!("shop/{name}: ")) && last.ends_with(": pods 0/2, hooks 1/4, cuts 0/3"),
            "{}",
            ran.err
        );
    }

    let never = [
        "backup",
        "create",
        "nightly",
        "--name",
        "late",
        "--wait",
        "--timeout",
        "1s",
    ];
    let ran = stage.plugin(&never).await?;
    ensure!(
        ran.code == Some(1)
            && ran
                .err
                .contains("the Backup shop/late has not ended within 1 s; it goes on"),
        "{}",
        ran.err
    );
    let ran = stage.plugin(&["backup", "cancel", "late"]).await?;
    ensure!(
        ran.code == Some(0) && ran.out.contains("is being cancelled"),
        "{}{}",
        ran.out,
        ran.err
    );
    ensure!(
        stage.backups().get("late").await?.spec.cancel,
        "it isn't cancelled"
    );
    let ran = stage.plugin(&["backup", "cancel", "failed"]).await?;
    ensure!(
        ran.out.contains("has already ended: Failed"),
        "{}{}",
        ran.out,
        ran.err
    );
    Ok(())
}

async fn what_the_nodes_report_is_told_in_order_and_as_it_happens(cluster: Cluster) -> Result<()> {
    let stage = Stage::new(cluster).await?;
    stage
        .plugin(&["backup", "create", "nightly", "--name", "one"])
        .await?;
    let began = json!({"phase": "Running", "startedAt": "2026-01-01T09:59:59.000000Z"});
    let backup = stage.report("one", began).await?;
    stage
        .task(
            &backup,
            "node-1",
            told("Pending", &[exec("Pre", "050")], "Pending"),
        )
        .await?;

    let follow = ["backup", "logs", "one", "-f"];
    let goes_on = async {
        let execs = [exec("Pre", "050"), exec("Post", "200")];
        stage
            .task(&backup, "node-1", told("Done", &execs, "Taken"))
            .await?;
        let ended = json!({"phase": "Completed", "finishedAt": "2026-01-01T10:00:01.000000Z"});
        stage.report("one", ended).await
    };
    let (followed, reported) = tokio::join!(stage.plugin(&follow), goes_on);
    let (followed, _) = (followed?, reported?);
    ensure!(followed.code == Some(0), "{}", followed.err);
    let ran = stage.plugin(&["backup", "logs", "one"]).await?;
    let expected = "\
2026-01-01T09:59:59.000Z  the backup of nightly begins
2026-01-01T10:00:00.000Z  node-1: begins
2026-01-01T10:00:00.080Z  node-1: pre hook shop/hooks/quiesce in shop/db-0 (main) succeeded after 30ms
2026-01-01T10:00:00.140Z  node-1: cut of shop/data is taken after 40ms: data-1
2026-01-01T10:00:00.230Z  node-1: post hook shop/hooks/quiesce in shop/db-0 (main) succeeded after 30ms
2026-01-01T10:00:00.300Z  node-1: shop/db-0 was frozen for 250ms; thaw: done
2026-01-01T10:00:01.000Z  the backup has ended: Completed
";
    ensure!(ran.out == expected, "{}{}", ran.out, ran.err);
    // Who followed saw all of it, and perhaps what was under way before; nothing twice.
    let lines: Vec<_> = followed.out.lines().collect();
    for line in expected.lines() {
        let seen = lines.iter().filter(|seen| **seen == line).count();
        ensure!(seen == 1, "{line} is seen {seen} times in\n{}", followed.out);
    }

    let ran = stage.plugin(&["backup", "describe", "one"]).await?;
    ensure!(
        ran.code == Some(0) && ran.out.contains("Phase:     Completed\n"),
        "{}{}",
        ran.out,
        ran.err
    );
    ensure!(ran.out.contains("shop/db-0   node-1   250ms"), "{}", ran.out);
    let ran = stage.plugin(&["backup", "describe", "one", "-o", "yaml"]).await?;
    ensure!(ran.out.contains("frozenMillis: 250\n"), "{}", ran.out);
    let unready = json!({ "status": { "conditions": [{
        "type": "Ready", "status": "False", "reason": "HookMissing", "message": "BackupHook shop/db doesn't exist",
        "lastTransitionTime": "2026-01-01T10:00:00Z",
    }] } });
    let instances = Api::<BackupInstance>::namespaced(stage.cluster.admin(), SHOP);
    instances
        .patch_status("nightly", &PatchParams::default(), &Patch::Merge(unready))
        .await?;
    let ran = stage.plugin(&["backup", "describe", "one"]).await?;
    let told = "no backup of the instance nightly can run now: BackupHook shop/db doesn't exist";
    ensure!(ran.out.contains(told), "{}", ran.out);
    let ran = stage.plugin(&["backup", "describe", "two"]).await?;
    ensure!(
        ran.code == Some(1) && ran.err.contains("there is no Backup shop/two"),
        "{}",
        ran.err
    );
    Ok(())
}

async fn what_a_user_may_not_read_is_told(cluster: Cluster) -> Result<()> {
    let stage = Stage::new(cluster).await?;
    stage
        .plugin(&["backup", "create", "nightly", "--name", "one"])
        .await?;
    for command in [
        &["create", "serviceaccount", "reader", "-n", SHOP][..],
        &[
            "create",
            "role",
            "reader",
            "-n",
            SHOP,
            "--verb=get",
            "--resource=backups.clusterbackup.io",
        ],
        &[
            "create",
            "rolebinding",
            "reader",
            "-n",
            SHOP,
            "--role=reader",
            "--serviceaccount=shop:reader",
        ],
    ] {
        stage.cluster.kubectl(command).await?.success()?;
    }
    let kubeconfig = stage.cluster.kubeconfig_for(SHOP, "reader").await?;
    let refused = "you may not list nodetasks.clusterbackup.io in namespace clusterbackup-agents; ask an administrator \
                   for that right";
    eventually("the role is in force", LIMIT, || async {
        let ran = plugin(Some(&kubeconfig), &["backup", "describe", "one", "-n", SHOP]).await?;
        let notes = [
            format!("Note: hooks and frozen times are not shown: {refused}\n"),
            "Note: whether its instance is ready is not shown: you may not get backupinstances".to_owned(),
        ];
        ensure!(
            ran.code == Some(0) && notes.iter().all(|note| ran.out.contains(note)),
            "{}{}",
            ran.out,
            ran.err
        );
        Ok(())
    })
    .await?;
    let ran = plugin(Some(&kubeconfig), &["backup", "logs", "one", "-n", SHOP]).await?;
    let said = (ran.code, ran.err);
    ensure!(said == (Some(1), format!("error: {refused}\n")), "{said:?}");
    let ran = plugin(Some(&kubeconfig), &["backup", "cancel", "one", "-n", SHOP]).await?;
    ensure!(
        ran.code == Some(1)
            && ran
                .err
                .starts_with("error: you may not patch backups.clusterbackup.io in namespace shop"),
        "{}",
        ran.err
    );
    Ok(())
}
