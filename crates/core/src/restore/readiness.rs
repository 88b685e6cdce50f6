//! Whether what was restored runs: what each kind says of itself, judged as `kubectl rollout status` and
//! `kubectl wait` would.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::fields::{annotation, items, text};
use crate::object::GroupResource;

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does what it is for, or nobody wants it to yet.
    Ready,
    /// It may still become ready; what it lacks.
    Waiting(String),
    /// It will not become ready by itself; why.
    Failed(String),
}

/// Kinds that tell whether they are ready. Of other kinds, it is enough that they are there.
const TELLING: [&str; 9] = [
    "apiservices.apiregistration.k8s.io",
    "daemonsets.apps",
    "deployments.apps",
    "jobs.batch",
    "persistentvolumeclaims",
    "pods",
    "replicasets.apps",
    "replicationcontrollers",
    "statefulsets.apps",
];

/// When a claim gets its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// At once.
    Immediate,
    /// When a pod wants it.
    WaitForFirstConsumer,
}

impl Readiness {
    /// Whether objects of the kind tell whether they are ready.
    pub fn is_told_by(kind: &GroupResource) -> bool {
        TELLING.contains(&kind.as_str())
    }

    /// How far an object is. `binding` is what the class of a claim says, where that is known.
    pub fn of(kind: &GroupResource, object: &Value, binding: Option<Binding>) -> Self {
        match kind.as_str() {
            "apiservices.apiregistration.k8s.io" => condition(object, "Available", "it is not available"),
            "daemonsets.apps" => daemons(object),
            "deployments.apps" => deployment(object),
            "jobs.batch" => job(object),
            "persistentvolumeclaims" => claim(object, binding),
            "pods" => pod(object),
            "replicasets.apps" | "replicationcontrollers" | "statefulsets.apps" => replicas(object),
            _ => Self::Ready,
        }
    }

    /// What it lacks.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Waiting(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

fn number(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

/// A condition of an object.
fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(object, "/status/conditions").find(|condition| condition["type"] == kind)
}

fn is_true(object: &Value, kind: &str) -> bool {
    find(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// What a condition says, as `reason: message`.
fn told(condition: &Value) -> Option<String> {
    let part = |field: &str| condition[field].as_str().filter(|text| !text.is_empty());
    let parts: Vec<_> = [part("reason"), part("message")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// An object that a condition says everything of.
fn condition(object: &Value, kind: &str, lacks: &str) -> Readiness {
    match find(object, kind) {
        Some(condition) if condition["status"] == "True" => Readiness::Ready,
        found => Readiness::Waiting(found.and_then(told).unwrap_or_else(|| lacks.to_owned())),
    }
}

/// Whether the controller has not looked at it as it is.
fn is_unseen(object: &Value) -> bool {
    number(object, "/status/observedGeneration") < number(object, "/metadata/generation")
}

const UNSEEN: &str = "its controller has not looked at it yet";

fn wanted(object: &Value) -> u64 {
    object
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1)
}

/// What a controller of pods says: that it can't make them, or how many run.
fn running(object: &Value, there: u64, wanted: u64) -> Readiness {
    if there >= wanted {
        return Readiness::Ready;
    }
    let failure = find(object, "ReplicaFailure").filter(|condition| condition["status"] == "True");
    let why = failure.and_then(told).map(|why| format!(": {why}"));
    Readiness::Waiting(format!(
        "{there} of {wanted} pods are available{}",
        why.unwrap_or_default()
    ))
}

fn deployment(object: &Value) -> Readiness {
    let wanted = wanted(object);
    if is_unseen(object) {
        return Readiness::Waiting(UNSEEN.to_owned());
    }
    let is_stuck = |condition: &&Value| condition["reason"] == "ProgressDeadlineExceeded";
    let there = number(object, "/status/availableReplicas").min(number(object, "/status/updatedReplicas"));
    match find(object, "Progressing").filter(is_stuck).and_then(told) {
        Some(why) if there < wanted => {
            Readiness::Failed(format!("{there} of {wanted} pods are available: {why}"))
        }
        _ => running(object, there, wanted),
    }
}

fn replicas(object: &Value) -> Readiness {
    if is_unseen(object) {
        return Readiness::Waiting(UNSEEN.to_owned());
    }
    running(
        object,
        number(object, "/status/availableReplicas"),
        wanted(object),
    )
}

fn daemons(object: &Value) -> Readiness {
    if is_unseen(object) {
        return Readiness::Waiting(UNSEEN.to_owned());
    }
    let wanted = number(object, "/status/desiredNumberScheduled");
    running(object, number(object, "/status/numberAvailable"), wanted)
}

fn job(object: &Value) -> Readiness {
    let failed = ["Failed", "FailureTarget"].into_iter();
    let failed = failed
        .filter_map(|kind| find(object, kind))
        .find(|condition| condition["status"] == "True");
    if let Some(failed) = failed {
        return Readiness::Failed(told(failed).unwrap_or_else(|| "it has failed".to_owned()));
    }
    let is_suspended = object.pointer("/spec/suspend") == Some(&true.into());
    let runs = number(object, "/status/ready") + number(object, "/status/succeeded") > 0;
    if is_suspended || runs || is_true(object, "Complete") {
        Readiness::Ready
    } else {
        Readiness::Waiting("none of its pods runs".to_owned())
    }
}

fn pod(object: &Value) -> Readiness {
    match text(object, "/status/phase") {
        Some("Succeeded") => return Readiness::Ready,
        Some("Failed") => {
            let why = object.get("status").and_then(told);
            return Readiness::Failed(why.unwrap_or_else(|| "it has failed".to_owned()));
        }
        _ if is_true(object, "Ready") => return Readiness::Ready,
        _ => {}
    }
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let mut statuses = statuses.into_iter().flat_map(|path| items(object, path));
    let container = statuses.find_map(|status| {
        let (name, waiting) = (status["name"].as_str()?, status.pointer("/state/waiting")?);
        // They say that for the first moments of any pod.
        let is_ordinary = matches!(
            waiting["reason"].as_str(),
            Some("ContainerCreating" | "PodInitializing")
        );
        let why = (!is_ordinary).then(|| told(waiting))??;
        Some(format!("container {name}: {why}"))
    });
    let unscheduled = find(object, "PodScheduled").filter(|condition| condition["status"] == "False");
    let why = container.or_else(|| unscheduled.and_then(told));
    let unready = || find(object, "Ready").and_then(told);
    Readiness::Waiting(
        why.or_else(unready)
            .unwrap_or_else(|| "no node runs it yet".to_owned()),
    )
}

/// The volume of a claim whose class waits for a pod is the business of that pod, until a node is chosen for it.
fn claim(object: &Value, binding: Option<Binding>) -> Readiness {
    let is_idle = binding == Some(Binding::WaitForFirstConsumer)
        && annotation(object, "volume.kubernetes.io/selected-node").is_none();
    match text(object, "/status/phase") {
        Some("Bound") => Readiness::Ready,
        Some("Lost") => Readiness::Failed("the volume that it names doesn't exist".to_owned()),
        _ if is_idle => Readiness::Ready,
        _ => Readiness::Waiting("it has no volume".to_owned()),
    }
}
