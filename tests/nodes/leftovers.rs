//! What did not come to its end leaves nothing on real nodes: no snapshot of a cut that failed, no process of a hook
//! whose agent died.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::csi::{Call, Operation, Volume};
use clusterbackup_tests::eventually;
use clusterbackup_tests::nodes::Application;
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::stage::shell;
use serde_json::{Value, json};

use crate::held::{SOON, thaws};
use crate::shop::{LIMIT, Pod, Shop};

scenarios! {
    Nodes: [cuts_that_fail_leave_nothing],
    NodesAlone: [a_pre_hook_whose_agent_dies_is_ended_before_the_undo],
}

/// More often than it is tried.
const ALWAYS: u32 = 1000;

/// What the driver refuses, and what it has only when nobody waits for it any longer; each of one volume and of a group.
async fn cuts_that_fail_leave_nothing(context: &NodesContext) -> Result<()> {
    let shop = Shop::of(context);
    let knobs = |volume: &Volume| shop.csi.driver().knobs_of(&volume.handle);
    let operations = [Operation::CreateSnapshot, Operation::CreateVolumeGroupSnapshot];
    let after_its_limit = Duration::from_secs(8);
    let refused = [
        shop.app_on("node-1", "refused", 1).await?.app,
        shop.app_on("node-1", "refused-group", 2).await?.app,
    ];
    let late = [
        shop.app_on("node-2", "late", 1).await?.app,
        shop.app_on("node-2", "late-group", 2).await?.app,
    ];
    for operation in operations {
        for volume in refused.iter().flat_map(|app| &app.volumes) {
            knobs(volume).fails(operation, ALWAYS)?;
        }
        for volume in late.iter().flat_map(|app| &app.volumes) {
            knobs(volume).takes(operation, after_its_limit)?;
        }
    }
    let apps = ["refused", "refused-group", "late", "late-group"];
    let freeze = json!({ "maxFreeze": "30s", "cutLimit": "5s" });
    shop.instance("failing", &apps, freeze).await?;
    let status = shop.backup("failing", "failing", BackupPhase::Failed).await?;
    ensure!(
        status.counts.failed == 6 && status.counts.thawed == 4,
        "{status:#?}"
    );

    for app in refused.iter().chain(&late) {
        app.goes_on().await?;
        let pause = app.last_pause()?;
        ensure!(pause < after_its_limit, "frozen for {pause:?}: {:?}", app.target);
    }
    for app in &late {
        let is_of = |call: &Call| call.volumes.contains(&app.volumes[0].handle);
        eventually("the driver has it", LIMIT, || async {
            let mut calls = shop.csi.driver().calls()?.into_iter().filter(is_of);
            let taken = calls.any(|call| call.ended.is_some_and(|end| end.code == "OK"));
            ensure!(taken, "not yet");
            Ok(())
        })
        .await?;
    }
    let volumes = refused.into_iter().chain(late).flat_map(|app| app.volumes);
    shop.no_cut_is_left(&volumes.collect::<Vec<_>>()).await
}

/// One process in the command's session, one in a session of its own; the runtime ends neither of them.
const HANGS: &str = "sleep 1000 & setsid sleep 1000 & sleep 1000; true";

/// The undo itself sees what runs in the container when it begins.
async fn a_pre_hook_whose_agent_dies_is_ended_before_the_undo(context: &NodesContext) -> Result<()> {
    let shop = Shop::of(context);
    shop.with_a_fresh_agent("node-1").await?;
    let volume = shop.csi.claim(shop.namespace, "data").await?;
    let application = Application {
        node: Some("node-1"),
        ..Application::new("db")
    };
    let Pod { running, app } = shop.app(&application, &[volume]).await?;
    let folder = "/data/data/control";
    let pre = format!(": > {folder}/freeze; until [ -e {folder}/frozen ]; do sleep 0.01; done; {HANGS}");
    let post = format!("ps -o args > {folder}/processes; rm {folder}/freeze");
    shop.hook_within(("hanging", "db"), "60s", (&shell(&pre), &shell(&post)))
        .await?;
    let freeze = json!({ "maxFreeze": "120s", "cutLimit": "10s" });
    shop.instance("held", &["hanging"], freeze).await?;
    shop.ask("held", "held").await?;
    app.freezes().await?;
    eventually("the hook hangs", LIMIT, || async {
        let processes = running.exec(&["ps", "-o", "args"]).await?;
        ensure!(of_the_hook(&processes) >= 3, "{processes}");
        Ok(())
    })
    .await?;

    let agent = shop.agent("node-1").await?;
    let (killed, thawed) = tokio::join!(
        context.nodes.kill(&agent, "agent"),
        thaws(("agent killed in the pre hook", SOON), &app)
    );
    killed?;
    thawed?;
    let before_the_undo = fs::read_to_string(app.control.join("processes"))?;
    ensure!(of_the_hook(&before_the_undo) == 0, "{before_the_undo}");
    let status = shop.ended("held").await?;
    ensure!(
        status.phase == Some(BackupPhase::Failed) && status.counts.thawed == 1,
        "{status:#?}"
    );
    shop.started_again("node-1", &["agent"]).await
}

fn of_the_hook(processes: &str) -> usize {
    let lines = processes.lines();
    lines.filter(|line| line.contains("sleep 1000")).count()
}

impl Shop<'_> {
    /// Waits until nothing is left of cuts of these volumes, in the namespace, of the cluster, and with the driver.
    pub(crate) async fn no_cut_is_left(&self, volumes: &[Volume]) -> Result<()> {
        eventually("no cut is left", LIMIT, || async {
            let snapshots = self.get("volumesnapshots,volumegroupsnapshots").await?;
            let mut contents = self
                .get("volumesnapshotcontents,volumegroupsnapshotcontents")
                .await?;
            contents.retain(|content| {
                let namespace = |reference: &str| content["spec"][reference]["namespace"].as_str();
                ["volumeSnapshotRef", "volumeGroupSnapshotRef"]
                    .into_iter()
                    .any(|reference| namespace(reference) == Some(self.namespace.name()))
            });
            let cuts_of = |volume: &Volume| self.csi.driver().cuts_of(&volume.handle);
            let cuts: Vec<_> = volumes.iter().map(cuts_of).collect::<Result<_>>()?;
            ensure!(
                snapshots.is_empty() && contents.is_empty() && cuts.concat().is_empty(),
                "{snapshots:#?} {contents:#?} with the driver: {cuts:?}"
            );
            Ok(())
        })
        .await
    }

    /// The objects of these kinds, of the namespace where they have one.
    async fn get(&self, kinds: &str) -> Result<Vec<Value>> {
        let get = [
            "get",
            kinds,
            "--namespace",
            self.namespace.name(),
            "--output=json",
        ];
        let found = self.nodes.cluster().kubectl(&get).await?.success()?;
        let mut found: Value = serde_json::from_str(&found)?;
        Ok(serde_json::from_value(found["items"].take())?)
    }
}
