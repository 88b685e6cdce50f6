//! A webhook to which everything happens that is counted.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::metrics::Counts;
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually, webhook};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Exported;
use crate::direct::Direct;
use crate::steps::{Intercepted, Plan, bind, create, given, refusal};

const LIMIT: Duration = Duration::from_secs(20);

/// One rule for each thing that a rule can do within its reach.
const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  patches: [{operation: add, path: /data/added, value: by a rule}]
- conditions: {groupResource: configmaps}
  mergePatches: [{patchData: {data: {given: by the client}}}]
- conditions: {groupResource: configmaps}
  patches: [{operation: test, path: /data/given, value: by somebody else}]
- conditions: {groupResource: configmaps}
  patches: [{operation: remove, path: /data/absent}]
";

/// Series that have to have counted something in the end, so that nothing is looked for among zeros alone.
const COUNTED: [(&str, &[&str]); 17] = [
    ("reviews", &[r#"door="intercept""#, r#"outcome="changed""#]),
    ("reviews", &[r#"door="intercept""#, r#"outcome="denied""#]),
    ("reviews", &[r#"door="velero""#, r#"outcome="untouched""#]),
    ("reviews", &[r#"door="validate""#, r#"outcome="denied""#]),
    ("reviews", &[r#"door="none""#, r#"outcome="malformed""#]),
    (
        "rule_results",
        &[r#"interception="shop",outcome="applied",patch="json",rule="0""#],
    ),
    (
        "rule_results",
        &[r#"interception="shop",outcome="unchanged",patch="merge",rule="1""#],
    ),
    (
        "rule_results",
        &[r#"interception="shop",outcome="test_failed",patch="json",rule="2""#],
    ),
    (
        "rule_results",
        &[r#"interception="shop",outcome="failed",patch="json",rule="3""#],
    ),
    ("rule_results", &[r#"interception="team",outcome="out_of_scope""#]),
    ("clash_fields", &[r#"outcome="changed""#]),
    ("rule_loads", &[r#"reason="Ready""#]),
    ("rule_loads", &[r#"reason="RulesMissing""#]),
    ("live_reads", &[]),
    ("certificate_rotations", &[r#"kind="begin""#]),
    ("certificate_injections", &[]),
    ("server_refused_connections", &[r#"reason="handshake_tls""#]),
];

/// Has it happen; what is exported then.
pub(super) async fn live_through(cluster: &Cluster) -> Result<Exported> {
    let webhook = Webhook::install(cluster, &["velero-door"]).await?;
    let replica = webhook.start(ReplicaOptions::default()).await?;
    // Their series go with them.
    let _in_force = restore(cluster).await?;
    let _nightly = update(cluster).await?;
    let _missing = refuse(cluster).await?;
    disturb(&webhook, &replica).await?;
    let scrape = eventually("everything is counted", LIMIT, || async {
        let scrape = replica.metrics().await?;
        let counts = Counts::parse(&scrape)?;
        for (metric, labels) in COUNTED {
            let count = counts.sum(&format!("clusterbackup_{metric}_total"), labels);
            ensure!(count > 0, "{metric} with {labels:?} is zero");
        }
        ensure!(
            scrape.contains(r#"clusterbackup_interceptions{state="missing"} 1"#),
            "{scrape}"
        );
        Ok(scrape)
    })
    .await?;

    replica.kill().await?;
    let denied = refusal(create(&cluster.admin(), Some("default"), &given("unanswered", "shop")).await)?;
    ensure!(denied.contains("failed calling webhook"), "{denied}");
    let api_server = cluster.kubectl(&["get", "--raw", "/metrics"]).await?.success()?;
    Exported::new(scrape, &api_server)
}

/// Objects that are changed, left alone, and out of the reach of their rules.
async fn restore(cluster: &Cluster) -> Result<[Intercepted; 2]> {
    let admin = cluster.admin();
    let warn = json!({ "onModifierError": "Warn" });
    let mut shop = Plan::new("shop", RULES);
    shop.spec = warn.clone();
    let shop = shop.in_force(admin.clone()).await?;
    create(&admin, Some("default"), &given("changed", "shop")).await?;

    cluster
        .kubectl(&["create", "namespace", "team"])
        .await?
        .success()?;
    bind(cluster, "clusterbackup-rules-reader", "team").await?;
    let team = Plan {
        name: "team",
        rules_namespace: "team",
        rules: RULES,
        spec: warn,
    };
    let team = team.in_force(admin.clone()).await?;
    create(&admin, Some("default"), &given("out-of-reach", "team")).await?;

    let mut untouched = given("untouched", "");
    untouched["metadata"]["labels"] = json!({ labels::VELERO_RESTORE: "nobodys" });
    create(&admin, Some("default"), &untouched).await?;
    Ok([shop, team])
}

/// An object that is there already, and differs.
async fn update(cluster: &Cluster) -> Result<Intercepted> {
    let mut nightly = Plan::new("nightly", RULES);
    nightly.spec = json!({
        "conflictPolicy": "Patch",
        "onModifierError": "Warn",
        "match": { "veleroRestores": ["nightly-*"] },
    });
    let nightly = nightly.in_force(cluster.admin()).await?;
    let mut existing = given("existing", "");
    existing["metadata"]["labels"] = json!({});
    create(&cluster.admin(), Some("default"), &existing).await?;
    let patch = json!({
        "metadata": { "labels": { labels::VELERO_RESTORE: "nightly-1" } },
        "data": { "more": "from the backup" },
    });
    let patch = [
        "patch",
        "configmap",
        "existing",
        "--type=merge",
        "--patch",
        &patch.to_string(),
    ];
    cluster.kubectl(&patch).await?.success()?;
    Ok(nightly)
}

/// An object for which there are no rules, and rules that are none.
async fn refuse(cluster: &Cluster) -> Result<Intercepted> {
    let admin = cluster.admin();
    let missing = Plan::new("missing", RULES)
        .create_without_rules(admin.clone())
        .await?;
    missing.until("RulesMissing", |_| Ok(())).await?;
    refusal(create(&admin, Some("default"), &given("refused", "missing")).await)?;

    let broken = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "broken", "labels": { labels::RESOURCE_MODIFIER: labels::ENABLED } },
        "data": { "rules.yaml": "version: v9" },
    });
    refusal(create(&admin, Some(webhook::NAMESPACE), &broken).await)?;
    Ok(missing)
}

/// Clients that are no API servers.
async fn disturb(webhook: &Webhook, replica: &Replica) -> Result<()> {
    let direct = Direct::to(replica, &webhook.ca_bundle().await?).await?;
    let answer = direct.post("/intercept", "no review").await?;
    ensure!(answer.status == 400, "{answer:?}");

    let mut plain = TcpStream::connect(replica.address())
        .await
        .context("no connection")?;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    let mut rest = Vec::new();
    plain.read_to_end(&mut rest).await.map(drop)?;
    Ok(())
}
