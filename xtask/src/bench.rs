//! `cargo xtask bench`: how fast it is. Rules and reviews by criterion; the built webhook under load over HTTPS; what its
//! being installed costs the creates of others; how long the agent keeps applications frozen; what agents take, and what a
//! leader takes to store objects. `docs/benchmarks.md` says what the figures mean.

mod agents;
mod creates;
mod figures;
mod freeze;
mod installed;
mod load;
mod objects;
mod peers;
mod review;
mod soak;

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
    /// Only beside Velero, its rule engine and its server, which no other run does: built with Go, for minutes the first time.
    #[arg(long, conflicts_with = "only")]
    peers: bool,
    /// For how long each load is put on.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// For how long the soak lasts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..))]
    minutes: u32,
    /// How many objects are stored, from few to many.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [1_000, 10_000, 66_000])]
    objects: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rules on objects, and whole reviews, without the network.
    Criterion,
    /// Reviews by the built webhook over HTTPS.
    Load,
    /// Creates of objects that did not opt in, with and without the webhook.
    Creates,
    /// How long applications are frozen for their snapshots, with a driver that takes its time.
    Freeze,
    /// The memory of agents with many pods and large outputs, and what many agents ask of the API server.
    Agents,
    /// All objects of an instance into a vault: time beside a bare list of them, and memory, from few to many.
    Objects,
    /// Reviews at a steady pace for many minutes, and whether memory grows; only when asked for.
    Soak,
}

impl Arguments {
    fn includes(&self, part: Part) -> bool {
        self.only.contains(&part) || (self.only.is_empty() && part != Part::Soak)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    // The harness builds the programs in the profile of the program that asks.
    if cfg!(debug_assertions) {
        return optimised();
    }
    clusterbackup_kit::crypto::install();
    let runtime = tokio::runtime::Runtime::new()?;
    if arguments.peers {
        peers::run()?;
        runtime.block_on(Box::pin(objects::velero::run()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.includes(Part::Criterion) {
        criterion("clusterbackup-core", "modifier")?;
        criterion("clusterbackup-webhook", "review")?;
    }
    runtime.block_on(on_clusters(arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// What needs a cluster: the parts of the webhook share one, those of the agent have their own.
async fn on_clusters(arguments: &Arguments) -> Result<()> {
    if [Part::Load, Part::Creates, Part::Soak]
        .into_iter()
        .any(|part| arguments.includes(part))
    {
        of_the_webhook(arguments).await?;
    }
    if arguments.includes(Part::Freeze) {
        Box::pin(freeze::run()).await?;
    }
    if arguments.includes(Part::Agents) {
        Box::pin(agents::run()).await?;
    }
    if arguments.includes(Part::Objects) {
        Box::pin(objects::run(&arguments.objects)).await?;
    }
    Ok(())
}

async fn of_the_webhook(arguments: &Arguments) -> Result<()> {
    let installed = installed::Installed::start().await?;
    if arguments.includes(Part::Load) {
        review::run(&installed, Duration::from_secs(arguments.seconds)).await?;
    }
    if arguments.includes(Part::Creates) {
        creates::run(&installed).await?;
    }
    if arguments.includes(Part::Soak) {
        soak::run(&installed, arguments.minutes).await?;
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
