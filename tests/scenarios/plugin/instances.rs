//! `instance …` and `policy …` beside a real API server. What a leader would report is written by the scenario.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::{Backup, BackupInstance, BackupPolicy};
use clusterbackup_tests::{Cluster, eventually, manifests};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Ran, plugin};
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [
        an_instance_is_made_as_it_was_asked_for_and_described,
        a_policy_is_explained_for_the_instances_that_name_it,
    ],
}

const SHOP: &str = "shop";
const LIMIT: Duration = Duration::from_secs(20);

/// A cluster with the kinds and a namespace.
struct Stage {
    kubeconfig: PathBuf,
    cluster: Cluster,
}

impl Stage {
    async fn new(cluster: Cluster) -> Result<Self> {
        manifests::apply(&cluster, "crds", &[]).await?;
        cluster.kubectl(&["create", "namespace", SHOP]).await?.success()?;
        let stage = Self {
            kubeconfig: cluster.admin_kubeconfig(),
            cluster,
        };
        let instance = [
            "instance",
            "create",
            "shop",
            "--namespaces",
            "shop",
            "--vault",
            "offsite",
        ];
        let policy = ["--policy", "nightly", "--hook", "shop/quiesce"];
        eventually("the instance is made", LIMIT, || async {
            let ran = stage.plugin(&[&instance[..], &policy[..]].concat()).await?;
            ensure!(
                ran.code == Some(0) && ran.out == "backupinstance.clusterbackup.io/shop created\n",
                "{}{}",
                ran.out,
                ran.err
            );
            Ok(())
        })
        .await?;
        Ok(stage)
    }

    async fn plugin(&self, arguments: &[&str]) -> Result<Ran> {
        let arguments: Vec<_> = arguments.iter().copied().chain(["-n", SHOP]).collect();
        plugin(Some(&self.kubeconfig), &arguments).await
    }

    /// What a command says that does its work.
    async fn told(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.plugin(arguments).await?;
        ensure!(ran.code == Some(0), "{arguments:?}: {}{}", ran.out, ran.err);
        Ok(ran.out)
    }

    /// What a command says that can't.
    async fn refused(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.plugin(arguments).await?;
        ensure!(ran.code == Some(1), "{arguments:?}: {}{}", ran.out, ran.err);
        Ok(ran.err)
    }

    async fn create(&self, object: &Value) -> Result<()> {
        Ok(create(&self.cluster.admin(), Some(SHOP), object)
            .await
            .map(drop)?)
    }

    /// A recovery point of the shop.
    async fn point(&self, name: &str, finished: &str, first_of: &[&str]) -> Result<()> {
        self.create(&json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "RecoveryPoint",
            "metadata": {"name": name},
            "spec": {
                "vault": "offsite", "instance": "shop", "cluster": "c1",
                "backup": {"namespace": SHOP, "name": name, "uid": name},
                "startedAt": finished, "finishedAt": finished, "phase": "Completed", "firstOf": first_of,
                "objects": 12, "bytes": 4096, "storedBytes": 1024, "volumes": 0, "encrypted": true,
            },
        }))
        .await
    }
}

