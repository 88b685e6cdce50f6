//! Hooks through the API server, for nodes whose runtime socket no pod may have: they freeze and thaw all the same, and
//! less is promised of them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::node_task::{Consistency, ExecOutcome, Killed, Stage, Thaw};
use clusterbackup_tests::csi::{Csi, Operation};
use clusterbackup_tests::runner::scenarios;
use clusterbackup_tests::{Nodes, TestNamespace, eventually};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::held::thaws;
use crate::shop::{LIMIT, Pod, Shop};

scenarios! {
    OwnNodes: [hooks_through_the_api_server_freeze_and_thaw_and_hold_to_the_weaker_promise],
}

/// How long an application may be frozen; of that, how long a cut may take.
const MAX_FREEZE: Duration = Duration::from_secs(12);
const CUT_LIMIT: &str = "6s";
/// How long a thaw may take once there is a way: a try that found none is repeated after up to 30 s.
const LATEST: Duration = Duration::from_secs(45);
/// After how many seconds a hook freezes that may take 5.
const TOO_LATE: u32 = 8;

async fn hooks_through_the_api_server_freeze_and_thaw_and_hold_to_the_weaker_promise(
    mut nodes: Nodes,
) -> Result<()> {
    nodes.install("system", &["hook-kinds", "pods-exec"]).await?;
    let csi = Csi::start_on(&nodes).await?;
    let namespace = nodes.cluster().namespace("frozen").await?;
    freezes_and_thaws(&shop(&nodes, &csi, &namespace)).await?;
    let namespace = nodes.cluster().namespace("late").await?;
    undoes_again_what_a_hook_does_too_late(&shop(&nodes, &csi, &namespace)).await?;
    let namespace = nodes.cluster().namespace("watched").await?;
    Box::pin(the_watchdog_thaws(&shop(&nodes, &csi, &namespace))).await?;
    let namespace = nodes.cluster().namespace("alone").await?;
    thaws_once_the_api_server_is_back(&mut nodes, &csi, &namespace).await
}

fn shop<'a>(nodes: &'a Nodes, csi: &'a Csi, namespace: &'a TestNamespace) -> Shop<'a> {
    Shop {
        nodes,
        csi,
        namespace,
    }
}

async fn freezes_and_thaws(shop: &Shop<'_>) -> Result<()> {
    let Pod { app, .. } = shop.app_on("node-1", "db", 2).await?;
    instance(shop).await?;
    let status = shop.backup("db", "db", BackupPhase::Completed).await?;
    let records = shop.records(&status)?;
    ensure!(records[0] == records[1], "cut apart: {records:?}");
    let consistent =
        |consistency: Option<Consistency>| consistency == Some(Consistency::ApplicationConsistent);
    ensure!(
        status.volumes.iter().all(|volume| consistent(volume.consistency)),
        "{status:#?}"
    );
    app.goes_on().await
}

/// Nobody can end it, so it freezes after the undo; which is tried again until that can't be any more.
async fn undoes_again_what_a_hook_does_too_late(shop: &Shop<'_>) -> Result<()> {
    let Pod { app, .. } = shop.app_on("node-1", "db", 1).await?;
    let script = format!("sleep {TOO_LATE}; : > /data/db-0/control/freeze");
    let patch = json!([{
        "op": "replace",
        "path": "/spec/backupHook/0/preHooks/0/exec/command",
        "value": ["sh", "-c", script],
    }]);
    let (namespace, patch) = (shop.namespace.name(), patch.to_string());
    let patch = ["patch", "backuphook", "db", "--type=json", "--patch", &patch];
    let kubectl = [&patch[..], &["--namespace", namespace]].concat();
    shop.kubectl(&kubectl).await?;
    instance(shop).await?;
    shop.ask("db", "db").await?;

    let pause = eventually("it was frozen after all, and thawed again", LIMIT, || async {
        match app.pauses()?[..] {
            [(frozen, Some(thawed))] => Ok(thawed - frozen),
            ref others => anyhow::bail!("{others:?}"),
        }
    })
    .await?;
    println!("frozen too late: thawed after {:.0} ms", pause * 1000.0);
    let status = shop.ended("db").await?;
    ensure!(
        status.phase == Some(BackupPhase::Failed) && status.counts.thawed == 1,
        "{status:#?}"
    );
    let warned = |text: &String| text.contains("HookMayStillRun") && text.contains("pre hook");
    ensure!(status.warnings.iter().any(warned), "{status:#?}");

    let unit = shop.unit("db").await?;
    let pod = unit.pods.first().context("no pod")?;
    let of = |stage| pod.execs.iter().find(move |exec| exec.stage == stage);
    let (pre, post) = (
        of(Stage::Pre).context("no pre")?,
        of(Stage::Post).context("no post")?,
    );
    ensure!(
        pre.outcome == ExecOutcome::TimedOut && pre.killed == Some(Killed::NotKillable),
        "{pre:#?}"
    );
    ensure!(
        post.outcome == ExecOutcome::Succeeded && post.attempts > 2,
        "{post:#?}"
    );
    let repeated = pod.frozen_millis.map(Duration::from_millis);
    ensure!(repeated > Some(MAX_FREEZE), "given up too soon: {pod:#?}");
    app.goes_on().await
}

