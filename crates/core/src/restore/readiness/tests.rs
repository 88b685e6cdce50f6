use serde_json::{Value, json};

use super::super::sample::kind;
use super::*;

/// What is expected: ready, or the reason why it waits or has failed.
enum Expected {
    Ready,
    Waiting(&'static str),
    Failed(&'static str),
}

use Expected::{Failed, Ready, Waiting};

fn judged(text: &str, object: &Value, binding: Option<Binding>) -> Readiness {
    assert!(Readiness::is_told_by(&kind(text)), "{text}");
    Readiness::of(&kind(text), object, binding)
}

fn is(expected: &Expected) -> Readiness {
    match expected {
        Ready => Readiness::Ready,
        Waiting(reason) => Readiness::Waiting((*reason).to_owned()),
        Failed(reason) => Readiness::Failed((*reason).to_owned()),
    }
}

fn saying(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!([{ "type": kind, "status": status, "reason": reason, "message": message }])
}

/// Of one replica, or so many.
fn controller(replicas: Option<u64>, status: Value) -> Value {
    let mut object = json!({ "metadata": { "generation": 1 }, "spec": {} });
    object["status"] = status;
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = replicas.into();
    }
    object
}

#[test]
fn a_controller_is_ready_when_all_its_pods_are_available() {
    let seen = |fields: Value| {
        let mut status = fields;
        status["observedGeneration"] = 1.into();
        status
    };
    let stuck = saying("Progressing", "False", "ProgressDeadlineExceeded", "too slow");
    let refused = saying("ReplicaFailure", "True", "FailedCreate", "exceeded quota");
    for (of, object, expected) in [
        ("deployments.apps", controller(None, json!({})), Waiting(UNSEEN)),
        (
            "deployments.apps",
            controller(None, seen(json!({}))),
            Waiting("0 of 1 pods are available"),
        ),
        (
            "deployments.apps",
            controller(
                Some(2),
                seen(json!({ "availableReplicas": 2, "updatedReplicas": 1 })),
            ),
            Waiting("1 of 2 pods are available"),
        ),
        (
            "deployments.apps",
            controller(
                Some(2),
                seen(json!({ "availableReplicas": 2, "updatedReplicas": 2 })),
            ),
            Ready,
        ),
        ("deployments.apps", controller(Some(0), seen(json!({}))), Ready),
        (
            "deployments.apps",
            controller(None, seen(json!({ "conditions": stuck }))),
            Failed("0 of 1 pods are available: ProgressDeadlineExceeded: too slow"),
        ),
        (
            "deployments.apps",
            controller(None, seen(json!({ "conditions": refused }))),
            Waiting("0 of 1 pods are available: FailedCreate: exceeded quota"),
        ),
        (
            "statefulsets.apps",
            controller(Some(3), seen(json!({ "availableReplicas": 2 }))),
            Waiting("2 of 3 pods are available"),
        ),
        ("statefulsets.apps", controller(Some(0), seen(json!({}))), Ready),
        (
            "replicasets.apps",
            controller(None, seen(json!({ "availableReplicas": 1 }))),
            Ready,
        ),
        (
            "daemonsets.apps",
            controller(
                None,
                seen(json!({ "desiredNumberScheduled": 2, "numberAvailable": 1 })),
            ),
            Waiting("1 of 2 pods are available"),
        ),
        (
            "daemonsets.apps",
            controller(None, seen(json!({ "desiredNumberScheduled": 0 }))),
            Ready,
        ),
    ] {
        assert_eq!(judged(of, &object, None), is(&expected), "{of} {object}");
    }
}

#[test]
fn a_job_is_ready_unless_it_failed_or_none_of_its_pods_runs() {
    let ended = |kind: &str| json!({ "conditions": saying(kind, "True", "BackoffLimitExceeded", "") });
    for (spec, status, expected) in [
        (json!({}), json!({}), Waiting("none of its pods runs")),
        (json!({}), json!({ "ready": 1 }), Ready),
        (json!({ "suspend": true }), json!({}), Ready),
        (json!({}), ended("Complete"), Ready),
        (json!({}), ended("Failed"), Failed("BackoffLimitExceeded")),
    ] {
        let job = json!({ "spec": spec, "status": status });
        assert_eq!(judged("jobs.batch", &job, None), is(&expected), "{job}");
    }
}

#[test]
fn a_pod_says_what_it_waits_for() {
    let container = |reason: &str, message: &str| {
        let waiting = json!({ "reason": reason, "message": message });
        json!([{ "name": "app", "state": { "waiting": waiting } }])
    };
    for (status, expected) in [
        (json!({}), Waiting("no node runs it yet")),
        (json!({ "phase": "Succeeded" }), Ready),
        (
            json!({ "phase": "Failed", "reason": "Evicted", "message": "no disk" }),
            Failed("Evicted: no disk"),
        ),
        (
            json!({ "phase": "Running", "conditions": saying("Ready", "True", "", "") }),
            Ready,
        ),
        (
            json!({ "phase": "Running", "conditions": saying("Ready", "False", "ContainersNotReady", "app") }),
            Waiting("ContainersNotReady: app"),
        ),
        (
            json!({ "phase": "Pending", "conditions": saying("PodScheduled", "False", "Unschedulable", "no claim") }),
            Waiting("Unschedulable: no claim"),
        ),
        (
            json!({ "phase": "Pending", "containerStatuses": container("ImagePullBackOff", "no such image") }),
            Waiting("container app: ImagePullBackOff: no such image"),
        ),
        (
            json!({ "phase": "Pending", "containerStatuses": container("ContainerCreating", "") }),
            Waiting("no node runs it yet"),
        ),
    ] {
        let pod = json!({ "status": status });
        assert_eq!(judged("pods", &pod, None), is(&expected), "{pod}");
    }
}

#[test]
fn a_claim_that_waits_for_a_pod_is_the_business_of_that_pod() {
    use Binding::{Immediate, WaitForFirstConsumer};
    const NONE: Expected = Waiting("it has no volume");
    let chosen = json!({ "volume.kubernetes.io/selected-node": "node-1" });
    for (phase, annotations, binding, expected) in [
        ("Bound", json!({}), Some(Immediate), Ready),
        ("Pending", json!({}), Some(Immediate), NONE),
        ("Pending", json!({}), None, NONE),
        ("Pending", json!({}), Some(WaitForFirstConsumer), Ready),
        ("Pending", chosen.clone(), Some(WaitForFirstConsumer), NONE),
        ("Bound", chosen, Some(WaitForFirstConsumer), Ready),
        (
            "Lost",
            json!({}),
            Some(Immediate),
            Failed("the volume that it names doesn't exist"),
        ),
    ] {
        let claim = json!({ "metadata": { "annotations": annotations }, "status": { "phase": phase } });
        let judged = judged("persistentvolumeclaims", &claim, binding);
        assert_eq!(judged, is(&expected), "{claim} {binding:?}");
    }
}

#[test]
fn an_extension_of_the_api_is_ready_when_it_answers() {
    let service =
        json!({ "status": { "conditions": saying("Available", "False", "MissingEndpoints", "none") } });
    let of = "apiservices.apiregistration.k8s.io";
    assert_eq!(judged(of, &service, None), is(&Waiting("MissingEndpoints: none")));
    assert_eq!(judged(of, &json!({}), None), is(&Waiting("it is not available")));
    let service = json!({ "status": { "conditions": saying("Available", "True", "Passed", "") } });
    assert_eq!(judged(of, &service, None), is(&Ready));
}

#[test]
fn of_other_kinds_it_is_enough_that_they_are_there() {
    let kind = kind("configmaps");
    assert!(!Readiness::is_told_by(&kind));
    assert_eq!(Readiness::of(&kind, &json!({}), None), Readiness::Ready);
}
