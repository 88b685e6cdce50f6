//! Whoever dies, is deleted, drained or rolled while an application is frozen on a real node: it is thawed, and the
//! backup ends with what is true.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::namespaces::{self, AGENTS};
use clusterbackup_api::node_task::{Consistency, Thaw, UnitReport};
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::nodes::Application;
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::stage::App;
use clusterbackup_tests::{eventually, writer};
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::shop::{Pod, Shop};

scenarios! {
    Nodes: [
        a_pod_that_is_deleted_thaws_its_unit,
        a_container_that_starts_again_is_thawed,
    ],
    NodesAlone: [
        an_agent_that_is_killed_thaws,
        an_agent_that_is_deleted_thaws,
        agents_that_are_rolled_thaw,
        a_node_that_is_drained_thaws,
        another_leader_ends_what_one_that_is_killed_began,
    ],
}

/// How long a cut may take: whoever thaws before that does so for a better reason.
const CUT_LIMIT: &str = "40s";
const LATEST: Duration = Duration::from_secs(35);

/// A backup whose cut hangs, so that its application stays frozen.
struct Held<'a> {
    shop: Shop<'a>,
    pod: Pod<'a>,
}

impl<'a> Held<'a> {
    async fn begin(context: &'a NodesContext) -> Result<Self> {
        let shop = Shop::of(context);
        let application = Application {
            node: Some("node-1"),
            grace_seconds: 10,
            ..Application::new("db")
        };
        let volume = shop.csi.claim(shop.namespace, "data").await?;
        let pod = shop.app(&application, &[volume]).await?;
        let held = Self { shop, pod };
        held.freeze(&["db"]).await?;
        Ok(held)
    }

    async fn freeze(&self, apps: &[&str]) -> Result<()> {
        for volume in &self.pod.app.volumes {
            let knobs = self.shop.csi.driver().knobs_of(&volume.handle);
            knobs.hangs(Operation::CreateSnapshot)?;
            knobs.hangs(Operation::CreateVolumeGroupSnapshot)?;
        }
        let freeze = json!({ "maxFreeze": "60s", "cutLimit": CUT_LIMIT });
        self.shop.instance("held", apps, freeze).await?;
        self.shop.ask("held", "held").await?;
        self.pod.app.freezes().await
    }

    /// Waits until it is thawed by what `strike` does, and until the backup has ended; what the node reports.
    async fn thaws_by(self, what: &str, strike: impl Future<Output = Result<()>>) -> Result<UnitReport> {
        let (struck, thawed) = tokio::join!(strike, thaws(what, &self.pod.app));
        struck?;
        thawed?;
        for volume in &self.pod.app.volumes {
            let knobs = self.shop.csi.driver().knobs_of(&volume.handle);
            knobs.goes_on(Operation::CreateSnapshot)?;
            knobs.goes_on(Operation::CreateVolumeGroupSnapshot)?;
        }
        let status = self.shop.ended("held").await?;
        ensure!(
            matches!(
                status.phase,
                Some(BackupPhase::Failed | BackupPhase::CompletedWithWarnings)
            ),
            "{status:#?}"
        );
        ensure!(status.counts.thawed == status.counts.pods, "{status:#?}");
        ensure!(!self.pod.app.is_frozen(), "it was frozen again");
        self.shop.nodes.until_rolled_out().await?;
        self.shop.unit("held").await
    }
}

/// Waits until an application is thawed, and says how long that took.
pub(crate) async fn thaws(what: &str, app: &App) -> Result<()> {
    let began = Instant::now();
    eventually("the application is thawed", LATEST, || async {
        ensure!(!app.is_frozen(), "it is frozen");
        Ok(())
    })
    .await?;
    println!("{what}: thawed after {} ms", began.elapsed().as_millis());
    Ok(())
}

/// It was thawed for that reason, and not because its time was over.
fn says(unit: &UnitReport, reason: &str) -> Result<()> {
    let message = unit.message.as_deref().unwrap_or_default();
    ensure!(message.contains(reason), "{unit:#?}");
    Ok(())
}

