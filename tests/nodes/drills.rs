//! Whoever dies, is deleted, drained, rolled or cancelled while an application is frozen on a real node: it is thawed,
//! and the backup ends with what is true.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, VolumeReport};
use clusterbackup_api::namespaces::{self, AGENTS};
use clusterbackup_api::node_task::{Consistency, Thaw};
use clusterbackup_tests::nodes::Application;
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::{eventually, writer};
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use crate::held::{Held, RESTARTED, SOON};
use crate::shop::Shop;

scenarios! {
    Nodes: [
        a_pod_that_is_deleted_thaws_its_unit,
        a_container_that_starts_again_is_thawed,
        a_backup_that_is_cancelled_thaws_and_leaves_nothing,
    ],
    NodesAlone: [
        an_agent_that_is_killed_thaws,
        a_watchdog_that_is_killed_is_not_missed,
        an_agent_that_is_killed_with_its_watchdog_thaws,
        an_agent_that_is_deleted_thaws,
        agents_that_are_rolled_thaw,
        a_node_that_is_drained_thaws,
        another_leader_ends_what_one_that_is_killed_began,
    ],
}

/// Agents are rolled one after the other: one starts before the other is stopped.
const ROLLED: Duration = Duration::from_secs(30);

async fn an_agent_that_is_killed_thaws(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let agent = held.shop.agent("node-1").await?;
    let strike = context.nodes.kill(&agent, "agent");
    let ended = held
        .thaws_by(("agent killed", SOON), BackupPhase::Failed, strike)
        .await?;
    ended.by(&[Thaw::ByReplay, Thaw::ByWatchdog])?;
    Shop::of(context).started_again("node-1", &["agent"]).await
}

/// The cut ends at the same moment, so there is nobody but the agent to thaw.
async fn a_watchdog_that_is_killed_is_not_missed(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let agent = held.shop.agent("node-1").await?;
    context.nodes.kill(&agent, "watchdog").await?;
    let what = ("watchdog killed", SOON);
    let cut = async { held.cut() };
    let ended = held.thaws_by(what, BackupPhase::Completed, cut).await?;
    ended.by(&[Thaw::Done])?;
    Shop::of(context).started_again("node-1", &["watchdog"]).await
}

/// The watchdog first: it would thaw at once for an agent that is dead.
async fn an_agent_that_is_killed_with_its_watchdog_thaws(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let agent = held.shop.agent("node-1").await?;
    let strike = async {
        context.nodes.kill(&agent, "watchdog").await?;
        context.nodes.kill(&agent, "agent").await
    };
    let what = ("agent and watchdog killed", RESTARTED);
    let ended = held.thaws_by(what, BackupPhase::Failed, strike).await?;
    ended.by(&[Thaw::ByReplay, Thaw::ByWatchdog])?;
    let shop = Shop::of(context);
    shop.started_again("node-1", &["agent", "watchdog"]).await
}

async fn an_agent_that_is_deleted_thaws(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let shop = Shop::of(context);
    let agent = shop.agent("node-1").await?.name_any();
    let delete = ["delete", "pod", &agent, "--namespace", AGENTS];
    let ended = held
        .thaws_by(
            ("agent deleted", SOON),
            BackupPhase::Failed,
            shop.kubectl(&delete),
        )
        .await?;
    ended.because("the node's agent was stopped")
}

async fn agents_that_are_rolled_thaw(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let restart = [
        "rollout",
        "restart",
        "daemonset/clusterbackup-agent",
        "--namespace",
        AGENTS,
    ];
    let shop = Shop::of(context);
    let ended = held
        .thaws_by(
            ("agents rolled", ROLLED),
            BackupPhase::Failed,
            shop.kubectl(&restart),
        )
        .await?;
    ended.because("the node's agent was stopped")
}

async fn a_node_that_is_drained_thaws(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let shop = Shop::of(context);
    let drain = [
        "drain",
        "node-1",
        "--ignore-daemonsets",
        "--force",
        "--delete-emptydir-data",
        "--timeout=90s",
    ];
    let drained = held
        .thaws_by(("node drained", SOON), BackupPhase::Failed, shop.kubectl(&drain))
        .await;
    shop.kubectl(&["uncordon", "node-1"]).await?;
    drained?.because("is being deleted")
}

