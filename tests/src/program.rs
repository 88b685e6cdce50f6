//! The programs under test, built in the profile of the running tests.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use tokio::sync::OnceCell;

use crate::progress::Progress;
use crate::workspace;

/// A program of the workspace.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    built: OnceCell<Result<PathBuf, Arc<anyhow::Error>>>,
}

/// The admission server.
pub static WEBHOOK: Program = Program::named("clusterbackup-webhook");

/// The agent, in all its roles.
pub static AGENT: Program = Program::named("clusterbackup-agent");

/// The kubectl plugin.
pub static PLUGIN: Program = Program::named("kubectl-clusterbackup");

impl Program {
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            built: OnceCell::const_new(),
        }
    }

    /// Where it is, built by the first who asks; cargo's own lock keeps other test programs waiting.
    pub async fn built(&'static self) -> Result<PathBuf> {
        let built = self.built.get_or_init(async || {
            let done = tokio::task::spawn_blocking(|| build(self.name))
                .await
                .unwrap_or_else(|panic| Err(panic.into()));
            done.map_err(Arc::new)
        });
        built.await.clone().map_err(|error| anyhow!(error))
    }
}

fn build(name: &str) -> Result<PathBuf> {
    let _shown = Progress::start(&format!("building {name}"));
    let mut cargo = workspace::cargo();
    cargo
        // The whole workspace's features, so that dependencies are shared with the tests' own build.
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            name,
            "--profile",
            &workspace::profile()?,
        ])
        .arg("--target-dir")
        .arg(workspace::target()?)
        .stdin(Stdio::null());
    let output = cargo.output().context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "failed to build {name}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(workspace::binaries()?.join(name))
}
