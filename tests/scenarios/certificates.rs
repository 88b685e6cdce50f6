//! The webhook's certificates: who makes them, how they change under load, and what is put right again.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually, webhook};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::direct::{Direct, outcome, review};
use crate::load::{Load, marking};
use crate::runner::scenarios;
use crate::steps::Plan;

scenarios! {
    Own: [
        one_replica_makes_the_secret_and_all_serve_from_it,
        leaves_are_renewed_under_load_without_a_failed_create,
        authorities_follow_each_other_under_load_without_a_failed_create,
        a_deleted_secret_is_a_rotation_and_garbage_in_it_is_mended,
        the_ca_bundle_is_put_back_and_nothing_else_is_ours,
        mounted_certificates_are_taken_up_when_the_link_is_swapped,
    ],
}

const LIMIT: Duration = Duration::from_mins(1);
const SECRET: &str = "clusterbackup-webhook-tls";
const CONFIGURATION: &str = "clusterbackup-intercept";

fn secrets(cluster: &Cluster) -> Api<Secret> {
    Api::namespaced(cluster.admin(), webhook::NAMESPACE)
}

/// A key of the Secret as text; none if it isn't there.
async fn stored(cluster: &Cluster, key: &str) -> Result<Option<String>> {
    let secret = secrets(cluster).get(SECRET).await?;
    let value = secret.data.and_then(|mut data| data.remove(key));
    Ok(value.map(|value| String::from_utf8(value.0)).transpose()?)
}

fn lifetimes(authority: &str, leaf: &str, settling: &str) -> ReplicaOptions {
    ReplicaOptions {
        arguments: vec![
            format!("--authority-lifetime={authority}"),
            format!("--leaf-lifetime={leaf}"),
            format!("--authority-settling={settling}"),
        ],
        ..ReplicaOptions::default()
    }
}

/// When the served certificate expires, by the replica's metrics.
async fn expiry(replica: &Replica, certificate: &str) -> Result<f64> {
    let series =
        format!("clusterbackup_certificate_not_after_timestamp_seconds{{certificate=\"{certificate}\"}} ");
    let metrics = replica.metrics().await?;
    let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
    Ok(value.with_context(|| format!("no {series}"))?.parse()?)
}

async fn until_expiry_moves(replica: &Replica, certificate: &str, from: f64) -> Result<f64> {
    eventually(
        &format!("another {certificate} certificate is served"),
        LIMIT,
        || async {
            let now = expiry(replica, certificate).await?;
            ensure!(now > from, "it is the one that expires at {now}");
            Ok(now)
        },
    )
    .await
}

/// One review on a new connection, which trusts what the API server is told to trust at this moment.
async fn shake(webhook: &Webhook, replica: &Replica) -> Result<()> {
    let answer = Direct::to(replica, &webhook.ca_bundle().await?)
        .await?
        .post("/intercept", review("1", "default", "shop").to_string())
        .await?;
    let (allowed, operations) = outcome(&answer.response()?)?;
    ensure!(allowed && operations.contains("/data/first"), "{answer:?}");
    Ok(())
}

