//! What runs pods.

use serde_json::Value;

use super::KindRows;
use crate::clash::aspect::Aspect::{AllOrNone, Allocated, Together, Whole};
use crate::clash::aspect::{FREE, IMMUTABLE, LIVE, Update, Use, when};
use crate::clash::change::Change;
use crate::selector::LabelSelector;

const TEMPLATE: &str = "/spec/template/spec";

pub(super) const DEPLOYMENTS: KindRows = KindRows::of(
    "apps",
    &["deployments"],
    &[
        ("/spec/replicas", Allocated(SCALED)),
        ("/spec/selector", IMMUTABLE),
        ("/spec/template/metadata/labels", when(SELECTED, selected)),
        ("/spec/strategy", Whole),
        ("/metadata/annotations/deployment.kubernetes.io~1revision", LIVE),
    ],
)
.with_pod(TEMPLATE);

/// `revisionHistoryLimit` may change from some version on; before, the API server refuses it.
pub(super) const STATEFUL_SETS: KindRows = KindRows::of(
    "apps",
    &["statefulsets"],
    &[
        ("/spec", IMMUTABLE),
        ("/spec/replicas", FREE),
        ("/spec/replicas", Allocated(SCALED)),
        ("/spec/template", FREE),
        ("/spec/template/metadata/labels", when(SELECTED, selected)),
        ("/spec/updateStrategy", FREE),
        ("/spec/updateStrategy", Whole),
        ("/spec/minReadySeconds", FREE),
        ("/spec/persistentVolumeClaimRetentionPolicy", FREE),
        ("/spec/ordinals", FREE),
    ],
)
.with_pod(TEMPLATE);

pub(super) const DAEMON_SETS: KindRows = KindRows::of(
    "apps",
    &["daemonsets"],
    &[
        ("/spec/selector", IMMUTABLE),
        ("/spec/template/metadata/labels", when(SELECTED, selected)),
        ("/spec/updateStrategy", Whole),
    ],
)
.with_pod(TEMPLATE);

pub(super) const REPLICA_SETS: KindRows = KindRows::of(
    "apps",
    &["replicasets"],
    &[
        ("/spec/replicas", Allocated(SCALED)),
        ("/spec/selector", IMMUTABLE),
        ("/spec/template/metadata/labels", when(SELECTED, selected)),
    ],
)
.with_pod(TEMPLATE);

/// The selector is a plain map, but has to match the template's labels as any other.
pub(super) const REPLICATION_CONTROLLERS: KindRows = KindRows::of(
    "",
    &["replicationcontrollers"],
    &[("/spec/replicas", Allocated(SCALED)), ("/spec/selector", Whole)],
)
.with_pod(TEMPLATE);

pub(super) const POD_TEMPLATES: KindRows =
    KindRows::of("", &["podtemplates"], &[]).with_pod("/template/spec");

pub(super) const CONTROLLER_REVISIONS: KindRows =
    KindRows::of("apps", &["controllerrevisions"], &[("/data", IMMUTABLE)]);

/// The labels that the Job controller gives hold the uid of the Job. From 1.35 on, feature gates that are off let
/// more of the template change.
pub(super) const JOBS: KindRows = KindRows::of(
    "batch",
    &["jobs"],
    &[
        ("/metadata/labels/batch.kubernetes.io~1controller-uid", LIVE),
        ("/metadata/labels/controller-uid", LIVE),
        ("/spec/selector", IMMUTABLE),
        ("/spec/completionMode", IMMUTABLE),
        ("/spec/podFailurePolicy", IMMUTABLE),
        ("/spec/backoffLimitPerIndex", IMMUTABLE),
        ("/spec/managedBy", IMMUTABLE),
        ("/spec/successPolicy", IMMUTABLE),
        (
            "/spec/completions",
            when(
                "never changes; of an Indexed Job, together with `parallelism` and to the same number",
                completions,
            ),
        ),
        ("/spec", AllOrNone(&["completions", "parallelism"])),
        ("/spec/template", IMMUTABLE),
        ("/spec/template/metadata/labels", when(NOT_STARTED, not_started)),
        (
            "/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid",
            LIVE,
        ),
        (
            "/spec/template/metadata/labels/batch.kubernetes.io~1job-name",
            LIVE,
        ),
        ("/spec/template/metadata/labels/controller-uid", LIVE),
        ("/spec/template/metadata/labels/job-name", LIVE),
        (
            "/spec/template/metadata/annotations",
            when(NOT_STARTED, not_started),
        ),
        ("/spec/template/spec/nodeSelector", when(NOT_STARTED, not_started)),
        (
            "/spec/template/spec/affinity/nodeAffinity",
            when(NOT_STARTED, not_started),
        ),
        ("/spec/template/spec/tolerations", when(NOT_STARTED, not_started)),
        (
            "/spec/template/spec/schedulingGates",
            when(NOT_STARTED, not_started),
        ),
    ],
)
.with_pod(TEMPLATE);

pub(super) const CRON_JOBS: KindRows =
    KindRows::of("batch", &["cronjobs"], &[]).with_pod("/spec/jobTemplate/spec/template/spec");

pub(super) const POD_DISRUPTION_BUDGETS: KindRows = KindRows::of(
    "policy",
    &["poddisruptionbudgets"],
    &[("/spec", Together(&["maxUnavailable", "minAvailable"]))],
);

pub(super) const AUTOSCALERS: KindRows = KindRows::of(
    "autoscaling",
    &["horizontalpodautoscalers"],
    &[("/spec", AllOrNone(&["minReplicas", "maxReplicas"]))],
);

const SCALED: Use = Use {
    text: "while an autoscaler sets it",
    holds: is_scaled,
};

/// Whether the number of replicas was last written by the autoscaler of Kubernetes; a person who scales has another name.
fn is_scaled(update: &Update<'_>) -> bool {
    let managers = update
        .old
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    managers.into_iter().flatten().any(|entry| {
        entry["subresource"] == "scale"
            && entry["manager"] == "kube-controller-manager"
            && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    })
}

const SELECTED: &str = "may change as long as the selector in the cluster matches them";

fn selected(update: &Update<'_>) -> Change {
    let selector = update
        .old
        .pointer("/spec/selector")
        .and_then(LabelSelector::stored);
    let template = update.new.pointer("/spec/template").unwrap_or(&Value::Null);
    Change::free_if(selector.is_none_or(|selector| selector.matches(template)))
}

const NOT_STARTED: &str = "never changes, but while the Job is suspended and was never started";

fn not_started(update: &Update<'_>) -> Change {
    let was_suspended = update.old.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
    Change::free_if(was_suspended && update.old_text("/status/startTime").is_none())
}

fn completions(update: &Update<'_>) -> Change {
    let number = |field: &str| update.new.pointer(field).and_then(Value::as_i64);
    let is_indexed = update.old_text("/spec/completionMode") == Some("Indexed");
    let equal =
        number("/spec/completions").is_some() && number("/spec/completions") == number("/spec/parallelism");
    Change::free_if(is_indexed && equal)
}
