//! Who may report on a task: the agent of its node, by the token that its pod is given there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::{NodeTask, namespaces};
use clusterbackup_tests::agent::{self, AgentNode};
use clusterbackup_tests::{Cluster, eventually, kubeconfig, manifests};
use kube::api::{Patch, PatchParams};
use kube::config::Kubeconfig;
use kube::{Api, Client};
use serde_json::json;

use super::kinds::object;
use crate::runner::scenarios;
use crate::steps::{create, refusal};

scenarios! {
    Own: [an_agent_reports_on_the_tasks_of_its_own_node_alone],
}

const LIMIT: Duration = Duration::from_secs(30);

/// A client with the token of a pod of the agent on a node of that name; both are made for it.
async fn agent_on(cluster: &Cluster, node: &str) -> Result<Client> {
    let node = AgentNode::new(cluster, node, Path::new("/nowhere")).await?;
    kubeconfig::client(Kubeconfig::read_from(node.kubeconfig())?).await
}

async fn report(agent: &Client, task: &str) -> kube::Result<NodeTask> {
    let tasks = Api::<NodeTask>::namespaced(agent.clone(), namespaces::AGENTS);
    let status = Patch::Merge(json!({ "status": { "phase": "Running" } }));
    tasks.patch_status(task, &PatchParams::default(), &status).await
}

async fn an_agent_reports_on_the_tasks_of_its_own_node_alone(cluster: Cluster) -> Result<()> {
    manifests::apply(&cluster, "system", &[]).await?;
    for (name, node) in [("of-a", "a"), ("of-b", "b"), ("of-nobody", "")] {
        let task = object(
            "NodeTask",
            name,
            &json!({
                "nodeName": node, "epoch": 1, "state": "Running", "units": [],
                "backup": { "namespace": "shop", "name": "b", "uid": "c" },
            }),
        );
        create(&cluster.admin(), Some(namespaces::AGENTS), &task).await?;
    }
    let (on_a, on_b) = (agent_on(&cluster, "a").await?, agent_on(&cluster, "b").await?);
    // A policy is in force a moment after it was made.
    eventually("the policy is in force", LIMIT, || async {
        refusal(report(&on_a, "of-b").await).map(drop)
    })
    .await?;

    report(&on_a, "of-a").await.context("on its own node")?;
    report(&on_b, "of-b").await.context("on its own node")?;
    for (agent, task) in [(&on_a, "of-b"), (&on_b, "of-a"), (&on_a, "of-nobody")] {
        let message = refusal(report(agent, task).await)?;
        ensure!(message.contains("the task is for another one"), "{message}");
    }
    // A token that was asked for without a pod names no node.
    let anywhere = cluster.service_account(namespaces::AGENTS, agent::NAME).await?;
    for task in ["of-a", "of-nobody"] {
        let message = refusal(report(&anywhere, task).await)?;
        ensure!(message.contains("the token names no node"), "{message}");
    }

    let tasks = Api::<NodeTask>::namespaced(on_a, namespaces::AGENTS);
    let order = Patch::Merge(json!({ "spec": { "state": "Cancelled" } }));
    let message = refusal(tasks.patch("of-a", &PatchParams::default(), &order).await)?;
    ensure!(message.contains("forbidden"), "{message}");

    // Not even with more rights than are shipped.
    let widen = [
        "create",
        "clusterrolebinding",
        "too-much",
        "--clusterrole=cluster-admin",
        "--serviceaccount=clusterbackup-agents:clusterbackup-agent",
    ];
    cluster.kubectl(&widen).await?.success()?;
    eventually("the policy refuses what the role allows", LIMIT, || async {
        let message = refusal(tasks.patch("of-a", &PatchParams::default(), &order).await)?;
        ensure!(
            message.contains("an agent writes the status of tasks and nothing else"),
            "{message}"
        );
        Ok(())
    })
    .await
}
