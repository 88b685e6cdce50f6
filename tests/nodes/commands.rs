//! The agent's commands in a container of containerd: the same as on the fixture (`tests/commands`), where it counts.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::{Presence, Runtime, Target};
use clusterbackup_api::node_task::{ExecOutcome, Killed};
use clusterbackup_tests::eventually;
use clusterbackup_tests::nodes::{Application, Running};
use clusterbackup_tests::runner::{NodesContext, scenarios};
use serde_json::{Value, json};

scenarios! {
    Nodes: [
        commands_end_as_they_do_by_themselves,
        a_time_out_ends_everything_but_the_application,
        commands_through_the_api_server_are_told_truly_and_can_not_be_ended,
    ],
}

const LIMIT: Duration = Duration::from_secs(30);
const SHORT: u64 = 1000;
const LONG: u64 = 60_000;
/// How late a time-out may be, on a machine with other things to do.
const LATE: u64 = 5000;

/// It has a process of the same name as the commands, and it reaps what is left to it.
const APPLICATION: &str = "sleep 1000 & while :; do sleep 1; done";

/// What the agent on the node says of a command.
async fn run(application: &Running<'_>, limit: u64, command: &[&str]) -> Result<Value> {
    let Target {
        namespace,
        pod,
        uid,
        container,
    } = application.target()?;
    let target = [namespace, pod, uid, container];
    let (targets, limit) = (json!([target]).to_string(), limit.to_string());
    let arguments = [&["/run/containerd/containerd.sock", &targets, &limit], command].concat();
    let node = application.node()?;
    let said = node.run(env!("CARGO_BIN_EXE_run-commands"), &arguments).await?;
    let mut said: Value = serde_json::from_str(&said)?;
    Ok(said["ends"][0].take())
}

async fn start(context: &NodesContext) -> Result<Running<'_>> {
    let application = Application {
        script: APPLICATION,
        ..Application::new("commands")
    };
    context.nodes.run(context.namespace.name(), &application).await
}

async fn commands_end_as_they_do_by_themselves(context: &NodesContext) -> Result<()> {
    let application = start(context).await?;
    for (command, outcome, exit_code) in [
        (&["true"][..], "Succeeded", json!(0)),
        (&["sh", "-c", "exit 7"], "Failed", json!(7)),
        (&["sh", "-c", "kill -9 $$"], "Failed", json!(137)),
        (&["no-such-program"], "NotStarted", Value::Null),
        (&["head", "-c", "15000000", "/dev/zero"], "Succeeded", json!(0)),
        (
            &["head", "-c", "20000000", "/dev/zero"],
            "OutputTooLarge",
            Value::Null,
        ),
    ] {
        let end = run(&application, LONG, command).await?;
        ensure!(
            end["outcome"] == outcome && end["exitCode"] == exit_code && end["killed"].is_null(),
            "{command:?}: {end}"
        );
    }
    Ok(())
}

async fn a_time_out_ends_everything_but_the_application(context: &NodesContext) -> Result<()> {
    let application = start(context).await?;
    for command in [
        &["sleep", "1000"][..],
        &["sh", "-c", "sleep 1000"],
        &["sh", "-c", "sleep 1000; true"],
        &["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
        &["sh", "-c", "exec sleep 1000 >/dev/null 2>&1"],
        // Left behind with the output, in the command's session and in one of its own.
        &["sh", "-c", "sleep 1000 & exit 0"],
        &["sh", "-c", "setsid sleep 1000 & exit 0"],
        &["sh", "-c", "setsid sleep 1000; true"],
        &["sh", "-c", "(setsid sleep 1000 &); sleep 1000; true"],
        &[
            "sh",
            "-c",
            "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.5; exec sleep 1000",
        ],
    ] {
        let end = run(&application, SHORT, command).await?;
        ensure!(
            end["outcome"] == "TimedOut" && end["killed"] == "KilledAll",
            "{command:?}: {end}"
        );
        let millis = end["millis"].as_u64().context("no time")?;
        ensure!((SHORT..SHORT + LATE).contains(&millis), "{command:?}: {end}");
        only_the_application(&application)
            .await
            .with_context(|| format!("after {command:?}"))?;
    }
    Ok(())
}

async fn commands_through_the_api_server_are_told_truly_and_can_not_be_ended(
    context: &NodesContext,
) -> Result<()> {
    let application = start(context).await?;
    let runtime = Runtime::api(context.nodes.cluster().admin());
    let target = application.target()?;
    let exec = async |script: &str, limit| {
        let command = ["sh", "-c", script].map(str::to_owned);
        runtime
            .exec(&target, &command, Duration::from_millis(limit))
            .await
    };
    for (script, outcome, exit_code, output_bytes) in [
        ("true", ExecOutcome::Succeeded, Some(0), 0),
        (
            "echo to stdout; echo to stderr >&2; exit 7",
            ExecOutcome::Failed,
            Some(7),
            20,
        ),
        (
            "head -c 20000000 /dev/zero",
            ExecOutcome::Succeeded,
            Some(0),
            20_000_000,
        ),
    ] {
        let end = exec(script, LONG).await;
        ensure!(
            end.outcome == outcome && end.exit_code == exit_code && end.output_bytes == output_bytes,
            "{script}: {end:?}"
        );
    }
    let missing = runtime
        .exec(&target, &["no-such-program".to_owned()], LIMIT)
        .await;
    ensure!(missing.outcome == ExecOutcome::NotStarted, "{missing:?}");
    ensure!(runtime.presence(&target).await? == Presence::Running);
    let another = Target {
        uid: "of-another".to_owned(),
        ..target.clone()
    };
    ensure!(runtime.presence(&another).await? == Presence::PodGone);

    let end = exec("sleep 30; true", SHORT).await;
    ensure!(
        end.outcome == ExecOutcome::TimedOut && end.killed == Some(Killed::NotKillable),
        "{end:?}"
    );
    let processes = application.exec(&["ps", "-o", "args"]).await?;
    ensure!(processes.lines().any(|line| line == "sleep 30"), "{processes}");
    Ok(())
}

async fn only_the_application(application: &Running<'_>) -> Result<()> {
    eventually("only the application's process is left", LIMIT, || async {
        let processes = application.exec(&["ps", "-o", "args"]).await?;
        let of_the_name = processes.lines().filter(|line| line.contains("sleep 1000"));
        // One is the application's shell, whose arguments name it.
        ensure!(of_the_name.count() == 2, "{processes}");
        Ok(())
    })
    .await
}
