//! What agents take: one with hundreds of pods, one whose hooks write without end, and one on each of many nodes.

mod nodes;

use std::slice;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::node_task::{ExecOutcome, ExecReport, NodeTaskStatus, Stage as When};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::stage::{Stage, exec, shell, unit};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use super::figures::load;

const PODS: usize = 200;
/// Pods that are made at once.
const MAKERS: usize = 16;
/// A hook that waits for something, as most do.
const WAITS: &str = "sleep 0.2";
/// What a node's agent may take, in MB.
const GOAL: u32 = 64;

/// What an agent has to do.
struct Work<'a> {
    title: &'a str,
    pods: &'a [Target],
    /// All pods in one unit, instead of one for each.
    together: bool,
    pre: &'a str,
    post: &'a str,
    /// What is to be said of the pre hooks.
    outcome: ExecOutcome,
}

pub(super) async fn run() -> Result<()> {
    let stage = Stage::set_up(Cluster::start().await?).await?;
    let pods: Vec<Target> = stream::iter(0..PODS)
        .map(|number| {
            let stage = &stage;
            async move { stage.sleeper(&format!("pod-{number:03}")).await }
        })
        .buffered(MAKERS)
        .try_collect()
        .await?;
    println!("\na node's agent, a new one for each row; goal: at most {GOAL} MB");
    println!(
        "{:<40} {:>8} {:>10} {:>8} {:>10} {:>8} {:>6}",
        "", "took s", "in turn s", "at once", "before MB", "most MB", "load"
    );
    let waiting = Work {
        title: "200 units of one pod, two hooks each",
        pods: &pods,
        together: false,
        pre: WAITS,
        post: WAITS,
        outcome: ExecOutcome::Succeeded,
    };
    let together = Work {
        title: "one unit of 200 pods, two hooks each",
        together: true,
        ..waiting
    };
    let large = Work {
        title: "64 pods, each hook writes 15 MB",
        pods: &pods[..64],
        pre: "head -c 15000000 /dev/zero",
        post: "head -c 15000000 /dev/zero",
        ..waiting
    };
    let endless = Work {
        title: "a pod, its hook writes 1 GB",
        pods: &pods[..1],
        pre: "head -c 1000000000 /dev/zero",
        outcome: ExecOutcome::OutputTooLarge,
        ..waiting
    };
    for (number, work) in [waiting, together, large, endless].iter().enumerate() {
        measure(&stage, work, number)
            .await
            .with_context(|| work.title.to_owned())?;
    }
    nodes::run(stage, &pods).await
}

async fn measure(stage: &Stage, work: &Work<'_>, number: usize) -> Result<()> {
    let agent = stage.node.agent().await?;
    let before = Memory::of(agent.process_id())?;
    let order = stage.order(&format!("row-{number}"), &work.units()).await?;
    let status = order.done().await?;
    work.check(&status)?;
    let after = Memory::of(agent.process_id())?;
    println!(
        "{:<40} {:>8.1} {:>10.1} {:>8} {:>10.1} {:>8.1} {:>6}",
        work.title,
        took(&status)?.as_secs_f64(),
        in_turn(&status).as_secs_f64(),
        at_once(&status),
        before.resident,
        after.most,
        load()?
    );
    agent.terminate(Duration::from_secs(30)).await?;
    Ok(())
}

impl Work<'_> {
    fn units(&self) -> Vec<Value> {
        let pre = exec(&shell(self.pre), "Continue", "30s");
        let post = exec(&shell(self.post), "Fail", "30s");
        let units = self.pods.iter().map(|pod| {
            let mut unit = unit(pod, (slice::from_ref(&pre), slice::from_ref(&post)), &[]);
            unit["maxFreeze"] = "1m".into();
            unit
        });
        if !self.together {
            return units.collect();
        }
        let mut units: Vec<Value> = units.collect();
        let pods: Vec<Value> = units.iter_mut().map(|unit| unit["pods"][0].take()).collect();
        units.truncate(1);
        units[0]["pods"] = pods.into();
        units
    }

    /// Whether everything was done, and pre hooks ended as they should.
    fn check(&self, status: &NodeTaskStatus) -> Result<()> {
        let outcomes = |stage| {
            execs(status)
                .filter(move |exec| exec.stage == stage)
                .map(|exec| exec.outcome)
        };
        for (stage, expected) in [(When::Pre, self.outcome), (When::Post, ExecOutcome::Succeeded)] {
            let right = outcomes(stage).filter(|outcome| *outcome == expected).count();
            ensure!(
                right == self.pods.len(),
                "{right} of {} {stage:?} hooks are {expected:?}: {:?}",
                self.pods.len(),
                execs(status).find(|exec| exec.stage == stage && exec.outcome != expected)
            );
        }
        Ok(())
    }
}

fn execs(status: &NodeTaskStatus) -> impl Iterator<Item = &ExecReport> {
    let pods = status.units.iter().flat_map(|unit| &unit.pods);
    pods.flat_map(|pod| &pod.execs)
}

/// From the first sight of a task to its end, as the agent tells.
fn took(status: &NodeTaskStatus) -> Result<Duration> {
    let (Some(began), Some(ended)) = (&status.started_at, &status.finished_at) else {
        bail!("it has not ended");
    };
    Ok(ended.0.duration_since(began.0).try_into()?)
}

/// The time that all hooks took, one after the other.
fn in_turn(status: &NodeTaskStatus) -> Duration {
    execs(status).map(|exec| Duration::from_millis(exec.millis)).sum()
}

/// The most hooks that ran at one moment.
fn at_once(status: &NodeTaskStatus) -> i32 {
    let mut steps = Vec::new();
    for exec in execs(status) {
        let began = exec.started_at.0;
        steps.push((began, 1));
        steps.push((began + Duration::from_millis(exec.millis), -1));
    }
    steps.sort_unstable();
    let mut running = 0;
    let running = steps.into_iter().map(|(_, step)| {
        running += step;
        running
    });
    running.max().unwrap_or_default()
}
