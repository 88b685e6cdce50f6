//! A store that several clusters know: those that may write into it, and those that only read.

pub(crate) mod adoption;
pub(crate) mod clusters;

use std::fs;

use anyhow::{Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::recovery_point::PointState;
use clusterbackup_api::{BackupInstance, BackupVault, RecoveryPoint};
use clusterbackup_tests::plugin::plugin;
use clusterbackup_tests::{Cluster, eventually};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::catalogue::made::Made;
use super::stage::{Ground, LIMIT};
use super::vault::stored::files;
use crate::runner::scenarios;

scenarios! {
    Own: [
        nothing_is_written_into_a_read_only_vault_and_all_of_it_is_shown,
    ],
}

async fn nothing_is_written_into_a_read_only_vault_and_all_of_it_is_shown(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let folder = ground.leaders.vaults().join("vault");
    fs::create_dir_all(&folder)?;
    let ours = ground.cluster_id().await?;
    // What is due here: two expired ones, and what is left of an attempt.
    let mut points = Vec::new();
    for (number, (cluster, days_ago)) in (0..).zip([(&*ours, 30), (&*ours, 20), ("another", 0)]) {
        let made = Made {
            days_ago,
            ..Made::new(number, cluster, ground.home.name())
        };
        made.write(&folder).await?;
        points.push(made.id);
    }
    let left = Made {
        days_ago: 2,
        ..Made::new(9, &ours, ground.home.name())
    };
    drop(left.begin(&folder).await?);
    let before = files(&folder)?;
    ground.policy("week", 7).await?;
    ground
        .vault_with(
            "vault",
            json!({ "access": "ReadOnly", "softDelete": { "days": 0 } }),
        )
        .await?;
    ground
        .vault_with("empty", json!({ "access": "ReadOnly" }))
        .await?;
    ground
        .instance("shop", json!({ "vault": "vault", "policy": "week" }))
        .await?;
    let _leader = ground.leaders.start().await?;

    ground.vault_says("vault", "Readable").await?;
    ground.vault_says("empty", "LocationEmpty").await?;
    ground.says(&points[1], "True", "InVault").await?;
    ground.want(&points[1], "Deleted").await?;
    for point in &points {
        ground.says(point, "True", "InVault").await?;
        ground.kept_because(point, "its vault is ReadOnly here").await?;
    }
    ground.instance_says("shop", "VaultUnusable").await?;
    ground.ask("nightly", "shop").await?;
    let status = ground.ends("nightly", BackupPhase::Failed).await?;
    let message = status.message.unwrap_or_default();
    ensure!(message.contains("its access is ReadOnly"), "{message}");
    let mut conditions = status.conditions.iter();
    ensure!(
        conditions.any(|said| said.type_ == "Planned" && said.reason == "VaultUnusable"),
        "{conditions:?}"
    );
    ensure!(files(&folder)? == before, "something was written");
    ensure!(
        files(&folder.with_file_name("empty"))?.is_empty(),
        "something was written"
    );
    let folder_text = folder.display().to_string();
    let get = ["rp", "get", &points[2], "configmaps/colours"];
    let read = [
        &get[..],
        &["-n", ground.home.name(), "--file-system", &folder_text],
    ]
    .concat();
    let read = plugin(None, &read).await?;
    ensure!(read.code == Some(0) && read.out.contains("ConfigMap"), "{read:?}");

    // As soon as it may, it does what is due.
    let writable = Patch::Merge(json!({ "spec": { "access": "ReadWrite" } }));
    let vaults = ground.home.api::<BackupVault>();
    vaults.patch("vault", &PatchParams::default(), &writable).await?;
    ground.is_gone(&points[1]).await?;
    ground.stands(&points[2], PointState::Available).await?;
    ground.instance_says("shop", "Ready").await
}

impl Ground {
    /// Waits until a point says that it stays because of this.
    pub(in crate::leader) async fn kept_because(&self, point: &str, because: &str) -> Result<()> {
        let points = self.home.api::<RecoveryPoint>();
        eventually("the point says why it stays", LIMIT, || async {
            let found = points.get(point).await?;
            let said = found
                .status
                .as_ref()
                .and_then(|status| status.kept_because.as_deref());
            ensure!(said.is_some_and(|said| said.contains(because)), "{found:#?}");
            Ok(())
        })
        .await
    }

    /// Waits until an instance says whether it could be backed up.
    async fn instance_says(&self, name: &str, reason: &str) -> Result<()> {
        let instances = self.home.api::<BackupInstance>();
        eventually("the instance says how it is", LIMIT, || async {
            let found = instances.get(name).await?;
            let mut said = found.status.iter().flat_map(|status| &status.conditions);
            ensure!(said.any(|said| said.reason == reason), "{found:#?}");
            Ok(())
        })
        .await
    }
}
