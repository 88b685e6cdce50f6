//! Configuration, identity, and what extends the API.

use serde_json::Value;

use super::KindRows;
use crate::clash::aspect::Aspect::{Allocated, Apart, Needed, Together, Whole};
use crate::clash::aspect::{ALLOCATED, FREE, IMMUTABLE, LIVE, SET_ONCE, Update, Use, when};
use crate::clash::change::Change;

pub(super) const CONFIG_MAPS: KindRows = KindRows::of(
    "",
    &["configmaps"],
    &[
        ("/data", Apart("/binaryData")),
        ("/binaryData", Apart("/data")),
        ("/data", when(UNLESS_IMMUTABLE, unless_immutable)),
        ("/binaryData", when(UNLESS_IMMUTABLE, unless_immutable)),
        ("/immutable", when(UNLESS_IMMUTABLE, unless_immutable)),
    ],
);

pub(super) const SECRETS: KindRows = KindRows::of(
    "",
    &["secrets"],
    &[
        ("/type", IMMUTABLE),
        ("/data", when(UNLESS_IMMUTABLE, unless_immutable)),
        ("/stringData", when(UNLESS_IMMUTABLE, unless_immutable)),
        ("/immutable", when(UNLESS_IMMUTABLE, unless_immutable)),
    ],
);

/// The token Secrets that the client names are those of another cluster.
pub(super) const SERVICE_ACCOUNTS: KindRows = KindRows::of("", &["serviceaccounts"], &[("/secrets", LIVE)]);

/// Finalizers change by the subresource `finalize`. The annotations of OpenShift are ranges of user ids.
pub(super) const NAMESPACES: KindRows = KindRows::of(
    "",
    &["namespaces"],
    &[
        ("/spec/finalizers", LIVE),
        ("/metadata/labels/kubernetes.io~1metadata.name", LIVE),
        ("/metadata/annotations/openshift.io~1sa.scc.*", ALLOCATED),
    ],
);

pub(super) const NODES: KindRows = KindRows::of(
    "",
    &["nodes"],
    &[
        ("/spec/externalID", IMMUTABLE),
        ("/spec/podCIDR", ALLOCATED),
        ("/spec/podCIDR", SET_ONCE),
        ("/spec/podCIDRs", ALLOCATED),
        ("/spec/podCIDRs", SET_ONCE),
        ("/spec/providerID", ALLOCATED),
        ("/spec/providerID", SET_ONCE),
    ],
);

pub(super) const RESOURCE_QUOTAS: KindRows =
    KindRows::of("", &["resourcequotas"], &[("/spec/scopes", IMMUTABLE)]);

/// Of the group `events.k8s.io`; those of the core group may change.
pub(super) const EVENTS: KindRows = KindRows::of(
    "events.k8s.io",
    &["events"],
    &[("", IMMUTABLE), ("/metadata", FREE), ("/series", FREE)],
);

pub(super) const CLUSTER_ROLES: KindRows = KindRows::of(
    "rbac.authorization.k8s.io",
    &["clusterroles"],
    &[("/rules", Allocated(AGGREGATED))],
);

pub(super) const ROLE_BINDINGS: KindRows = KindRows::of(
    "rbac.authorization.k8s.io",
    &["rolebindings", "clusterrolebindings"],
    &[("/roleRef", IMMUTABLE)],
);

pub(super) const PRIORITY_CLASSES: KindRows = KindRows::of(
    "scheduling.k8s.io",
    &["priorityclasses"],
    &[("/value", IMMUTABLE), ("/preemptionPolicy", IMMUTABLE)],
);

pub(super) const RUNTIME_CLASSES: KindRows =
    KindRows::of("node.k8s.io", &["runtimeclasses"], &[("/handler", IMMUTABLE)]);

/// The API server keeps the specification without a word.
pub(super) const SIGNING_REQUESTS: KindRows = KindRows::of(
    "certificates.k8s.io",
    &["certificatesigningrequests"],
    &[("/spec", IMMUTABLE)],
);

pub(super) const WEBHOOKS: KindRows = KindRows::of(
    "admissionregistration.k8s.io",
    &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    &[
        ("/webhooks/*/clientConfig", Together(&["service", "url"])),
        ("/webhooks/*/clientConfig/caBundle", ALLOCATED),
    ],
);

