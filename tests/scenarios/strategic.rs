//! Strategic patches: the same as the API server's own, and in rules.
//!
//! - `oracle`: what the API server makes of a patch, and what we do
//! - `patches`: patches by chance; `chance`: the chance; `specimens.yaml`: the objects

mod chance;
mod oracle;
mod patches;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::schema::{self, Kind};
use clusterbackup_core::yaml;
use clusterbackup_tests::Cluster;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use self::chance::Chance;
use crate::runner::scenarios;
use crate::steps::api_of;

scenarios! {
    Cluster: [
        patches_by_chance_do_what_the_api_server_does,
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