/// The pod of ours on a node.
async fn agent(shop: &Shop<'_>, node: &str) -> Result<PodObject> {
    let pods = Api::<PodObject>::namespaced(shop.nodes.cluster().admin(), AGENTS);
    let on_node = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let found = pods.list(&on_node).await?.items.into_iter();
    let mut alive = found.filter(|pod| pod.metadata.deletion_timestamp.is_none());
    alive.next().with_context(|| format!("no agent on {node}"))
}

async fn kubectl(shop: &Shop<'_>, arguments: &[&str]) -> Result<()> {
    shop.nodes.cluster().kubectl(arguments).await?.success().map(drop)
}

async fn an_agent_that_is_killed_thaws(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let agent = agent(&held.shop, "node-1").await?;
    let strike = context.nodes.kill(&agent, "agent");
    let unit = held.thaws_by("agent killed", strike).await?;
    let by_another = [Thaw::ByReplay, Thaw::ByWatchdog].contains(&unit.pods[0].thaw);
    ensure!(by_another, "{unit:#?}");
    Ok(())
}

async fn an_agent_that_is_deleted_thaws(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    let agent = agent(&held.shop, "node-1").await?.name_any();
    let delete = ["delete", "pod", &agent, "--namespace", AGENTS];
    let shop = Shop::of(context);
    let unit = held.thaws_by("agent deleted", kubectl(&shop, &delete)).await?;
    says(&unit, "the node\'s agent was stopped")
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
    let unit = held.thaws_by("agents rolled", kubectl(&shop, &restart)).await?;
    says(&unit, "the node\'s agent was stopped")
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
    let drained = held.thaws_by("node drained", kubectl(&shop, &drain)).await;
    kubectl(&shop, &["uncordon", "node-1"]).await?;
    says(&drained?, "is being deleted")
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
    let unit = held.thaws_by("pod deleted", kubectl(&shop, &delete)).await?;
    says(&unit, "goes is being deleted")?;
    ensure!(!goes.app.is_frozen(), "the one that goes stays frozen");
    Ok(())
}

/// Its first act is to freeze again, by what lies on its volume; the undo runs in the new container.
async fn a_container_that_starts_again_is_thawed(context: &NodesContext) -> Result<()> {
    let held = Held::begin(context).await?;
    held.pod.running.kill().await?;
    eventually("the container has frozen again", LATEST, || async {
        let pauses = writer::pauses(&held.pod.app.control)?;
        ensure!(pauses.len() == 2, "{pauses:?}");
        Ok(())
    })
    .await?;
    let volume = held.pod.app.volumes[0].handle.clone();
    let strike = async {
        let knobs = context.csi.driver().knobs_of(&volume);
        knobs.goes_on(Operation::CreateSnapshot)
    };
    thaws_at_the_cut(held, strike).await
}

async fn thaws_at_the_cut(held: Held<'_>, cut: impl Future<Output = Result<()>>) -> Result<()> {
    let (cut, thawed) = tokio::join!(cut, thaws("container started again", &held.pod.app));
    cut?;
    thawed?;
    let status = held.shop.ended("held").await?;
    ensure!(
        status.counts.thawed == 1 && status.counts.taken == 1,
        "{status:#?}"
    );
    // It has written meanwhile.
    let consistency = status.volumes[0].consistency;
    ensure!(consistency == Some(Consistency::CrashConsistent), "{status:#?}");
    Ok(())
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
    let volume = &held.pod.app.volumes[0].handle;
    shop.csi
        .driver()
        .knobs_of(volume)
        .goes_on(Operation::CreateSnapshot)?;
    thaws("leader killed", &held.pod.app).await?;

    let status = shop.ended("held").await?;
    ensure!(status.phase == Some(BackupPhase::Completed), "{status:#?}");
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
    shop.nodes.until_rolled_out().await
}
