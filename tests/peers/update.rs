//! Restores over objects that have changed since the backup (`existingResourcePolicy: update`): what Velero loses by
//! itself, and what becomes of it under each conflict policy.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::TestNamespace;
use clusterbackup_tests::runner::{VeleroContext, scenarios};
use clusterbackup_tests::steps::{api_of, create, holds, name_of};
use clusterbackup_tests::velero::Outcome;
use kube::Client;
use serde_json::{Value, json};

use crate::restores::{intercept, mapped};

scenarios! {
    Velero: [
        velero_alone_loses_all_of_an_update_for_one_field_that_can_not_change,
        under_patch_each_field_that_can_change_does,
        under_skip_only_the_labels_change_and_velero_warns,
    ],
}

/// What the rules add to whatever they see.
const RULES: &str = r#"
version: v1
resourceModifierRules:
- conditions: {groupResource: "**"}
  mergePatches:
  - patchData: |
      {"metadata": {"annotations": {"rules": "were here"}}}
"#;

/// An object in two states, that of the backup and that of the cluster.
struct Changed {
    backup: Value,
    cluster: Value,
    /// What can change, and what the backup has there.
    free: &'static [(&'static str, &'static str)],
    /// What can't, and what the cluster has there.
    fixed: &'static [(&'static str, &'static str)],
}