async fn the_watchdog_thaws(shop: &Shop<'_>) -> Result<()> {
    let Pod { app, .. } = held(shop).await?;
    shop.nodes.kill(&shop.agent("node-1").await?, "agent").await?;
    thaws(("agent killed, through the API server", LATEST), &app).await?;
    goes_on(shop).await?;
    let unit = shop.unit("db").await?;
    let pod = unit.pods.first().context("no pod")?;
    ensure!(matches!(pod.thaw, Thaw::ByWatchdog | Thaw::ByReplay), "{unit:#?}");
    shop.nodes.until_rolled_out().await
}

/// What the weaker promise leaves out: without API server there is no way into the container.
async fn thaws_once_the_api_server_is_back(
    nodes: &mut Nodes,
    csi: &Csi,
    namespace: &TestNamespace,
) -> Result<()> {
    let Pod { app, .. } = held(&shop(nodes, csi, namespace)).await?;
    let too_long = eventually("it has been frozen for too long", LIMIT, || async {
        let (frozen, thawed) = *app.pauses()?.last().context("never frozen")?;
        ensure!(thawed.is_none(), "thawed without the API server");
        let since = seconds_since_boot() - frozen;
        ensure!(since > MAX_FREEZE.as_secs_f64() + 1.0, "frozen for {since} s");
        Ok(())
    });
    nodes.cluster_mut().without_api_server(too_long).await?;
    thaws(("the API server is back", LATEST), &app).await?;
    goes_on(&shop(nodes, csi, namespace)).await
}

/// An instance of the namespace, with the application's hook.
async fn instance(shop: &Shop<'_>) -> Result<()> {
    let freeze = json!({ "maxFreeze": format!("{}s", MAX_FREEZE.as_secs()), "cutLimit": CUT_LIMIT });
    shop.instance("db", &["db"], freeze).await
}

/// An application that stays frozen, because its cut hangs.
async fn held<'a>(shop: &Shop<'a>) -> Result<Pod<'a>> {
    let pod = shop.app_on("node-1", "db", 1).await?;
    let knobs = shop.csi.driver().knobs_of(&pod.app.volumes[0].handle);
    knobs.hangs(Operation::CreateSnapshot)?;
    instance(shop).await?;
    shop.ask("db", "db").await?;
    pod.app.freezes().await?;
    Ok(pod)
}

/// Lets the cut go on, and waits for the end of the backup.
async fn goes_on(shop: &Shop<'_>) -> Result<()> {
    let volume = shop.csi.volume_of(shop.namespace.name(), "db-0").await?;
    shop.csi
        .driver()
        .knobs_of(&volume.handle)
        .goes_on(Operation::CreateSnapshot)?;
    let status = shop.ended("db").await?;
    ensure!(status.counts.thawed == 1, "{status:#?}");
    Ok(())
}

fn seconds_since_boot() -> f64 {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
    .as_secs_f64()
}
