//! `cargo xtask bench`: how fast it is. Rules and reviews by criterion; the built webhook under load over HTTPS; and
//! what its being installed costs the creates of others. `docs/benchmarks.md` says what the figures mean.

mod creates;
mod installed;
mod load;
mod review;

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use clusterbackup_tests::workspace;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this part; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// For how long each load is put on.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rules on objects, and whole reviews, without the network.
    Criterion,
    /// Reviews by the built webhook over HTTPS.
    Load,
    /// Creates of objects that did not opt in, with and without the webhook.
    Creates,
}

impl Arguments {
    fn includes(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    // The harness builds the webhook in the profile of the program that asks.
    if cfg!(debug_assertions) {
        return optimised();
    }
    if arguments.includes(Part::Criterion) {
        criterion("clusterbackup-core", "modifier")?;
        criterion("clusterbackup-webhook", "review")?;
    }
    if arguments.includes(Part::Load) || arguments.includes(Part::Creates) {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(on_a_cluster(arguments))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn on_a_cluster(arguments: &Arguments) -> Result<()> {
    clusterbackup_kit::crypto::install();
    let installed = installed::Installed::start().await?;
    if arguments.includes(Part::Load) {
        review::run(&installed, Duration::from_secs(arguments.seconds)).await?;
    }
    if arguments.includes(Part::Creates) {
        creates::run(&installed).await?;
    }
    Ok(())
}

/// This very command line, by an optimised build of this program.
fn optimised() -> Result<ExitCode> {
    let status = workspace::cargo()
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("failed to run cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn criterion(package: &str, bench: &str) -> Result<()> {
    let status = workspace::cargo()
        .args(["bench", "--quiet", "--package", package, "--bench", bench])
        .stdin(Stdio::null())
        .status()
        .context("failed to run cargo")?;
    ensure!(status.success(), "the benchmark {bench} of {package} failed");
    Ok(())
}
