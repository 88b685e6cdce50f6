//! The chapters of `docs/operations.md` that speak of metrics and alerts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::metrics::Series;
use clusterbackup_tests::workspace;

/// Labels whose values are the users', or those of histograms.
const OPEN: [&str; 4] = ["interception", "hash", "version", "le"];

fn operations() -> Result<String> {
    let file = workspace::root().join("docs/operations.md");
    std::fs::read_to_string(&file).with_context(|| file.display().to_string())
}

/// The sections of the third order.
pub(super) fn headings() -> Result<BTreeSet<String>> {
    let text = operations()?;
    let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
    Ok(headings.map(str::to_owned).collect())
}

/// The table of metrics is what is exported, no more and no less; each value of a label is explained.
pub(super) fn agrees(scrape: &str) -> Result<()> {
    let text = operations()?;
    let documented = table(&text)?;
    let exported = metrics(scrape)?;
    let names = |metrics: &BTreeMap<String, Metric>| metrics.keys().cloned().collect::<BTreeSet<_>>();
    let (said, there) = (names(&documented), names(&exported));
    ensure!(
        said == there,
        "undocumented: {:?}; only documented: {:?}",
        there.difference(&said).collect::<Vec<_>>(),
        said.difference(&there).collect::<Vec<_>>()
    );
    for (name, metric) in &exported {
        ensure!(
            documented[name] == *metric,
            "{name} is {metric:?}, and documented as {:?}",
            documented[name]
        );
    }
    for (series, _) in Series::of(scrape, "clusterbackup_")? {
        for (label, value) in &series.labels {
            let explained = OPEN.contains(&label.as_str())
                || value.chars().all(|digit| digit.is_ascii_digit())
                || text.contains(&format!("`{value}`"));
            ensure!(explained, "{label} {value} of {} is not explained", series.name);
        }
    }
    Ok(())
}

/// The type and the labels of a metric.
#[derive(Debug, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
}

/// The rows of the table: name, type, labels, meaning.
fn table(text: &str) -> Result<BTreeMap<String, Metric>> {
    let rows = text.lines().filter(|line| line.starts_with("| `clusterbackup_"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, _] = cells[..] else {
            anyhow::bail!("not name, type, labels, meaning: {row}");
        };
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`'));
        let metric = Metric {
            kind: kind.to_owned(),
            labels: labels
                .filter(|label| !label.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        Ok((name.trim_matches('`').to_owned(), metric))
    })
    .collect()
}

/// The metrics of a scrape, each with the labels of all its series.
fn metrics(scrape: &str) -> Result<BTreeMap<String, Metric>> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let types = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in types {
        let (name, kind) = line.split_once(' ').with_context(|| line.to_owned())?;
        let labels = BTreeSet::new();
        let kind = kind.to_owned();
        metrics.insert(name.to_owned(), Metric { kind, labels });
    }
    for (series, _) in Series::of(scrape, "clusterbackup_")? {
        let of = ["", "_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            let name = series.name.strip_suffix(suffix)?;
            metrics.contains_key(name).then(|| name.to_owned())
        });
        let metric = of.and_then(|name| metrics.get_mut(&name));
        let metric = metric.with_context(|| format!("{series} has no type"))?;
        metric
            .labels
            .extend(series.labels.into_keys().filter(|label| label != "le"));
    }
    Ok(metrics)
}
