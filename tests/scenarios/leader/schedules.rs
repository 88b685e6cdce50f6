//! Policies that are followed: who is backed up when nobody asks, and what a leader leaves to the next one.

pub(crate) mod limits;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::backup_instance::BackupInstanceStatus;
use clusterbackup_api::{Backup, BackupInstance, BackupPolicy, BackupVault, RecoveryPoint, labels};
use clusterbackup_tests::cri::ContainerSpec;
use clusterbackup_tests::stage::shell;
use clusterbackup_tests::{Cluster, eventually, leader, webhook};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::readiness::says;
use super::stage::{Ground, LIMIT, exec};
use crate::runner::scenarios;

scenarios! {
    Own: [
        a_schedule_makes_backups_that_end_in_recovery_points,
        what_was_missed_is_made_up_for_once_whoever_leads,
        a_backup_that_runs_is_not_overlapped,
        an_instance_says_when_its_policy_can_not_be_followed,
        only_the_last_backups_by_schedule_are_kept,
    ],
}

const HOURLY: &str = "cron 0 * * * *, UTC";

async fn a_schedule_makes_backups_that_end_in_recovery_points(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "* * * * *").await?;
    let leader = ground.leaders.start().await?;
    // The next minute, and a tenth of one by jitter.
    let made = eventually("a backup is made", 2 * LIMIT, || async {
        let backups = ground.by_schedule().await?;
        backups.into_iter().next().context("none yet")
    })
    .await?;
    let slot: Timestamp = made.annotations()[labels::SCHEDULED_FOR].parse()?;
    let name = slot.strftime("shop-%Y%m%d%H%M").to_string();
    ensure!(made.name_any() == name && slot.as_second() % 60 == 0, "{made:#?}");

    let status = ground.ends(&name, BackupPhase::Completed).await?;
    let point = status.recovery_point.context("no recovery point")?;
    let point = ground.home.api::<RecoveryPoint>().get(&point).await?;
    ensure!(point.spec.backup.name == name, "{point:#?}");
    eventually("the instance says so", LIMIT, || async {
        let status = ground.status().await?;
        let ended = status.last_successful.context("no success")?;
        let next = status.next_backup.context("no next backup")?;
        ensure!(
            ended.0 >= slot && next.0 > Timestamp::now() - SignedDuration::from_secs(30),
            "{ended:?} {next:?}"
        );
        Ok(())
    })
    .await?;
    let counts = leader.counts().await?;
    ensure!(
        counts.get("clusterbackup_leader_scheduled_backups_total") >= 1,
        "{counts:?}"
    );
    Ok(())
}

async fn what_was_missed_is_made_up_for_once_whoever_leads(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "0 * * * *").await?;
    let first = ground.leaders.start().await?;
    ground.note(HOURLY).await?;
    // Nobody led for three days.
    let long_ago = Timestamp::now() - SignedDuration::from_hours(72);
    ground.settled(long_ago).await?;
    let name = ground.the_only_one().await?.name_any();
    ground.ends(&name, BackupPhase::Completed).await?;
    let counts = first.counts().await?;
    ensure!(
        counts.get("clusterbackup_leader_missed_slots_total") >= 70,
        "{counts:?}"
    );
    drop(first);

    // It died before it had noted the backup that it had made.
    ground.settled(long_ago).await?;
    let second = ground.leaders.start().await?;
    eventually("the next leader has noted it", LIMIT, || async {
        let settled = ground
            .status()
            .await?
            .last_scheduled
            .context("nothing is noted")?;
        ensure!(settled.0 > long_ago, "{settled:?}");
        Ok(())
    })
    .await?;
    ensure!(
        ground.the_only_one().await?.name_any() == name,
        "there is another one"
    );
    let counts = second.counts().await?;
    ensure!(
        counts.get("clusterbackup_leader_scheduled_backups_total") == 0,
        "{counts:?}"
    );
    Ok(())
}

