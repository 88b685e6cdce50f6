//! Why something is not ready, for a person: what its pods or its events say, where it doesn't say so itself.

use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_core::restore::Readiness;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use super::Awaited;

/// Objects that somebody asks further about: of more, what they say themselves is told.
const ASKED: usize = 50;
/// Events and pods that are looked at.
const PAGE: u32 = 50;

/// What is told of each object that is not ready.
pub(in crate::leader::restores) async fn explain(
    client: &Client,
    awaited: &Awaited,
    known: &super::Known,
) -> Vec<(ObjectId, String)> {
    let mut told = Vec::new();
    for (id, readiness) in known {
        let Some(reason) = readiness.reason() else {
            continue;
        };
        let further = match awaited.kinds.get(&id.kind) {
            Some(kind) if told.len() < ASKED => further(client, id, kind).await,
            _ => None,
        };
        let further = further.map_or_else(String::new, |further| format!("; {further}"));
        told.push((id.clone(), format!("it is not ready: {reason}{further}")));
    }
    told
}

async fn further(client: &Client, id: &ObjectId, kind: &ApiResource) -> Option<String> {
    match id.kind.as_str() {
        "persistentvolumeclaims" => event(client, id).await,
        "pods" | "apiservices.apiregistration.k8s.io" => None,
        _ => pod(client, id, kind).await,
    }
}

/// The last event of an object, a warning if there is one.
async fn event(client: &Client, id: &ObjectId) -> Option<String> {
    let events = Api::<Event>::namespaced(client.clone(), id.namespace.as_deref()?);
    let of_it = format!(
        "involvedObject.kind=PersistentVolumeClaim,involvedObject.name={}",
        id.name
    );
    let found = events
        .list(&ListParams::default().fields(&of_it).limit(PAGE))
        .await
        .ok()?;
    let last = found.items.into_iter().max_by_key(|event| {
        let is_warning = event.type_.as_deref() == Some("Warning");
        let time = event.last_timestamp.as_ref().map(|time| time.0);
        (
            is_warning,
            time.or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0)),
        )
    })?;
    Some(format!("{}: {}", last.reason.unwrap_or_default(), last.message?))
}

/// What one of the pods waits for that a controller has made.
async fn pod(client: &Client, id: &ObjectId, kind: &ApiResource) -> Option<String> {
    let namespace = id.namespace.as_deref()?;
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, kind);
    let named = ListParams::default().fields(&format!("metadata.name={}", id.name));
    let owner = api.list(&named).await.ok()?.items.into_iter().next()?;
    let selector = selector(&owner.data["spec"]["selector"])?;
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let pods = pods
        .list(&ListParams::default().labels(&selector).limit(PAGE))
        .await
        .ok()?;
    let pods_kind = GroupResource::new("", "pods");
    pods.items.into_iter().find_map(|pod| {
        let name = pod.name_any();
        let pod = serde_json::to_value(pod).ok()?;
        let readiness = Readiness::of(&pods_kind, &pod, None);
        readiness.reason().map(|reason| format!("pod {name}: {reason}"))
    })
}

/// The labels of the pods: those that have to be there; of replication controllers, all that there are.
fn selector(selector: &Value) -> Option<String> {
    let labels = selector.get("matchLabels").unwrap_or(selector).as_object()?;
    let labels: Vec<_> = labels
        .iter()
        .filter_map(|(label, value)| Some(format!("{label}={}", value.as_str()?)))
        .collect();
    (!labels.is_empty()).then(|| labels.join(","))
}