/// Versions are taken as they come, unless one goes of which objects are stored.
pub(super) const CUSTOM_RESOURCE_DEFINITIONS: KindRows = KindRows::of(
    "apiextensions.k8s.io",
    &["customresourcedefinitions"],
    &[
        ("/spec/group", IMMUTABLE),
        ("/spec/names/plural", IMMUTABLE),
        ("/spec/names/kind", when(UNTIL_ESTABLISHED, until_established)),
        ("/spec/scope", when(UNTIL_ESTABLISHED, until_established)),
        (
            "/spec/versions",
            when(
                "may change while no version goes of which objects are stored",
                versions,
            ),
        ),
        (
            "/spec/preserveUnknownFields",
            when("may become false", preserve_unknown_fields),
        ),
        ("/spec/conversion/webhook", Needed(CONVERTED)),
        (
            "/spec/conversion/webhook/clientConfig",
            Together(&["service", "url"]),
        ),
        ("/spec/conversion/webhook/clientConfig/caBundle", ALLOCATED),
    ],
);

pub(super) const API_SERVICES: KindRows = KindRows::of(
    "apiregistration.k8s.io",
    &["apiservices"],
    &[
        ("/spec/group", IMMUTABLE),
        ("/spec/version", IMMUTABLE),
        ("/spec/service", Whole),
        ("/spec/caBundle", ALLOCATED),
    ],
);

pub(super) const FLOW_CONTROL: KindRows = KindRows::of(
    "flowcontrol.apiserver.k8s.io",
    &["flowschemas", "prioritylevelconfigurations"],
    &[(
        "/spec",
        when("never changes of `exempt` and `catch-all`", unless_mandatory),
    )],
);

pub(super) const RESOURCE_CLAIMS: KindRows = KindRows::of(
    "resource.k8s.io",
    &["resourceclaims", "resourceclaimtemplates"],
    &[("/spec", IMMUTABLE)],
);

pub(super) const RESOURCE_SLICES: KindRows = KindRows::of(
    "resource.k8s.io",
    &["resourceslices"],
    &[
        ("/spec/driver", IMMUTABLE),
        ("/spec/pool/name", IMMUTABLE),
        ("/spec/nodeName", IMMUTABLE),
    ],
);

const AGGREGATED: Use = Use {
    text: "where rules of other roles are aggregated",
    holds: |update| {
        let is_aggregated = |role: &Value| role.get("aggregationRule").is_some_and(|rule| !rule.is_null());
        is_aggregated(update.old) || is_aggregated(update.new)
    },
};
const CONVERTED: Use = Use {
    text: "while the strategy is Webhook",
    holds: |update| update.new_text("/spec/conversion/strategy") == Some("Webhook"),
};

const UNLESS_IMMUTABLE: &str = "may change unless `immutable` is true";
const UNTIL_ESTABLISHED: &str = "may change until the kind is established";

fn unless_immutable(update: &Update<'_>) -> Change {
    Change::free_if(update.old.get("immutable").and_then(Value::as_bool) != Some(true))
}

fn until_established(update: &Update<'_>) -> Change {
    let conditions = update.old.pointer("/status/conditions").and_then(Value::as_array);
    let is_established =
        |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
    Change::free_if(!conditions.is_some_and(|conditions| conditions.iter().any(is_established)))
}

fn versions(update: &Update<'_>) -> Change {
    let list = |object: &Value, path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let versions = list(update.new, "/spec/versions");
    let stored = list(update.old, "/status/storedVersions");
    Change::free_if(
        stored
            .iter()
            .all(|stored| versions.iter().any(|version| version["name"] == *stored)),
    )
}

fn preserve_unknown_fields(update: &Update<'_>) -> Change {
    let is_true = update
        .new
        .pointer("/spec/preserveUnknownFields")
        .and_then(Value::as_bool)
        == Some(true);
    Change::free_if(!is_true)
}

fn unless_mandatory(update: &Update<'_>) -> Change {
    Change::free_if(!matches!(
        update.old_text("/metadata/name"),
        Some("exempt" | "catch-all")
    ))
}
