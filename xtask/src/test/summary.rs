//! The closing table.

use std::fmt;
use std::time::Duration;

use owo_colors::{OwoColorize as _, Stream, Style};

use super::tier::{Counts, Outcome, Tier};

/// One tier and how it went.
pub(super) struct Report {
    pub(super) tier: Tier,
    pub(super) outcome: Outcome,
    pub(super) time: Duration,
}

/// All tiers that were asked for. Displays as a table whose last line is `N passed, N failed`.
pub(super) struct Summary {
    reports: Vec<Report>,
    /// Whether a tier that can't run here has failed.
    required: bool,
}

impl Summary {
    pub(super) fn new(required: bool) -> Self {
        Self {
            reports: Vec::new(),
            required,
        }
    }

    pub(super) fn add(&mut self, report: Report) {
        self.reports.push(report);
    }

    pub(super) fn failed(&self) -> usize {
        self.reports
            .iter()
            .map(|report| match &report.outcome {
                Outcome::Run(counts) => counts.failed,
                Outcome::NotRun { .. } => usize::from(self.requires(report.tier)),
                Outcome::LeftOut { .. } => 0,
            })
            .sum()
    }

    /// Whether this tier fails where it can't run. Nodes always do: to leave them out has to be said.
    fn requires(&self, tier: Tier) -> bool {
        self.required || tier == Tier::Nodes
    }

    fn passed(&self) -> usize {
        self.ran().map(|(_, counts)| counts.passed).sum()
    }

    fn ran(&self) -> impl Iterator<Item = (Tier, &Counts)> {
        self.reports.iter().filter_map(|report| match &report.outcome {
            Outcome::Run(counts) => Some((report.tier, counts)),
            Outcome::NotRun { .. } | Outcome::LeftOut { .. } => None,
        })
    }

    fn row(&self, report: &Report, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = format!("{:.1} s", report.time.as_secs_f64());
        let tier = report.tier;
        match &report.outcome {
            Outcome::Run(counts) => {
                let word = if counts.failed == 0 {
                    styled("ok", green())
                } else {
                    styled("FAILED", red())
                };
                let Counts {
                    passed,
                    failed,
                    ignored,
                    ..
                } = counts;
                write!(formatter, "{tier:<10} {word} {passed:>6} {failed:>6} {time:>10}")?;
                if *ignored > 0 {
                    write!(formatter, "  {ignored} ignored")?;
                }
                writeln!(formatter)
            }
            Outcome::NotRun { remedy } => {
                let style = if self.requires(tier) {
                    red()
                } else {
                    Style::new().yellow()
                };
                writeln!(formatter, "{tier:<10} {} {remedy}", styled("NOT RUN", style))
            }
            Outcome::LeftOut { by } => {
                writeln!(
                    formatter,
                    "{tier:<10} {} {by}",
                    styled("LEFT OUT", Style::new().yellow())
                )
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "\n{:<10} {:<8} {:>6} {:>6} {:>10}",
            "tier", "result", "passed", "failed", "time"
        )?;
        for report in &self.reports {
            self.row(report, formatter)?;
        }
        for (tier, counts) in self.ran() {
            for name in &counts.failures {
                writeln!(formatter, "{} {tier}: {name}", styled("failed", red()))?;
            }
        }
        writeln!(formatter, "{} passed, {} failed", self.passed(), self.failed())
    }
}

/// A word in the width of its column.
fn styled(word: &str, style: Style) -> String {
    format!("{word:<8}")
        .if_supports_color(Stream::Stdout, |text| text.style(style))
        .to_string()
}

fn green() -> Style {
    Style::new().green()
}

fn red() -> Style {
    Style::new().red().bold()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(required: bool) -> Summary {
        let mut summary = Summary::new(required);
        let counts = Counts {
            passed: 7,
            failed: 1,
            ignored: 0,
            failures: vec!["glob::dots".to_owned()],
        };
        summary.add(Report {
            tier: Tier::Unit,
            outcome: Outcome::Run(counts),
            time: Duration::from_secs(3),
        });
        let remedy = "Go is missing".to_owned();
        summary.add(Report {
            tier: Tier::Scenarios,
            outcome: Outcome::NotRun { remedy },
            time: Duration::ZERO,
        });
        summary
    }

    #[test]
    fn the_last_line_counts_and_what_failed_or_did_not_run_is_named() {
        let text = summary(false).to_string();
        assert_eq!(text.lines().last(), Some("7 passed, 1 failed"));
        assert!(
            text.contains("glob::dots") && text.contains("Go is missing"),
            "{text}"
        );
    }

    #[test]
    fn nodes_are_left_out_only_by_saying_so() {
        let with = |outcome| {
            let mut summary = summary(false);
            summary.add(Report {
                tier: Tier::Nodes,
                outcome,
                time: Duration::ZERO,
            });
            summary.to_string()
        };
        let text = with(Outcome::LeftOut { by: "--no-nodes" });
        assert!(text.contains("LEFT OUT") && text.contains("--no-nodes"), "{text}");
        assert_eq!(text.lines().last(), Some("7 passed, 1 failed"));
        let remedy = "run as root".to_owned();
        let text = with(Outcome::NotRun { remedy });
        assert!(text.contains("run as root"), "{text}");
        assert_eq!(text.lines().last(), Some("7 passed, 2 failed"));
    }

    #[test]
    fn where_everything_is_required_a_tier_that_can_not_run_has_failed() {
        assert_eq!(
            summary(true).to_string().lines().last(),
            Some("7 passed, 2 failed")
        );
    }
}