fn changed() -> Vec<Changed> {
    let object = |api_version: &str, kind: &str, state: &str, spec: Value| {
        json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": { "name": "shop", "annotations": { "state": state } },
            "spec": spec,
        })
    };
    let service = |address: Option<&str>, port: u16| {
        let mut spec = json!({ "selector": { "app": "shop" }, "ports": [{ "name": "http", "port": port }] });
        if let Some(address) = address {
            spec["clusterIP"] = json!(address);
        }
        spec
    };
    let claim = |class: &str| {
        json!({
            "storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        })
    };
    let pod = |image: &str| json!({ "automountServiceAccountToken": false, "containers": [{ "name": "c", "image": image }] });
    let deployment = |tier: &str, paused: bool, revisions: u8| {
        let labels = json!({ "app": "shop", "tier": tier });
        json!({
            "replicas": 0, "paused": paused, "revisionHistoryLimit": revisions,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": pod("shop:1") },
        })
    };
    let job = |image: &str, limit: u8| {
        let mut pod = pod(image);
        pod["restartPolicy"] = json!("Never");
        json!({ "suspend": true, "backoffLimit": limit, "parallelism": limit, "template": { "spec": pod } })
    };
    vec![
        Changed {
            backup: object("v1", "Service", "backup", service(Some("None"), 80)),
            cluster: object("v1", "Service", "cluster", service(None, 81)),
            free: &[
                ("/metadata/annotations/state", "\"backup\""),
                ("/spec/ports/0/port", "80"),
            ],
            fixed: &[],
        },
        Changed {
            backup: object("v1", "PersistentVolumeClaim", "backup", claim("standard")),
            cluster: object("v1", "PersistentVolumeClaim", "cluster", claim("premium")),
            free: &[("/metadata/annotations/state", "\"backup\"")],
            fixed: &[("/spec/storageClassName", "\"premium\"")],
        },
        Changed {
            backup: object("apps/v1", "Deployment", "backup", deployment("back", true, 3)),
            cluster: object("apps/v1", "Deployment", "cluster", deployment("front", false, 7)),
            free: &[
                ("/metadata/annotations/state", "\"backup\""),
                ("/spec/paused", "true"),
                ("/spec/revisionHistoryLimit", "3"),
            ],
            fixed: &[("/spec/selector/matchLabels/tier", "\"front\"")],
        },
        Changed {
            backup: object("batch/v1", "Job", "backup", job("shop:1", 1)),
            cluster: object("batch/v1", "Job", "cluster", job("shop:2", 2)),
            free: &[
                ("/metadata/annotations/state", "\"backup\""),
                ("/spec/parallelism", "1"),
            ],
            fixed: &[],
        },
    ]
}

/// Objects in a backup, and other ones of the same names in a namespace they are restored into.
struct Stage {
    target: TestNamespace,
    before: Vec<Value>,
    client: Client,
}

impl Stage {
    async fn set(given: &VeleroContext) -> Result<Self> {
        let (cluster, source) = (&given.context.cluster, given.context.namespace.name());
        let (client, target) = (cluster.admin(), cluster.namespace("changed").await?);
        let mut before = Vec::new();
        for Changed { backup, cluster, .. } in changed() {
            create(&client, Some(source), &backup).await?;
            before.push(create(&client, Some(target.name()), &cluster).await?);
        }
        let backup = json!({ "includedNamespaces": [source], "snapshotVolumes": false });
        given.velero.back_up(source, &backup).await?;
        Ok(Self {
            target,
            before,
            client,
        })
    }

    /// Restores over them, with Velero's policy to update.
    async fn restore(&self, given: &VeleroContext, restore: &str) -> Result<Outcome> {
        let source = given.context.namespace.name();
        let mut spec = mapped(source, self.target.name());
        spec["existingResourcePolicy"] = json!("update");
        spec["includedResources"] = json!([
            "services",
            "persistentvolumeclaims",
            "deployments.apps",
            "jobs.batch"
        ]);
        given.velero.restore(restore, source, spec).await
    }

    /// An object as it is now.
    async fn now(&self, object: &Value) -> Result<Value> {
        let api = api_of(&self.client, object, Some(self.target.name()))?;
        Ok(serde_json::to_value(api.get(&name_of(object)).await?)?)
    }
}

async fn velero_alone_loses_all_of_an_update_for_one_field_that_can_not_change(
    given: &VeleroContext,
) -> Result<()> {
    let stage = Stage::set(given).await?;
    let restore = format!("{}-alone", given.context.namespace.name());
    let restored = stage.restore(given, &restore).await?;
    ensure!(restored.phase == "Completed", "{restored:#?}");
    for before in &stage.before {
        let now = stage.now(before).await?;
        labelled(&now, &restore)?;
        unchanged(before, &now)?;
    }
    Ok(())
}

async fn under_patch_each_field_that_can_change_does(given: &VeleroContext) -> Result<()> {
    let stage = Stage::set(given).await?;
    let restore = format!("{}-patch", given.context.namespace.name());
    let _interception = intercept(given, &restore, RULES, json!({ "conflictPolicy": "Patch" })).await?;
    let restored = stage.restore(given, &restore).await?;
    ensure!(restored.phase == "Completed", "{restored:#?}");
    for (changed, before) in changed().iter().zip(&stage.before) {
        let now = stage.now(before).await?;
        labelled(&now, &restore)?;
        holds(&now, &[("/metadata/annotations/rules", json!("were here"))])?;
        for (pointer, value) in changed.free.iter().chain(changed.fixed) {
            holds(&now, &[(pointer, serde_json::from_str(value)?)])
                .with_context(|| format!("{restored:#?}"))?;
        }
    }
    Ok(())
}

async fn under_skip_only_the_labels_change_and_velero_warns(given: &VeleroContext) -> Result<()> {
    let stage = Stage::set(given).await?;
    let restore = format!("{}-skip", given.context.namespace.name());
    let interception = intercept(given, &restore, RULES, json!({ "conflictPolicy": "Skip" })).await?;
    let restored = stage.restore(given, &restore).await?;
    ensure!(restored.phase == "Completed", "{restored:#?}");
    let said = restored.warnings.all();
    let by_us = said
        .iter()
        .filter(|warning| warning.contains(&interception.name))
        .count();
    ensure!(by_us >= stage.before.len(), "Velero says only {said:#?}");
    for before in &stage.before {
        let now = stage.now(before).await?;
        labelled(&now, &restore)?;
        unchanged(before, &now)?;
    }
    Ok(())
}

/// Whether it has the label of this restore.
fn labelled(object: &Value, restore: &str) -> Result<()> {
    let label = &object["metadata"]["labels"][labels::VELERO_RESTORE];
    ensure!(label == restore, "its label is {label}");
    Ok(())
}

/// Whether it is as before, but for the labels of restores and what the API server and controllers write.
fn unchanged(before: &Value, now: &Value) -> Result<()> {
    let mine = |object: &Value| {
        let mut metadata = object["metadata"].clone();
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let labels: Value = labels
            .filter(|(key, _)| !key.starts_with("velero.io/"))
            .map(|(key, value)| json!([key, value]))
            .collect();
        json!([
            object["spec"],
            labels,
            metadata["annotations"]["state"].take(),
            metadata["annotations"]["rules"].take()
        ])
    };
    ensure!(mine(before) == mine(now), "it was\n{before:#}\nand is\n{now:#}");
    Ok(())
}
