//! The kubectl plugin beside a real cluster: what it shows offline is what the webhook does, what it knows of kinds is
//! what the API server says, and it tells how interceptions stand.

pub(crate) mod agents;
pub(crate) mod backups;
pub(crate) mod completion;
pub(crate) mod coverage;
pub(crate) mod instances;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_cli::kinds::{Kind, Scope, is_built_in};
use clusterbackup_cli::metrics::Counts;
use clusterbackup_tests::Cluster;
pub(crate) use clusterbackup_tests::plugin::{Ran, plugin};
use kube::discovery::{Discovery, Scope as ServedScope};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::Plan;

scenarios! {
    // No other test defines kinds here while they are discovered.
    Own: [kinds_are_called_and_placed_as_the_api_server_says],
    Webhook: [
        what_is_shown_offline_is_what_the_webhook_makes_of_an_object,
        the_status_tells_how_interceptions_stand_and_what_could_not_be_seen,
        who_may_not_list_interceptions_is_told_so,
        the_counts_of_a_running_webhook_are_read,
    ],
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps, namespaces: [shop]}
  patches:
  - {operation: replace, path: /data/class, value: premium}
  - {operation: copy, from: /metadata/name, path: /metadata/labels/was}
- conditions: {groupResource: configmaps, matches: [{path: /data/class, value: premium}]}
  mergePatches: [{patchData: {data: {unreached: x}}}]
- conditions: {groupResource: configmaps}
  patches: [{operation: remove, path: /data/nothing}]
- conditions: {groupResource: configmaps}
  mergePatches: [{patchData: {metadata: {annotations: {restored: true}}, data: {old: null}}}]
";

fn settings() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {"app": "shop"}},
        "data": {"class": "standard", "old": "1"},
    })
}

async fn what_is_shown_offline_is_what_the_webhook_makes_of_an_object(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let mut plan = Plan::new(namespace, RULES);
    plan.spec = json!({"namespaceMappings": {"shop": namespace}, "onModifierError": "Warn"});
    let interception = plan.in_force(context.cluster.admin()).await?;
    let stored = interception.restore(Some(namespace), settings()).await?;

    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut object = settings();
    object["metadata"]["namespace"] = json!(namespace);
    std::fs::write(file("rules"), RULES)?;
    std::fs::write(file("object"), object.to_string())?;
    let (rules, object) = (file("rules"), file("object"));
    let tried = [
        "rules", "apply", "--rules", &rules, "--object", &object, "-n", "shop", "-o", "json",
    ];
    let ran = plugin(None, &tried).await?;
    ensure!(
        ran.code == Some(3),
        "the third rule fails: {:?} {}",
        ran.code,
        ran.err
    );
    let mut shown = serde_json::from_str::<Value>(&ran.out)?["object"].take();
    // What opts the object in, and the mark of the webhook, are no work of the rules.
    shown["metadata"]["labels"][labels::INTERCEPT] = json!(interception.name);
    let mark = &stored["metadata"]["annotations"][labels::MODIFIED];
    shown["metadata"]["annotations"][labels::MODIFIED] = mark.clone();
    for place in [
        "/data",
        "/metadata/name",
        "/metadata/labels",
        "/metadata/annotations",
    ] {
        let (shown, stored) = (shown.pointer(place), stored.pointer(place));
        ensure!(
            shown == stored,
            "{place} is shown as {shown:?}, and stored as {stored:?}"
        );
    }
    Ok(())
}

async fn kinds_are_called_and_placed_as_the_api_server_says(cluster: Cluster) -> Result<()> {
    let discovery = Discovery::new(cluster.admin()).run().await?;
    let mut compared = 0;
    for group in discovery.groups().filter(|group| is_built_in(group.name())) {
        for (resource, capabilities) in group
            .versions()
            .flat_map(|version| group.versioned_resources(version))
        {
            let object = json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}});
            let kind = Kind::of(&object).context("it is a kind")?;
            let scope = match capabilities.scope {
                ServedScope::Cluster => Scope::Cluster,
                ServedScope::Namespaced => Scope::Namespace,
            };
            let plural = kind.plural().to_string();
            let called = plural.split('.').next().unwrap_or_default();
            ensure!(
                (called, kind.scope()) == (resource.plural.as_str(), scope),
                "{kind}: {called}, {:?}; served are {}, {scope:?}",
                kind.scope(),
                resource.plural
            );
            compared += 1;
        }
    }
    ensure!(compared > 50, "only {compared} kinds were compared");
    Ok(())
}

