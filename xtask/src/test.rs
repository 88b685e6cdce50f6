//! `cargo xtask test`: every tier in turn, whatever fails, then a summary.

mod summary;
mod tier;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum as _};
use owo_colors::{OwoColorize as _, Stream};

use self::summary::{Report, Summary};
use self::tier::{Outcome, Tier};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this tier; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Tier>,
    /// Only against Velero itself, which no other run does: built with Go, for minutes the first time.
    #[arg(long, conflicts_with = "only")]
    peers: bool,
    /// Only the drills of the scenarios, with hundreds of rounds: a leader is killed in each. Takes hours.
    #[arg(long, conflicts_with_all = ["only", "peers"])]
    long: bool,
    /// Without the tier on real nodes, which needs root.
    #[arg(long)]
    no_nodes: bool,
    /// Only the scenarios whose name contains this.
    #[arg(value_name = "SCENARIO")]
    filter: Option<String>,
}

impl Arguments {
    fn tiers(&self) -> Vec<Tier> {
        match (self.peers, self.long, self.only.is_empty()) {
            (true, ..) => vec![Tier::Peers],
            (_, true, _) => vec![Tier::Long],
            (_, _, true) => Tier::DEFAULT.to_vec(),
            (_, _, false) => Tier::value_variants()
                .iter()
                .copied()
                .filter(|tier| self.only.contains(tier))
                .collect(),
        }
    }

    fn outcome(&self, tier: Tier) -> Result<Outcome> {
        if self.no_nodes && tier == Tier::Nodes {
            return Ok(Outcome::LeftOut { by: "--no-nodes" });
        }
        match tier.obstacle() {
            Some(remedy) => Ok(Outcome::NotRun { remedy }),
            None => tier.run(self.filter.as_deref()),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut summary = Summary::new(required);
    for tier in arguments.tiers() {
        let title = format!("── {tier}: {}", tier.promise());
        println!(
            "{}",
            title.if_supports_color(Stream::Stdout, |title| title.bold())
        );
        let start = Instant::now();
        let outcome = arguments.outcome(tier)?;
        summary.add(Report {
            tier,
            outcome,
            time: start.elapsed(),
        });
    }
    print!("{summary}");
    Ok(if summary.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
