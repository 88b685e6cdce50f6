//! Runs one command in many containers at once, as the agent does, and says what came of it and what memory it took.
//! A program of its own, so that the memory is the agent's and not the runtime's that sends the output.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clusterbackup_agent::runtime::{Runtime, Target};
use serde_json::json;

const LIMIT: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().context("the socket")?;
    let targets: Vec<[String; 4]> = serde_json::from_str(&arguments.next().context("the targets")?)?;
    let command: Vec<String> = arguments.collect();
    let runtime = Runtime::cri(Path::new(&socket))?;
    let began = Instant::now();
    let runs = targets.into_iter().map(|[namespace, pod, uid, container]| {
        let (runtime, command) = (runtime.clone(), command.clone());
        tokio::spawn(async move {
            let target = Target {
                namespace,
                pod,
                uid,
                container,
            };
            runtime.exec(&target, &command, LIMIT).await
        })
    });
    let mut outcomes = Vec::new();
    for run in futures::future::join_all(runs).await {
        let finished = run?;
        outcomes.push(json!([finished.outcome, finished.output_bytes]));
    }
    println!(
        "{}",
        json!({
            "outcomes": outcomes,
            "millis": began.elapsed().as_millis(),
            "peakMiB": peak_memory()?,
        })
    );
    Ok(())
}

fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmHWM")?;
    Ok(kib.parse::<u64>()? / 1024)
}
