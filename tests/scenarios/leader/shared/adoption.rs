//! Points of a cluster that is gone become this cluster's, when a person asks for that by the plugin, and not before.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clusterbackup_api::BackupVault;
use clusterbackup_tests::Cluster;
use clusterbackup_tests::plugin::{Ran, plugin};
use clusterbackup_vault::lifecycle::{self, Decision, Owner, Record};
use clusterbackup_vault::point::PointId;
use clusterbackup_vault::store::{FileStore, Store};
use jiff::Timestamp;
use serde_json::json;

use crate::leader::catalogue::made::Made;
use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    Own: [
        points_of_a_gone_cluster_are_ours_when_somebody_adopts_them,
    ],
}

const GONE: &str = "3f2a7c1e-0000-4000-8000-00000000dead";
const ALIVE: &str = "3f2a7c1e-0000-4000-8000-00000000c1a5";

async fn points_of_a_gone_cluster_are_ours_when_somebody_adopts_them(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground
        .vault_with("vault", json!({ "softDelete": { "days": 0 } }))
        .await?;
    ground.policy("week", 7).await?;
    ground
        .instance("shop", json!({ "vault": "vault", "policy": "week" }))
        .await?;
    let points = points(&ground).await?;
    let [expired, newest, unknown, elsewhere, alive, given] = &points;
    let _leader = ground.leaders.start().await?;
    for point in [expired, newest, unknown, elsewhere, alive] {
        ground.kept_because(point, "another cluster made it").await?;
    }
    ground
        .kept_because(given, "another cluster has adopted it")
        .await?;

    let shown = adopt(&ground, GONE, &[]).await?;
    ensure!(
        shown.code == Some(1) && shown.err.contains("3 recovery points") && shown.err.contains("--yes"),
        "{shown:?}"
    );
    for told in ["by BackupPolicy week", "no instance here is called so"] {
        ensure!(shown.out.contains(told), "{shown:?}");
    }
    let vault = ground.home.api::<BackupVault>().get("vault").await?;
    ensure!(vault.spec.adopt.is_empty(), "asked for without --yes");

    let adopted = adopt(&ground, GONE, &["--yes"]).await?;
    ensure!(adopted.code == Some(0), "{adopted:?}");
    // Its policy holds, and names count; nothing else is touched.
    ground.is_gone(expired).await?;
    ground.kept_because(newest, "the newest complete point").await?;
    ground.kept_because(unknown, "no policy").await?;
    ground.want(unknown, "Deleted").await?;
    ground.is_gone(unknown).await?;
    ground.kept_because(elsewhere, "another cluster made it").await?;
    let records = lifecycle::records(&store(&ground), &PointId::new(newest.as_str())?).await?;
    let owner = Owner {
        cluster: ground.cluster_id().await?,
        namespace: ground.home.name().to_owned(),
    };
    ensure!(
        records.len() == 1 && records[0].decision == Decision::Adopt { owner },
        "{records:?}"
    );

    let refused = adopt(&ground, ALIVE, &["--yes"]).await?;
    ensure!(
        refused.code == Some(1) && refused.out.contains("ClusterAlive"),
        "{refused:?}"
    );
    ground.kept_because(alive, "another cluster made it").await?;
    let forced = adopt(&ground, ALIVE, &["--yes", "--force"]).await?;
    ensure!(forced.code == Some(0), "{forced:?}");
    ground.want(alive, "Deleted").await?;
    ground.is_gone(alive).await
}

/// Three of the gone cluster, one of another namespace there, one of a cluster at work, and an old one of ours that another
/// has adopted.
async fn points(ground: &Ground) -> Result<[String; 6]> {
    let (ours, home) = (ground.cluster_id().await?, ground.home.name());
    let store = store(ground);
    let mut number = 0;
    let mut write = async |cluster: &str, namespace: &str, instance: &str, days_ago| {
        number += 1;
        let made = Made {
            instance: instance.to_owned(),
            days_ago,
            ..Made::new(number, cluster, namespace)
        };
        made.write_into(&store).await?;
        anyhow::Ok(made.id)
    };
    let points = [
        write(GONE, home, "shop", 30).await?,
        write(GONE, home, "shop", 20).await?,
        write(GONE, home, "unknown", 400).await?,
        write(GONE, "elsewhere", "shop", 400).await?,
        write(ALIVE, home, "unknown", 0).await?,
        write(&ours, home, "shop", 400).await?,
    ];
    let record = Record {
        time: Timestamp::now(),
        by: "BackupVault home/vault".to_owned(),
        decision: Decision::Adopt {
            owner: Owner {
                cluster: ALIVE.to_owned(),
                namespace: home.to_owned(),
            },
        },
    };
    let id = PointId::new(points[5].as_str())?;
    lifecycle::record(&store, &id, |_| Some(record.clone())).await?;
    Ok(points)
}

async fn adopt(ground: &Ground, cluster: &str, more: &[&str]) -> Result<Ran> {
    let kubeconfig = ground.cluster.admin_kubeconfig();
    let command = [
        "vault",
        "adopt",
        "vault",
        "-n",
        ground.home.name(),
        "--cluster",
        cluster,
    ];
    plugin(Some(&kubeconfig), &[&command, more].concat()).await
}

fn store(ground: &Ground) -> Store {
    Arc::new(FileStore::new(ground.leaders.vaults().join("vault")))
}
