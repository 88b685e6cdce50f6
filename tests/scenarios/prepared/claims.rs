//! Claims that a restore fills from snapshots, as the CSI project's sidecars and a driver take them.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::restore::{
    Conflicts, Mappings, Prepared, Ready, Restore, Snapshot, Source, Survey, Terms, Volumes, prepare,
};
use clusterbackup_core::selection::Name;
use clusterbackup_tests::csi::{DRIVER, RETAINING_SNAPSHOT_CLASS, Taken};
use clusterbackup_tests::eventually;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;

use super::LIMIT;
use crate::runner::{CsiContext, scenarios};
use crate::steps::{create, gone};

scenarios! {
    Csi: [
        a_claim_gets_what_its_snapshot_holds_in_another_namespace,
        a_claim_that_is_gone_comes_back_with_its_data,
    ],
}

/// What was written before the cut.
const BEFORE: &str = "before the cut";
const MIB: u64 = 1 << 20;

async fn a_claim_gets_what_its_snapshot_holds_in_another_namespace(context: &CsiContext) -> Result<()> {
    let copy = context.cluster.namespace("copy").await?;
    let (stored, taken) = cut(context).await?;
    let ready = prepared(&stored, &taken, Some((context.namespace.name(), copy.name())))?;
    fill(context, copy.name(), &ready).await
}

async fn a_claim_that_is_gone_comes_back_with_its_data(context: &CsiContext) -> Result<()> {
    let (stored, taken) = cut(context).await?;
    let claims = context.namespace.api::<PersistentVolumeClaim>();
    claims.delete("data", &DeleteParams::default()).await?;
    gone(&claims, "data").await?;
    let ready = prepared(&stored, &taken, None)?;
    fill(context, context.namespace.name(), &ready).await
}

/// A claim with data, as it is stored, and a snapshot of it that outlives its objects.
async fn cut(context: &CsiContext) -> Result<(Value, Taken)> {
    let volume = context.csi.claim(&context.namespace, "data").await?;
    fs::write(volume.data.join("file"), BEFORE)?;
    context
        .csi
        .ask(&context.namespace, RETAINING_SNAPSHOT_CLASS, &volume)
        .await?;
    let taken = context.csi.taken(context.namespace.name(), "data").await?;
    fs::write(volume.data.join("file"), "after the cut")?;
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    snapshots.delete("data", &DeleteParams::default()).await?;
    gone(&snapshots, "data").await?;
    let claim = context
        .namespace
        .api::<PersistentVolumeClaim>()
        .get("data")
        .await?;
    Ok((serde_json::to_value(claim)?, taken))
}

fn prepared(stored: &Value, taken: &Taken, mapping: Option<(&str, &str)>) -> Result<Ready> {
    let namespace = stored["metadata"]["namespace"].as_str().context("no namespace")?;
    let snapshot = Snapshot {
        driver: DRIVER.to_owned(),
        handle: taken.handle.clone(),
        size_bytes: Some(2 * MIB),
        class: Some(RETAINING_SNAPSHOT_CLASS.to_owned()),
    };
    let terms = Terms {
        conflicts: Conflicts::Skip,
        restore: Restore {
            name: "friday".to_owned(),
            uid: namespace.to_owned(),
        },
        mappings: Mappings::parse(mapping).map_err(|problems| anyhow::anyhow!("{problems:?}"))?,
        volumes: Volumes::With([(Name::new(namespace, "data"), Ok(snapshot))].into()),
    };
    let kind = GroupResource::new("", "persistentvolumeclaims");
    let mut claim = stored.clone();
    claim["apiVersion"] = "v1".into();
    claim["kind"] = "PersistentVolumeClaim".into();
    match prepare(claim, &kind, &terms, &Survey::default()) {
        Prepared::Create(ready) => Ok(*ready),
        other => anyhow::bail!("it is not created: {other:?}"),
    }
}

/// Creates the claim with what it is made from, and looks at what it gets.
async fn fill(context: &CsiContext, namespace: &str, ready: &Ready) -> Result<()> {
    let admin = context.cluster.admin();
    let Source {
        content, snapshot, ..
    } = ready.source.as_ref().context("it is made from nothing")?;
    create(&admin, None, content).await?;
    create(&admin, Some(namespace), snapshot).await?;
    create(&admin, Some(namespace), &ready.object).await?;
    let bound = || context.csi.volume_of(namespace, "data");
    let volume = eventually("the claim has a volume", LIMIT, bound).await?;
    ensure!(fs::read_to_string(volume.data.join("file"))? == BEFORE);

    let claims = Api::<PersistentVolumeClaim>::namespaced(admin.clone(), namespace);
    let capacity = claims
        .get("data")
        .await?
        .status
        .and_then(|status| status.capacity);
    let capacity = capacity.and_then(|capacity| capacity.get("storage").cloned());
    ensure!(
        capacity.as_ref().is_some_and(|size| size.0 == "2Mi"),
        "it has {capacity:?}"
    );

    // What it was made from goes without the snapshot itself.
    let name = snapshot["metadata"]["name"].as_str().context("no name")?;
    let snapshots = Api::<VolumeSnapshot>::namespaced(admin.clone(), namespace);
    snapshots.delete(name, &DeleteParams::default()).await?;
    gone(&snapshots, name).await?;
    let contents = Api::<VolumeSnapshotContent>::all(admin);
    contents.delete(name, &DeleteParams::default()).await?;
    gone(&contents, name).await?;
    let handle = content["spec"]["source"]["snapshotHandle"]
        .as_str()
        .context("no handle")?;
    let data = context.csi.driver().snapshot_data(handle)?;
    ensure!(fs::read_to_string(data.join("file"))? == BEFORE);
    Ok(())
}
