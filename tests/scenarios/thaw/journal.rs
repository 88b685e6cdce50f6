//! Nothing is frozen that isn't written down, and nothing twice.

use std::process::Command;

use anyhow::{Result, ensure};
use clusterbackup_api::node_task::{Consistency, CutOutcome, Thaw};
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::stage::{Stage, exec, only_pod, only_unit, post};
use clusterbackup_tests::{Cluster, writer};

use crate::runner::scenarios;

scenarios! {
    Own: [
        nothing_is_frozen_on_a_full_disk,
        two_backups_freeze_a_pod_one_after_the_other,
    ],
}

async fn nothing_is_frozen_on_a_full_disk(cluster: Cluster) -> Result<()> {
    let journal = cluster.folder().join("small-disk");
    std::fs::create_dir(&journal)?;
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4k", "tmpfs"])
        .arg(&journal)
        .status()?;
    ensure!(mounted.success(), "a small disk can't be mounted; is this root?");
    let mut stage = Stage::set_up(cluster).await?;
    stage.node = stage.node.with_journal(&journal);
    let agent = stage.node.agent().await?;
    let filler = journal.join("filler");
    std::fs::write(&filler, [0; 4096])?;

    let app = stage.app("full", 1).await?;
    let status = stage.order("full", &[app.unit()?]).await?.done().await?;
    only_pod(&status, Thaw::NotNeeded)?;
    let unit = only_unit(&status)?;
    let message = unit.message.as_deref().unwrap_or_default();
    ensure!(
        message.contains("No space left") && message.contains("nothing was frozen"),
        "{unit:#?}"
    );
    ensure!(unit.cuts[0].outcome == CutOutcome::NotBegun, "{unit:#?}");

    // Hooks that may fail: the cut is taken, and told for what it is.
    let app = stage.app("full-but-optional", 1).await?;
    let control = app.control.display().to_string();
    let pre = exec(&writer::freeze(&control), "Continue", "5s");
    let unit = app.unit_with(&[pre], &[post(&writer::thaw(&control))])?;
    let status = stage.order("full-but-optional", &[unit]).await?.done().await?;
    let cut = &only_unit(&status)?.cuts[0];
    ensure!(cut.consistency == Some(Consistency::CrashConsistent), "{cut:#?}");
    ensure!(writer::pauses(&app.control)?.is_empty(), "it was frozen");
    let counts = agent.counts().await?;
    ensure!(
        counts.get("clusterbackup_agent_journal_failures_total") == 2,
        "{counts:?}"
    );

    std::fs::remove_file(&filler)?;
    let app = stage.app("room-again", 1).await?;
    let status = stage.order("room-again", &[app.unit()?]).await?.done().await?;
    only_pod(&status, Thaw::Done).map(drop)
}

async fn two_backups_freeze_a_pod_one_after_the_other(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let _agent = stage.node.agent().await?;
    let app = stage.app("db", 1).await?;
    let knobs = stage.csi.driver().knobs();
    knobs.hangs(Operation::CreateSnapshot)?;
    let first = stage.order("first", &[app.unit()?]).await?;
    app.freezes().await?;
    let mut unit = app.unit()?;
    unit["cuts"][0]["snapshot"] = "second".into();
    let second = stage.order("second", &[unit]).await?;
    second
        .until("it has begun, and frozen nothing", |status| {
            ensure!(only_pod(status, Thaw::Pending)?.execs.is_empty(), "it ran a hook");
            Ok(())
        })
        .await?;
    knobs.goes_on(Operation::CreateSnapshot)?;
    for order in [first, second] {
        let status = order.done().await?;
        only_pod(&status, Thaw::Done)?;
        let cut = &only_unit(&status)?.cuts[0];
        ensure!(
            cut.consistency == Some(Consistency::ApplicationConsistent),
            "{cut:#?}"
        );
    }
    app.goes_on().await?;
    let pauses = writer::pauses(&app.control)?;
    let [(_, Some(thawed)), (frozen, Some(_))] = pauses.as_slice() else {
        anyhow::bail!("not two pauses: {pauses:?}");
    };
    ensure!(thawed <= frozen, "the pauses overlap: {pauses:?}");
    Ok(())
}
