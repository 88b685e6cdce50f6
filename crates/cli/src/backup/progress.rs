//! How a backup goes on, shown while it does: bars on a terminal, else a line for each change. On standard error, since
//! standard output is for the result.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clusterbackup_api::backup::{BackupPhase, BackupStatus, Counts, ObjectCounts};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::words::stored;

/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// Where it is shown.
pub(super) enum Display {
    Bars(Bars),
    Lines {
        backup: String,
        /// What was shown last.
        last: RefCell<Option<Picture>>,
    },
}

impl Display {
    /// For the backup of this name.
    pub(super) fn new(backup: &str) -> Self {
        if io::stderr().is_terminal() {
            return Self::Bars(Bars::new(backup, ProgressDrawTarget::stderr()));
        }
        Self::Lines {
            backup: backup.to_owned(),
            last: RefCell::default(),
        }
    }

    /// Shows how far it is.
    pub(super) fn show(&self, status: Option<&BackupStatus>) {
        let picture = Picture::of(status);
        match self {
            Self::Bars(bars) => bars.show(&picture),
            Self::Lines { backup, last } => {
                if last.borrow().as_ref() != Some(&picture) {
                    complain(format_args!("{backup}: {picture}"));
                    last.replace(Some(picture));
                }
            }
        }
    }

    /// Says something beside it.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Bars(bars) => bars.all.suspend(|| complain(format_args!("note: {text}"))),
            Self::Lines { .. } => complain(format_args!("note: {text}")),
        }
    }

    /// Leaves the screen as it was.
    pub(super) fn close(&self) {
        if let Self::Bars(bars) = self {
            // Where the terminal is gone there is nothing to clear.
            _ = bars.all.clear();
        }
    }
}

/// There is nobody to tell where even this can't be written.
fn complain(text: fmt::Arguments<'_>) {
    _ = writeln!(io::stderr(), "{text}");
}

/// How far a backup is, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    phase: Option<BackupPhase>,
    counts: Counts,
    objects: ObjectCounts,
}

impl Picture {
    fn of(status: Option<&BackupStatus>) -> Self {
        Self {
            phase: status.and_then(|status| status.phase),
            counts: status.map(|status| status.counts.clone()).unwrap_or_default(),
            objects: status.and_then(|status| status.objects).unwrap_or_default(),
        }
    }

    const fn phase(&self) -> &'static str {
        match self.phase {
            None => "waiting for the leader",
            Some(BackupPhase::Planning) => "planning",
            Some(BackupPhase::Running) => "running",
            Some(BackupPhase::Completed) => "completed",
            Some(BackupPhase::CompletedWithWarnings) => "completed with warnings",
            Some(BackupPhase::Failed) => "failed",
            Some(BackupPhase::Cancelled) => "cancelled",
        }
    }

    /// What is counted: its name, how many are done, of how many, and what is to be said of them.
    fn rows(&self) -> [Row; 4] {
        let (counts, objects) = (&self.counts, &self.objects);
        [
            Row {
                name: "pods",
                done: counts.thawed,
                all: counts.pods,
                remarks: Vec::new(),
            },
            Row {
                name: "hooks",
                done: counts.hooks_succeeded + counts.hooks_failed,
                all: counts.hooks,
                remarks: counted(&[(counts.hooks_failed, "failed")]),
            },
            Row {
                name: "cuts",
                done: counts.taken + counts.failed + counts.skipped,
                all: counts.claims,
                remarks: counted(&[(counts.skipped, "skipped"), (counts.failed, "failed")]),
            },
            Row {
                name: "kinds",
                done: objects.kinds,
                all: objects.kinds_total,
                remarks: vec![stored(objects)],
            },
        ]
    }
}

/// `running: pods 3/5, hooks 7/12 (1 failed), cuts 4/9 (1 skipped)`.
impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phase())?;
        let mut sign = ": ";
        for row in self.rows().iter().filter(|row| row.all > 0) {
            write!(f, "{sign}{} {}/{}{}", row.name, row.done, row.all, row.remark())?;
            sign = ", ";
        }
        Ok(())
    }
}

struct Row {
    name: &'static str,
    done: u32,
    all: u32,
    remarks: Vec<String>,
}

/// How much there is of each, where there is some.
fn counted(counts: &[(u32, &str)]) -> Vec<String> {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect()
}

impl Row {
    /// ` (1 skipped, 2 failed)`, or nothing.
    fn remark(&self) -> String {
        if self.remarks.is_empty() {
            return String::new();
        }
        format!(" ({})", self.remarks.join(", "))
    }
}

/// A spinner with the phase, and a bar for each row.
pub(super) struct Bars {
    all: MultiProgress,
    phase: ProgressBar,
    rows: [ProgressBar; 4],
    backup: String,
}

impl Bars {
    fn new(backup: &str, target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let phase = all.add(ProgressBar::new_spinner());
        phase.set_style(style("{spinner} {msg} ({elapsed})"));
        phase.enable_steady_tick(TICK);
        let row = || {
            let bar = all.add(ProgressBar::new(0));
            bar.set_style(style("  {prefix:5} [{bar:30}] {pos}/{len}{msg}"));
            bar
        };
        Self {
            rows: [row(), row(), row(), row()],
            phase,
            backup: backup.to_owned(),
            all,
        }
    }

    fn show(&self, picture: &Picture) {
        self.phase
            .set_message(format!("{}: {}", self.backup, picture.phase()));
        for (bar, row) in self.rows.iter().zip(picture.rows()) {
            bar.set_prefix(row.name);
            bar.set_length(row.all.into());
            bar.set_position(row.done.into());
            bar.set_message(row.remark());
        }
    }
}

/// The texts above are valid ones.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn running() -> BackupStatus {
        BackupStatus {
            phase: Some(BackupPhase::Running),
            counts: Counts {
                pods: 5,
                thawed: 3,
                hooks: 12,
                hooks_succeeded: 6,
                hooks_failed: 1,
                claims: 9,
                taken: 3,
                skipped: 1,
                failed: 0,
            },
            objects: Some(ObjectCounts {
                stored: 3420,
                bytes: 13_000_000,
                kinds: 12,
                kinds_total: 40,
                kinds_unread: 0,
            }),
            ..BackupStatus::default()
        }
    }

    #[test]
    fn a_line_says_what_is_done_and_what_went_wrong() {
        for (status, line) in [
            (None, "waiting for the leader"),
            (Some(BackupStatus::default()), "waiting for the leader"),
            (
                Some(running()),
                "running: pods 3/5, hooks 7/12 (1 failed), cuts 4/9 (1 skipped), kinds 12/40 (3420 objects, 12.40 MiB)",
            ),
            (
                Some(BackupStatus {
                    phase: Some(BackupPhase::Completed),
                    ..BackupStatus::default()
                }),
                "completed",
            ),
        ] {
            assert_eq!(Picture::of(status.as_ref()).to_string(), line);
        }
    }

    #[test]
    fn a_terminal_shows_a_bar_for_each_row() {
        let term = InMemoryTerm::new(10, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
        let bars = Bars::new("shop/nightly", target);
        bars.show(&Picture::of(Some(&running())));
        bars.phase.tick();
        let shown = term.contents();
        for part in [
            "shop/nightly: running",
            "pods  [",
            "3/5",
            "7/12 (1 failed)",
            "4/9 (1 skipped)",
            "12/40 (3420 objects, 12.40 MiB)",
        ] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
    }
}
