//! Agents of many nodes on one API server: what they ask of it when all start at once, at rest, and after it was away.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::node_task::ExecOutcome;
use clusterbackup_tests::agent::AgentNode;
use clusterbackup_tests::apiserver::Scrape;
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::stage::Stage;
use clusterbackup_tests::{Cluster, Daemon, eventually};
use futures::future::try_join_all;
use tokio::time::{interval, sleep};

use super::super::figures::{Figures, load};
use super::{WAITS, Work, took};

const NODES: usize = 20;
/// How long the API server is away: longer than the first pauses of those who try again.
const AWAY: Duration = Duration::from_secs(10);
/// For how many seconds their requests are counted.
const WATCHED: u32 = 20;
const LIMIT: Duration = Duration::from_mins(1);
/// What is watched for their tasks.
const TASKS: &str = "nodetasks";

pub(super) async fn run(mut stage: Stage, pods: &[Target]) -> Result<()> {
    let mut nodes = Vec::with_capacity(NODES);
    for number in 0..NODES {
        let name = format!("node-{number:02}");
        nodes.push(AgentNode::new(&stage.cluster, &name, &stage.cri.socket()).await?);
    }
    let cluster = &stage.cluster;
    println!("\n{NODES} agents on one API server (load {})", load()?);
    let before = Scrape::of(&cluster.admin()).await?.requests();
    let (agents, starts) = tokio::join!(
        try_join_all(nodes.iter().map(AgentNode::agent)),
        asked(cluster, before)
    );
    let agents = agents?;
    println!("all started at once: {}", starts?);
    at_rest(cluster, &agents).await?;

    let share = pods.len() / NODES;
    let orders = nodes.iter().zip(pods.chunks(share));
    let ended = try_join_all(orders.map(|(node, pods)| carry_out(&stage, node, pods))).await?;
    println!(
        "a task for each, of {share} pods with two hooks: {:.1} s until the last has ended",
        ended.into_iter().max().unwrap_or_default().as_secs_f64()
    );
    at_rest(cluster, &agents).await?;

    let away = async {
        sleep(AWAY).await;
        Ok(())
    };
    stage.cluster.without_api_server(away).await?;
    let returns = asked(&stage.cluster, 0).await?;
    println!(
        "after the API server was away for {} s: {returns}",
        AWAY.as_secs()
    );
    at_rest(&stage.cluster, &agents).await
}

/// What the agents ask for, second by second.
async fn asked(cluster: &Cluster, mut before: u64) -> Result<String> {
    let mut seconds = interval(Duration::from_secs(1));
    let mut asked = Vec::new();
    for _ in 0..=WATCHED {
        seconds.tick().await;
        let now = Scrape::of(&cluster.admin()).await?.requests();
        asked.push(now.saturating_sub(before));
        before = now;
    }
    let total: u64 = asked.iter().sum();
    let most = asked.iter().max().copied().unwrap_or_default();
    Ok(format!(
        "{total} requests in {WATCHED} s, {most} at most in one second: {asked:?}"
    ))
}

/// Waits until the agents have nothing but a watch each, and says what memory they have.
async fn at_rest(cluster: &Cluster, agents: &[Daemon]) -> Result<()> {
    eventually("each agent has one watch", LIMIT, || async {
        let open = Scrape::of(&cluster.admin()).await?.watches_of_a_namespace(TASKS);
        ensure!(open == agents.len() as u64, "{open} are open");
        Ok(())
    })
    .await?;
    let memory = agents.iter().map(|agent| Memory::of(agent.process_id()));
    let memory = memory.collect::<Result<Vec<Memory>>>()?;
    println!(
        "at rest: a watch each; {:.1} MB of memory each, and {:.1} at most since it began",
        memory.iter().map(|memory| memory.resident).collect::<Figures>(),
        memory.iter().map(|memory| memory.most).collect::<Figures>()
    );
    Ok(())
}

/// Has the agent of a node run the hooks of some pods.
async fn carry_out(stage: &Stage, node: &AgentNode, pods: &[Target]) -> Result<Duration> {
    let work = Work {
        title: node.name(),
        pods,
        together: false,
        pre: WAITS,
        post: WAITS,
        outcome: ExecOutcome::Succeeded,
    };
    let name = format!("on-{}", node.name());
    let status = stage.order_on(node, &name, &work.units()).await?.done().await?;
    work.check(&status)?;
    took(&status)
}
