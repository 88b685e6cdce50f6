//! What a thaw depends on: nothing outside of the node, and on it not even the kubelet.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::NodeTask;
use clusterbackup_api::namespaces::AGENTS;
use clusterbackup_api::node_task::UnitPhase;
use clusterbackup_tests::csi::{Csi, Operation};
use clusterbackup_tests::runner::scenarios;
use clusterbackup_tests::{Nodes, TestNamespace, eventually};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::held::{RESTARTED, thaws};
use crate::shop::{Pod, Shop};

scenarios! {
    OwnNodes: [frozen_applications_are_thawed_without_kubelet_and_api_server_and_by_a_new_runtime],
}

/// How long an application may be frozen.
const MAX_FREEZE: Duration = Duration::from_secs(20);

async fn frozen_applications_are_thawed_without_kubelet_and_api_server_and_by_a_new_runtime(
    mut nodes: Nodes,
) -> Result<()> {
    nodes.install("system", &["hook-kinds"]).await?;
    let csi = Csi::start_on(&nodes).await?;

    let namespace = nodes.cluster().namespace("alone").await?;
    let Pod { app, .. } = frozen(&nodes, &csi, &namespace).await?;
    nodes.node_mut("node-1")?.kubelet().end()?;
    let thawed = thaws(("without kubelet and API server", MAX_FREEZE), &app);
    nodes.cluster_mut().without_api_server(thawed).await?;
    nodes.node_mut("node-1")?.kubelet().start_again()?;
    ends(&nodes, &csi, &namespace).await?;

    let namespace = nodes.cluster().namespace("renewed").await?;
    let Pod { app, .. } = frozen(&nodes, &csi, &namespace).await?;
    nodes.node_mut("node-1")?.containerd().end()?;
    until_due(&nodes).await?;
    ensure!(app.is_frozen(), "thawed without a runtime");
    nodes.node_mut("node-1")?.containerd().start_again()?;
    thaws(("with a new containerd", RESTARTED), &app).await?;
    ends(&nodes, &csi, &namespace).await
}

/// An application on `node-1` that is frozen by a backup whose cut hangs.
async fn frozen<'a>(nodes: &'a Nodes, csi: &'a Csi, namespace: &'a TestNamespace) -> Result<Pod<'a>> {
    let shop = Shop {
        nodes,
        csi,
        namespace,
    };
    let pod = shop.app_on("node-1", "db", 1).await?;
    csi.driver()
        .knobs_of(&pod.app.volumes[0].handle)
        .hangs(Operation::CreateSnapshot)?;
    let freeze = json!({ "maxFreeze": format!("{}s", MAX_FREEZE.as_secs()), "cutLimit": "10s" });
    shop.instance("held", &["db"], freeze).await?;
    shop.ask("held", "held").await?;
    pod.app.freezes().await?;
    Ok(pod)
}

/// Waits until an agent says that it thaws.
async fn until_due(nodes: &Nodes) -> Result<()> {
    let tasks = Api::<NodeTask>::namespaced(nodes.cluster().admin(), AGENTS);
    eventually("the undo is due", 2 * MAX_FREEZE, || async {
        let found = tasks.list(&ListParams::default()).await?.items;
        let mut units = found
            .iter()
            .filter_map(|task| task.status.as_ref())
            .flat_map(|status| &status.units);
        ensure!(units.any(|unit| unit.phase == UnitPhase::Thawing), "{found:#?}");
        Ok(())
    })
    .await
}

async fn ends(nodes: &Nodes, csi: &Csi, namespace: &TestNamespace) -> Result<()> {
    let shop = Shop {
        nodes,
        csi,
        namespace,
    };
    let volume = csi.volume_of(namespace.name(), "db-0").await?;
    csi.driver()
        .knobs_of(&volume.handle)
        .goes_on(Operation::CreateSnapshot)?;
    let status = shop.ended("held").await?;
    ensure!(status.counts.thawed == 1, "{status:#?}");
    eventually("no pod is frozen", Duration::from_secs(30), || async {
        let agents = shop.agents().await?;
        ensure!(agents["frozen"] == json!([]), "{agents:#}");
        Ok(())
    })
    .await
}
