//! What a scrape says, as numbers that can be added up and compared.

use std::collections::BTreeMap;
use std::ops::Add;

use anyhow::{Context as _, Result};

/// The series of a scrape whose values are counts, by name and labels as they are written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Reads Prometheus' text format; values with a fraction (sums of seconds) are no counts and left out.
    pub fn parse(scrape: &str) -> Result<Self> {
        let mut counts = BTreeMap::new();
        for line in scrape
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (series, value) = line
                .rsplit_once(' ')
                .with_context(|| format!("not a sample: {line}"))?;
            if let Ok(count) = value.parse() {
                counts.insert(series.to_owned(), count);
            }
        }
        Ok(Self(counts))
    }

    /// One series; none yet is zero.
    pub fn get(&self, series: &str) -> u64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    /// All series of a metric together.
    pub fn total(&self, metric: &str) -> u64 {
        self.0
            .iter()
            .filter(|(series, _)| series.split('{').next() == Some(metric))
            .map(|(_, count)| count)
            .sum()
    }

    /// What was added since an earlier scrape.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let added = self
            .0
            .iter()
            .map(|(series, count)| (series.clone(), count.saturating_sub(earlier.get(series))));
        Self(added.collect())
    }
}

/// The counts of two replicas together.
impl Add for Counts {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        for (series, count) in other.0 {
            *self.0.entry(series).or_default() += count;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "\
# HELP reviews_total Reviews.
# TYPE reviews_total counter
reviews_total{outcome=\"changed\"} 3
reviews_total{outcome=\"denied\"} 1
reviews_total_other 9
seconds_sum 0.25
";

    #[test]
    fn replicas_add_up_and_scrapes_are_told_apart() {
        let earlier = Counts::parse(EARLIER).unwrap();
        assert_eq!(earlier.total("reviews_total"), 4);
        assert_eq!(earlier.get("seconds_sum"), 0, "not a count");
        let later = earlier.clone() + Counts::parse("reviews_total{outcome=\"changed\"} 2").unwrap();
        let added = later.since(&earlier);
        assert_eq!(added.get("reviews_total{outcome=\"changed\"}"), 2);
        assert_eq!(added.total("reviews_total"), 2);
    }

    #[test]
    fn a_line_without_a_value_is_named() {
        let error = Counts::parse("broken").unwrap_err();
        assert_eq!(error.to_string(), "not a sample: broken");
    }
}
