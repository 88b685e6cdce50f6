//! Groups of snapshots, which csi-sanity doesn't test.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot};
use clusterbackup_tests::csi::{Operation, Taken, Volume};
use clusterbackup_tests::{Writer, eventually, writer};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::steps::{LIMIT, ask_for_group};
use crate::runner::{CsiContext, scenarios};
use crate::steps::gone;

scenarios! {
    Csi: [
        a_group_is_cut_at_one_moment,
        a_group_that_fails_says_so_and_is_tried_again,
        a_deleted_group_takes_its_members_and_their_data_along,
    ],
}

async fn a_group_is_cut_at_one_moment(context: &CsiContext) -> Result<()> {
    let [first, second] = claims(context, "both").await?;
    let _writer = Writer::start(&context.cluster, "in-lock-step", &[&first.data, &second.data]).await?;
    ask_for_group(&context.namespace, "both").await?;
    let members = members(context, "both").await?;
    ensure!(members.len() == 2, "{members:?}");
    let held = |volume: &Volume| writer::last_record(&members[&volume.claim].data);
    let (first, second) = (held(&first)?, held(&second)?);
    // A number is written into the first, then into the second.
    let apart = first.checked_sub(second);
    ensure!(
        !context.csi.driver().point_in_time() || apart.is_some_and(|apart| apart <= 1),
        "not one moment: {first} and {second}"
    );
    Ok(())
}

async fn a_group_that_fails_says_so_and_is_tried_again(context: &CsiContext) -> Result<()> {
    let [first, _] = claims(context, "failing").await?;
    let knobs = context.csi.driver().knobs_of(&first.handle);
    knobs.hangs(Operation::CreateVolumeGroupSnapshot)?;
    knobs.fails(Operation::CreateVolumeGroupSnapshot, 1_000)?;
    ask_for_group(&context.namespace, "failing").await?;
    knobs.goes_on(Operation::CreateVolumeGroupSnapshot)?;
    let groups = context.namespace.api::<VolumeGroupSnapshot>();
    eventually("the status says why", LIMIT, || async {
        let status = groups.get("failing").await?.status.unwrap_or_default();
        let message = status.error.and_then(|error| error.message).context("no error")?;
        ensure!(
            message.contains("CreateVolumeGroupSnapshot fails, as the test wants it"),
            "{message}"
        );
        Ok(())
    })
    .await?;
    knobs.fails(Operation::CreateVolumeGroupSnapshot, 0)?;
    members(context, "failing").await.map(drop)
}

async fn a_deleted_group_takes_its_members_and_their_data_along(context: &CsiContext) -> Result<()> {
    claims(context, "deleted").await?;
    ask_for_group(&context.namespace, "deleted").await?;
    let members = members(context, "deleted").await?;
    let groups = context.namespace.api::<VolumeGroupSnapshot>();
    groups.delete("deleted", &DeleteParams::default()).await?;
    gone(&groups, "deleted").await?;
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    eventually("its members are gone", LIMIT, || async {
        let left = snapshots.list(&ListParams::default()).await?.items.len();
        ensure!(left == 0, "{left} are there");
        Ok(())
    })
    .await?;
    for member in members.values() {
        eventually("its data is gone", LIMIT, || async {
            ensure!(!member.data.exists(), "{} is there", member.data.display());
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Two claims with the label `group: <name>`.
async fn claims(context: &CsiContext, name: &str) -> Result<[Volume; 2]> {
    let claims = context.namespace.api::<PersistentVolumeClaim>();
    let label = Patch::Merge(json!({ "metadata": { "labels": { "group": name } } }));
    let make = async |claim: &str| {
        let volume = context.csi.claim(&context.namespace, claim).await?;
        claims.patch(claim, &PatchParams::default(), &label).await?;
        anyhow::Ok(volume)
    };
    Ok([make("first").await?, make("second").await?])
}

/// The snapshots of a group that is taken, each by its claim.
async fn members(context: &CsiContext, group: &str) -> Result<BTreeMap<String, Taken>> {
    let groups = context.namespace.api::<VolumeGroupSnapshot>();
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    eventually(&format!("group {group} is taken"), LIMIT, || async {
        let status = groups.get(group).await?.status.unwrap_or_default();
        ensure!(status.ready_to_use == Some(true), "{status:?}");
        Ok(())
    })
    .await?;
    let mut members = BTreeMap::new();
    for snapshot in snapshots.list(&ListParams::default()).await?.items {
        let owners = snapshot.owner_references();
        ensure!(
            owners.iter().any(|owner| owner.name == group),
            "owned by {owners:?}"
        );
        let taken = context
            .csi
            .taken(context.namespace.name(), &snapshot.name_any())
            .await?;
        let claim = snapshot.spec.source.persistent_volume_claim_name;
        members.insert(claim.context("a member without claim")?, taken);
    }
    Ok(members)
}
