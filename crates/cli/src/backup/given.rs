//! A backup on two nodes in which one thing of each kind happened, for tests.

use clusterbackup_api::{Backup, NodeTask};
use serde_json::{Value, json};

/// 18:14:00, and so many milliseconds.
fn at(millis: u32) -> String {
    format!("2026-11-21T18:14:{:02}.{:03}000Z", millis / 1000, millis % 1000)
}

pub(super) fn backup() -> Backup {
    let backup = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "Backup",
        "metadata": {"name": "nightly-1", "namespace": "shop", "uid": "u"},
        "spec": {"instance": "nightly"},
        "status": {
            "phase": "CompletedWithWarnings",
            "message": "1 of 3 claims is not cut",
            "startedAt": at(0),
            "finishedAt": at(9000),
            "counts": {"pods": 2, "thawed": 2, "hooks": 4, "hooksSucceeded": 3, "hooksFailed": 1,
                       "claims": 3, "taken": 1, "skipped": 1, "failed": 1},
            "warnings": ["shop/till could not be frozen"],
            "volumes": [
                {"namespace": "shop", "claim": "data", "snapshot": "data-1", "driver": "csi",
                 "consistency": "ApplicationConsistent"},
                {"namespace": "shop", "claim": "nfs", "skipped": "NotCsi", "message": "its volume is not from a CSI driver"},
                {"namespace": "shop", "claim": "till", "message": "a pre hook failed"},
            ],
            "barriers": [{"unit": "u1", "met": true, "skewMillis": 12}],
        },
    });
    serde_json::from_value(backup).unwrap()
}

pub(super) fn tasks() -> Vec<NodeTask> {
    let db = json!({
        "namespace": "shop", "name": "db-0", "uid": "1", "thaw": "ByWatchdog", "frozenMillis": 1500,
        "execs": [
            exec("Pre", "Succeeded", 1000, &json!({"exitCode": 0, "millis": 35})),
            exec("Post", "Succeeded", 2400, &json!({"exitCode": 0, "millis": 100, "attempts": 3})),
        ],
    });
    let data = json!({
        "namespace": "shop", "claim": "data", "outcome": "Taken", "snapshot": "data-1",
        "consistency": "ApplicationConsistent", "startedAt": at(1040), "millis": 60,
    });
    let till = json!({
        "namespace": "shop", "name": "till-0", "uid": "2", "thaw": "Done", "frozenMillis": 600,
        "execs": [
            exec("Pre", "TimedOut", 1200, &json!({"killed": "Escaped", "millis": 500, "message": "over 500ms",
                                                 "output": "locked\u{1b}[2J\nout"})),
            exec("Post", "Succeeded", 1700, &json!({"exitCode": 0, "millis": 100})),
        ],
    });
    let not_begun =
        json!({"namespace": "shop", "claim": "till", "outcome": "NotBegun", "message": "a pre hook failed"});
    vec![task("node-1", &db, &data), task("node-2", &till, &not_begun)]
}

fn exec(stage: &str, outcome: &str, began: u32, rest: &Value) -> Value {
    let mut exec = json!({
        "hook": "shop/hooks/quiesce", "stage": stage, "container": "main", "outcome": outcome, "startedAt": at(began),
        "millis": 0, "attempts": 1, "outputBytes": 0,
    });
    let fields = exec.as_object_mut().unwrap();
    fields.extend(rest.as_object().unwrap().clone());
    exec
}

fn task(node: &str, pod: &Value, cut: &Value) -> NodeTask {
    let task = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "NodeTask",
        "metadata": {"name": format!("u-{node}")},
        "spec": {"nodeName": node, "epoch": 1, "backup": {"namespace": "shop", "name": "nightly-1", "uid": "u"},
                 "state": "Running", "units": []},
        "status": {
            "phase": "Done", "startedAt": at(990), "finishedAt": at(4000),
            "units": [{"name": "u1", "phase": "Thawed", "pods": [pod], "cuts": [cut]}],
        },
    });
    serde_json::from_value(task).unwrap()
}
