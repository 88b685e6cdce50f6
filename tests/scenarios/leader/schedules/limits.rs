//! How much a vault allows: backups that somebody asks for, and how close to each other those by schedule may be.

use anyhow::{Result, ensure};
use clusterbackup_api::BackupVault;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::{Cluster, eventually};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::scheduled;
use crate::leader::readiness::says;
use crate::leader::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [
        no_more_backups_begin_on_demand_than_the_vault_allows,
        a_schedule_that_is_faster_than_its_vault_allows_is_not_followed,
    ],
}

async fn no_more_backups_begin_on_demand_than_the_vault_allows(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "0 * * * *").await?;
    ground.limit(&json!({ "onDemandBackupsPerDay": 2 })).await?;
    let leader = ground.leaders.start().await?;
    for name in ["first", "second"] {
        ground.ask(name, "shop").await?;
        ground.ends(name, BackupPhase::Completed).await?;
    }
    for name in ["third", "fourth"] {
        ground.ask(name, "shop").await?;
        let status = ground.ends(name, BackupPhase::Failed).await?;
        let message = status.message.clone().unwrap_or_default();
        let refused = status.conditions.iter().any(|condition| {
            condition.type_ == "Planned"
                && condition.status == "False"
                && condition.reason == "LimitReached"
                && condition.message == message
        });
        ensure!(
            refused
                && message.starts_with(
                    "BackupVault vault: 2 backups on demand within 24 hours are all that it allows"
                )
                && message.contains("ask again after "),
            "{status:#?}"
        );
    }
    eventually("it is counted", LIMIT, || async {
        let counts = leader.counts().await?;
        let near = counts.get("clusterbackup_leader_instances_near_limit");
        let waiting = counts.get("clusterbackup_leader_instances{state=\"protected\"}");
        ensure!((near, waiting) == (1, 1), "{counts:?}");
        Ok(())
    })
    .await?;
    // What its policy asks for goes on.
    ground
        .settled(Timestamp::now() - SignedDuration::from_hours(72))
        .await?;
    let made = ground.the_only_one().await?.name_any();
    ground.ends(&made, BackupPhase::Completed).await.map(drop)
}

async fn a_schedule_that_is_faster_than_its_vault_allows_is_not_followed(cluster: Cluster) -> Result<()> {
    let ground = scheduled(cluster, "0 * * * *").await?;
    ground.limit(&json!({ "minInterval": "4h" })).await?;
    let _leader = ground.leaders.start().await?;
    says(
        &ground,
        "shop",
        "PolicyTooFrequent",
        "only 1h apart, and the vault allows no less than 4h",
    )
    .await?;
    let long_ago = Timestamp::now() - SignedDuration::from_hours(72);
    ground.settled(long_ago).await?;
    // Whoever asks is backed up all the same, and by then the leader has looked at the schedule, too.
    ground.ask("by-hand", "shop").await?;
    ground.ends("by-hand", BackupPhase::Completed).await?;
    ensure!(
        ground.by_schedule().await?.is_empty(),
        "a schedule was followed that the vault doesn't allow"
    );

    ground.limit(&json!({ "minInterval": "1h" })).await?;
    let made = ground.the_only_one().await?.name_any();
    ground.ends(&made, BackupPhase::Completed).await?;
    says(&ground, "shop", "Ready", "could run now").await
}

impl Ground {
    /// Has the vault allow no more than this.
    async fn limit(&self, limits: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "limits": limits } }));
        let vaults = self.home.api::<BackupVault>();
        vaults.patch("vault", &PatchParams::default(), &patch).await?;
        Ok(())
    }
}
