//! Pods, and what describes one wherever it stands.

use serde_json::Value;

use super::KindRows;
use crate::clash::aspect::Aspect::{Distinct, May, Together, Whole};
use crate::clash::aspect::{FREE, IMMUTABLE, Row, Update, when};
use crate::clash::change::Change;

/// Nearly everything of a pod is fixed. Resources change by the subresource `resize`, the node by `binding`.
pub(super) const PODS: KindRows = KindRows::of(
    "",
    &["pods"],
    &[
        ("/spec", IMMUTABLE),
        ("/spec/containers/*/image", FREE),
        ("/spec/initContainers/*/image", FREE),
        ("/spec/activeDeadlineSeconds", May(Change::Lower)),
        (
            "/spec/tolerations",
            May(Change::Additions {
                but: "tolerationSeconds",
            }),
        ),
        ("/spec/schedulingGates", May(Change::Removals)),
        (
            "/spec/nodeSelector",
            when(
                "never changes; while the pod has scheduling gates, it may grow",
                node_selector,
            ),
        ),
        (
            "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution",
            when(
                "never changes; while the pod has scheduling gates, it may become narrower",
                required_affinity,
            ),
        ),
        (
            "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution",
            when(
                "never changes; while the pod has scheduling gates, it may",
                preferred_affinity,
            ),
        ),
        (
            "/spec/terminationGracePeriodSeconds",
            when("never changes, but from a negative value to 1", grace_period),
        ),
        ("/metadata/annotations/kubernetes.io~1config.mirror", IMMUTABLE),
        (
            "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1*",
            IMMUTABLE,
        ),
    ],
)
.with_pod("/spec");

/// A pod, from where it is described.
pub(crate) const POD: &[Row] = &[
    ("/securityContext/seccompProfile", Whole),
    ("/securityContext/appArmorProfile", Whole),
];

/// A container, from where it stands. Requests and limits are checked against each other, so that they don't mix.
pub(crate) const CONTAINER: &[Row] = &[
    ("/resources", Whole),
    ("/ports", Distinct("name")),
    ("/env/*", Together(&["value", "valueFrom"])),
    ("/volumeMounts/*", Together(&["subPath", "subPathExpr"])),
    ("/livenessProbe", HANDLERS),
    ("/readinessProbe", HANDLERS),
    ("/startupProbe", HANDLERS),
    ("/lifecycle/postStart", Whole),
    ("/lifecycle/preStop", Whole),
    ("/securityContext/seccompProfile", Whole),
    ("/securityContext/appArmorProfile", Whole),
];

const HANDLERS: crate::clash::aspect::Aspect = Together(&["exec", "grpc", "httpGet", "tcpSocket"]);

/// The rows of a pod that is described at `place`, each with what its path starts at.
pub(super) fn in_pod(place: &str) -> impl Iterator<Item = (String, &'static [Row])> {
    let containers = ["containers", "initContainers", "ephemeralContainers"];
    let containers = containers.map(|list| (format!("{place}/{list}/*"), CONTAINER));
    std::iter::once((place.to_owned(), POD)).chain(containers)
}

fn is_gated(update: &Update<'_>) -> bool {
    let gates = update
        .old
        .pointer("/spec/schedulingGates")
        .and_then(Value::as_array);
    gates.is_some_and(|gates| !gates.is_empty())
}

fn node_selector(update: &Update<'_>) -> Change {
    if is_gated(update) {
        Change::Additions { but: "" }
    } else {
        Change::IMMUTABLE
    }
}

fn preferred_affinity(update: &Update<'_>) -> Change {
    Change::free_if(is_gated(update))
}

/// May be set; else each of its terms may only ask for more.
fn required_affinity(update: &Update<'_>) -> Change {
    const TERMS: &str =
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let terms = |object: &Value| {
        object
            .pointer(TERMS)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let (old, new) = (terms(update.old), terms(update.new));
    let asks_for_more = |(old, new): (&Value, &Value)| {
        let requirements = |term: &Value, of: &str| {
            term.get(of)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        ["matchExpressions", "matchFields"]
            .iter()
            .all(|of| requirements(new, of).starts_with(&requirements(old, of)))
    };
    let narrower = old.len() == new.len() && old.iter().zip(&new).all(asks_for_more);
    Change::free_if(is_gated(update) && (old.is_empty() || narrower))
}

fn grace_period(update: &Update<'_>) -> Change {
    let seconds = |object: &Value| {
        object
            .pointer("/spec/terminationGracePeriodSeconds")
            .and_then(Value::as_i64)
    };
    let was_negative = seconds(update.old).is_some_and(|seconds| seconds < 0);
    Change::free_if(was_negative && seconds(update.new) == Some(1))
}