/// Carries `work` out under two kinds of load, none of which may fail: objects created through the API server, which
/// keeps its connections, and reviews that shake hands anew.
async fn under_load<T>(
    cluster: &Cluster,
    webhook: &Webhook,
    replica: &Replica,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let load = Load::start(&cluster.admin(), "default", "shop");
    let failed_handshake = async {
        loop {
            if let Err(error) = shake(webhook, replica).await {
                return error.context("a handshake failed");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::select! {
        done = work => done?,
        error = failed_handshake => return Err(error),
    };
    load.until_stored(20).await?;
    load.stop().await?.is_all(&["a"])?;
    Ok(done)
}

async fn one_replica_makes_the_secret_and_all_serve_from_it(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let replicas = [
        webhook.launch(ReplicaOptions::default()).await?,
        webhook.launch(ReplicaOptions::default()).await?,
        webhook.launch(ReplicaOptions::default()).await?,
    ];
    let mut writes = 0.0;
    let mut expiries = Vec::new();
    let _interception = Plan::new("shop", &marking("a")).create(cluster.admin()).await?;
    for replica in &replicas {
        replica.until_ready(LIMIT).await?;
        shake(&webhook, replica).await?;
        expiries.push(expiry(replica, "leaf").await?.to_string());
        let metrics = replica.metrics().await?;
        writes += metrics
            .lines()
            .filter(|line| line.starts_with("clusterbackup_certificate_rotations_total{"))
            .filter_map(|line| line.split(' ').nth(1)?.parse::<f64>().ok())
            .sum::<f64>();
    }
    expiries.dedup();
    ensure!(expiries.len() == 1, "they serve different leaves: {expiries:?}");
    ensure!(
        (writes - 1.0).abs() < f64::EPSILON,
        "the Secret was written {writes} times"
    );
    let labels = secrets(&cluster)
        .get(SECRET)
        .await?
        .metadata
        .labels
        .unwrap_or_default();
    ensure!(
        labels.get("velero.io/exclude-from-backup").map(String::as_str) == Some("true"),
        "a backup would take the keys along: {labels:?}"
    );
    Ok(())
}

async fn leaves_are_renewed_under_load_without_a_failed_create(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let replica = webhook.start(lifetimes("1h", "9s", "1s")).await?;
    let other = webhook.start(lifetimes("1h", "9s", "1s")).await?;
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let authority = webhook.ca_bundle().await?;
    let renewed = async {
        let mut leaf = expiry(&replica, "leaf").await?;
        for _ in 0..2 {
            leaf = until_expiry_moves(&replica, "leaf", leaf).await?;
        }
        until_expiry_moves(&other, "leaf", leaf - 1.0).await
    };
    under_load(&cluster, &webhook, &replica, renewed).await?;
    ensure!(
        authority == webhook.ca_bundle().await?,
        "another leaf is no reason to trust somebody else"
    );
    Ok(())
}

async fn authorities_follow_each_other_under_load_without_a_failed_create(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let replica = webhook.start(lifetimes("60s", "18s", "6s")).await?;
    let _other = webhook.start(lifetimes("60s", "18s", "6s")).await?;
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let first = expiry(&replica, "authority").await?;
    let old = stored(&cluster, "ca.crt").await?.context("no ca.crt")?;
    let trusted = async |count: usize| {
        eventually(&format!("{count} authorities are trusted"), LIMIT, || async {
            let bundle = webhook.ca_bundle().await?;
            let now = bundle.matches("BEGIN CERTIFICATE").count();
            ensure!(now == count, "{now} are");
            Ok(bundle)
        })
        .await
    };
    let followed = async {
        let both = trusted(2).await?;
        ensure!(both.contains(old.trim()), "the old one is gone before its time");
        ensure!(
            (expiry(&replica, "authority").await? - first).abs() < f64::EPSILON,
            "the next one is used before it has settled"
        );
        until_expiry_moves(&replica, "authority", first).await?;
        let new = stored(&cluster, "ca.crt").await?.context("no ca.crt")?;
        ensure!(both.contains(new.trim()), "the new one was not published before");
        let alone = trusted(1).await?;
        ensure!(alone.trim() == new.trim(), "the wrong one was dropped");
        Ok(())
    };
    under_load(&cluster, &webhook, &replica, followed).await
}

async fn a_deleted_secret_is_a_rotation_and_garbage_in_it_is_mended(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let replica = webhook.start(lifetimes("1h", "20m", "5s")).await?;
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let mended = async {
        let deleted = stored(&cluster, "ca.crt").await?.context("no ca.crt")?;
        secrets(&cluster).delete(SECRET, &DeleteParams::default()).await?;
        until_stored_is_another(&cluster, "ca.crt", &deleted).await?;
        for key in ["tls.crt", "ca.key"] {
            spoil(&cluster, key).await?;
        }
        eventually("what was begun is finished", LIMIT, || async {
            let next = stored(&cluster, "next-ca.crt").await?;
            ensure!(next.is_none(), "another authority is about to follow");
            Ok(())
        })
        .await
    };
    under_load(&cluster, &webhook, &replica, mended).await?;
    ensure!(!replica.log()?.contains("PRIVATE KEY"), "a key is in the log");
    Ok(())
}

/// Puts garbage into a key of the Secret, and waits until it is mended.
async fn spoil(cluster: &Cluster, key: &str) -> Result<()> {
    const GARBAGE: &str = "garbage";
    let garbage = json!({ "stringData": { key: GARBAGE } });
    secrets(cluster)
        .patch(SECRET, &PatchParams::default(), &Patch::Merge(garbage))
        .await?;
    until_stored_is_another(cluster, key, GARBAGE).await
}

/// Expiries are told to the second: a leaf that is made in the same one as the last can't be told from it.
async fn until_the_next_leaf_expires_later(cluster: &Cluster, issuer: &Replica) -> Result<()> {
    let before = expiry(issuer, "leaf").await?;
    eventually("another leaf expires later", LIMIT, || async {
        spoil(cluster, "tls.crt").await?;
        let now = expiry(issuer, "leaf").await?;
        ensure!(now > before, "it expires at {now}, too");
        Ok(())
    })
    .await
}

async fn until_stored_is_another(cluster: &Cluster, key: &str, than: &str) -> Result<()> {
    eventually(&format!("there is another {key}"), LIMIT, || async {
        let now = stored(cluster, key).await?;
        let is_another = now.as_deref().is_some_and(|now| now != than);
        ensure!(is_another, "there is none, or the same");
        Ok(())
    })
    .await
}

async fn the_ca_bundle_is_put_back_and_nothing_else_is_ours(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    let configurations = Api::<MutatingWebhookConfiguration>::all(cluster.admin());
    let ours = webhook.ca_bundle().await?;

    // What AKS' admissions enforcer does, and somebody who empties the field.
    let exclusion = json!({ "key": "control-plane", "operator": "DoesNotExist" });
    let operations = json!([
        { "op": "add", "path": "/webhooks/0/namespaceSelector/matchExpressions/-", "value": exclusion },
        { "op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "" },
    ]);
    let patch = Patch::<Value>::Json(serde_json::from_value(operations)?);
    configurations
        .patch(CONFIGURATION, &PatchParams::default(), &patch)
        .await?;
    eventually("the caBundle is put back", LIMIT, || async {
        ensure!(
            webhook.ca_bundle().await.unwrap_or_default() == ours,
            "it is another"
        );
        Ok(())
    })
    .await?;

    let object = serde_json::to_value(configurations.get(CONFIGURATION).await?)?;
    let selector = &object["webhooks"][0]["namespaceSelector"]["matchExpressions"];
    ensure!(
        selector
            .as_array()
            .is_some_and(|expressions| expressions.contains(&exclusion)),
        "somebody else's edit is gone: {selector:#}"
    );
    let managers = object["metadata"]["managedFields"]
        .as_array()
        .context("no managedFields")?;
    let owned: Vec<_> = managers
        .iter()
        .filter(|entry| entry["manager"] == "clusterbackup-certs")
        .map(|entry| &entry["fieldsV1"])
        .collect();
    let entry = r#"k:{"name":"intercept.clusterbackup.io"}"#;
    let caught = json!({ "f:webhooks": { entry: { "f:clientConfig": { "f:caBundle": {} } } } });
    ensure!(owned == [&caught], "we own {owned:#?}");
    Ok(())
}

async fn mounted_certificates_are_taken_up_when_the_link_is_swapped(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let issuer = webhook.start(ReplicaOptions::default()).await?;
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let mounted = cluster.folder().join("mounted");
    mount(&cluster, &mounted, "..first").await?;
    until_the_next_leaf_expires_later(&cluster, &issuer).await?;
    drop(issuer);

    let options = ReplicaOptions {
        arguments: vec![format!("--certificates={}", mounted.display())],
        ..ReplicaOptions::default()
    };
    let replica = webhook.start(options).await?;
    let before = expiry(&replica, "leaf").await?;
    let swapped = async {
        mount(&cluster, &mounted, "..second").await?;
        until_expiry_moves(&replica, "leaf", before).await
    };
    under_load(&cluster, &webhook, &replica, swapped).await.map(drop)
}

/// Puts the stored certificate into `folder` as the kubelet does: in a folder of its own, to which `..data` leads.
async fn mount(cluster: &Cluster, folder: &Path, version: &str) -> Result<()> {
    std::fs::create_dir_all(folder.join(version))?;
    for file in ["tls.crt", "tls.key"] {
        let content = stored(cluster, file).await?.context(file)?;
        std::fs::write(folder.join(version).join(file), content)?;
        let link = folder.join(file);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(file), link)?;
        }
    }
    symlink(version, folder.join("..data_tmp"))?;
    Ok(std::fs::rename(folder.join("..data_tmp"), folder.join("..data"))?)
}
