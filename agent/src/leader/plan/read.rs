//! What a plan needs to know of the cluster, read page by page and cut down to that at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use clusterbackup_api::snapshots::{VolumeGroupSnapshotClass, VolumeSnapshot, VolumeSnapshotClass};
use clusterbackup_core::cut::{Class, Classes};
use clusterbackup_core::quantity::Quantity;
use clusterbackup_core::selection::{Claim, ClaimPhase, Name, Namespace, Pod, PodPhase, Volume};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::leader::error::DriveError;
use crate::leader::listed;

/// More namespaces than this are read by one listing over all.
const SINGLY: usize = 20;

/// The namespaces of the cluster.
pub(super) async fn namespaces(client: &Client) -> Result<Vec<Namespace>, DriveError> {
    let take = |namespace: core::Namespace| Namespace {
        name: namespace.name_any(),
        labels: namespace.labels().clone(),
    };
    list(Api::<core::Namespace>::all(client.clone()), take).await
}

/// The pods in the namespaces.
pub(super) async fn pods(client: &Client, namespaces: &[&str]) -> Result<Vec<Pod>, DriveError> {
    list_in(client, namespaces, pod).await
}

/// The claims in the namespaces, with their volumes; where `count` is asked for, with the number of their snapshots.
pub(super) async fn claims(
    client: &Client,
    namespaces: &[&str],
    count: bool,
) -> Result<Vec<Claim>, DriveError> {
    let claims: Vec<core::PersistentVolumeClaim> = list_in(client, namespaces, |claim| claim).await?;
    let volumes = volumes(client, &claims).await?;
    let counts = if count {
        snapshots(client, namespaces).await?
    } else {
        BTreeMap::new()
    };
    let known = claims.into_iter().map(|claim| {
        let name = Name::new(claim.namespace().unwrap_or_default(), claim.name_any());
        let volume = volume_name(&claim).and_then(|volume| volumes.get(volume).cloned());
        Claim {
            snapshots: counts.get(&name).copied().unwrap_or_default(),
            labels: claim.labels().clone(),
            phase: claim_phase(&claim),
            deleting: claim.meta().deletion_timestamp.is_some(),
            volume,
            name,
        }
    });
    Ok(known.collect())
}

/// The VolumeSnapshotClasses; `None` where the CSI project's kinds are not installed.
pub(in crate::leader) async fn classes(client: &Client) -> Result<Option<Classes>, DriveError> {
    let take = |class: VolumeSnapshotClass| Class {
        name: class.name_any(),
        for_backups: class.labels().contains_key(Class::FOR_BACKUPS),
        default: is_true(class.annotations(), Class::DEFAULT),
        driver: class.driver,
    };
    let listed = listed::installed(
        &Api::<VolumeSnapshotClass>::all(client.clone()),
        listed::PAGE,
        take,
    )
    .await?;
    Ok(listed.map(Classes::new))
}

/// The VolumeGroupSnapshotClasses; none where their kinds are not installed.
pub(super) async fn group_classes(client: &Client) -> Result<Classes, DriveError> {
    let take = |class: VolumeGroupSnapshotClass| Class {
        name: class.name_any(),
        for_backups: class.labels().contains_key(Class::FOR_GROUP_BACKUPS),
        default: is_true(class.annotations(), Class::GROUP_DEFAULT),
        driver: class.driver,
    };
    list(Api::<VolumeGroupSnapshotClass>::all(client.clone()), take)
        .await
        .map(Classes::new)
}

fn is_true(annotations: &BTreeMap<String, String>, key: &str) -> bool {
    annotations.get(key).is_some_and(|value| value == "true")
}

