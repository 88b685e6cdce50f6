//! A backup that stands still between freeze and cut, for drills of what happens then, and what they say of its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::namespaces::AGENTS;
use clusterbackup_api::node_task::{Thaw, UnitReport};
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::eventually;
use clusterbackup_tests::nodes::Application;
use clusterbackup_tests::runner::NodesContext;
use clusterbackup_tests::stage::App;
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::shop::{Pod, Shop};

/// How long a cut may take: longer than any drill waits for a thaw, which so has a better reason.
const CUT_LIMIT: &str = "40s";

/// What whoever is told of it does at once takes less, on a machine with other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// What a container that the kubelet starts again does takes less.
pub(crate) const RESTARTED: Duration = Duration::from_secs(15);

/// A backup whose cut hangs, so that its application stays frozen.
pub(crate) struct Held<'a> {
    pub(crate) shop: Shop<'a>,
    pub(crate) pod: Pod<'a>,
}

/// What came of it.
pub(crate) struct Ended {
    pub(crate) status: BackupStatus,
    /// What the node reports.
    pub(crate) unit: UnitReport,
}

impl<'a> Held<'a> {
    /// An application on `node-1`, and a backup of it.
    pub(crate) async fn begin(context: &'a NodesContext) -> Result<Self> {
        let shop = Shop::of(context);
        shop.with_a_fresh_agent("node-1").await?;
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

    /// Has these applications frozen by a backup.
    pub(crate) async fn freeze(&self, apps: &[&str]) -> Result<()> {
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

    /// Has the cuts taken.
    pub(crate) fn cut(&self) -> Result<()> {
        for volume in &self.pod.app.volumes {
            let knobs = self.shop.csi.driver().knobs_of(&volume.handle);
            knobs.goes_on(Operation::CreateSnapshot)?;
            knobs.goes_on(Operation::CreateVolumeGroupSnapshot)?;
        }
        Ok(())
    }

    /// Waits until it is thawed by what `strike` does, so soon, and until the backup has ended, in this phase.
    pub(crate) async fn thaws_by(
        &self,
        (what, limit): (&str, Duration),
        phase: BackupPhase,
        strike: impl Future<Output = Result<()>>,
    ) -> Result<Ended> {
        let (struck, thawed) = tokio::join!(strike, thaws((what, limit), &self.pod.app));
        struck?;
        thawed?;
        self.cut()?;
        let status = self.shop.ended("held").await?;
        ensure!(status.phase == Some(phase), "{status:#?}");
        ensure!(status.counts.thawed == status.counts.pods, "{status:#?}");
        ensure!(!self.pod.app.is_frozen(), "it was frozen again");
        self.shop.nodes.until_rolled_out().await?;
        let unit = self.shop.unit("held").await?;
        Ok(Ended { status, unit })
    }
}

impl Ended {
    /// It was thawed for that reason, and not because its time was over.
    pub(crate) fn because(&self, reason: &str) -> Result<()> {
        let message = self.unit.message.as_deref().unwrap_or_default();
        ensure!(message.contains(reason), "{:#?}", self.unit);
        Ok(())
    }

    /// It was thawed by one of these.
    pub(crate) fn by(&self, thaws: &[Thaw]) -> Result<()> {
        let by_them = self.unit.pods.iter().all(|pod| thaws.contains(&pod.thaw));
        ensure!(by_them, "{:#?}", self.unit);
        Ok(())
    }
}

/// Waits until an application is thawed, which may take so long, and says how long it took.
pub(crate) async fn thaws((what, limit): (&str, Duration), app: &App) -> Result<()> {
    let began = Instant::now();
    eventually(&format!("the application is thawed: {what}"), limit, || async {
        ensure!(!app.is_frozen(), "it is frozen");
        Ok(())
    })
    .await?;
    println!("{what}: thawed after {} ms", began.elapsed().as_millis());
    Ok(())
}

impl Shop<'_> {
    /// The pod of ours on a node.
    pub(crate) async fn agent(&self, node: &str) -> Result<PodObject> {
        let pods = Api::<PodObject>::namespaced(self.nodes.cluster().admin(), AGENTS);
        let on_node = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let found = pods.list(&on_node).await?.items.into_iter();
        let mut alive = found.filter(|pod| pod.metadata.deletion_timestamp.is_none());
        alive.next().with_context(|| format!("no agent on {node}"))
    }

    /// Replaces the pod of ours on a node if it was killed before: with each time the kubelet waits longer before it
    /// starts a container again.
    pub(crate) async fn with_a_fresh_agent(&self, node: &str) -> Result<()> {
        let agent = self.agent(node).await?;
        if restarts(&agent).iter().any(|(_, times)| *times > 0) {
            self.kubectl(&["delete", "pod", &agent.name_any(), "--namespace", AGENTS])
                .await?;
            self.nodes.until_rolled_out().await?;
        }
        Ok(())
    }

    /// Waits until just these containers of ours on a node were started again, and serve.
    pub(crate) async fn started_again(&self, node: &str, containers: &[&str]) -> Result<()> {
        eventually("what was killed is back", RESTARTED, || async {
            let again = restarts(&self.agent(node).await?).into_iter();
            let again: Vec<_> = again.filter(|(_, times)| *times > 0).collect();
            let names: Vec<_> = again.iter().map(|(name, _)| name.as_str()).collect();
            ensure!(names == containers, "{again:?}");
            Ok(())
        })
        .await?;
        self.nodes.until_rolled_out().await
    }

    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Result<()> {
        self.nodes.cluster().kubectl(arguments).await?.success().map(drop)
    }
}

/// How often each container of a pod was started again, by its name.
fn restarts(pod: &PodObject) -> Vec<(String, i32)> {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let containers = containers.into_iter().flatten();
    containers
        .map(|container| (container.name.clone(), container.restart_count))
        .collect()
}
