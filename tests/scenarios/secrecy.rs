//! What Secrets hold, and what rules put into them, is nobody's business.

use anyhow::{Result, ensure};
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook};
use serde_json::{Value, json};

use crate::runner::scenarios;
use crate::steps::{Plan, holds, manifest, opted_in};

scenarios! {
    Own: [values_appear_in_no_answer_log_or_metric],
}

/// The words that must not be seen: what the Secret holds, and what a rule writes, plain and in base64.
const WORDS: [&str; 4] = [
    "held-by-the-secret",
    "aGVsZC1ieS10aGUtc2VjcmV0",
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
";

async fn values_appear_in_no_answer_log_or_metric(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let everything = ReplicaOptions {
        environment: vec![("LOG_FILTER".to_owned(), "trace".to_owned())],
        ..ReplicaOptions::default()
    };
    let replica = webhook.start(everything).await?;
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
    holds(&stored, &[("/data/more", json!("d3JpdHRlbi1ieS1hLXJ1bGU="))])?;

    seen += &stored["metadata"]["annotations"].to_string();
    seen += &replica.log()?;
    seen += &replica.metrics().await?;
    for word in WORDS {
        let place = seen.lines().find(|line| line.contains(word));
        ensure!(place.is_none(), "{word} is shown: {place:?}");
    }
    Ok(())
}

fn secret(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name },
        "stringData": { "password": "held-by-the-secret" },
    })
}