/// What is known of a pod.
pub(in crate::leader) fn pod(pod: core::Pod) -> Pod {
    let name = Name::new(pod.namespace().unwrap_or_default(), pod.name_any());
    let spec = pod.spec.unwrap_or_default();
    let is_sidecar = |container: &core::Container| container.restart_policy.as_deref() == Some("Always");
    let init = spec.init_containers.unwrap_or_default().into_iter();
    let volumes = spec.volumes.unwrap_or_default();
    let claims = volumes
        .into_iter()
        .filter_map(
            |volume| match (volume.persistent_volume_claim, volume.ephemeral) {
                (Some(source), _) => Some(source.claim_name),
                // The name that the controller of ephemeral volumes gives their claims.
                (None, Some(_)) => Some(format!("{}-{}", name.name, volume.name)),
                (None, None) => None,
            },
        )
        .collect();
    Pod {
        uid: pod.metadata.uid.unwrap_or_default(),
        node: spec.node_name,
        phase: pod_phase(pod.status.and_then(|status| status.phase).as_deref()),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        labels: pod.metadata.labels.unwrap_or_default(),
        containers: spec
            .containers
            .into_iter()
            .map(|container| container.name)
            .collect(),
        sidecars: init.filter(is_sidecar).map(|container| container.name).collect(),
        claims,
        name,
    }
}

fn pod_phase(phase: Option<&str>) -> PodPhase {
    match phase {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Unknown") => PodPhase::Unknown,
        _ => PodPhase::Pending,
    }
}

fn claim_phase(claim: &core::PersistentVolumeClaim) -> ClaimPhase {
    match claim.status.as_ref().and_then(|status| status.phase.as_deref()) {
        Some("Bound") => ClaimPhase::Bound,
        Some("Lost") => ClaimPhase::Lost,
        _ => ClaimPhase::Pending,
    }
}

fn volume_name(claim: &core::PersistentVolumeClaim) -> Option<&str> {
    claim.spec.as_ref()?.volume_name.as_deref()
}

/// The volumes of the claims, by name.
async fn volumes(
    client: &Client,
    claims: &[core::PersistentVolumeClaim],
) -> Result<BTreeMap<String, Volume>, DriveError> {
    let wanted: BTreeSet<&str> = claims.iter().filter_map(volume_name).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let take = |volume: core::PersistentVolume| {
        let name = volume.name_any();
        wanted
            .contains(name.as_str())
            .then(|| (name, self::volume(volume)))
    };
    let found = list(Api::<core::PersistentVolume>::all(client.clone()), take).await?;
    Ok(found.into_iter().flatten().collect())
}

fn volume(volume: core::PersistentVolume) -> Volume {
    let spec = volume.spec.unwrap_or_default();
    let capacity = spec
        .capacity
        .as_ref()
        .and_then(|capacity| capacity.get("storage"));
    Volume {
        capacity: capacity.and_then(|quantity| Quantity::parse(&quantity.0)),
        driver: spec.csi.map(|source| source.driver),
    }
}

/// How many snapshots claims have.
async fn snapshots(client: &Client, namespaces: &[&str]) -> Result<BTreeMap<Name, u32>, DriveError> {
    let take = |snapshot: VolumeSnapshot| {
        let namespace = snapshot.namespace().unwrap_or_default();
        let claim = snapshot.spec.source.persistent_volume_claim_name;
        claim.map(|claim| Name::new(namespace, claim))
    };
    let mut counts = BTreeMap::new();
    for name in list_in(client, namespaces, take).await?.into_iter().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    Ok(counts)
}

/// What `take` makes of each object in the namespaces.
async fn list_in<K, T>(
    client: &Client,
    namespaces: &[&str],
    take: impl Fn(K) -> T,
) -> Result<Vec<T>, DriveError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let wanted: BTreeSet<&str> = namespaces.iter().copied().collect();
    if wanted.len() > SINGLY {
        let take = |object: K| {
            let inside = object
                .namespace()
                .is_some_and(|namespace| wanted.contains(namespace.as_str()));
            inside.then(|| take(object))
        };
        let taken = list(Api::<K>::all(client.clone()), take).await?;
        return Ok(taken.into_iter().flatten().collect());
    }
    let mut all = Vec::new();
    for namespace in wanted {
        all.extend(list(Api::<K>::namespaced(client.clone(), namespace), &take).await?);
    }
    Ok(all)
}

/// What `take` makes of each object; nothing where the kind isn't installed.
async fn list<K, T>(api: Api<K>, take: impl Fn(K) -> T) -> Result<Vec<T>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let taken = listed::installed(&api, listed::PAGE, take).await?;
    Ok(taken.unwrap_or_default())
}
