//! The alerts of `manifests/monitoring/prometheusrule*.yaml`, and their tests in `tests/monitoring/alerts.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::yaml;
use clusterbackup_tests::metrics::Series;
use clusterbackup_tests::workspace;
use serde_json::{Value, json};

use super::{Exported, documented};

/// The rule file that the tests name.
pub(super) const RULES: &str = "rules.yaml";

const RULE_OBJECTS: [&str; 2] = [
    "manifests/monitoring/prometheusrule.yaml",
    "manifests/monitoring/prometheusrule-backups.yaml",
];
const TESTS: &str = "tests/monitoring/alerts.yaml";
const RUNBOOKS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/operations.md#");

/// Labels whose values are the users'.
const OPEN: [&str; 2] = ["interception", "hash"];

fn read(path: &str) -> Result<Value> {
    let text = std::fs::read_to_string(workspace::root().join(path)).with_context(|| path.to_owned())?;
    let mut documents = yaml::to_json_documents(&text).with_context(|| path.to_owned())?;
    documents.pop().with_context(|| format!("{path} is empty"))
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field]
        .as_str()
        .with_context(|| format!("it has no {field}: {value:#}"))
}

/// Puts rules and tests into a folder as promtool wants them; the file with the tests.
pub(super) fn extract(folder: &Path) -> Result<PathBuf> {
    std::fs::write(folder.join(RULES), json!({ "groups": groups()? }).to_string())?;
    let tests = folder.join("alerts.yaml");
    std::fs::copy(workspace::root().join(TESTS), &tests)?;
    Ok(tests)
}

fn groups() -> Result<Vec<Value>> {
    let mut groups = Vec::new();
    for file in RULE_OBJECTS {
        groups.extend(list(&read(file)?["spec"], "groups").cloned());
    }
    Ok(groups)
}

fn alerts() -> Result<Vec<Value>> {
    let groups = groups()?;
    let rules = groups.iter().flat_map(|group| list(group, "rules"));
    Ok(rules.cloned().collect())
}

/// Each alert has a test in which it fires, and one in which it doesn't.
pub(super) fn are_all_tried() -> Result<()> {
    let tests = read(TESTS)?;
    let mut tried: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for test in list(&tests, "tests").flat_map(|test| list(test, "alert_rule_test")) {
        let fires = list(test, "exp_alerts").next().is_some();
        tried.entry(text(test, "alertname")?).or_default().insert(fires);
    }
    for alert in alerts()? {
        let name = text(&alert, "alert")?;
        let both = tried.get(name).is_some_and(|fires| fires.len() == 2);
        ensure!(both, "{name} is not seen both to fire and not to fire");
    }
    Ok(())
}

/// Each alert says what to do, there and in the documentation.
pub(super) fn have_runbooks() -> Result<()> {
    let documented = documented::headings()?;
    for alert in alerts()? {
        let name = text(&alert, "alert")?;
        let wanted = format!("{RUNBOOKS}{}", name.to_lowercase());
        let annotations = &alert["annotations"];
        ensure!(
            text(annotations, "runbook_url")? == wanted,
            "the runbook of {name} is not {wanted}"
        );
        ensure!(
            documented.contains(name),
            "docs/operations.md has no section {name}"
        );
        text(annotations, "summary")?;
        text(annotations, "description")?;
    }
    Ok(())
}

/// Alerts fire in their tests, so that they ask for the series that these give them: which have to be real ones.
pub(super) fn are_tried_on_series_like_these(exported: &Exported) -> Result<()> {
    let real: BTreeSet<Series> = exported.series.iter().map(|(series, _)| closed(series)).collect();
    let tests = read(TESTS)?;
    let inputs = list(&tests, "tests").flat_map(|test| list(test, "input_series"));
    for input in inputs {
        let given = text(input, "series")?;
        // Of somebody else there is nothing here.
        if !given.contains("somebody.else") {
            let given = closed(&Series::parse(given)?);
            let alike = real.iter().filter(|series| series.name == given.name);
            ensure!(
                real.contains(&given),
                "an alert is tried on {given}, which nobody exports; there is {:#?}",
                alike.map(ToString::to_string).collect::<Vec<_>>()
            );
        }
    }
    Ok(())
}

/// The series without what may have any value.
fn closed(series: &Series) -> Series {
    let mut series = series.clone();
    let is_target = |label: &str| ["instance", "node"].contains(&label);
    series.labels.retain(|label, _| !is_target(label));
    for (label, value) in &mut series.labels {
        if OPEN.contains(&label.as_str()) {
            value.clear();
        }
    }
    series
}
