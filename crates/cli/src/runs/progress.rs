//! How something goes on, shown while it does: bars on a terminal, else a line for each change. On standard error, since
//! standard output is for the result.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// How far something is, in numbers.
pub(crate) trait Picture: PartialEq {
    /// Where it stands.
    fn phase(&self) -> String;
    /// What is counted.
    fn rows(&self) -> Vec<Row>;
}

/// Something that is counted: its name, how many are done, of how many, and what is to be said of them.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) done: u64,
    pub(crate) all: u64,
    pub(crate) remarks: Vec<String>,
}

/// Where it is shown.
pub(crate) enum Display<P> {
    Bars(Bars),
    Lines {
        name: String,
        /// What was shown last.
        last: RefCell<Option<P>>,
    },
}

impl<P: Picture> Display<P> {
    /// For what has this name.
    pub(crate) fn new(name: &str) -> Self {
        if io::stderr().is_terminal() {
            return Self::Bars(Bars::new(name, ProgressDrawTarget::stderr()));
        }
        Self::Lines {
            name: name.to_owned(),
            last: RefCell::default(),
        }
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, picture: P) {
        match self {
            Self::Bars(bars) => bars.show(&picture),
            Self::Lines { name, last } => {
                if last.borrow().as_ref() != Some(&picture) {
                    complain(format_args!("{name}: {}", line(&picture)));
                    last.replace(Some(picture));
                }
            }
        }
    }

    /// Says something beside it.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Self::Bars(bars) => bars.all.suspend(|| complain(format_args!("note: {text}"))),
            Self::Lines { .. } => complain(format_args!("note: {text}")),
        }
    }

    /// Leaves the screen as it was.
    pub(crate) fn close(&self) {
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

/// `running: pods 3/5, hooks 7/12 (1 failed), cuts 4/9 (1 skipped)`.
pub(crate) fn line(picture: &impl Picture) -> String {
    let rows = picture.rows();
    let rows = rows.iter().filter(|row| row.all > 0);
    let rows = rows.map(|row| format!("{} {}/{}{}", row.name, row.done, row.all, row.remark()));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return picture.phase();
    }
    format!("{}: {}", picture.phase(), rows.join(", "))
}

/// How much there is of each, where there is some.
pub(crate) fn counted(counts: &[(u64, &str)]) -> Vec<String> {
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
pub(crate) struct Bars {
    all: MultiProgress,
    phase: ProgressBar,
    rows: RefCell<Vec<ProgressBar>>,
    name: String,
}

impl Bars {
    fn new(name: &str, target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let phase = all.add(ProgressBar::new_spinner());
        phase.set_style(style("{spinner} {msg} ({elapsed})"));
        phase.enable_steady_tick(TICK);
        Self {
            rows: RefCell::default(),
            phase,
            name: name.to_owned(),
            all,
        }
    }

    fn show(&self, picture: &impl Picture) {
        self.phase
            .set_message(format!("{}: {}", self.name, picture.phase()));
        let (shown, mut bars) = (picture.rows(), self.rows.borrow_mut());
        while bars.len() < shown.len() {
            let bar = self.all.add(ProgressBar::new(0));
            bar.set_style(style("  {prefix:7} [{bar:30}] {pos}/{len}{msg}"));
            bars.push(bar);
        }
        for (bar, row) in bars.iter().zip(shown) {
            bar.set_prefix(row.name);
            bar.set_length(row.all);
            bar.set_position(row.done);
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

    #[derive(PartialEq)]
    struct Running;

    impl Picture for Running {
        fn phase(&self) -> String {
            "running".to_owned()
        }

        fn rows(&self) -> Vec<Row> {
            let row = |name, done, all, remarks: &[(u64, &str)]| Row {
                name,
                done,
                all,
                remarks: counted(remarks),
            };
            vec![
                row("pods", 3, 5, &[]),
                row("hooks", 7, 12, &[(1, "failed"), (0, "skipped")]),
                row("cuts", 0, 0, &[]),
            ]
        }
    }

    #[test]
    fn a_line_has_what_is_counted_at_all() {
        assert_eq!(line(&Running), "running: pods 3/5, hooks 7/12 (1 failed)");
    }

    #[test]
    fn a_terminal_shows_a_bar_for_each_row() {
        let term = InMemoryTerm::new(10, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
        let bars = Bars::new("shop/nightly", target);
        bars.show(&Running);
        bars.phase.tick();
        let shown = term.contents();
        for part in ["shop/nightly: running", "pods    [", "3/5", "7/12 (1 failed)"] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
    }
}
