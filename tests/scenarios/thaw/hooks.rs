//! Whatever a pre hook does, its pod is thawed, and what it did is told.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::node_task::{
    Consistency, CutOutcome, ExecOutcome, ExecReport, Killed, Stage as When, Thaw,
};
use clusterbackup_tests::stage::{Stage, exec, only_pod, only_unit, post, shell};
use clusterbackup_tests::{Cluster, writer};
use futures::future::try_join_all;

use crate::runner::scenarios;

scenarios! {
    Own: [whatever_a_pre_hook_does_its_pod_is_thawed],
}

/// What a pre hook does after it has frozen the application, and what is told of it.
struct Drill {
    name: &'static str,
    after: &'static str,
    on_error: &'static str,
    outcome: ExecOutcome,
    exit_code: Option<i32>,
    killed: Option<Killed>,
    cut: CutOutcome,
}

const FAILS: Drill = Drill {
    name: "fails",
    after: "exit 3",
    on_error: "Fail",
    outcome: ExecOutcome::Failed,
    exit_code: Some(3),
    killed: None,
    cut: CutOutcome::NotBegun,
};

const DRILLS: [Drill; 8] = [
    FAILS,
    Drill {
        name: "may-fail",
        on_error: "Continue",
        cut: CutOutcome::Taken,
        ..FAILS
    },
    Drill {
        name: "dies-by-a-signal",
        after: "kill -s KILL $$",
        exit_code: Some(137),
        ..FAILS
    },
    Drill {
        name: "hangs",
        after: "exec sleep 1000",
        outcome: ExecOutcome::TimedOut,
        exit_code: None,
        killed: Some(Killed::KilledAll),
        ..FAILS
    },
    Drill {
        name: "has-a-child-that-hangs",
        after: "sleep 1000; true",
        outcome: ExecOutcome::TimedOut,
        exit_code: None,
        killed: Some(Killed::KilledAll),
        ..FAILS
    },
    Drill {
        name: "leaves-a-child-that-holds-its-output",
        after: "sleep 1000 &",
        outcome: ExecOutcome::TimedOut,
        exit_code: None,
        killed: Some(Killed::KilledAll),
        ..FAILS
    },
    Drill {
        name: "writes-20-mib",
        after: "head -c 20971520 /dev/zero",
        outcome: ExecOutcome::OutputTooLarge,
        exit_code: None,
        ..FAILS
    },
    Drill {
        name: "succeeds",
        after: "true",
        outcome: ExecOutcome::Succeeded,
        exit_code: Some(0),
        cut: CutOutcome::Taken,
        ..FAILS
    },
];

async fn whatever_a_pre_hook_does_its_pod_is_thawed(cluster: Cluster) -> Result<()> {
    let stage = Stage::set_up(cluster).await?;
    let _agent = stage.node.agent().await?;
    ensure!(
        stage.cri.tells_containers_apart(),
        "control groups are needed here"
    );
    try_join_all(
        DRILLS
            .iter()
            .map(|drill| async { carry_out(&stage, drill).await.with_context(|| drill.name) }),
    )
    .await
    .map(drop)
}

async fn carry_out(stage: &Stage, drill: &Drill) -> Result<()> {
    let app = stage.app(drill.name, 1).await?;
    let control = app.control.display().to_string();
    let freeze = writer::freeze(&control);
    let script = format!("{}; {}", freeze[2], drill.after);
    let pre = exec(&shell(&script), drill.on_error, "2s");
    let unit = app.unit_with(&[pre], &[post(&writer::thaw(&control))])?;
    let status = stage.order(drill.name, &[unit]).await?.done().await?;

    app.goes_on().await?;
    let frozen = app.last_pause()?;
    eprintln!("{}: frozen for {frozen:?}", drill.name);
    ensure!(
        frozen <= Duration::from_millis(4500),
        "it was frozen for {frozen:?}"
    );
    // Beside them, the application's own naps.
    let left = stage.cri.commands(&app.target)?;
    ensure!(!left.iter().any(|command| command.contains("1000")), "{left:?}");
    let unit = only_unit(&status)?;
    let [pre, post] = only_pod(&status, Thaw::Done)?.execs.as_slice() else {
        anyhow::bail!("{unit:#?}");
    };
    told(pre, When::Pre, (drill.outcome, drill.exit_code, drill.killed))?;
    told(post, When::Post, (ExecOutcome::Succeeded, Some(0), None))?;
    let cut = &unit.cuts[0];
    ensure!(cut.outcome == drill.cut, "{unit:#?}");
    let consistency = (drill.cut == CutOutcome::Taken).then_some(match drill.outcome {
        ExecOutcome::Succeeded => Consistency::ApplicationConsistent,
        _ => Consistency::CrashConsistent,
    });
    ensure!(cut.consistency == consistency, "{cut:#?}");
    Ok(())
}

type Told = (ExecOutcome, Option<i32>, Option<Killed>);

fn told(exec: &ExecReport, stage: When, expected: Told) -> Result<()> {
    let told = (exec.outcome, exec.exit_code, exec.killed);
    ensure!(exec.stage == stage && told == expected, "{exec:#?}");
    Ok(())
}
