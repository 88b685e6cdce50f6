//! An application of more than forty kinds, gone and brought back where it was, beside itself, and in another cluster: object
//! by object what was backed up, but for what `allowed` lists.

mod allowed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as Folder;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::restore::{RestorePhase, RestoreStatus};
use clusterbackup_tests::{Cluster, Daemon};
use serde_json::{Value, json};

use self::allowed::{DIFFERENT, Different, MADE_ANEW, MadeAnew};
use crate::leader::stage::Ground;
use crate::leader::vault::{Application, Path, contents};
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [
        an_application_that_is_gone_comes_back_as_it_was,
        an_application_comes_back_beside_itself,
        an_application_comes_back_in_another_cluster,
    ],
}

/// What there is beside the application of vaults.
const MORE: &str = include_str!("round_trip/more.yaml");
/// Kinds that the application has at least.
const KINDS: usize = 40;

/// An application, backed up.
pub(super) struct Stored {
    pub(super) ground: Ground,
    pub(super) application: Application,
    pub(super) point: String,
    /// What stands in the point of the application.
    pub(super) objects: BTreeMap<Path, Value>,
    _leader: Daemon,
}

impl Stored {
    pub(super) async fn of(cluster: Cluster) -> Result<Self> {
        let ground = Ground::set_up(cluster).await?;
        let mut application = Application::create(&ground).await?;
        application.add(&ground, MORE).await?;
        for kind in ["persistentvolume", "priorityclass"] {
            let nobodys = format!("{}-of-nobody", ground.shop.name());
            ground
                .cluster
                .kubectl(&["delete", kind, &nobodys])
                .await?
                .success()?;
        }
        own(&ground).await?;
        ground.vault("vault").await?;
        let leader = ground.leaders.start().await?;
        application.settled(&ground).await?;
        let spec = json!({
            "vault": "vault", "snapshotVolumes": false, "includeSecrets": true, "includeClusterScopeResources": true,
        });
        ground.instance("nightly", spec).await?;
        ground.ask("nightly", "nightly").await?;
        let status = ground.ends("nightly", BackupPhase::Completed).await?;
        let point = status.recovery_point.context("there is no point")?;
        let mut objects = contents(&vault(&ground), &point, None)?;
        objects.retain(|path, _| application.has(path));
        let kinds: BTreeSet<_> = objects.keys().map(|path| &path.kind).collect();
        ensure!(kinds.len() >= KINDS, "only {} kinds: {kinds:?}", kinds.len());
        Ok(Self {
            objects,
            ground,
            application,
            point,
            _leader: leader,
        })
    }
}

/// Makes objects that others own, one of them outside of everything that is restored.
async fn own(ground: &Ground) -> Result<()> {
    let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
    let settings = |name: &str, owners: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "ownerReferences": owners } });
    let owner = create(&admin, Some(shop), &settings("owner", json!([]))).await?;
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"], "controller": true,
        "blockOwnerDeletion": true,
    });
    create(&admin, Some(shop), &settings("owned", json!([reference]))).await?;
    Ok(())
}

fn vault(ground: &Ground) -> std::path::PathBuf {
    ground.leaders.vaults().join("vault")
}

async fn an_application_that_is_gone_comes_back_as_it_was(cluster: Cluster) -> Result<()> {
    let stored = Stored::of(cluster).await?;
    let Stored { ground, point, .. } = &stored;
    stored.application.delete(ground).await?;
    ground.restore("friday", point, json!({})).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    compare(
        ground,
        &stored.application,
        &stored.objects,
        &status,
        Clone::clone,
    )
    .await
}

async fn an_application_comes_back_beside_itself(cluster: Cluster) -> Result<()> {
    let stored = Stored::of(cluster).await?;
    let Stored { ground, point, .. } = &stored;
    let (shop, again) = (ground.shop.name(), format!("{}-again", ground.shop.name()));
    let spec = json!({
        "namespaceMappings": { shop: again },
        "includeClusterScopeResources": false,
        // The volume stays the original's, and has no snapshot.
        "persistentVolumeRestoreMode": "RestoreWithoutVolumeData",
    });
    ground.restore("friday", point, spec).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    let there = |path: &Path| match path.namespace {
        Some(_) => Path::new(&path.kind, Some(&again), &path.name),
        None => Path::new(&path.kind, None, &again),
    };
    let moved: BTreeMap<_, _> = stored
        .objects
        .iter()
        .filter(|(path, _)| path.namespace.is_some() || path.kind == "namespaces")
        .map(|(path, object)| (path.clone(), renamed(object, shop, &again)))
        .collect();
    compare(ground, &stored.application, &moved, &status, there).await?;
    ground.delete_namespace(&again).await
}

