//! What is known of Velero's rule engine, row by row: each is put to both engines, so that it is true of Velero as well.
//!
//! - `sets`: what is refused when it is read
//! - `conditions`: which objects a rule is for
//! - `values`: what the values of JSON patches become
//! - `patches`: JSON patches, merge patches and strategic patches

mod conditions;
mod patches;
mod sets;
mod values;

use anyhow::{Result, ensure};
use clusterbackup_tests::velero::RuleEngine;
use serde_json::{Value, json};

use self::Outcome::{Fails, Makes, Refused, Untouched};
use super::comparison::{Made, ours, theirs};

/// What becomes of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The rules are refused before anything is restored.
    Refused,
    /// The rules concern it not, or leave it as it is.
    Untouched,
    /// A rule fails, and leaves it as it is.
    Fails,
    /// There is now this JSON where the row looks.
    Makes(&'static str),
}

/// Rules and what becomes of the object by each engine.
#[derive(Clone, Debug)]
struct Row {
    rules: String,
    pointer: &'static str,
    ours: Outcome,
    velero: Outcome,
}

/// By both the same.
const fn both(outcome: Outcome) -> (Outcome, Outcome) {
    (outcome, outcome)
}

fn object() -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": { "name": "my-mysql-0", "namespace": "ns.1", "labels": { "app": "db" } },
        "spec": { "v": "old", "n": 1, "list": [1, 2, 3], "map": { "a": 1, "b": [1] }, "text": "a/b" },
    })
}

const GROUP_RESOURCE: &str = "widgets.example.com";

pub(super) fn hold_in_both(engine: &RuleEngine) -> Result<()> {
    let object = object();
    let mut wrong = Vec::new();
    let rows = [sets::rows(), conditions::rows(), values::rows(), patches::rows()].concat();
    for row in &rows {
        for (who, wanted, made) in [
            ("we", row.ours, ours(&row.rules, GROUP_RESOURCE, &object)),
            (
                "Velero",
                row.velero,
                theirs(engine, &row.rules, GROUP_RESOURCE, &object)?,
            ),
        ] {
            if !wanted.is(&made, row.pointer, &object) {
                wrong.push(format!("{}{who}: not {wanted:?}, but {made:?}", row.rules));
            }
        }
    }
    ensure!(rows.len() > 200, "only {} rows", rows.len());
    ensure!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
    Ok(())
}

impl Outcome {
    fn is(self, made: &Made, pointer: &str, object: &Value) -> bool {
        match (self, made) {
            (Refused, Made::Refused(_)) => true,
            (Untouched, Made::Object { value, failed: 0 }) | (Fails, Made::Object { value, failed: 1 }) => {
                value == object
            }
            (Makes(json), Made::Object { value, failed: 0 }) => {
                value.pointer(pointer).map(ToString::to_string).as_deref() == Some(json)
            }
            _ => false,
        }
    }
}
