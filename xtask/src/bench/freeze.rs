//! How long an application is frozen for its snapshots, with a driver whose cut takes its time; and what of that the
//! snapshots alone take somebody who just asks for them.

mod bare;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::node_task::{CutOutcome, NodeTaskStatus, Stage as When, Thaw};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::csi::{self, Operation};
use clusterbackup_tests::stage::{App, Stage, only_pod, only_unit};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::figures::{Figures, load};
use super::review::milliseconds;

const CUT: Duration = Duration::from_millis(300);
const ROUNDS: usize = 10;

/// One unit's way, in milliseconds.
struct Measured {
    /// By the application's own notes.
    noted: f64,
    /// By the report: from the first pre hook to the end of the undo.
    reported: f64,
    pre: f64,
    /// From the request to the last one that is seen taken.
    cuts: f64,
    post: f64,
}

pub(super) async fn run() -> Result<()> {
    let stage = Stage::set_up(Cluster::start().await?).await?;
    let _agent = stage.node.agent().await?;
    let knobs = stage.csi.driver().knobs();
    for operation in [Operation::CreateSnapshot, Operation::CreateVolumeGroupSnapshot] {
        knobs.takes(operation, CUT)?;
    }
    println!(
        "\nfreezes for cuts that take the driver {} ms, {ROUNDS} each: median (least-most) in milliseconds",
        CUT.as_millis()
    );
    print!("{:<16}", "");
    for column in ["noted", "reported", "pre", "cuts", "post", "driver", "bare"] {
        print!("{column:>15}");
    }
    println!("{:>19}{:>19}{:>6}", "cuts by bare", "reported by bare", "load");
    for (title, name, volumes, group) in [
        ("one volume", "one", 1, false),
        ("two volumes", "two", 2, false),
        ("a group of two", "group", 2, true),
        ("eight volumes", "eight", 8, false),
    ] {
        let app = stage.app(name, volumes).await?;
        let unit = if group {
            grouped(&stage, &app).await?
        } else {
            app.unit()?
        };
        row(&stage, title, &app, &unit).await?;
        // Its writing would take from the next one's time.
        stage.cri.remove_pod(&app.target.uid).await?;
    }
    println!("goals: the driver's time and 100 ms; eight volumes at most 1.2 by bare");
    Ok(())
}

/// Freezes for the snapshots of an application, and the same snapshots by a client that just asks for them, in turn.
async fn row(stage: &Stage, title: &str, app: &App, unit: &Value) -> Result<()> {
    let before = stage.csi.driver().calls()?.len();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            bare.push(bare::cut(stage, unit).await?);
        }
        ours.push(measure(stage, app, unit, round).await?);
        if round % 2 == 1 {
            bare.push(bare::cut(stage, unit).await?);
        }
    }
    let calls = stage.csi.driver().calls()?;
    let driver = calls
        .iter()
        .skip(before)
        .filter(|call| call.operation.starts_with("Create"));
    let driver =
        driver.filter_map(|call| Some(call.ended.as_ref()?.at.duration_since(call.began).as_millis_f64()));
    let bare: Vec<f64> = bare.into_iter().map(milliseconds).collect();

    print!("{title:<16}");
    let of = |what: fn(&Measured) -> f64| ours.iter().map(what).collect::<Figures>();
    for column in [
        of(|ours| ours.noted),
        of(|ours| ours.reported),
        of(|ours| ours.pre),
        of(|ours| ours.cuts),
        of(|ours| ours.post),
        driver.collect(),
        bare.iter().copied().collect(),
    ] {
        print!("{column:>15}");
    }
    let by_bare = |what: fn(&Measured) -> f64| {
        let pairs = ours.iter().zip(&bare);
        pairs.map(|(ours, bare)| what(ours) / bare).collect::<Figures>()
    };
    println!(
        "{:>19.2}{:>19.2}{:>6}",
        by_bare(|ours| ours.cuts),
        by_bare(|ours| ours.reported),
        load()?
    );
    Ok(())
}

/// The unit of an application whose volumes are cut as one group.
async fn grouped(stage: &Stage, app: &App) -> Result<Value> {
    let group = json!({ "bench": app.target.pod });
    let claims = stage.namespace.api::<PersistentVolumeClaim>();
    let label = Patch::Merge(json!({ "metadata": { "labels": group } }));
    let mut names = Vec::new();
    for volume in &app.volumes {
        claims
            .patch(&volume.claim, &PatchParams::default(), &label)
            .await?;
        names.push(&volume.claim);
    }
    let mut unit = app.unit()?;
    unit["cuts"] = json!([{
        "namespace": app.target.namespace,
        "snapshot": format!("cut-{}", app.target.pod),
        "class": csi::GROUP_CLASS,
        "claims": names,
        "groupLabels": group,
    }]);
    Ok(unit)
}

/// Freezes, cuts and thaws once, and removes what came of it.
async fn measure(stage: &Stage, app: &App, unit: &Value, round: usize) -> Result<Measured> {
    let mut unit = unit.clone();
    for cut in unit["cuts"].as_array_mut().context("a unit has cuts")? {
        let name = format!("{}-{round}", cut["snapshot"].as_str().unwrap_or_default());
        cut["snapshot"] = name.into();
    }
    let order = stage
        .order(&format!("{}-{round}", app.target.pod), &[unit])
        .await?;
    let status = order.done().await?;
    app.goes_on().await?;
    let measured = read(&status, app.last_pause()?)?;
    bare::clear(stage).await?;
    Ok(measured)
}

fn read(status: &NodeTaskStatus, noted: Duration) -> Result<Measured> {
    let (unit, pod) = (only_unit(status)?, only_pod(status, Thaw::Done)?);
    for cut in &unit.cuts {
        ensure!(cut.outcome == CutOutcome::Taken, "{cut:#?}");
    }
    let ran = |stage| pod.execs.iter().filter(move |exec| exec.stage == stage);
    let longest = |all: &mut dyn Iterator<Item = u64>| {
        let longest = Duration::from_millis(all.max().unwrap_or_default());
        milliseconds(longest)
    };
    Ok(Measured {
        noted: milliseconds(noted),
        reported: longest(&mut pod.frozen_millis.into_iter()),
        pre: longest(&mut ran(When::Pre).map(|exec| exec.millis)),
        cuts: longest(&mut unit.cuts.iter().filter_map(|cut| cut.millis)),
        post: longest(&mut ran(When::Post).map(|exec| exec.millis)),
    })
}