async fn an_application_comes_back_in_another_cluster(cluster: Cluster) -> Result<()> {
    let stored = Stored::of(cluster).await?;
    let other = Ground::set_up(Cluster::start().await?).await?;
    read_only(&other, &vault(&stored.ground)).await?;
    let folder = stored.ground.leaders.vaults().display().to_string();
    let _leader = other.leaders.start_with(&[("FILE_VAULTS", &folder)]).await?;
    other.says(&stored.point, "True", "InVault").await?;
    other.restore("friday", &stored.point, json!({})).await?;
    let status = other.restored("friday", RestorePhase::Completed).await?;
    compare(
        &other,
        &stored.application,
        &stored.objects,
        &status,
        Clone::clone,
    )
    .await
}

/// Makes a vault of what another cluster has in a folder.
async fn read_only(ground: &Ground, folder: &Folder) -> Result<()> {
    let spec = json!({ "access": "ReadOnly", "operational": { "fileSystem": { "path": folder } } });
    ground.vault_of("vault", &spec).await
}

/// What an object of one namespace becomes in another one, as far as it names its own.
fn renamed(object: &Value, from: &str, to: &str) -> Value {
    let mut object = object.clone();
    if object["kind"] == "Namespace" {
        object["metadata"]["name"] = json!(to);
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(to);
        return object;
    }
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
pub(super) async fn compare(
    ground: &Ground,
    application: &Application,
    stored: &BTreeMap<Path, Value>,
    status: &RestoreStatus,
    there: impl Fn(&Path) -> Path,
) -> Result<()> {
    let mut differences = Vec::new();
    let mut pairs = Vec::new();
    for (path, object) in stored {
        let now = there(path);
        match (application.find(ground, &now).await?, made_anew(path)) {
            (Some(live), None) => pairs.push((now, object, live)),
            (None, None) => differences.push(format!("{now:?} is not there")),
            (Some(live), Some(made)) if is_created_by_us(&live) => {
                differences.push(format!("{now:?} was restored, although {}", made.why));
            }
            (_, Some(_)) => {}
        }
    }
    let uid = |object: &Value| object["metadata"]["uid"].to_string();
    let uids: BTreeMap<_, _> = pairs
        .iter()
        .map(|(_, object, live)| (uid(object), live["metadata"]["uid"].clone()))
        .collect();
    for (now, object, live) in &pairs {
        let (was, is) = (common(now, &owned_by(object, &uids)), common(now, live));
        if was != is {
            let allowed: Vec<_> = allowed(now).map(|different| different.why).collect();
            differences.push(format!(
                "{now:?} was {was:#} and is {is:#}, beside what may differ: {allowed:#?}"
            ));
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
    let created = usize::try_from(status.counts.created)?;
    ensure!(
        created == pairs.len() && status.counts.failed == 0,
        "{} objects are the application's: {status:#?}",
        pairs.len()
    );
    Ok(())
}

/// The object with the uids that its owners have now.
fn owned_by(object: &Value, uids: &BTreeMap<String, Value>) -> Value {
    let mut object = object.clone();
    let owners = object.pointer_mut("/metadata/ownerReferences");
    for owner in owners.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(uid) = uids.get(&owner["uid"].to_string()) {
            owner["uid"] = uid.clone();
        }
    }
    object
}

/// Whether a restore has written it; what a controller makes of something restored has its annotations as well.
fn is_created_by_us(live: &Value) -> bool {
    let managers = live["metadata"]["managedFields"].as_array();
    let mut managers = managers.into_iter().flatten();
    managers.any(|entry| entry["manager"] == "clusterbackup-restore")
}

fn made_anew(path: &Path) -> Option<&'static MadeAnew> {
    let mut known = MADE_ANEW.iter();
    known.find(|made| path.kind == made.kind && path.name.starts_with(made.names))
}

fn allowed(path: &Path) -> impl Iterator<Item = &'static Different> {
    let concerns = |different: &&Different| different.kind.is_none_or(|kind| kind == path.kind);
    DIFFERENT.iter().filter(concerns)
}

/// What has to be the same.
fn common(path: &Path, object: &Value) -> Value {
    let mut object = object.clone();
    for field in allowed(path).flat_map(|different| different.fields) {
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
