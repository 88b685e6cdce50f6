//! What a scrape says: its series one by one, and its counts as numbers that can be added up and compared.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Add;

use anyhow::{Context as _, Result, ensure};

/// The name and the labels of a series. Displays as in a scrape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The name of the metric; of a histogram, with the suffix.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Series {
    /// Reads `name{label="value"}`. Values with quotes or backslashes in them are refused: none of ours has any.
    pub fn parse(text: &str) -> Result<Self> {
        let not_a_series = || format!("not a series: {text}");
        let (name, labels) = text.split_once('{').unwrap_or((text, "}"));
        let mut rest = labels.strip_suffix('}').with_context(not_a_series)?;
        let mut labels = BTreeMap::new();
        while !rest.is_empty() {
            let (label, value) = rest.split_once("=\"").with_context(not_a_series)?;
            let (value, after) = value.split_once('"').with_context(not_a_series)?;
            ensure!(!value.contains('\\'), not_a_series());
            labels.insert(label.trim().to_owned(), value.to_owned());
            rest = after.trim_start_matches([',', ' ']);
        }
        Ok(Self {
            name: name.to_owned(),
            labels,
        })
    }

    /// The series of a scrape whose names begin like this, each with its value.
    pub fn of(scrape: &str, prefix: &str) -> Result<Vec<(Self, f64)>> {
        let lines = scrape.lines().filter(|line| line.starts_with(prefix));
        lines
            .map(|line| {
                let (series, value) = line
                    .rsplit_once(' ')
                    .with_context(|| format!("not a sample: {line}"))?;
                Ok((Self::parse(series)?, value.parse()?))
            })
            .collect()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        write!(f, "{}{{{}}}", self.name, labels.join(","))
    }
}

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
        self.sum(metric, &[])
    }

    /// The series of a metric that have all of these labels, together.
    pub fn sum(&self, metric: &str, labels: &[&str]) -> u64 {
        let wanted = |series: &str| {
            series.split('{').next() == Some(metric) && labels.iter().all(|label| series.contains(label))
        };
        let counts = self.0.iter().filter(|(series, _)| wanted(series));
        counts.map(|(_, count)| count).sum()
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
    fn series_are_read_as_they_are_shown() {
        for (text, labels) in [("up{}", 0), (r#"up{job="a, b",le="+Inf"}"#, 2)] {
            let series = Series::parse(text).unwrap();
            assert_eq!((series.to_string().as_str(), series.labels.len()), (text, labels));
        }
        let (_, seconds) = &Series::of(EARLIER, "seconds").unwrap()[0];
        assert_eq!(seconds.to_string(), "0.25");
        for broken in ["up{", "up{a=b}", r#"up{a="b}"#] {
            assert!(Series::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_line_without_a_value_is_named() {
        let error = Counts::parse("broken").unwrap_err();
        assert_eq!(error.to_string(), "not a sample: broken");
    }
}
