//! When a cut is taken, and what it holds.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::snapshots::VolumeSnapshot;
use clusterbackup_tests::csi::{CLASS, Call, Operation, SNAPSHOT_CLASS, Volume};
use clusterbackup_tests::{Writer, eventually, writer};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::PostParams;
use serde_json::json;

use super::steps::LIMIT;
use crate::runner::{CsiContext, scenarios};

scenarios! {
    Csi: [
        a_snapshot_holds_what_was_written_until_its_cut,
        a_claim_is_made_from_a_snapshot,
        a_slow_cut_is_taken_at_its_end,
        a_snapshot_is_taken_before_it_is_ready,
        a_failing_cut_says_so_and_is_tried_again,
    ],
}

async fn a_snapshot_holds_what_was_written_until_its_cut(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "data").await?;
    let writer = Writer::start(&context.cluster, "goes-on", &[&volume.data]).await?;
    let before = writer::last_record(&volume.data)?;
    context
        .csi
        .driver()
        .knobs_of(&volume.handle)
        .takes(Operation::CreateSnapshot, Duration::from_millis(300))?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    let taken = context.csi.taken(context.namespace.name(), "data").await?;
    let held = writer::last_record(&taken.data)?;
    writer.goes_on().await?;
    let after = writer::last_record(&volume.data)?;
    ensure!(before < held && held < after, "{before} < {held} < {after}");
    ensure!(writer::last_record(&taken.data)? == held, "the snapshot goes on");
    Ok(())
}

async fn a_claim_is_made_from_a_snapshot(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "original").await?;
    std::fs::write(volume.data.join("file"), "content")?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    context.csi.taken(context.namespace.name(), "original").await?;
    for (name, group, kind) in [
        ("restored", "snapshot.storage.k8s.io", "VolumeSnapshot"),
        ("cloned", "", "PersistentVolumeClaim"),
    ] {
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "storageClassName": CLASS,
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "1Mi" } },
                "dataSource": { "apiGroup": group, "kind": kind, "name": "original" },
            },
        }))?;
        context
            .namespace
            .api()
            .create(&PostParams::default(), &claim)
            .await?;
        let made = eventually(&format!("claim {name} has a volume"), LIMIT, || {
            context.csi.volume_of(context.namespace.name(), name)
        })
        .await?;
        let held = std::fs::read_to_string(made.data.join("file"))?;
        ensure!(held == "content", "{name} holds {held:?}");
    }
    Ok(())
}

async fn a_slow_cut_is_taken_at_its_end(context: &CsiContext) -> Result<()> {
    const TIME: Duration = Duration::from_millis(1_500);
    let volume = context.csi.claim(&context.namespace, "slow").await?;
    let knobs = context.csi.driver().knobs_of(&volume.handle);
    knobs.takes(Operation::CreateSnapshot, TIME)?;
    let asked = Timestamp::now();
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    let taken = context.csi.taken(context.namespace.name(), "slow").await?;
    let seen = Timestamp::now();
    ensure!(
        asked.duration_until(seen).unsigned_abs() >= TIME,
        "{asked} … {seen}"
    );
    let cut = cuts_of(context, &volume)?.remove(0);
    let ended = cut.ended.context("seen before it was done")?;
    ensure!(
        cut.began.duration_until(ended.at).unsigned_abs() >= TIME && ended.at <= seen,
        "{} … {} …  {seen}",
        cut.began,
        ended.at
    );
    ensure!(taken.data.is_dir(), "no data in {}", taken.data.display());
    Ok(())
}

async fn a_snapshot_is_taken_before_it_is_ready(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "late").await?;
    let knobs = context.csi.driver().knobs_of(&volume.handle);
    knobs.ready_after(Operation::CreateSnapshot, Duration::from_secs(2))?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    context.csi.taken(context.namespace.name(), "late").await?;
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    let ready = async || {
        anyhow::Ok(
            snapshots
                .get("late")
                .await?
                .status
                .and_then(|status| status.ready_to_use),
        )
    };
    ensure!(ready().await? != Some(true), "ready as soon as it is taken");
    eventually("it is ready", LIMIT, || async {
        ensure!(ready().await? == Some(true), "it is not");
        Ok(())
    })
    .await
}

async fn a_failing_cut_says_so_and_is_tried_again(context: &CsiContext) -> Result<()> {
    let volume = context.csi.claim(&context.namespace, "fails").await?;
    let knobs = context.csi.driver().knobs_of(&volume.handle);
    knobs.fails(Operation::CreateSnapshot, 2)?;
    context
        .csi
        .ask(&context.namespace, SNAPSHOT_CLASS, &volume)
        .await?;
    let snapshots = context.namespace.api::<VolumeSnapshot>();
    eventually("the status says why", LIMIT, || async {
        let status = snapshots.get("fails").await?.status.unwrap_or_default();
        let message = status.error.and_then(|error| error.message).context("no error")?;
        ensure!(
            message.contains("CreateSnapshot fails, as the test wants it"),
            "{message}"
        );
        Ok(())
    })
    .await?;
    context.csi.taken(context.namespace.name(), "fails").await?;
    let codes: Vec<String> = cuts_of(context, &volume)?
        .into_iter()
        .filter_map(|call| Some(call.ended?.code))
        .collect();
    ensure!(
        codes.starts_with(&["Internal", "Internal", "OK"].map(str::to_owned)),
        "{codes:?}"
    );
    eventually("the error is gone", LIMIT, || async {
        let status = snapshots.get("fails").await?.status.unwrap_or_default();
        ensure!(status.error.is_none(), "{status:?}");
        Ok(())
    })
    .await
}

/// The calls for a cut of a volume alone.
fn cuts_of(context: &CsiContext, volume: &Volume) -> Result<Vec<Call>> {
    let mut calls = context.csi.driver().calls()?;
    calls.retain(|call| call.operation == "CreateSnapshot" && call.volumes == [&*volume.handle]);
    Ok(calls)
}
