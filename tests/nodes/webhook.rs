//! The webhook as its users have it: pods of the shipped Deployment, asked through the Service.

use std::process::Command;

use anyhow::{Result, ensure};
use clusterbackup_tests::program;
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::steps::Plan;
use serde_json::{Value, json};

scenarios! {
    Nodes: [
        the_webhook_runs_as_shipped,
        the_status_counts_what_every_pod_of_the_webhook_did,
    ],
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  mergePatches: [{patchData: {data: {changed: by a pod}}}]
";

fn restored(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

async fn the_webhook_runs_as_shipped(context: &NodesContext) -> Result<()> {
    let rules = Plan::new("as-shipped", RULES)
        .in_force(context.nodes.cluster().admin())
        .await?;
    let stored = rules
        .restore(Some(context.namespace.name()), restored("restored"))
        .await?;
    ensure!(stored["data"]["changed"] == "by a pod", "{stored}");
    Ok(())
}

async fn the_status_counts_what_every_pod_of_the_webhook_did(context: &NodesContext) -> Result<()> {
    const OBJECTS: usize = 8;

    let cluster = context.nodes.cluster();
    let rules = Plan::new("counted", RULES).in_force(cluster.admin()).await?;
    for number in 0..OBJECTS {
        let object = restored(&format!("restored-{number}"));
        rules.restore(Some(context.namespace.name()), object).await?;
    }
    let mut status = Command::new(program::PLUGIN.built().await?);
    status
        .args(["intercept", "status", "--output", "json"])
        .env("KUBECONFIG", cluster.admin_kubeconfig());
    let output = tokio::task::spawn_blocking(move || status.output()).await??;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let webhook = &report["webhook"];
    ensure!(
        webhook["replicas"] == json!({ "ready": 2, "wanted": 2 }),
        "{report:#}"
    );
    ensure!(webhook["counts"]["replicas"] == 2, "{report:#}");
    let mut all = report["interceptions"].as_array().into_iter().flatten();
    let counted = all.find(|interception| interception["name"] == "counted");
    ensure!(
        counted.is_some_and(|counted| counted["results"]["applied"] == OBJECTS),
        "{report:#}"
    );
    Ok(())
}