async fn a_pod_that_is_deleted_thaws_its_unit(context: &NodesContext) -> Result<()> {
    let shop = Shop::of(context);
    let (own, other, shared) = (
        shop.csi.claim(shop.namespace, "own").await?,
        shop.csi.claim(shop.namespace, "other").await?,
        shop.csi.claim(shop.namespace, "shared").await?,
    );
    let on_node = |name| Application {
        node: Some("node-1"),
        grace_seconds: 10,
        ..Application::new(name)
    };
    let stays = shop.app(&on_node("stays"), &[own, shared.clone()]).await?;
    let goes = shop.app(&on_node("goes"), &[other, shared]).await?;
    let held = Held { shop, pod: stays };
    held.freeze(&["stays", "goes"]).await?;
    goes.app.freezes().await?;
    let shop = Shop::of(context);
    let namespace = shop.namespace.name();
    let delete = ["delete", "pod", "goes", "--namespace", namespace, "--wait=false"];
    let ended = held
        .thaws_by(("pod deleted", SOON), BackupPhase::Failed, shop.kubectl(&delete))
        .await?;
    ended.because("goes is being deleted")?;
    ensure!(!goes.app.is_frozen(), "the one that goes stays frozen");
    Ok(())
}

/// Its first act is to freeze again, by what lies on its volume; the undo runs in the new container.
async fn a_container_that_starts_again_is_thawed(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    held.pod.running.kill().await?;
    eventually("the container has frozen again", RESTARTED, || async {
        let pauses = writer::pauses(&held.pod.app.control)?;
        ensure!(pauses.len() == 2, "{pauses:?}");
        Ok(())
    })
    .await?;
    let what = ("container started again", SOON);
    let phase = BackupPhase::CompletedWithWarnings;
    let ended = held.thaws_by(what, phase, async { held.cut() }).await?;
    // It has written meanwhile.
    let consistency = ended.status.volumes[0].consistency;
    ensure!(
        consistency == Some(Consistency::CrashConsistent),
        "{:#?}",
        ended.status
    );
    Ok(())
}

async fn a_backup_that_is_cancelled_thaws_and_leaves_nothing(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let shop = Shop::of(context);
    let strike = async {
        let ran = shop.plugin(&["backup", "cancel", "held"]).await?;
        ensure!(ran.code == Some(0), "{ran:?}");
        Ok(())
    };
    let what = ("backup cancelled", SOON);
    let ended = held.thaws_by(what, BackupPhase::Cancelled, strike).await?;
    ended.because("the backup was cancelled")?;
    let kept = |volume: &VolumeReport| volume.snapshot.is_some();
    ensure!(!ended.status.volumes.iter().any(kept), "{:#?}", ended.status);
    shop.no_cut_is_left(&held.pod.app.volumes).await
}

async fn another_leader_ends_what_one_that_is_killed_began(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let shop = Shop::of(context);
    let before = shop.agents().await?;
    let holder = before["leader"]["holder"]
        .as_str()
        .context("nobody leads")?
        .to_owned();
    let leaders = Api::<PodObject>::namespaced(shop.nodes.cluster().admin(), namespaces::OWN);
    let pods = leaders.list(&ListParams::default()).await?.items;
    let leader = pods.iter().find(|pod| holder.contains(&pod.name_any()));
    shop.nodes
        .kill(leader.context("the leader is no pod")?, "leader")
        .await?;
    let what = ("leader killed", SOON);
    let cut = async { held.cut() };
    held.thaws_by(what, BackupPhase::Completed, cut).await?;

    let pauses = writer::pauses(&held.pod.app.control)?;
    ensure!(
        matches!(pauses[..], [(_, Some(_))]),
        "frozen more than once: {pauses:?}"
    );
    let after = shop.agents().await?;
    ensure!(
        after["leader"]["epoch"].as_i64() > before["leader"]["epoch"].as_i64(),
        "{after:#}"
    );
    Ok(())
}
