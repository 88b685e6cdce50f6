//! How many pods come of what a restore has created, so that it knows whose hooks are still to come.

use serde_json::Value;

use crate::object::GroupResource;

/// The labels that a pod has, or that the pods of a controller get; none for a kind whose pods nobody waits for.
pub fn labels<'a>(kind: &GroupResource, object: &'a Value) -> Option<&'a Value> {
    match kind.as_str() {
        "pods" => Some(&object["metadata"]["labels"]),
        _ if has_template(kind) => Some(&object["spec"]["template"]["metadata"]["labels"]),
        _ => None,
    }
}

/// How many pods come of an object; none as long as it doesn't say so itself. A CronJob makes its pods another day.
pub fn pods(kind: &GroupResource, object: &Value) -> Option<u64> {
    let (spec, status) = (&object["spec"], &object["status"]);
    match kind.as_str() {
        "pods" => Some(1),
        "daemonsets.apps" => {
            let seen = status["observedGeneration"].as_i64();
            let current = object["metadata"]["generation"].as_i64();
            let desired = status["desiredNumberScheduled"].as_u64();
            desired.filter(|_| seen.is_some() && seen >= current)
        }
        "jobs.batch" if spec["suspend"] == true => Some(0),
        "jobs.batch" => {
            let parallel = spec["parallelism"].as_u64().unwrap_or(1);
            Some(parallel.min(spec["completions"].as_u64().unwrap_or(parallel)))
        }
        _ => Some(spec["replicas"].as_u64().unwrap_or(1)),
    }
}

fn has_template(kind: &GroupResource) -> bool {
    matches!(
        kind.as_str(),
        "deployments.apps"
            | "replicasets.apps"
            | "statefulsets.apps"
            | "daemonsets.apps"
            | "replicationcontrollers"
            | "jobs.batch"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_controller_says_how_many_pods_it_is_to_have_and_a_pod_is_one() {
        let observed = json!({ "observedGeneration": 2, "desiredNumberScheduled": 3 });
        for (kind, controller, expected) in [
            ("pods", json!({ "spec": { "replicas": 2 } }), Some(1)),
            ("deployments.apps", json!({}), Some(1)),
            ("statefulsets.apps", json!({ "spec": { "replicas": 0 } }), Some(0)),
            (
                "replicationcontrollers",
                json!({ "spec": { "replicas": 4 } }),
                Some(4),
            ),
            ("jobs.batch", json!({}), Some(1)),
            ("jobs.batch", json!({ "spec": { "suspend": true } }), Some(0)),
            (
                "jobs.batch",
                json!({ "spec": { "parallelism": 5, "completions": 3 } }),
                Some(3),
            ),
            (
                "jobs.batch",
                json!({ "spec": { "parallelism": 2, "completions": 3 } }),
                Some(2),
            ),
            (
                "daemonsets.apps",
                json!({ "metadata": { "generation": 1 } }),
                None,
            ),
            (
                "daemonsets.apps",
                json!({ "metadata": { "generation": 3 }, "status": observed }),
                None,
            ),
            (
                "daemonsets.apps",
                json!({ "metadata": { "generation": 2 }, "status": observed }),
                Some(3),
            ),
        ] {
            assert_eq!(pods(&kind.into(), &controller), expected, "{kind} {controller}");
        }
    }

    #[test]
    fn pods_of_a_cron_job_and_of_unknown_kinds_are_not_waited_for() {
        let template = json!({ "spec": { "template": { "metadata": { "labels": { "app": "web" } } } } });
        assert_eq!(
            labels(&"deployments.apps".into(), &template),
            Some(&json!({ "app": "web" }))
        );
        assert_eq!(labels(&"pods".into(), &json!({})), Some(&Value::Null));
        for kind in ["cronjobs.batch", "widgets.example.com", "configmaps"] {
            assert_eq!(labels(&kind.into(), &template), None, "{kind}");
        }
    }
}
