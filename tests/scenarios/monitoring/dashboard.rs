//! `manifests/monitoring/dashboard.json`: each of its queries has an answer in what is exported, by Prometheus' own
//! engine, and each answer has the labels that its legend names.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::{Promtool, workspace};
use serde_json::{Value, json};

use super::Exported;

const DASHBOARD: &str = "manifests/monitoring/dashboard.json";

/// What Grafana would put in the place of its variables.
const VARIABLES: [(&str, &str); 2] = [("$__rate_interval", "5m"), ("$__range", "15m")];

/// Asks every query, at once.
pub(super) async fn finds_everything(exported: &Exported, promtool: &Promtool) -> Result<()> {
    let mut questions = Vec::new();
    for target in targets()? {
        let query = target["expr"].as_str().context("a target without a query")?;
        let query = VARIABLES
            .iter()
            .fold(query.to_owned(), |query, (variable, value)| {
                query.replace(variable, value)
            });
        ensure!(!query.contains('$'), "a variable is unknown: {query}");
        let legend = target["legendFormat"].as_str().unwrap_or_default();
        questions.extend(questions_of(&query, legend));
    }
    ensure!(questions.len() > 20, "the dashboard asks only {questions:?}");

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("dashboard.yaml");
    std::fs::write(&file, test(exported, &questions).to_string())?;
    promtool.test_rules(&file).await.context(DASHBOARD)
}

/// The targets of all panels.
fn targets() -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(workspace::root().join(Path::new(DASHBOARD)))?;
    let dashboard: Value = serde_json::from_str(&text).context(DASHBOARD)?;
    let panels = dashboard["panels"].as_array().context("it has no panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array());
    Ok(targets.flatten().cloned().collect())
}

/// Whether a query has answers, and whether all of these have each label of the legend; each as an expression and the
/// labels of its one answer, which is 1.
fn questions_of(query: &str, legend: &str) -> Vec<(String, String)> {
    let has_answers = (format!("count({query}) > bool 0"), "{}".to_owned());
    let has_label = legend
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next())
        .map(|label| {
            let found = format!(r#"label_replace({query}, "labelled", "yes", "{label}", ".+")"#);
            (
                format!("count by (labelled) ({found}) > bool 0"),
                r#"{labelled="yes"}"#.to_owned(),
            )
        });
    std::iter::once(has_answers).chain(has_label).collect()
}

/// A file for `promtool test rules`, in which what is exported goes on for half an hour and counts.
fn test(exported: &Exported, questions: &[(String, String)]) -> Value {
    let input: Vec<_> = exported
        .series
        .iter()
        .map(|(series, value)| {
            let counts = ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .any(|suffix| series.name.ends_with(suffix));
            let step = u8::from(counts);
            json!({ "series": series.to_string(), "values": format!("{value}+{step}x40") })
        })
        .collect();
    let asked: Vec<_> = questions
        .iter()
        .map(|(query, labels)| {
            let answer = json!([{ "labels": labels, "value": 1 }]);
            json!({ "expr": query, "eval_time": "30m", "exp_samples": answer })
        })
        .collect();
    json!({
        "evaluation_interval": "1m",
        "tests": [{ "interval": "1m", "input_series": input, "promql_expr_test": asked }],
    })
}
