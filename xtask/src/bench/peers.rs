//! Our rule engine beside Velero's: the same rules on the same objects, in turn, in one run.
//!
//! Both get a parsed object and rules that were read before, so what is measured is choosing and applying them. Velero's
//! log, a line for every rule, is switched off. The release of the object afterwards is measured in neither.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use clusterbackup_tests::velero::{Case, RuleEngine};
use serde_json::{Value, json};

use super::installed;

/// One run of ours and one of theirs each.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(500);
/// Copies take longer than what is measured, where there is little to do.
const MOST: u32 = 20_000;
/// How many copies of the object lie ready.
const BATCH: u32 = 200;
const GROUP_RESOURCE: &str = "deployments.apps";

pub(super) fn run() -> Result<()> {
    let engine = RuleEngine::start()?;
    println!("\nrules on a parsed Deployment, microseconds, median of {ROUNDS} rounds in turn");
    println!(
        "{:<52} {:>9} {:>9} {:>7} {:>13}",
        "", "ours", "Velero's", "ratio", "of the rounds"
    );
    let review: Value = serde_json::from_str(&installed::fixture("review.json")?)?;
    let large = &review["request"]["object"];
    for (title, rules, object) in [
        ("one replace, 0.4 KB", many(1), &small()),
        (
            "five rules, three hold, 5 KB",
            installed::fixture("rules.yaml")?,
            large,
        ),
        (
            "no rule for its kind, 5 KB",
            installed::fixture("rules-for-others.yaml")?,
            large,
        ),
        ("ten rules for its kind, one holds, 5 KB", many(10), large),
        ("1,000 rules for its kind, 100 hold, 5 KB", many(1000), large),
    ] {
        compare(&engine, title, &rules, object)?;
    }
    Ok(())
}

fn compare(engine: &RuleEngine, title: &str, rules: &str, object: &Value) -> Result<()> {
    let set = RuleSet::parse(rules).map_err(|problems| anyhow!("{problems}"))?;
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let our = measure(&set, object);
        let their = measure_velero(engine, rules, object)?;
        ours.push(our);
        theirs.push(their);
        ratios.push(their / our);
    }
    for figures in [&mut ours, &mut theirs, &mut ratios] {
        figures.sort_by(f64::total_cmp);
    }
    println!(
        "{title:<52} {:>9.2} {:>9.2} {:>7.1} {:>6.1}-{:.1}",
        ours[ROUNDS / 2] / 1000.0,
        theirs[ROUNDS / 2] / 1000.0,
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
    Ok(())
}

/// Nanoseconds that our rules take on a copy of the object, without the copying.
fn measure(rules: &RuleSet, object: &Value) -> f64 {
    let metadata = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let group_resource = GroupResource::new("apps", "deployments");
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact(metadata("name")),
        original_namespace: Some(metadata("namespace")),
    };
    let (mut spent, mut done) = (Duration::ZERO, 0);
    while spent < ROUND && done < MOST {
        let copies: Vec<Value> = (0..BATCH).map(|_| object.clone()).collect();
        let mut changed = Vec::with_capacity(copies.len());
        let start = Instant::now();
        for object in copies {
            let selection = rules.select(black_box(&target), &object);
            let mut draft = Draft::new(object);
            let results = rules.apply(&selection, &mut draft, &Rename::Allowed.into());
            changed.push((draft, results));
        }
        spent += start.elapsed();
        done += BATCH;
        black_box(changed);
    }
    spent.as_secs_f64() * 1e9 / f64::from(done)
}

fn measure_velero(engine: &RuleEngine, rules: &str, object: &Value) -> Result<f64> {
    let case = |iterations| Case {
        rules,
        object,
        group_resource: GROUP_RESOURCE,
        iterations,
    };
    let probe = engine.answer(&case(BATCH))?;
    ensure!(
        probe.invalid.is_empty() && probe.errors.is_empty(),
        "Velero's engine says {probe:?}"
    );
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is some millions at most"
    )]
    let iterations = (ROUND.as_secs_f64() * 1e9 / probe.nanoseconds) as u32;
    Ok(engine.answer(&case(iterations.clamp(BATCH, MOST)))?.nanoseconds)
}

/// Rules for Deployments, of which every tenth holds by its name.
fn many(count: usize) -> String {
    let rules = (0..count).map(|number| {
        let name = if number % 10 == 0 { "^web$".to_owned() } else { format!("^other-{number}$") };
        format!(
            "- conditions: {{groupResource: {GROUP_RESOURCE}, resourceNameRegex: {name}, namespaces: [staging]}}\n  \
             patches: [{{operation: replace, path: /spec/replicas, value: \"{number}\"}}]\n"
        )
    });
    format!(
        "version: v1\nresourceModifierRules:\n{}",
        rules.collect::<String>()
    )
}

fn small() -> Value {
    let labels = json!({ "app": "web" });
    let containers = json!([{ "name": "web", "image": "web:1.14.2", "ports": [{ "containerPort": 80 }] }]);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "staging", "labels": labels },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": containers } },
        },
    })
}
