//! Backups as their users have them: shipped manifests, hooks in real containers, real snapshots, made by the plugin.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::node_task::Consistency;
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::nodes::{Application, Running};
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::{eventually, writer};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::shop::{LIMIT, Shop};

scenarios! {
    Nodes: [
        a_person_makes_a_backup_and_is_told_the_truth,
        copies_on_two_nodes_agree_if_a_barrier_holds_them_and_only_then,
    ],
}

async fn a_person_makes_a_backup_and_is_told_the_truth(context: &NodesContext) -> Result<()> {
    let shop = Shop::of(context);
    let pod = shop.app_on("node-1", "db", 2).await?;
    shop.instance("nightly", &["db"], json!({})).await?;
    let ran = shop
        .plugin(&[
            "backup",
            "create",
            "nightly",
            "--name",
            "first",
            "--wait",
            "--timeout",
            "2m",
        ])
        .await?;
    let status = shop.ended("first").await?;
    ensure!(
        ran.code == Some(0) && status.phase == Some(BackupPhase::Completed),
        "{ran:?} {status:#?}"
    );

    let [first, second] = shop.records(&status)?[..] else {
        anyhow::bail!("not two copies: {status:#?}");
    };
    ensure!(first == second, "the copies end at {first} and {second}");
    let pauses = writer::pauses(&pod.app.control)?;
    ensure!(
        matches!(pauses[..], [(_, Some(_))]),
        "frozen and thawed: {pauses:?}"
    );
    pod.app.goes_on().await?;
    eprintln!("frozen for {:?}", pod.app.last_pause()?);

    let contents = Api::<VolumeSnapshotContent>::all(shop.nodes.cluster().admin());
    let kept = shop
        .namespace
        .api::<VolumeSnapshot>()
        .list(&ListParams::default())
        .await?;
    ensure!(kept.items.len() == 2, "{kept:#?}");
    for volume in &status.volumes {
        ensure!(
            volume.consistency == Some(Consistency::ApplicationConsistent),
            "{volume:#?}"
        );
        let kept = contents
            .get(volume.content.as_deref().context("no content")?)
            .await?;
        ensure!(kept.spec.deletion_policy == "Retain", "{kept:#?}");
    }
    told(&shop).await
}

/// What describes, logs and agents say.
async fn told(shop: &Shop<'_>) -> Result<()> {
    let ran = shop
        .plugin(&["backup", "describe", "first", "--output", "json"])
        .await?;
    let report: Value = serde_json::from_str(&ran.out).with_context(|| format!("{ran:?}"))?;
    let pods = &report["pods"];
    ensure!(
        report["phase"] == "Completed"
            && report["notes"] == json!([])
            && report["counts"]["hooksSucceeded"] == 2,
        "{report:#}"
    );
    ensure!(
        pods[0]["name"] == "db" && pods[0]["node"] == "node-1" && pods[0]["thaw"] == "Done",
        "{report:#}"
    );
    let logs = shop.plugin(&["backup", "logs", "first"]).await?.out;
    let steps = ["pre hook", "cut", "post hook"].map(|step| logs.find(step));
    ensure!(steps.is_sorted() && steps[0].is_some(), "{logs}");
    let ran = shop.agents().await?;
    let ready = |node: &Value| node["ready"] == true;
    ensure!(
        ran["nodes"]
            .as_array()
            .is_some_and(|nodes| nodes.len() == 2 && nodes.iter().all(ready))
            && ran["leader"]["holder"].is_string(),
        "{ran:#}"
    );
    Ok(())
}

/// Appends to its own volume and has the follower append to its own, in lock-step.
const LEADER: &str = r#"
mkdir -p "$1"
number=0
while :; do
  number=$((number + 1))
  echo "$number" >> "$2/records"
  wget -q -O /dev/null "http://$3:8080/cgi-bin/append?$number"
  [ -e "$1/freeze" ] || continue
  : > "$1/frozen"
  while [ -e "$1/freeze" ]; do sleep 0.01; done
  rm "$1/frozen"
done
"#;

/// Answers when the record is written.
const FOLLOWER: &str = r#"
mkdir -p /www/cgi-bin
printf '#!/bin/sh\necho "$QUERY_STRING" >> %s/records\necho\n' "$1" > /www/cgi-bin/append
chmod +x /www/cgi-bin/append
exec httpd -f -p 8080 -h /www
"#;

/// The first half is the experiment that shows what the second is worth.
async fn copies_on_two_nodes_agree_if_a_barrier_holds_them_and_only_then(
    context: &NodesContext,
) -> Result<()> {
    let shop = Shop::of(context);
    let (orders, stock) = (
        shop.csi.claim(shop.namespace, "orders").await?,
        shop.csi.claim(shop.namespace, "stock").await?,
    );
    let _pods = pair(&shop).await?;
    eventually("both have written", LIMIT, || async {
        writer::last_record(&orders.data)?;
        writer::last_record(&stock.data)
    })
    .await?;
    shop.csi
        .driver()
        .knobs_of(&stock.handle)
        .takes(Operation::CreateSnapshot, Duration::from_millis(500))?;
    let control = "/data/orders/control";
    shop.hook("orders", &writer::freeze(control), &writer::thaw(control))
        .await?;

    shop.instance("free", &[], json!({})).await?;
    let status = shop.backup("free", "free", BackupPhase::Completed).await?;
    let records = shop.records(&status)?;
    ensure!(
        records[0] < records[1],
        "free, and yet the copies end at {records:?}"
    );

    // Nothing of its own makes it write: it only says that it was asked.
    shop.hook(
        "stock",
        &words(&["touch", "/data/stock/held"]),
        &words(&["rm", "-f", "/data/stock/held"]),
    )
    .await?;
    shop.instance("held", &["orders", "stock"], json!({ "barrier": true }))
        .await?;
    let status = shop.backup("held", "held", BackupPhase::Completed).await?;
    let records = shop.records(&status)?;
    ensure!(
        records[0] == records[1],
        "held, and yet the copies end at {records:?}"
    );
    let [barrier] = status.barriers.as_slice() else {
        anyhow::bail!("not one barrier: {status:#?}");
    };
    ensure!(barrier.met && barrier.skew_millis.is_some(), "{barrier:?}");
    eprintln!("skew {:?} ms", barrier.skew_millis);
    Ok(())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}

/// An application in two parts on two nodes.
async fn pair<'a>(shop: &Shop<'a>) -> Result<[Running<'a>; 2]> {
    let namespace = shop.namespace.name();
    let follower = Application {
        node: Some("node-2"),
        script: FOLLOWER,
        arguments: &["/data/stock"],
        claims: &["stock"],
        labels: json!({ "app": "stock" }),
        ..Application::new("stock")
    };
    let follower = shop.nodes.run(namespace, &follower).await?;
    let address = follower.address()?;
    let leader = Application {
        node: Some("node-1"),
        script: LEADER,
        arguments: &["/data/orders/control", "/data/orders", &address],
        claims: &["orders"],
        labels: json!({ "app": "orders" }),
        ..Application::new("orders")
    };
    Ok([shop.nodes.run(namespace, &leader).await?, follower])
}
