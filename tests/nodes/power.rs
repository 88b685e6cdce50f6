//! A node that loses its power while applications are frozen on it: after its next boot they are thawed by what lies on
//! its disk.

use std::fs::{self, DirEntry};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::node_task::Thaw;
use clusterbackup_tests::csi::{Csi, Operation};
use clusterbackup_tests::runner::scenarios;
use clusterbackup_tests::stage::App;
use clusterbackup_tests::{Nodes, TestNamespace, eventually, writer};
use serde_json::json;

use crate::held::{RESTARTED, thaws};
use crate::shop::Shop;

scenarios! {
    OwnNodes: [a_node_that_loses_its_power_thaws_after_its_boot_and_gives_up_what_is_gone],
}

/// Longer than a boot takes: nobody thaws because it is over.
const MAX_FREEZE: &str = "5m";
/// Until the kubelet has started the pods of the node again.
const BOOT: Duration = Duration::from_mins(3);

async fn a_node_that_loses_its_power_thaws_after_its_boot_and_gives_up_what_is_gone(
    mut nodes: Nodes,
) -> Result<()> {
    nodes.install("system", &["hook-kinds"]).await?;
    let csi = Csi::start_on(&nodes).await?;
    let namespace = nodes.cluster().namespace("power").await?;
    let [stays, goes] = frozen(&nodes, &csi, &namespace).await?;

    nodes.node("node-1")?.lose_power()?;
    ensure!(entries(&nodes)? == 2, "two are frozen");
    let remove = [
        "delete",
        "pod",
        "goes",
        "--force",
        "--namespace",
        namespace.name(),
    ];
    nodes.cluster().kubectl(&remove).await?.success()?;
    nodes.node_mut("node-1")?.boot().await?;
    let booted = Instant::now();
    // Its first act is to freeze again, by what lies on its volume.
    eventually("the application has frozen again", BOOT, || async {
        let pauses = writer::pauses(&stays.control)?;
        ensure!(pauses.len() == 2, "{pauses:?}");
        Ok(())
    })
    .await?;
    println!(
        "node booted: the application runs after {} ms",
        booted.elapsed().as_millis()
    );
    thaws(("node booted", RESTARTED), &stays).await?;
    stays.goes_on().await?;

    for volume in stays.volumes.iter().chain(&goes.volumes) {
        csi.driver()
            .knobs_of(&volume.handle)
            .goes_on(Operation::CreateSnapshot)?;
    }
    told(&nodes, &csi, &namespace).await?;
    ensure!(entries(&nodes)? == 0, "the journal says that one is frozen");
    Ok(())
}

/// Two applications on `node-1`, frozen by a backup whose cuts hang.
async fn frozen(nodes: &Nodes, csi: &Csi, namespace: &TestNamespace) -> Result<[App; 2]> {
    let shop = Shop {
        nodes,
        csi,
        namespace,
    };
    let stays = shop.app_on("node-1", "stays", 1).await?.app;
    let goes = shop.app_on("node-1", "goes", 1).await?.app;
    for volume in stays.volumes.iter().chain(&goes.volumes) {
        csi.driver()
            .knobs_of(&volume.handle)
            .hangs(Operation::CreateSnapshot)?;
    }
    let freeze = json!({ "maxFreeze": MAX_FREEZE, "cutLimit": "4m" });
    shop.instance("held", &["stays", "goes"], freeze).await?;
    shop.ask("held", "held").await?;
    stays.freezes().await?;
    goes.freezes().await?;
    Ok([stays, goes])
}

/// The backup has ended, and says of both what became of them.
async fn told(nodes: &Nodes, csi: &Csi, namespace: &TestNamespace) -> Result<()> {
    let shop = Shop {
        nodes,
        csi,
        namespace,
    };
    let status = shop.ended("held").await?;
    ensure!(status.phase == Some(BackupPhase::Failed), "{status:#?}");
    ensure!(
        status.counts.thawed == 2 && status.counts.failed == 2,
        "{status:#?}"
    );
    let name = namespace.name();
    for warning in [
        format!("pod {name}/goes went away while it was frozen"),
        format!("claim {name}/stays-0 could not be cut: the node's agent was restarted meanwhile"),
    ] {
        ensure!(status.warnings.contains(&warning), "{warning}: {status:#?}");
    }
    for unit in shop.units("held").await? {
        let pod = unit.pods.first().context("a unit without a pod")?;
        let thaws: &[Thaw] = match pod.name.as_str() {
            "goes" => &[Thaw::PodGone],
            _ => &[Thaw::ByReplay, Thaw::ByWatchdog],
        };
        // For how long, nobody knows after a boot.
        ensure!(
            thaws.contains(&pod.thaw) && pod.frozen_millis.is_none(),
            "{unit:#?}"
        );
    }
    Ok(())
}

/// How many pods are frozen by the journal of `node-1`.
fn entries(nodes: &Nodes) -> Result<usize> {
    let journal = nodes.node("node-1")?.path("/var/lib/clusterbackup/journal");
    let files = fs::read_dir(&journal).with_context(|| journal.display().to_string())?;
    let is_open = |file: &DirEntry| file.path().extension().is_some_and(|state| state == "open");
    Ok(files.flatten().filter(is_open).count())
}
