//! Agents stay small and quiet: with many pods, with hooks that write without end, and many agents on one API server.

use std::slice;
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::node_task::{ExecOutcome, Stage as When};
use clusterbackup_tests::agent::AgentNode;
use clusterbackup_tests::apiserver::Scrape;
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::stage::{Stage, exec, post, shell, unit};
use clusterbackup_tests::{Cluster, eventually};
use futures::future::try_join_all;

use crate::runner::scenarios;

scenarios! {
    Own: [
        many_pods_and_endless_output_leave_the_agent_small,
        an_agent_at_rest_has_one_watch_and_comes_back_quietly,
    ],
}

/// Far above what it takes, and far below what the hooks write.
const LARGEST_MB: f64 = 128.0;
const PODS: usize = 40;
const AGENTS: usize = 4;
/// Of one agent whose watch broke: a few tries, one watch.
const FEW: u64 = 10;
const LIMIT: Duration = Duration::from_mins(1);

async fn many_pods_and_endless_output_leave_the_agent_small(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let agent = stage.node.agent().await?;
    let pods = try_join_all((0..PODS).map(async |number| stage.sleeper(&format!("pod-{number}")).await));
    let mut units = Vec::with_capacity(PODS);
    for (number, pod) in pods.await?.iter().enumerate() {
        let script = match number {
            0 => "head -c 1000000000 /dev/zero",
            1..5 => "head -c 15000000 /dev/zero",
            _ => "true",
        };
        let pre = exec(&shell(script), "Continue", "30s");
        let post = post(&shell("true"));
        let mut unit = unit(pod, (slice::from_ref(&pre), slice::from_ref(&post)), &[]);
        unit["maxFreeze"] = "1m".into();
        units.push(unit);
    }
    let status = stage.order("many", &units).await?.done().await?;

    let pods = status.units.iter().flat_map(|unit| &unit.pods);
    let execs = pods.flat_map(|pod| &pod.execs);
    let outcomes: Vec<_> = execs.map(|exec| (exec.stage, exec.outcome)).collect();
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    ensure!(
        count((When::Pre, ExecOutcome::OutputTooLarge)) == 1,
        "{outcomes:?}"
    );
    ensure!(
        count((When::Pre, ExecOutcome::Succeeded)) == PODS - 1,
        "{outcomes:?}"
    );
    ensure!(
        count((When::Post, ExecOutcome::Succeeded)) == PODS,
        "{outcomes:?}"
    );
    let memory = Memory::of(agent.process_id())?;
    eprintln!("{memory:?}");
    ensure!(memory.most < LARGEST_MB, "{memory:?}");
    Ok(())
}

async fn an_agent_at_rest_has_one_watch_and_comes_back_quietly(cluster: Cluster) -> Result<()> {
    let mut stage = Stage::set_up(cluster).await?;
    let mut nodes = Vec::with_capacity(AGENTS);
    for number in 0..AGENTS {
        nodes.push(AgentNode::new(&stage.cluster, &format!("node-{number}"), &stage.cri.socket()).await?);
    }
    let _agents = try_join_all(nodes.iter().map(AgentNode::agent)).await?;
    let pods = Scrape::of(&stage.cluster.admin()).await?.watches_of_all("pods");
    at_rest(&stage.cluster, pods).await?;

    let pod = stage.sleeper("pod").await?;
    let hook = [post(&shell("true"))];
    let order = stage
        .order_on(&nodes[0], "task", &[unit(&pod, (&hook, &hook), &[])])
        .await?;
    order.done().await?;
    at_rest(&stage.cluster, pods).await?;

    let away = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    };
    stage.cluster.without_api_server(away).await?;
    at_rest(&stage.cluster, pods).await?;
    let requests = Scrape::of(&stage.cluster.admin()).await?.requests();
    ensure!(requests <= FEW * AGENTS as u64, "{requests} requests");
    Ok(())
}

/// Waits until every agent has the watch of its tasks, and nobody any that the control plane doesn't have.
async fn at_rest(cluster: &Cluster, pods: u64) -> Result<()> {
    eventually("each agent has one watch", LIMIT, || async {
        let scrape = Scrape::of(&cluster.admin()).await?;
        let (tasks, of_pods) = (
            scrape.watches_of_a_namespace("nodetasks"),
            scrape.watches_of_all("pods"),
        );
        ensure!(
            tasks == AGENTS as u64 && of_pods == pods,
            "{tasks} of tasks, {of_pods} of pods"
        );
        Ok(())
    })
    .await
}