async fn a_backup_that_runs_is_not_overlapped(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "0 * * * *").await?;
    let node = ground.node("node").await?;
    let target = ground.pod(&node, "shop", &[]).await?;
    node.cri
        .run(ContainerSpec::new(target, ground.cluster.folder()))?;
    let word = ground.cluster.folder().join("word");
    let mut waits = exec(&shell(&format!(
        "until [ -e {} ]; do sleep 0.05; done",
        word.display()
    )));
    waits["exec"]["timeout"] = "30s".into();
    let nothing = exec(&shell("true"));
    ground.hook("shop", &json!([waits]), &json!([nothing])).await?;
    let hooks = json!({ "backupHooks": [{ "name": "shop", "namespace": ground.home.name() }] });
    ground.change_instance(&hooks).await?;
    let _leader = ground.leaders.start().await?;
    ground.note(HOURLY).await?;

    ground.ask("by-hand", "shop").await?;
    ground
        .sees("by-hand", "runs", |status| {
            status.phase == Some(BackupPhase::Running)
        })
        .await?;
    ground
        .settled(Timestamp::now() - SignedDuration::from_hours(72))
        .await?;
    eventually("the slot waits", LIMIT, || async {
        let status = ground.status().await?;
        ensure!(status.next_backup.is_none(), "{status:#?}");
        Ok(())
    })
    .await?;
    ensure!(
        ground.by_schedule().await?.is_empty(),
        "two backups of one instance run"
    );
    std::fs::write(&word, "")?;
    let by_hand = ground.ends("by-hand", BackupPhase::Completed).await?;
    let made = ground.the_only_one().await?;
    let status = ground.ends(&made.name_any(), BackupPhase::Completed).await?;
    ensure!(
        status.started_at >= by_hand.finished_at,
        "{status:#?} {by_hand:#?}"
    );
    Ok(())
}

async fn an_instance_says_when_its_policy_can_not_be_followed(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "0 * * * *").await?;
    let _leader = ground.leaders.start().await?;
    says(&ground, "shop", "Ready", "could run now").await?;
    ground.policy_says("Ready", "it can be followed").await?;

    let never = json!({ "schedule": { "cron": "0 1 30 2 *" } });
    ground.change_policy(&never).await?;
    ground
        .policy_says("ScheduleInvalid", "days that never come")
        .await?;
    let short = json!({
        "schedule": { "cron": "0 * * * *" },
        "retention": { "operational": { "firstOfDay": 3 } },
    });
    ground.change_policy(&short).await?;
    ground.policy_says("RetentionInvalid", "spec.retention").await?;
    says(
        &ground,
        "shop",
        "PolicyInvalid",
        "BackupPolicy policy can't be followed: spec.retention",
    )
    .await?;
    // Whoever asks is backed up all the same.
    ground.ask("by-hand", "shop").await?;
    ground.ends("by-hand", BackupPhase::Completed).await?;

    let policies = ground.home.api::<BackupPolicy>();
    policies.delete("policy", &DeleteParams::default()).await?;
    ground
        .settled(Timestamp::now() - SignedDuration::from_hours(72))
        .await?;
    says(
        &ground,
        "shop",
        "PolicyMissing",
        "BackupPolicy policy doesn't exist",
    )
    .await?;
    let status = ground.status().await?;
    ensure!(status.next_backup.is_none(), "{status:#?}");
    ensure!(
        ground.by_schedule().await?.is_empty(),
        "a policy that is gone was followed"
    );
    Ok(())
}

async fn only_the_last_backups_by_schedule_are_kept(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "0 * * * *").await?;
    let _leader = ground.leaders.start().await?;
    // Of a namespace that isn't there nothing can be backed up: each ends at once.
    ground
        .change_instance(&json!({ "includedNamespaces": ["not-there"] }))
        .await?;
    let slots = (1..=12).map(|hour| format!("2026-01-01T{hour:02}:00:00Z").parse());
    let slots: Vec<Timestamp> = slots.collect::<Result<_, _>>()?;
    // Nobody else may say so of a Backup.
    let leader = ground.cluster.service_account(webhook::NAMESPACE, leader::NAME);
    let backups = Api::<Backup>::namespaced(leader.await?, ground.home.name());
    for slot in &slots {
        let backup: Backup = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "Backup",
            "metadata": {
                "name": slot.strftime("shop-%Y%m%d%H%M").to_string(),
                "annotations": { labels::SCHEDULED_FOR: slot.to_string() },
            },
            "spec": { "instance": "shop" },
        }))?;
        backups.create(&PostParams::default(), &backup).await?;
    }
    ground.ask("by-hand", "shop").await?;
    ground.ends("by-hand", BackupPhase::Failed).await?;
    eventually("the oldest are gone", LIMIT, || async {
        let left = ground.by_schedule().await?;
        ensure!(left.len() == 10, "{} are there", left.len());
        let oldest = left
            .iter()
            .map(ResourceExt::name_any)
            .min()
            .context("none is there")?;
        ensure!(oldest == "shop-202601010300", "{oldest} is there");
        Ok(())
    })
    .await?;
    ensure!(
        ground.backups().get_opt("by-hand").await?.is_some(),
        "one that somebody asked for is gone"
    );
    Ok(())
}

