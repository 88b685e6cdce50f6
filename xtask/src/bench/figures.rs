//! What is told of many measurements of one thing, and of the machine that they were made on.

use std::fmt;

use anyhow::{Context as _, Result};

/// Measurements of one thing. Displays as `median (least-most)`, with the precision asked for.
pub(super) struct Figures(Vec<f64>);

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let at = |place: usize| self.0.get(place).copied().unwrap_or_default();
        let (median, least, most) = (at(self.0.len() / 2), at(0), at(self.0.len().saturating_sub(1)));
        let text = format!("{median:.digits$} ({least:.digits$}-{most:.digits$})");
        // Not by `pad`, which would cut the text to the precision.
        write!(f, "{text:>0$}", f.width().unwrap_or_default())
    }
}

/// How many programs have wanted a processor, over the last minute: what else the machine had to do.
pub(super) fn load() -> Result<String> {
    let all = std::fs::read_to_string("/proc/loadavg").context("failed to read /proc/loadavg")?;
    Ok(all.split(' ').next().unwrap_or_default().to_owned())
}
