//! Services and what leads to them.

use serde_json::Value;

use super::KindRows;
use crate::clash::aspect::Aspect::{AllOrNone, Allocated, Needed, Together, ToldApartBy, Whole};
use crate::clash::aspect::{IMMUTABLE, Update, Use, when};
use crate::clash::change::Change;

/// What the API server allocates stays, as long as the type has a use for it. Ports are told apart by their names: a
/// port that gets another number stays the same port.
pub(super) const SERVICES: KindRows = KindRows::of(
    "",
    &["services"],
    &[
        ("/spec/clusterIP", Allocated(CLUSTER_IP)),
        ("/spec/clusterIP", Needed(CLUSTER_IP)),
        ("/spec/clusterIP", when(ADDRESSES, addresses)),
        ("/spec/clusterIPs", Allocated(CLUSTER_IP)),
        ("/spec/clusterIPs", Needed(CLUSTER_IP)),
        ("/spec/clusterIPs", when(ADDRESSES, addresses)),
        ("/spec/ipFamilies", Allocated(CLUSTER_IP)),
        ("/spec/ipFamilies", Needed(CLUSTER_IP)),
        ("/spec/ipFamilies", when(ADDRESSES, addresses)),
        ("/spec/ipFamilyPolicy", Needed(CLUSTER_IP)),
        ("/spec/internalTrafficPolicy", Needed(CLUSTER_IP)),
        ("/spec/externalName", Needed(EXTERNAL_NAME)),
        ("/spec/selector", Whole),
        ("/spec/ports", ToldApartBy("name")),
        ("/spec/ports/*/nodePort", Allocated(NODE_PORT)),
        ("/spec/ports/*/nodePort", Needed(NODE_PORT)),
        ("/spec/externalTrafficPolicy", Needed(NODE_PORT)),
        ("/spec/healthCheckNodePort", Allocated(HEALTH_CHECK)),
        ("/spec/healthCheckNodePort", Needed(HEALTH_CHECK)),
        (
            "/spec/healthCheckNodePort",
            when("never changes while it is needed", health_check),
        ),
        ("/spec/allocateLoadBalancerNodePorts", Needed(LOAD_BALANCER)),
        ("/spec/loadBalancerClass", Needed(LOAD_BALANCER)),
        (
            "/spec/loadBalancerClass",
            when(
                "never changes while the type is LoadBalancer",
                load_balancer_class,
            ),
        ),
        ("/spec/loadBalancerIP", Needed(LOAD_BALANCER)),
        ("/spec/loadBalancerSourceRanges", Needed(LOAD_BALANCER)),
        ("/spec", Together(&["sessionAffinity", "sessionAffinityConfig"])),
        ("/spec", AllOrNone(TYPED)),
    ],
);

/// What a type has, and another one may not have.
const TYPED: &[&str] = &[
    "type",
    "clusterIP",
    "clusterIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "ipFamilies",
    "ipFamilyPolicy",
    "loadBalancerClass",
];

/// Those of Services with a selector are written by a controller.
pub(super) const ENDPOINTS: KindRows = KindRows::of(
    "",
    &["endpoints"],
    &[("/subsets", Allocated(ENDPOINTS_CONTROLLED))],
);

pub(super) const ENDPOINT_SLICES: KindRows = KindRows::of(
    "discovery.k8s.io",
    &["endpointslices"],
    &[
        ("/addressType", IMMUTABLE),
        ("/endpoints", Allocated(SLICE_CONTROLLED)),
        ("/ports", Allocated(SLICE_CONTROLLED)),
    ],
);

pub(super) const INGRESSES: KindRows = KindRows::of(
    "networking.k8s.io",
    &["ingresses"],
    &[("/spec/defaultBackend", Together(&["resource", "service"]))],
);

pub(super) const INGRESS_CLASSES: KindRows = KindRows::of(
    "networking.k8s.io",
    &["ingressclasses"],
    &[("/spec/controller", IMMUTABLE), ("/spec/parameters", Whole)],
);

