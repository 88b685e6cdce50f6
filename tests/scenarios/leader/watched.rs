//! What people and machines are told of vaults and their points without asking: events, conditions, counts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::{Cluster, Daemon, eventually};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use super::catalogue::made::Made;
use super::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [damage_and_loss_and_a_vault_that_is_away_are_told_of_without_asking],
}

/// The other cluster's.
const OTHER: &str = "3f2a7c1e-0000-4000-8000-00000000c1a5";

async fn damage_and_loss_and_a_vault_that_is_away_are_told_of_without_asking(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    let folder = ground.leaders.vaults().join("vault");
    let made: Vec<_> = (0..3)
        .map(|number| Made::new(number, OTHER, ground.home.name()))
        .collect();
    for point in &made {
        point.write(&folder).await?;
    }
    flip_a_bit(&folder.join(format!("data/{}/made", made[1].id)))?;
    let leader = ground.leaders.start().await?;

    // Each is read again, though nobody asks.
    let whole = ground.says(&made[0].id, "True", "AsWritten").await?;
    let damaged = ground.says(&made[1].id, "False", "Damaged").await?;
    ground.says(&made[2].id, "True", "AsWritten").await?;
    for point in [whole, damaged] {
        let status = point.status.context("no status")?;
        ensure!(status.verified_at.is_some(), "{status:#?}");
    }
    let note = ground
        .is_told("RecoveryPoint", &made[1].id, "PointDamaged")
        .await?;
    ensure!(note.contains("segment-00000"), "{note}");
    counts(
        &leader,
        &[
            (r#"recovery_points{state="available"}"#, 2),
            (r#"recovery_points{state="damaged"}"#, 1),
            (r#"vaults{reason="Ready"}"#, 1),
            (r#"newest_points{age="hour"}"#, 1),
            (r#"coverage{gap="none",kind="namespace"}"#, 1),
            (r#"coverage{gap="unprotected",kind="namespace"}"#, 2),
            (r#"verifications_total{outcome="good"}"#, 2),
            (r#"verifications_total{outcome="damaged"}"#, 1),
        ],
    )
    .await?;

    fs::remove_file(folder.join(format!("catalogue/{}.json", made[0].id)))?;
    ground.look_at("vault").await?;
    ground.is_gone(&made[0].id).await?;
    ground.is_told("RecoveryPoint", &made[0].id, "PointLost").await?;
    counts(&leader, &[("points_lost_total", 1)]).await?;

    let away = folder.with_file_name("away");
    fs::rename(&folder, &away)?;
    ground.look_at("vault").await?;
    let note = ground.is_told("BackupVault", "vault", "VaultUnusable").await?;
    ensure!(note.starts_with("LocationMissing: "), "{note}");
    counts(
        &leader,
        &[
            (r#"vaults{reason="LocationMissing"}"#, 1),
            (r#"vaults{reason="Ready"}"#, 0),
            (r#"recovery_points{state="unknown"}"#, 1),
        ],
    )
    .await?;
    fs::rename(&away, &folder)?;
    ground.look_at("vault").await?;
    ground.is_told("BackupVault", "vault", "VaultUsable").await?;
    Ok(())
}

/// In the first segment of an attempt.
fn flip_a_bit(attempt: &Path) -> Result<()> {
    let segment: PathBuf = attempt.join("segment-00000.tar.zst");
    let mut bytes = fs::read(&segment)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(&segment, bytes)?)
}

/// Waits until the leader counts this.
async fn counts(leader: &Daemon, expected: &[(&str, u64)]) -> Result<()> {
    eventually("the leader counts what there is", LIMIT, || async {
        let counts = leader.counts().await?;
        for (series, count) in expected {
            let found = counts.get(&format!("clusterbackup_leader_{series}"));
            ensure!(found == *count, "{series} is {found}, and should be {count}");
        }
        Ok(())
    })
    .await
}

impl Ground {
    /// Waits for an event, and says what its note is.
    async fn is_told(&self, kind: &str, name: &str, reason: &str) -> Result<String> {
        let events: Api<Event> = self.home.api();
        eventually(&format!("an event {reason}"), LIMIT, || async {
            let all = events.list(&ListParams::default()).await?.items;
            let right = |event: &&Event| {
                let about = event.regarding.as_ref();
                event.reason.as_deref() == Some(reason)
                    && about.is_some_and(|about| {
                        about.kind.as_deref() == Some(kind) && about.name.as_deref() == Some(name)
                    })
            };
            let found = all.iter().find(right).with_context(|| format!("{all:#?}"))?;
            Ok(found.note.clone().unwrap_or_default())
        })
        .await
    }
}