async fn the_status_tells_how_interceptions_stand_and_what_could_not_be_seen(
    context: &Context,
) -> Result<()> {
    let client = context.cluster.admin();
    let (good, missing) = (
        context.namespace.name(),
        format!("{}-missing", context.namespace.name()),
    );
    let good = Plan::new(good, RULES).in_force(client.clone()).await?;
    let missing = Plan::new(&missing, RULES)
        .create_without_rules(client.clone())
        .await?;
    missing.until("RulesMissing", |_| Ok(())).await?;

    let kubeconfig = context.cluster.admin_kubeconfig();
    let ran = plugin(Some(&kubeconfig), &["intercept", "status", "-o", "json"]).await?;
    ensure!(ran.code == Some(0), "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out)?;
    let told = |name: &str| {
        let mut all = report["interceptions"].as_array().into_iter().flatten();
        all.find(|interception| interception["name"] == name)
            .with_context(|| format!("{name} is not among {report:#}"))
    };
    let (good, missing) = (told(&good.name)?, told(&missing.name)?);
    ensure!(good["ready"] == "True" && good["rules"] == 4, "{good:#}");
    ensure!(
        missing["ready"] == "False" && missing["reason"] == "RulesMissing",
        "{missing:#}"
    );
    // The replicas run outside of the cluster, which has no pods to ask.
    let webhook = &report["webhook"];
    ensure!(
        webhook["replicas"] == json!({"ready": 0, "wanted": 0}),
        "{webhook:#}"
    );
    ensure!(webhook["counts"].is_null(), "{webhook:#}");

    let table = plugin(Some(&kubeconfig), &["intercept", "status", "-o", "wide"])
        .await?
        .out;
    ensure!(table.contains("0 of 0 replicas ready"), "{table}");
    let line = table
        .lines()
        .find(|line| line.starts_with(good["name"].as_str().unwrap_or("?")));
    ensure!(line.is_some_and(|line| line.contains("True")), "{table}");
    Ok(())
}

async fn who_may_not_list_interceptions_is_told_so(context: &Context) -> Result<()> {
    context.namespace.create_service_account("reader").await?;
    let kubeconfig = context
        .cluster
        .kubeconfig_for(context.namespace.name(), "reader")
        .await?;
    let ran = plugin(Some(&kubeconfig), &["intercept", "status"]).await?;
    let said = "error: you may not list restoreinterceptions.clusterbackup.io; ask an administrator for that right\n";
    ensure!(
        (ran.code, ran.out.as_str(), ran.err.as_str()) == (Some(1), "", said),
        "{} {}",
        ran.out,
        ran.err
    );
    Ok(())
}

async fn the_counts_of_a_running_webhook_are_read(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let mut plan = Plan::new(namespace, RULES);
    plan.spec = json!({"onModifierError": "Warn"});
    let interception = plan.in_force(context.cluster.admin()).await?;
    interception.restore(Some(namespace), settings()).await?;
    let exported = context.webhook.replica.metrics().await?;
    let mut counts = Counts::default();
    counts.add(&exported);
    let own = counts.by_interception.get(&interception.name);
    let own = own.with_context(|| format!("{} counts for nothing in {exported}", interception.name))?;
    ensure!(own.get("failed") == Some(&1), "{own:?}");
    for (what, count) in [
        ("changed", counts.reviews.get("changed")),
        ("applied", counts.rules.get("applied")),
    ] {
        ensure!(
            count.is_some_and(|count| *count > 0),
            "nothing is {what} in {exported}"
        );
    }
    Ok(())
}
