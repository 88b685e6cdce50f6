//! Runs one command in many containers at once, as the agent does, and says what came of it and what memory it took.
//! A program of its own: so the memory is the agent's and not the runtime's that sends the output, and so it can run on
//! a node. Arguments: socket, targets as JSON, time-out in milliseconds, command.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clusterbackup_agent::runtime::{Runtime, Target};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().context("the socket")?;
    let targets: Vec<[String; 4]> = serde_json::from_str(&arguments.next().context("the targets")?)?;
    let limit = Duration::from_millis(arguments.next().context("the time-out")?.parse()?);
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
            runtime.exec(&target, &command, limit).await
        })
    });
    let mut ends = Vec::new();
    for run in futures::future::join_all(runs).await {
        let finished = run?;
        ends.push(json!({
            "outcome": finished.outcome,
            "exitCode": finished.exit_code,
            "killed": finished.killed,
            "millis": finished.took.as_millis(),
            "outputBytes": finished.output_bytes,
            "message": finished.message,
        }));
    }
    println!(
        "{}",
        json!({
            "ends": ends,
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
