//! An application of about thirty kinds, gone and brought back: object by object what was backed up, but for what is listed
//! here.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clusterbackup_api::restore::{RestorePhase, RestoreStatus};
use clusterbackup_tests::{Cluster, Daemon};
use serde_json::{Value, json};

use crate::leader::stage::Ground;
use crate::leader::vault::{Application, Path, contents};
use crate::runner::scenarios;

scenarios! {
    Own: [
        an_application_that_is_gone_comes_back_as_it_was,
        an_application_comes_back_beside_itself,
    ],
}

/// Objects that nothing brings back since something makes them anew, by kind and the beginning of their names.
const MADE_ANEW: [(&str, &str); 8] = [
    ("configmaps", "kube-root-ca.crt"),
    ("serviceaccounts", "default"),
    ("csistoragecapacities.storage.k8s.io", "left"),
    // By the controllers of Services, Deployments, StatefulSets and DaemonSets.
    ("endpoints", "web"),
    ("endpointslices.discovery.k8s.io", "web-"),
    ("replicasets.apps", "web-"),
    ("controllerrevisions.apps", "db-"),
    ("controllerrevisions.apps", "logs-"),
];

/// Fields that are different in an object that is made a second time.
const DIFFERENT: [(&str, &[&str]); 7] = [
    (
        "",
        &[
            "/metadata/uid",
            "/metadata/resourceVersion",
            "/metadata/generation",
            "/metadata/creationTimestamp",
            "/metadata/managedFields",
            "/metadata/generateName",
            "/metadata/ownerReferences",
            "/metadata/labels/clusterbackup.io~1restore-name",
            "/metadata/annotations/clusterbackup.io~1restore-uid",
            "/metadata/annotations/clusterbackup.io~1original-namespace",
            "/status",
        ],
    ),
    ("services", &["/spec/clusterIP", "/spec/clusterIPs"]),
    // Of their volumes; the annotations are the volume controller's.
    (
        "persistentvolumes",
        &["/spec/claimRef", "/metadata/annotations", "/metadata/finalizers"],
    ),
    (
        "persistentvolumeclaims",
        &["/spec/volumeName", "/metadata/annotations"],
    ),
    // The token of its service account; what a LimitRange sets that is younger than the pod was.
    (
        "pods",
        &["/spec/volumes", "/spec/containers", "/metadata/annotations"],
    ),
    (
        "jobs.batch",
        &[
            "/metadata/labels",
            "/spec/selector",
            "/spec/template/metadata/labels",
        ],
    ),
    // Nobody holds it who did then.
    ("leases.coordination.k8s.io", &["/spec/holderIdentity"]),
];

/// An application, backed up.
struct Stored {
    ground: Ground,
    application: Application,
    point: String,
    /// What stands in the point.
    objects: BTreeMap<Path, Value>,
    _leader: Daemon,
}

impl Stored {
    async fn of(cluster: Cluster) -> Result<Self> {
        let ground = Ground::set_up(cluster).await?;
        let application = Application::create(&ground).await?;
        ground.vault("vault").await?;
        let leader = ground.leaders.start().await?;
        application.settled(&ground).await?;
        let point = ground.point("nightly").await?;
        Ok(Self {
            objects: contents(&ground.leaders.vaults().join("vault"), &point, None)?,
            ground,
            application,
            point,
            _leader: leader,
        })
    }
}

async fn an_application_that_is_gone_comes_back_as_it_was(cluster: Cluster) -> Result<()> {
    let Stored {
        ground,
        application,
        point,
        objects: stored,
        ..
    } = &Stored::of(cluster).await?;

    application.delete(ground).await?;
    ground.restore("friday", point, json!({})).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(
        status.counts.created > 30 && status.counts.failed == 0,
        "{status:#?}"
    );
    compare(ground, application, stored, &status, Clone::clone).await
}

async fn an_application_comes_back_beside_itself(cluster: Cluster) -> Result<()> {
    let Stored {
        ground,
        application,
        point,
        objects: stored,
        ..
    } = &Stored::of(cluster).await?;

    let (shop, again) = (ground.shop.name(), format!("{}-again", ground.shop.name()));
    let spec = json!({ "namespaceMappings": { shop: again }, "includeClusterScopeResources": false });
    ground.restore("friday", point, spec).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    let inside = stored.iter().filter(|(path, _)| path.namespace.is_some());
    let moved: BTreeMap<_, _> = inside
        .map(|(path, object)| (path.clone(), renamed(object, shop, &again)))
        .collect();
    let there = |path: &Path| Path::new(&path.kind, Some(&again), &path.name);
    compare(ground, application, &moved, &status, there).await?;
    ground.delete_namespace(&again).await
}

/// What an object of one namespace becomes in another one, as far as it names its own.
fn renamed(object: &Value, from: &str, to: &str) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(to);
    let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten() {
        if subject["namespace"] == from {
            subject["namespace"] = json!(to);
        }
    }
    object
}

/// Compares what stands in the cluster with what was stored; `there` says where an object is now.
async fn compare(
    ground: &Ground,
    application: &Application,
    stored: &BTreeMap<Path, Value>,
    status: &RestoreStatus,
    there: impl Fn(&Path) -> Path,
) -> Result<()> {
    let (mut left_out, mut differences) = (0, Vec::new());
    for (path, object) in stored {
        let now = there(path);
        if is_made_anew(path) {
            left_out += 1;
            continue;
        }
        let Some(live) = application.find(ground, &now).await? else {
            differences.push(format!("{now:?} is not there"));
            continue;
        };
        let (was, is) = (common(path, object), common(path, &live));
        if was != is {
            differences.push(format!("{now:?} was {was:#} and is {is:#}"));
        }
        if !live["metadata"]["annotations"]["clusterbackup.io/restore-uid"].is_string() {
            differences.push(format!("{now:?} doesn't say what restored it"));
        }
    }
    ensure!(
        differences.is_empty(),
        "{}\n{:#?}",
        differences.join("\n"),
        status.problems
    );
    ensure!(
        status.counts.left_out == left_out,
        "{left_out} objects are made anew: {status:#?}"
    );
    Ok(())
}

fn is_made_anew(path: &Path) -> bool {
    let mut known = MADE_ANEW.iter();
    known.any(|(kind, name)| path.kind == *kind && path.name.starts_with(name))
}

/// What has to be the same.
fn common(path: &Path, object: &Value) -> Value {
    let mut object = object.clone();
    let fields = DIFFERENT
        .iter()
        .filter(|(kind, _)| kind.is_empty() || *kind == path.kind);
    for field in fields.flat_map(|(_, fields)| fields.iter()) {
        remove(&mut object, field);
    }
    object
}

/// Takes a field out, and what is empty without it.
fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return;
    };
    let key = key.replace("~1", "/");
    let Some(members) = object.pointer_mut(parent).and_then(Value::as_object_mut) else {
        return;
    };
    members.remove(&key);
    if members.is_empty() && parent.contains("/metadata/") {
        remove(object, parent);
    }
}
