//! Freeze, cut, thaw, as it should be.

use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::node_task::{Consistency, CutOutcome, ExecOutcome, Stage as When, Thaw, UnitPhase};
use clusterbackup_tests::csi::Operation;
use clusterbackup_tests::stage::{Stage, only_pod, only_unit};
use clusterbackup_tests::{Cluster, writer};

use crate::runner::scenarios;

scenarios! {
    Own: [a_unit_is_frozen_cut_and_thawed],
}

async fn a_unit_is_frozen_cut_and_thawed(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let agent = stage.node.agent().await?;
    let app = stage.app("db", 2).await?;
    stage
        .csi
        .driver()
        .knobs()
        .takes(Operation::CreateSnapshot, Duration::from_millis(300))?;
    let status = stage.order("backup-a", &[app.unit()?]).await?.done().await?;

    app.goes_on().await?;
    let unit = only_unit(&status)?;
    ensure!(
        unit.phase == UnitPhase::Thawed && unit.message.is_none(),
        "{unit:#?}"
    );
    let pod = only_pod(&status, Thaw::Done)?;
    let execs: Vec<_> = pod
        .execs
        .iter()
        .map(|exec| (exec.stage, exec.outcome, exec.exit_code))
        .collect();
    let succeeded = |stage| (stage, ExecOutcome::Succeeded, Some(0));
    ensure!(
        execs == [succeeded(When::Pre), succeeded(When::Post)],
        "{execs:?}"
    );
    ensure!(unit.cuts.len() == 2, "{unit:#?}");
    let mut records = Vec::new();
    for cut in &unit.cuts {
        ensure!(cut.outcome == CutOutcome::Taken, "{cut:#?}");
        ensure!(
            cut.consistency == Some(Consistency::ApplicationConsistent),
            "{cut:#?}"
        );
        let taken = stage
            .csi
            .taken(&cut.namespace, cut.snapshot.as_deref().unwrap_or_default())
            .await?;
        records.push(writer::last_record(&taken.data)?);
    }
    ensure!(records[0] == records[1], "the copies end at {records:?}");

    let frozen = app.last_pause()?;
    let reported = Duration::from_millis(pod.frozen_millis.unwrap_or_default());
    eprintln!("frozen for {frozen:?} by itself, {reported:?} by the report");
    ensure!(
        frozen <= reported && reported < Duration::from_secs(2),
        "frozen for {frozen:?}, reported {reported:?}"
    );
    let counts = agent.counts().await?;
    ensure!(
        counts.sum("clusterbackup_agent_cuts_total", &["outcome=\"taken\""]) == 2,
        "{counts:?}"
    );
    ensure!(
        counts.get("clusterbackup_agent_thaws_total{by=\"agent\"}") == 1,
        "{counts:?}"
    );
    ensure!(
        std::fs::read_dir(stage.node.journal())?.next().is_none(),
        "the journal is not empty"
    );
    Ok(())
}