async fn an_instance_is_made_as_it_was_asked_for_and_described(cluster: Cluster) -> Result<()> {
    let stage = Stage::new(cluster).await?;
    let instances = Api::<BackupInstance>::namespaced(stage.cluster.admin(), SHOP);
    let spec = instances.get("shop").await?.spec;
    ensure!(
        spec.policy.as_deref() == Some("nightly") && !spec.include_secrets && spec.backup_hooks.len() == 1,
        "{spec:#?}"
    );
    let shown = [
        "instance",
        "create",
        "web",
        "--secrets",
        "--vault",
        "offsite",
        "--dry-run",
        "-o",
        "yaml",
    ];
    let object = stage.told(&shown).await?;
    ensure!(
        object.contains("includeSecrets: true") && object.contains("namespace: shop"),
        "{object}"
    );
    ensure!(
        instances.get_opt("web").await?.is_none(),
        "a dry run made an instance"
    );
    let again = stage.refused(&["instance", "create", "shop"]).await?;
    ensure!(again.contains("already exists"), "{again}");

    let untouched = stage.told(&["instance", "describe", "shop"]).await?;
    for line in [
        "Instance:      shop/shop\n",
        "Ready:         not known",
        "Protects:      the namespaces shop; with volumes, without Secrets\n",
        "Policy:        nightly\n",
        "Hooks:         shop/quiesce\n",
        "Last backup:   none\n",
    ] {
        ensure!(untouched.contains(line), "{line:?} is missing in {untouched}");
    }
    let status = json!({ "status": {
        "schedule": "every 24h at 02:30, Europe/Berlin",
        "nextBackup": "2026-11-23T01:36:13Z",
        "lastSuccessful": "2026-11-22T01:40:00Z",
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "PolicyMissing", "message": "BackupPolicy nightly doesn't exist",
            "lastTransitionTime": "2026-11-22T01:40:00Z",
        }],
    } });
    instances
        .patch_status("shop", &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    stage
        .create(&json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "Backup",
            "metadata": {"name": "shop-202611220130"}, "spec": {"instance": "shop"},
        }))
        .await?;
    let ended = json!({ "status": { "phase": "Completed", "message": "12 objects are stored" } });
    Api::<Backup>::namespaced(stage.cluster.admin(), SHOP)
        .patch_status(
            "shop-202611220130",
            &PatchParams::default(),
            &Patch::Merge(&ended),
        )
        .await?;
    stage.point("first", "2026-11-21T01:40:00.000000Z", &[]).await?;
    stage.point("second", "2026-11-22T01:40:00.000000Z", &[]).await?;
    let told = stage.told(&["instance", "describe", "shop"]).await?;
    for line in [
        "Ready:         no, PolicyMissing: BackupPolicy nightly doesn't exist\n",
        "Schedule:      every 24h at 02:30, Europe/Berlin\n",
        "Next:          2026-11-23T01:36:13Z\n",
        "Last complete: 2026-11-22T01:40:00Z\n",
        "Last backup:   shop-202611220130, Completed: 12 objects are stored\n",
        "Last point:    second, Completed, 2026-11-22T01:40:00Z, 12 objects, 4.00 KiB\n",
    ] {
        ensure!(told.contains(line), "{line:?} is missing in {told}");
    }
    let json = stage
        .told(&["instance", "describe", "shop", "-o", "json"])
        .await?;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(json["lastPoint"]["metadata"]["name"] == "second", "{json:#}");
    let missing = stage.refused(&["instance", "describe", "web"]).await?;
    ensure!(
        missing.contains("there is no BackupInstance shop/web"),
        "{missing}"
    );
    Ok(())
}

async fn a_policy_is_explained_for_the_instances_that_name_it(cluster: Cluster) -> Result<()> {
    let stage = Stage::new(cluster).await?;
    let missing = stage.refused(&["policy", "explain", "nightly"]).await?;
    ensure!(
        missing.contains("there is no BackupPolicy shop/nightly"),
        "{missing}"
    );
    stage
        .create(&json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "BackupPolicy",
            "metadata": {"name": "nightly"},
            "spec": {
                "schedule": {"every": "24h", "at": "02:30", "timeZone": "Europe/Berlin"},
                "retention": {
                    "operational": {"days": 7, "firstOfYear": 360},
                    "vaultTier": {"firstOfYear": 3650},
                },
            },
        }))
        .await?;
    stage
        .point("first", "2026-01-02T01:40:00.000000Z", &["Day", "Year"])
        .await?;
    stage
        .point("second", "2026-01-03T01:40:00.000000Z", &["Day"])
        .await?;
    let told = stage.told(&["policy", "explain", "nightly"]).await?;
    for part in [
        "Schedule:  every 24h at 02:30, Europe/Berlin\n",
        "Keeps:     360 days by the rule for the first of the year\n",
        "Copies:    3650 days by the rule for the first of the year\n",
        "Instance:  shop\n",
        " 02:30:00 +0",
        "kept past 2026-01-10T01:40:00Z: the newest complete point of the default rule\n",
    ] {
        ensure!(told.contains(part), "{part:?} is missing in {told}");
    }
    let json = stage
        .told(&["policy", "explain", "nightly", "--instance", "shop", "-o", "json"])
        .await?;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(
        json["slots"].as_array().map(Vec::len) == Some(5)
            && json["instances"][0]["points"][0]["kept"] == true,
        "{json:#}"
    );
    let stranger = stage
        .refused(&["policy", "explain", "nightly", "--instance", "web"])
        .await?;
    ensure!(
        stranger.contains("no BackupInstance shop/web names the policy nightly"),
        "{stranger}"
    );

    let never =
        Patch::Merge(json!({ "spec": { "schedule": { "every": null, "at": null, "cron": "0 1 30 2 *" } } }));
    Api::<BackupPolicy>::namespaced(stage.cluster.admin(), SHOP)
        .patch("nightly", &PatchParams::default(), &never)
        .await?;
    let wrong = stage.refused(&["policy", "explain", "nightly"]).await?;
    ensure!(
        wrong
            .contains("BackupPolicy nightly can't be followed: spec.schedule.cron: the cron text names days"),
        "{wrong}"
    );
    Ok(())
}
