//! `coverage` beside a real API server. What a leader would report is written by the scenario.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::Cluster;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::backups::{SHOP, Stage};
use super::plugin;
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [what_has_no_recent_backup_is_named_until_it_has_one],
}

async fn what_has_no_recent_backup_is_named_until_it_has_one(cluster: Cluster) -> Result<()> {
    let stage = Stage::new(cluster).await?;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    });
    create(&stage.cluster.admin(), Some(SHOP), &claim).await?;
    stage
        .cluster
        .kubectl(&["create", "namespace", "other"])
        .await?
        .success()?;
    told(
        &stage,
        "25h",
        1,
        &[
            ("other", None, "Unprotected"),
            (SHOP, None, "NeverBackedUp"),
            (SHOP, Some("data"), "NeverBackedUp"),
        ],
    )
    .await?;

    stage
        .plugin(&["backup", "create", "nightly", "--name", "one"])
        .await?;
    let finished = Timestamp::now().checked_sub(SignedDuration::from_hours(2))?;
    let cut = json!({
        "namespace": SHOP, "claim": "data", "snapshot": "data-1", "consistency": "CrashConsistent",
    });
    let done = json!({ "phase": "Completed", "finishedAt": format!("{finished:.6}"), "volumes": [cut] });
    stage.report("one", done).await?;
    let other = ("other", None, "Unprotected");
    let grave = [other, (SHOP, None, "Stale"), (SHOP, Some("data"), "Stale")];
    told(&stage, "1h", 1, &grave).await?;
    let leave_out = [
        "label",
        "namespace",
        "other",
        "default",
        "velero.io/exclude-from-backup=true",
    ];
    stage.cluster.kubectl(&leave_out).await?.success()?;
    let weak = [(SHOP, None, "LocalOnly"), (SHOP, Some("data"), "CrashConsistent")];
    told(&stage, "3h", 0, &weak).await?;

    let shown = plugin(Some(&stage.kubeconfig), &["coverage"]).await?;
    let line = shown.out.lines().find(|line| line.contains("CrashConsistent"));
    let line = line.with_context(|| format!("no line in {}", shown.out))?;
    ensure!(line.starts_with("shop        data"), "{line}");
    let nobody = stage.cluster.kubeconfig_for("default", "default").await?;
    let ran = plugin(Some(&nobody), &["coverage"]).await?;
    ensure!(
        ran.code == Some(1) && ran.err.contains("you may not list "),
        "{}",
        ran.err
    );
    Ok(())
}

/// What is told of the two namespaces, and the exit code.
async fn told(stage: &Stage, recent: &str, code: i32, gaps: &[(&str, Option<&str>, &str)]) -> Result<()> {
    let arguments = ["coverage", "--recent", recent, "-o", "json"];
    let ran = plugin(Some(&stage.kubeconfig), &arguments).await?;
    ensure!(ran.code == Some(code), "{:?} {}{}", ran.code, ran.out, ran.err);
    let told: Value = serde_json::from_str(&ran.out)?;
    let all = told["gaps"].as_array().into_iter().flatten();
    let found: Vec<_> = all
        .filter(|gap| gap["namespace"] != "default")
        .filter_map(|gap| {
            Some((
                gap["namespace"].as_str()?,
                gap["claim"].as_str(),
                gap["gap"].as_str()?,
            ))
        })
        .collect();
    ensure!(found == gaps, "{told:#}");
    Ok(())
}
