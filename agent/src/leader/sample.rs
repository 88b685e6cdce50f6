//! Tasks for the tests beside the decisions about them.

use clusterbackup_api::{NodeTask, NodeTaskSpec};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::tasks::Known;

/// A unit with one pod, which has one pre and one post hook, and one cut.
pub(super) fn unit(name: &str) -> Value {
    let command = json!({
        "hook": "h", "container": "c", "command": ["a"], "onError": "Fail", "timeout": "5s",
    });
    json!({
        "name": name,
        "maxFreeze": "60s",
        "cutLimit": "20s",
        "pods": [{
            "namespace": "shop", "name": "db", "uid": "db-uid", "pre": [command], "post": [command],
        }],
        "cuts": [{ "namespace": "shop", "snapshot": "s", "class": "c", "claims": ["data"] }],
    })
}

/// The running task of a node with one unit, whose agent has reported this of it.
pub(super) fn task(node: &str, unit: &Value, report: Option<Value>) -> NodeTask {
    let spec: NodeTaskSpec = serde_json::from_value(json!({
        "nodeName": node,
        "epoch": 1,
        "backup": { "namespace": "home", "name": "nightly", "uid": "4f1c" },
        "state": "Running",
        "units": [unit],
    }))
    .unwrap();
    let mut task = NodeTask::new(&format!("4f1c-{node}"), spec);
    let status = report.map(|report| json!({ "phase": "Running", "units": [report] }));
    task.status = status.map(|status| serde_json::from_value(status).unwrap());
    task
}

/// The same as the leader knows it, heard of just now.
pub(super) fn known(node: &str, unit: &Value, report: Option<Value>) -> Known {
    Known {
        task: task(node, unit, report),
        heard: Instant::now(),
        gone: false,
    }
}

/// What is reported of a pod whose pre hook ended so.
pub(super) fn pod(outcome: &str) -> Value {
    json!({
        "namespace": "shop", "name": "db", "uid": "db-uid", "thaw": "Done",
        "execs": [{
            "hook": "h", "stage": "Pre", "container": "c", "outcome": outcome,
            "startedAt": "2026-01-01T00:00:00.000000Z", "millis": 1, "attempts": 1, "outputBytes": 0,
        }],
    })
}
