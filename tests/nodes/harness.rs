//! The nodes are real: pods run on both, reach each other, and end when they are told to.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::nodes::{Application, Traces};
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::{Nodes, csi, eventually};

scenarios! {
    Nodes: [
        pods_of_two_nodes_reach_each_other,
        a_killed_program_leaves_nothing_behind,
    ],
    OwnNodes: [dropped_nodes_leave_nothing_behind],
}

async fn pods_of_two_nodes_reach_each_other(context: &NodesContext) -> Result<()> {
    let namespace = context.namespace.name();
    let server = Application {
        node: Some("node-1"),
        script: "mkdir /www && echo from node-1 > /www/index.html && httpd -f -p 8080 -h /www",
        ..Application::new("server")
    };
    let client = Application {
        node: Some("node-2"),
        ..Application::new("client")
    };
    let server = context.nodes.run(namespace, &server).await?;
    let client = context.nodes.run(namespace, &client).await?;
    let page = format!("http://{}:8080/", server.address()?);
    let answer = client.exec(&["wget", "-q", "-O", "-", &page]).await?;
    ensure!(answer == "from node-1\n", "{answer:?}");
    Ok(())
}

/// Killed outright, the program runs no code of its own any more; a milder signal can't leave more behind.
async fn a_killed_program_leaves_nothing_behind(_: &NodesContext) -> Result<()> {
    let mut holder = Command::new(env!("CARGO_BIN_EXE_hold-cluster"))
        .arg("2")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = holder.stdout.take().context("no output")?;
    let traces = tokio::task::spawn_blocking(move || -> Result<Traces> {
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("hold-cluster says {line:?}"))
    })
    .await??;
    ensure!(traces.present().len() == traces.count(), "{:?}", traces.present());
    holder.kill()?;
    tokio::task::spawn_blocking(move || holder.wait()).await??;
    eventually("nothing is left", Duration::from_secs(20), || async {
        ensure!(traces.present().is_empty(), "{:?}", traces.present());
        let attached = csi::attached_below(traces.folder())?;
        ensure!(attached.is_empty(), "still attached: {attached:?}");
        Ok(())
    })
    .await
}

async fn dropped_nodes_leave_nothing_behind(nodes: Nodes) -> Result<()> {
    nodes.run("default", &Application::new("left")).await?;
    let traces = nodes.traces()?;
    ensure!(traces.present().len() == traces.count(), "{:?}", traces.present());
    drop(nodes);
    // The kernel takes a namespace apart after its last process is gone.
    eventually("nothing is left", Duration::from_secs(20), || async {
        ensure!(traces.present().is_empty(), "{:?}", traces.present());
        Ok(())
    })
    .await
}
