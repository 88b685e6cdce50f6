//! Strategic patches: the same as the API server's own, and in rules.
//!
//! - `oracle`: what the API server makes of a patch, and what we do
//! - `patches`: patches by chance; `chance`: the chance; `specimens.yaml`: the objects

mod chance;
mod oracle;
mod patches;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::schema::{self, Kind};
use clusterbackup_core::yaml;
use clusterbackup_tests::{Cluster, openapi};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use self::chance::Chance;
use crate::runner::{Context as Scene, scenarios};
use crate::steps::{Plan, api_of, holds, refusal};

scenarios! {
    Own: [the_table_of_kinds_is_what_the_api_server_says],
    Cluster: [
        patches_by_chance_do_what_the_api_server_does,
    ],
    Webhook: [
        a_strategic_rule_finds_what_it_changes_by_name,
        a_strategic_rule_that_does_not_fit_refuses_the_object,
    ],
}

const SPECIMENS: &str = include_str!("strategic/specimens.yaml");
/// The first of the seeds; every patch has its own, and a difference is told with it.
const SEED: u64 = 20_261_121;
/// Of the specimens' kinds.
const CLUSTER_SCOPED: [&str; 3] = [
    "PersistentVolume",
    "ClusterRole",
    "ValidatingWebhookConfiguration",
];
const PATCHES_PER_KIND: u64 = 60;

async fn patches_by_chance_do_what_the_api_server_does(cluster: &Cluster) -> Result<()> {
    let namespace = cluster.namespace("strategic").await?;
    let mut documents = yaml::to_json_documents(SPECIMENS)?.into_iter();
    let (mut asked, mut stored) = (0_u32, 0_u32);
    let mut differences = Vec::new();
    while let (Some(specimen), Some(donor)) = (documents.next(), documents.next()) {
        let kind = kind_of(&specimen)?;
        let is_namespaced = !CLUSTER_SCOPED.contains(&kind.kind);
        let api = api_of(
            &cluster.admin(),
            &specimen,
            is_namespaced.then(|| namespace.name()),
        )?;
        api.create(&PostParams::default(), &serde_json::from_value(specimen.clone())?)
            .await
            .with_context(|| format!("failed to create the specimen of {}", kind.kind))?;
        for number in 0..PATCHES_PER_KIND {
            let seed = SEED + number;
            let patch = patches::patch(&mut Chance::of(seed), kind.root(), &specimen, &donor);
            let answers = loop {
                if let Some(answers) = oracle::ask(&cluster.admin(), api.resource_url(), kind, &patch).await?
                {
                    break answers;
                }
            };
            asked += 1;
            stored += u32::from(answers.is_stored());
            if let Some(difference) = answers.difference() {
                differences.push(format!("{}, seed {seed}: {patch}\n{difference}", kind.kind));
            }
        }
        let released = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        api.patch("specimen", &PatchParams::default(), &released).await?;
        api.delete("specimen", &DeleteParams::default()).await?;
    }
    ensure!(
        differences.is_empty(),
        "{} of {asked} differ:\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    // Else hardly anything would have been compared.
    ensure!(
        stored > asked / 3,
        "only {stored} of {asked} patches are accepted"
    );
    Ok(())
}

fn kind_of(object: &Value) -> Result<&'static Kind> {
    let mut kinds = schema::built_in_kinds();
    kinds
        .find(|kind| object["apiVersion"] == kind.api_version && object["kind"] == kind.kind)
        .with_context(|| format!("{} is not built in", object["kind"]))
}

/// The cluster serves fewer APIs than the table was made from, but what it serves is in it, word for word.
async fn the_table_of_kinds_is_what_the_api_server_says(cluster: Cluster) -> Result<()> {
    const TABLE: &str = include_str!("../../crates/core/src/schema/kubernetes.txt");
    let version = cluster.admin().apiserver_version().await?.git_version;
    ensure!(
        version == schema::kubernetes_version(),
        "the table is of {}, the API server of {version}: run `cargo xtask schemas`",
        schema::kubernetes_version()
    );
    let documents = openapi::documents(&cluster.admin()).await?;
    let served = schema::generate(&version, &documents)?;
    let blocks = |text: &str| -> BTreeSet<String> {
        let joined = text.replace("\n ", "\0 ");
        joined.lines().map(str::to_owned).collect()
    };
    let (served, known) = (blocks(&served), blocks(TABLE));
    let missing: Vec<_> = served.difference(&known).collect();
    ensure!(missing.is_empty(), "run `cargo xtask schemas`: {missing:?}");
    Ok(())
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1 } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [
                    { "name": "side", "image": "side:1" },
                    { "name": "web", "image": "registry.old/web:1", "env": [{ "name": "A", "value": "1" }] },
                    { "name": "debug", "image": "debug:1" },
                ] },
            },
        },
    })
}

const BY_NAME: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  strategicPatches:
  - patchData: |
      spec:
        strategy: {$retainKeys: [type], type: Recreate}
        template:
          spec:
            containers:
            - name: web
              image: registry.new/web:1
              env: [{name: B, value: 2}]
            - {name: debug, $patch: delete}
";

async fn a_strategic_rule_finds_what_it_changes_by_name(scene: &Scene) -> Result<()> {
    let namespace = scene.namespace.name();
    let interception = Plan::new(namespace, BY_NAME)
        .in_force(scene.cluster.admin())
        .await?;
    let stored = interception.restore(Some(namespace), deployment()).await?;
    let container = |field: &str| format!("/spec/template/spec/containers/{field}");
    holds(
        &stored,
        &[
            ("/spec/strategy", json!({ "type": "Recreate" })),
            (&container("0/image"), json!("side:1")),
            (&container("1/image"), json!("registry.new/web:1")),
            (
                &container("1/env"),
                json!([{ "name": "B", "value": "2" }, { "name": "A", "value": "1" }]),
            ),
            (&container("2"), Value::Null),
        ],
    )
}

const WITHOUT_KEY: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps}
  strategicPatches:
  - patchData: {spec: {template: {spec: {containers: [{image: other}]}}}}
";

async fn a_strategic_rule_that_does_not_fit_refuses_the_object(scene: &Scene) -> Result<()> {
    let namespace = scene.namespace.name();
    let interception = Plan::new(namespace, WITHOUT_KEY)
        .in_force(scene.cluster.admin())
        .await?;
    let message = refusal(interception.restore(Some(namespace), deployment()).await)?;
    for part in ["strategicPatches[0]", "/spec/template/spec/containers", "`name`"] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    Ok(())
}
