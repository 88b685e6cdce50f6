//! Pods and Jobs: what a scheduler, admission and the Job controller wrote into them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{is_true, items, items_mut, members_mut, remove, retain, text};

/// What admission and the scheduler give a pod, or what one can't be created with.
const GIVEN_TO_PODS: [&str; 5] = [
    "ephemeralContainers",
    "nodeName",
    "overhead",
    "preemptionPolicy",
    "priority",
];

/// Labels that tell the pods of one Job; the second is of before Kubernetes 1.27.
const JOB_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];

/// Leaves of a pod what a person wrote.
pub(super) fn pod(pod: &mut Value) {
    remove(pod, "/spec", &GIVEN_TO_PODS);
    let account = text(pod, "/spec/serviceAccountName").unwrap_or("default");
    let secrets = format!("{account}-token-");
    let is_token = |volume: &Value| {
        let of_admission = text(volume, "/name").is_some_and(|name| name.starts_with("kube-api-access-"));
        let of_controller = text(volume, "/secret/secretName").is_some_and(|name| name.starts_with(&secrets));
        (of_admission && volume.get("projected").is_some()) || of_controller
    };
    let tokens = items(pod, "/spec/volumes").filter(|volume| is_token(volume));
    let tokens: BTreeSet<String> = tokens
        .filter_map(|volume| text(volume, "/name").map(str::to_owned))
        .collect();
    let is_other = |item: &Value| text(item, "/name").is_none_or(|name| !tokens.contains(name));
    retain(pod, "/spec", "volumes", is_other);
    for containers in ["/spec/containers", "/spec/initContainers"] {
        for container in items_mut(pod, containers) {
            retain(container, "", "volumeMounts", is_other);
        }
    }
}

/// Lets a Job have pods of its own again. A selector that a person wrote stays.
pub(super) fn job(job: &mut Value) {
    if is_true(job, "/spec/manualSelector") {
        return;
    }
    remove(job, "/metadata/labels", &JOB_LABELS);
    remove(job, "/spec/template/metadata/labels", &JOB_LABELS);
    remove(job, "/spec/selector/matchLabels", &JOB_LABELS);
    let is_empty = |selector: &Value| {
        let has = |name: &str| selector.get(name).is_some_and(|part| !is_nothing(part));
        !has("matchLabels") && !has("matchExpressions")
    };
    if let Some(spec) = members_mut(job, "/spec")
        && spec.get("selector").is_some_and(is_empty)
    {
        spec.remove("selector");
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::created;

    #[test]
    fn a_pod_is_free_to_run_on_any_node_with_a_token_of_its_own() {
        let mount = |name: &str| json!({"name": name, "mountPath": format!("/{name}")});
        let volumes = json!([
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "kube-api-access-x7k2p", "projected": {"sources": []}},
            {"name": "token", "secret": {"secretName": "runner-token-x7k2p"}},
            {"name": "mine", "secret": {"secretName": "runner-key"}},
            {"name": "kube-api-access-mine", "emptyDir": {}},
        ]);
        let mounts = json!([
            mount("data"),
            mount("kube-api-access-x7k2p"),
            mount("token"),
            mount("mine")
        ]);
        let pod = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {
            "nodeName": "node-1", "priority": 7, "preemptionPolicy": "Never", "overhead": {"cpu": "1m"},
            "ephemeralContainers": [{"name": "debugger"}],
            "serviceAccountName": "runner", "priorityClassName": "high", "nodeSelector": {"a": "b"},
            "containers": [{"name": "web", "volumeMounts": mounts}],
            "initContainers": [{"name": "wait", "volumeMounts": [mount("token")]}],
            "volumes": volumes,
        }});
        let expected = json!({
            "serviceAccountName": "runner", "priorityClassName": "high", "nodeSelector": {"a": "b"},
            "containers": [{"name": "web", "volumeMounts": [mount("data"), mount("mine")]}],
            "initContainers": [{"name": "wait"}],
            "volumes": [volumes[0], volumes[3], volumes[4]],
        });
        assert_eq!(created("pods", pod, &[])["spec"], expected);
    }

    #[test]
    fn a_job_gets_a_selector_of_its_own_unless_a_person_wrote_one() {
        let labels = json!({"controller-uid": "u", "batch.kubernetes.io/controller-uid": "u", "app": "web"});
        let left = json!({"app": "web"});
        for (selector, manual, expected, template) in [
            (
                json!({"matchLabels": {"controller-uid": "u"}}),
                false,
                None,
                &left,
            ),
            (
                json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}),
                false,
                None,
                &left,
            ),
            (
                json!({"matchLabels": labels}),
                false,
                Some(json!({"matchLabels": left})),
                &left,
            ),
            (
                json!({"matchLabels": labels}),
                true,
                Some(json!({"matchLabels": labels})),
                &labels,
            ),
        ] {
            let job = json!({"metadata": {"name": "a", "namespace": "shop"}, "spec": {
                "manualSelector": manual, "selector": selector, "template": {"metadata": {"labels": labels}}}});
            let spec = &created("jobs.batch", job, &[])["spec"];
            assert_eq!(spec.get("selector"), expected.as_ref(), "{selector} {manual}");
            assert_eq!(
                &spec["template"]["metadata"]["labels"], template,
                "{selector} {manual}"
            );
        }
    }
}
