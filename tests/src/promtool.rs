//! promtool, the judge of metrics, alerts and queries.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::tools;

/// The built program.
#[derive(Clone, Debug)]
pub struct Promtool(PathBuf);

impl Promtool {
    /// Finds it, and builds it if it is missing. Takes minutes when the cache is empty.
    pub async fn locate() -> Result<Self> {
        let program = tokio::task::spawn_blocking(tools::promtool).await??;
        Ok(Self(program))
    }

    /// Checks names, types and help of what a scrape holds.
    pub async fn check_metrics(&self, scrape: &Path) -> Result<()> {
        let scrape = File::open(scrape).with_context(|| format!("failed to open {}", scrape.display()))?;
        self.run(&["check", "metrics"], &[], scrape.into()).await
    }

    /// Checks rule files, which hold what a `PrometheusRule` has under `spec`.
    pub async fn check_rules(&self, rules: &Path) -> Result<()> {
        let command = ["check", "rules", "--lint=all", "--lint-fatal"];
        self.run(&command, &[rules], Stdio::null()).await
    }

    /// Runs a file of tests, which names the rule files it is about.
    pub async fn test_rules(&self, tests: &Path) -> Result<()> {
        self.run(&["test", "rules"], &[tests], Stdio::null()).await
    }

    async fn run(&self, command: &[&str], files: &[&Path], input: Stdio) -> Result<()> {
        let mut promtool = Command::new(&self.0);
        promtool.args(command).args(files).stdin(input).kill_on_drop(true);
        let output = promtool.output().await.context("failed to run promtool")?;
        ensure!(
            output.status.success(),
            "promtool {} says ({}):\n{}{}",
            command.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