pub(super) const SERVICE_CIDRS: KindRows = KindRows::of(
    "networking.k8s.io",
    &["servicecidrs"],
    &[("/spec/cidrs", when("a second one may be added", cidrs))],
);

pub(super) const IP_ADDRESSES: KindRows = KindRows::of(
    "networking.k8s.io",
    &["ipaddresses"],
    &[("/spec/parentRef", IMMUTABLE)],
);

const CLUSTER_IP: Use = Use {
    text: "while the type isn't ExternalName",
    holds: |update| update.new_text(TYPE) != Some("ExternalName"),
};
const EXTERNAL_NAME: Use = Use {
    text: "while the type is ExternalName",
    holds: |update| update.new_text(TYPE) == Some("ExternalName"),
};
const NODE_PORT: Use = Use {
    text: "while the type is NodePort or LoadBalancer",
    holds: |update| matches!(update.new_text(TYPE), Some("NodePort" | "LoadBalancer")),
};
const LOAD_BALANCER: Use = Use {
    text: "while the type is LoadBalancer",
    holds: |update| update.new_text(TYPE) == Some("LoadBalancer"),
};
const HEALTH_CHECK: Use = Use {
    text: "while the type is LoadBalancer and the external traffic policy is Local",
    holds: |update| needs_health_check(update.new),
};
const ENDPOINTS_CONTROLLED: Use = Use {
    text: "where a controller writes them",
    holds: |update| {
        update
            .old_text("/metadata/labels/endpoints.kubernetes.io~1managed-by")
            .is_some()
    },
};
const SLICE_CONTROLLED: Use = Use {
    text: "where a controller writes them",
    holds: |update| {
        update
            .old_text("/metadata/labels/endpointslice.kubernetes.io~1managed-by")
            .is_some()
    },
};

const TYPE: &str = "/spec/type";
const ADDRESSES: &str =
    "the first stays unless the type is ExternalName; a second one comes and goes with `ipFamilyPolicy`";

fn addresses(update: &Update<'_>) -> Change {
    let has_none = |service: &Value| text(service, TYPE) == Some("ExternalName");
    let is_headless = |service: &Value| text(service, "/spec/clusterIP") == Some("None");
    let (old, new) = (update.old, update.new);
    if has_none(old) || has_none(new) || (is_headless(old) && is_headless(new)) {
        return Change::FREE;
    }
    let single = text(new, "/spec/ipFamilyPolicy") == Some("SingleStack");
    let extends = |path: &str| {
        let (old, new) = (list(old, path), list(new, path));
        new.starts_with(&old) || (single && !new.is_empty() && old.starts_with(&new))
    };
    let first = |service: &Value| service.pointer("/spec/clusterIPs/0").cloned();
    let is_consistent = first(new).is_none() || first(new) == new.pointer("/spec/clusterIP").cloned();
    Change::free_if(extends("/spec/clusterIPs") && extends("/spec/ipFamilies") && is_consistent)
}

fn cidrs(update: &Update<'_>) -> Change {
    let cidrs = |object: &Value| list(object, "/spec/cidrs");
    Change::free_if(cidrs(update.new).starts_with(&cidrs(update.old)))
}

fn needs_health_check(service: &Value) -> bool {
    text(service, TYPE) == Some("LoadBalancer")
        && text(service, "/spec/externalTrafficPolicy") == Some("Local")
}

fn health_check(update: &Update<'_>) -> Change {
    Change::free_if(!(needs_health_check(update.old) && needs_health_check(update.new)))
}

fn load_balancer_class(update: &Update<'_>) -> Change {
    Change::free_if(update.common_text(TYPE) != Some("LoadBalancer"))
}

fn list(object: &Value, path: &str) -> Vec<Value> {
    let list = object.pointer(path).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

fn text<'v>(object: &'v Value, path: &str) -> Option<&'v str> {
    object.pointer(path).and_then(Value::as_str)
}
