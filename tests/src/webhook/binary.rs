//! The webhook's program, built in the profile of the running tests.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use tokio::sync::OnceCell;

use crate::progress::Progress;
use crate::workspace;

const NAME: &str = "clusterbackup-webhook";

/// The program, built by the first who asks; cargo's own lock keeps other test programs waiting.
pub(super) async fn built() -> Result<PathBuf> {
    static BUILT: OnceCell<Result<PathBuf, Arc<anyhow::Error>>> = OnceCell::const_new();
    let built = BUILT.get_or_init(async || {
        let done = tokio::task::spawn_blocking(build)
            .await
            .unwrap_or_else(|panic| Err(panic.into()));
        done.map_err(Arc::new)
    });
    built.await.clone().map_err(|error| anyhow!(error))
}

fn build() -> Result<PathBuf> {
    let _shown = Progress::start("building the webhook");
    let mut cargo = workspace::cargo();
    cargo
        // The whole workspace's features, so that dependencies are shared with the tests' own build.
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            NAME,
            "--profile",
            &workspace::profile()?,
        ])
        .arg("--target-dir")
        .arg(workspace::target()?)
        .stdin(Stdio::null());
    let output = cargo.output().context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "failed to build {NAME}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(workspace::binaries()?.join(NAME))
}