/// Somebody's shop, of one ConfigMap, which a policy has backed up.
async fn scheduled(cluster: Cluster, cron: &str) -> Result<Ground> {
    let ground = Ground::set_up(cluster).await?;
    let prices: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "prices" } }))?;
    ground.shop.api().create(&PostParams::default(), &prices).await?;
    eventually("the new kinds are served", LIMIT, || async {
        let all = ListParams::default();
        ground.home.api::<BackupVault>().list(&all).await?;
        ground.home.api::<BackupPolicy>().list(&all).await?;
        ground.home.api::<BackupInstance>().list(&all).await?;
        Ok(())
    })
    .await?;
    ground.vault("vault").await?;
    let policy: BackupPolicy = serde_json::from_value(json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupPolicy",
        "metadata": { "name": "policy" },
        "spec": { "schedule": { "cron": cron }, "retention": { "operational": { "days": 7 } } },
    }))?;
    ground.home.api().create(&PostParams::default(), &policy).await?;
    let spec = json!({ "vault": "vault", "policy": "policy", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    Ok(ground)
}

impl Ground {
    /// The backups that nobody asked for.
    async fn by_schedule(&self) -> Result<Vec<Backup>> {
        let all = self.backups().list(&ListParams::default()).await?.items;
        let by_schedule = |backup: &Backup| backup.annotations().contains_key(labels::SCHEDULED_FOR);
        Ok(all.into_iter().filter(by_schedule).collect())
    }

    /// Waits for the one backup that nobody asked for.
    async fn the_only_one(&self) -> Result<Backup> {
        eventually("one backup is made", LIMIT, || async {
            let mut backups = self.by_schedule().await?;
            ensure!(backups.len() == 1, "{backups:#?}");
            backups.pop().context("none")
        })
        .await
    }

    async fn status(&self) -> Result<BackupInstanceStatus> {
        let instance = self.home.api::<BackupInstance>().get("shop").await?;
        Ok(instance.status.unwrap_or_default())
    }

    /// Waits until the leader has noted that it follows this schedule.
    async fn note(&self, schedule: &str) -> Result<()> {
        eventually("the leader follows the schedule", LIMIT, || async {
            let status = self.status().await?;
            ensure!(status.schedule.as_deref() == Some(schedule), "{status:#?}");
            Ok(())
        })
        .await
    }

    /// Has it that the schedule was followed up to this moment.
    async fn settled(&self, until: Timestamp) -> Result<()> {
        let patch = Patch::Merge(json!({ "status": {
            "schedule": HOURLY,
            "lastScheduled": until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        } }));
        let instances = self.home.api::<BackupInstance>();
        instances
            .patch_status("shop", &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    async fn change_instance(&self, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let instances = self.home.api::<BackupInstance>();
        instances.patch("shop", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn change_policy(&self, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let policies = self.home.api::<BackupPolicy>();
        policies.patch("policy", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn policy_says(&self, reason: &str, message: &str) -> Result<()> {
        let policies = self.home.api::<BackupPolicy>();
        eventually("the policy says whether it can be followed", LIMIT, || async {
            let policy = policies.get("policy").await?;
            let status = policy.status.clone().unwrap_or_default();
            let said = status.conditions.iter().any(|condition| {
                condition.reason == reason
                    && condition.message.contains(message)
                    && condition.observed_generation == policy.metadata.generation
            });
            ensure!(said, "{status:#?}");
            Ok(())
        })
        .await
    }
}
