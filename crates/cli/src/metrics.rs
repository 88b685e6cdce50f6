//! The webhook's counts, from what it exports in Prometheus' text format.

use std::collections::BTreeMap;

/// Counts by outcome.
pub type Outcomes = BTreeMap<String, u64>;

/// What the replicas counted since they started.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many replicas.
    pub replicas: usize,
    /// Reviews.
    pub reviews: Outcomes,
    /// What rules did, of all interceptions.
    pub rules: Outcomes,
    /// The same for each interception.
    pub by_interception: BTreeMap<String, Outcomes>,
}

const REVIEWS: &str = "clusterbackup_reviews_total";
const RULES: &str = "clusterbackup_rule_results_total";

impl Counts {
    /// Adds what one replica exports. What isn't ours or can't be read is passed over.
    pub fn add(&mut self, exported: &str) {
        self.replicas += 1;
        for sample in exported.lines().filter_map(Sample::read) {
            let Some(outcome) = sample.label("outcome") else {
                continue;
            };
            match sample.name {
                REVIEWS => *self.reviews.entry(outcome.to_owned()).or_default() += sample.count,
                RULES => {
                    *self.rules.entry(outcome.to_owned()).or_default() += sample.count;
                    if let Some(interception) = sample.label("interception") {
                        let counts = self.by_interception.entry(interception.to_owned()).or_default();
                        *counts.entry(outcome.to_owned()).or_default() += sample.count;
                    }
                }
                _ => {}
            }
        }
    }
}

/// A line of the export that is a count.
struct Sample<'t> {
    name: &'t str,
    labels: Vec<(&'t str, String)>,
    count: u64,
}

impl<'t> Sample<'t> {
    fn read(line: &'t str) -> Option<Self> {
        let (name, rest) = line.split_once('{')?;
        let (labels, rest) = labels(rest)?;
        Some(Self {
            name,
            labels,
            count: rest.split_whitespace().next()?.parse().ok()?,
        })
    }

    fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.labels.iter();
        labels
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// `a="b",c="d"} rest`
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (key, quoted) = rest.split_once("=\"")?;
        let (value, behind) = value(quoted)?;
        labels.push((key, value));
        rest = behind;
    }
}

/// The value of a label, up to its closing quotation mark.
fn value(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            character => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes<const N: usize>(counts: [(&str, u64); N]) -> Outcomes {
        counts.map(|(outcome, count)| (outcome.to_owned(), count)).into()
    }

    const EXPORTED: &str = r#"# HELP clusterbackup_reviews_total Admission reviews answered.
# TYPE clusterbackup_reviews_total counter
clusterbackup_reviews_total{door="intercept",outcome="changed"} 7
clusterbackup_reviews_total{door="velero",outcome="changed"} 2
clusterbackup_reviews_total{door="intercept",outcome="denied"} 1
clusterbackup_review_duration_seconds_bucket{door="intercept",le="0.0001"} 9
clusterbackup_rule_results_total{interception="shop",rule="0",patch="json",outcome="applied"} 5
clusterbackup_rule_results_total{interception="shop",rule="1",patch="merge",outcome="applied"} 3
clusterbackup_rule_results_total{interception="till",rule="0",patch="json",outcome="failed"} 1
process_resident_memory_bytes 1.5e+07
"#;

    #[test]
    fn replicas_add_up_by_outcome() {
        let mut counts = Counts::default();
        counts.add(EXPORTED);
        counts.add("clusterbackup_reviews_total{door=\"intercept\",outcome=\"changed\"} 1\n");
        assert_eq!(counts.replicas, 2);
        assert_eq!(counts.reviews, outcomes([("changed", 10), ("denied", 1)]));
        assert_eq!(counts.rules, outcomes([("applied", 8), ("failed", 1)]));
        assert_eq!(counts.by_interception["shop"], outcomes([("applied", 8)]));
        assert_eq!(counts.by_interception["till"], outcomes([("failed", 1)]));
    }

    #[test]
    fn labels_are_read_as_they_are_escaped() {
        let line = r#"m{ a="x,}\"\\\n", outcome="é" , } 3 1700000000"#;
        let sample = Sample::read(line).unwrap();
        assert_eq!((sample.name, sample.count), ("m", 3));
        assert_eq!(sample.label("a"), Some("x,}\"\\\n"));
        assert_eq!(sample.label("outcome"), Some("é"));
    }

    #[test]
    fn what_is_no_count_is_passed_over() {
        let mut counts = Counts::default();
        counts.add("<html>\nclusterbackup_reviews_total{outcome=\"changed\nclusterbackup_reviews_total{outcome=\"x\"} NaN\n");
        assert_eq!(
            counts,
            Counts {
                replicas: 1,
                ..Counts::default()
            }
        );
    }
}
