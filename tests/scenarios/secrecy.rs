//! What Secrets hold, and what rules put into them, is nobody's business: neither of new objects nor of those that exist.

use anyhow::{Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook};
use serde_json::{Value, json};

use crate::runner::scenarios;
use crate::steps::{Plan, create, holds, manifest, opted_in};

scenarios! {
    Own: [values_appear_in_no_answer_log_metric_or_audit],
}

/// The words that must not be seen: what the Secret holds, what the backup has, and what a rule writes, plain and in
/// base64.
const WORDS: [&str; 6] = [
    "held-by-the-secret",
    "aGVsZC1ieS10aGUtc2VjcmV0",
    "held-by-the-backup",
    "aGVsZC1ieS10aGUtYmFja3Vw",
    "written-by-a-rule",
    "d3JpdHRlbi1ieS1hLXJ1bGU=",
];

/// The second rule fails after it has compared a value.
const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: secrets}
  mergePatches:
  - patchData: '{\"stringData\": {\"more\": \"written-by-a-rule\"}}'
- conditions: {groupResource: secrets}
  patches:
  - {operation: test, path: /data/password, value: aGVsZC1ieS10aGUtc2VjcmV0}
  - {operation: replace, path: /data/password/deeper, value: d3JpdHRlbi1ieS1hLXJ1bGU=}
- conditions: {groupResource: secrets}
  strategicPatches:
  - patchData: '{\"data\": {\"even\": \"d3JpdHRlbi1ieS1hLXJ1bGU=\"}}'
";

async fn values_appear_in_no_answer_log_metric_or_audit(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
    let everything = ReplicaOptions {
        environment: vec![("LOG_FILTER".to_owned(), "trace".to_owned())],
        ..ReplicaOptions::default()
    };
    let replica = webhook.start(everything).await?;
    let mut seen = creations(&cluster).await?;
    seen += &updates(&cluster).await?;

    let audit = cluster.audit_log()?;
    for noted in [
        "intercept.clusterbackup.io/modified",
        "velero.clusterbackup.io/fields",
    ] {
        ensure!(audit.contains(noted), "{noted} is not in the audit log");
    }
    seen += &audit;
    seen += &replica.log()?;
    seen += &replica.metrics().await?;
    for word in WORDS {
        let place = seen.lines().find(|line| line.contains(word));
        ensure!(place.is_none(), "{word} is shown: {place:?}");
    }
    Ok(())
}

/// A Secret that is created, with a warning and with a refusal; what is said of it.
async fn creations(cluster: &Cluster) -> Result<String> {
    let mut seen = String::new();
    for on_error in ["Warn", "Deny"] {
        let name = on_error.to_lowercase();
        let mut plan = Plan::new(&name, RULES);
        plan.spec = json!({ "onModifierError": on_error });
        let _in_force = plan.in_force(cluster.admin()).await?;
        let file = manifest(&opted_in(secret(&name), &name))?;
        let path = file.path().display().to_string();
        let output = cluster.kubectl(&["create", "-n", "default", "-f", &path]).await?;
        ensure!(
            output.stderr.contains("resourceModifierRules[1]"),
            "the rule did not fail: {output:?}"
        );
        ensure!((output.code == Some(0)) == (on_error == "Warn"), "{output:?}");
        seen += &output.stdout;
        seen += &output.stderr;
    }
    let stored = cluster
        .kubectl(&["get", "secret", "warn", "-o", "json"])
        .await?
        .success()?;
    let stored: Value = serde_json::from_str(&stored)?;
    let written = json!("d3JpdHRlbi1ieS1hLXJ1bGU=");
    holds(
        &stored,
        &[("/data/more", written.clone()), ("/data/even", written)],
    )?;
    Ok(seen + &stored["metadata"]["annotations"].to_string())
}

/// Secrets that exist and that Velero updates, with fields that change and fields that are kept, and one that is
/// skipped; what is said of them.
async fn updates(cluster: &Cluster) -> Result<String> {
    let admin = cluster.admin();
    let mut plan = Plan::new("nightly", RULES);
    plan.spec = json!({
        "conflictPolicy": "Patch",
        "onModifierError": "Warn",
        "match": { "veleroRestores": ["nightly"] },
    });
    let _patched = plan.in_force(admin.clone()).await?;
    let mut plan = Plan::new("weekly", RULES);
    plan.spec = json!({ "match": { "veleroRestores": ["weekly"] } });
    let _skipped = plan.in_force(admin.clone()).await?;

    let mut seen = String::new();
    for (name, immutable, restore, said) in [
        ("changed", false, "nightly", "secret/changed patched"),
        ("kept", true, "nightly", "/data/password"),
        ("skipped", false, "weekly", "conflictPolicy"),
    ] {
        let mut existing = secret(name);
        existing["immutable"] = json!(immutable);
        create(&admin, Some("default"), &existing).await?;
        let update = json!({
            "metadata": { "labels": { labels::VELERO_RESTORE: restore } },
            "data": { "password": "aGVsZC1ieS10aGUtYmFja3Vw" },
        });
        let update = [
            "patch",
            "secret",
            name,
            "--type=merge",
            "--patch",
            &update.to_string(),
        ];
        let output = cluster.kubectl(&update).await?;
        let told = output.stdout + &output.stderr;
        ensure!(told.contains(said), "nothing of {said}: {told}");
        seen += &told;
    }
    Ok(seen)
}

fn secret(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name },
        "stringData": { "password": "held-by-the-secret" },
    })
}
