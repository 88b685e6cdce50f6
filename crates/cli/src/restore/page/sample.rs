//! A preview that has something of everything.

use clusterbackup_core::restore::Report;
use serde_json::{Value, json};

pub(in super::super) fn report() -> Report {
    let id = |kind: &str, namespace: &str, name: &str| json!({"groupResource": kind, "namespace": namespace, "name": name});
    let object = |kind: &str, name: &str, rest: Value| {
        let mut object = json!({"origin": id(kind, "shop", name), "target": id(kind, "again", name), "certainty": "Certain"});
        for (field, value) in rest.as_object().unwrap() {
            object[field] = value.clone();
        }
        json!({ "object": object })
    };
    let lines = [
        json!({"opening": {"namespace": "home", "restore": "friday", "recoveryPoint": "p", "requester": "jane <jane@example.com>", "mode": "Preview"}}),
        object(
            "configmaps",
            "settings",
            json!({"wave": "Config", "outcome": "Created", "serverWarnings": ["v1 ConfigMap is old"]}),
        ),
        object(
            "deployments.apps",
            "web",
            json!({
                "wave": "Controllers", "outcome": "Patched", "before": {"kind": "Deployment", "note": "</pre><script>alert(1)</script>"},
                "fields": [{"path": "/spec/replicas", "outcome": "Changed"}, {"path": "/spec/selector", "outcome": "Kept", "reason": "Immutable"}],
                "rules": [{"rule": 0, "fate": "Applied", "changes": [{"path": "/spec/replicas", "before": 3, "after": 1}]}],
            }),
        ),
        object(
            "pods",
            "one",
            json!({"wave": "Pods", "outcome": "Created", "certainty": "Likely", "doubt": "Quota"}),
        ),
        object(
            "secrets",
            "keys",
            json!({"wave": "Config", "outcome": "Failed", "message": "no <right>"}),
        ),
        json!({"end": "CompletedWithWarnings"}),
    ];
    let mut report = Report::default();
    for line in lines {
        report.add(serde_json::from_value(line).unwrap());
    }
    report
}
