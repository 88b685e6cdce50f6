//! `cargo xtask test`: every tier in turn, whatever fails, then a summary.

mod summary;
mod tier;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use owo_colors::{OwoColorize as _, Stream};

use self::summary::{Report, Summary};
use self::tier::{Outcome, Tier};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this tier; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Tier>,
    /// Only the scenarios whose name contains this.
    #[arg(value_name = "SCENARIO")]
    filter: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut summary = Summary::new(required);
    for tier in Tier::ALL {
        if arguments.only.is_empty() || arguments.only.contains(&tier) {
            let title = format!("── {tier}: {}", tier.promise());
            println!(
                "{}",
                title.if_supports_color(Stream::Stdout, |title| title.bold())
            );
            let start = Instant::now();
            let outcome = match tier.obstacle() {
                Some(remedy) => Outcome::NotRun { remedy },
                None => tier.run(arguments.filter.as_deref())?,
            };
            summary.add(Report {
                tier,
                outcome,
                time: start.elapsed(),
            });
        }
    }
    print!("{summary}");
    Ok(if summary.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
