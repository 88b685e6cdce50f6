//! csi-sanity, the CSI project's own suite, against our driver.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::csi::Driver;
use clusterbackup_tests::tools::CsiTools;

use crate::runner::scenarios;

scenarios! {
    Cluster: [the_driver_conforms_to_csi],
}

/// Of what the driver offers, it tests all but group snapshots, which the scenarios of cuts see to.
const TESTS_AT_LEAST: u32 = 50;

async fn the_driver_conforms_to_csi(cluster: &Cluster) -> Result<()> {
    let (tools, program) =
        tokio::task::spawn_blocking(|| anyhow::Ok((CsiTools::locate()?, CsiTools::sanity()?))).await??;
    let driver = Driver::start(&tools, cluster, "conforming").await?;
    let folder = cluster.folder().join("sanity");
    std::fs::create_dir(&folder)?;
    let mut sanity = Command::new(program);
    sanity
        .arg("-csi.endpoint")
        .arg(format!("unix://{}", driver.socket().display()))
        .arg("-csi.mountdir")
        .arg(folder.join("mount"))
        .arg("-csi.stagingdir")
        .arg(folder.join("staging"))
        .args(["-csi.testvolumesize", "1048576", "--ginkgo.no-color"])
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || sanity.output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "csi-sanity: {}\n{text}", output.status);
    let passed = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("SUCCESS! -- ")?
                .split_once(" Passed | 0 Failed ")
        })
        .and_then(|(passed, _)| passed.parse().ok())
        .with_context(|| format!("csi-sanity says no count:\n{text}"))?;
    ensure!(TESTS_AT_LEAST <= passed, "only {passed} tests:\n{text}");
    Ok(())
}
