//! Removes the snapshots of a backup that are not kept, with their data: first the content is set to Delete, since a
//! class may say Retain, then the snapshot goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clusterbackup_api::labels;
use clusterbackup_api::snapshots::{VolumeGroupSnapshot, VolumeSnapshot};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio::time::{Instant, sleep};

use super::contents::{self, Policy};
use super::error::{Doing as _, DriveError, OrGone as _};

/// Deleting waits for a cut under way, which may hang: then the controllers go on without us.
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

/// A snapshot or group: its namespace and name.
pub(super) type Name = (String, String);

/// Removes every snapshot and group of the backup `uid` that `kept` doesn't name, and says which were not gone, with
/// their contents, when the limit was over. A group stays as long as one of its members is kept.
pub(super) async fn discard(
    client: &Client,
    uid: &str,
    kept: &BTreeSet<Name>,
) -> Result<Vec<Name>, DriveError> {
    let deadline = Instant::now() + LIMIT;
    let mut leaving = BTreeMap::new();
    loop {
        let there = attempt(client, uid, kept, &mut leaving).await?;
        let mut left = Vec::new();
        for (content, name) in &leaving {
            // Its look comes first: a snapshot stays as long as its content, and the content until somebody looks.
            if contents::is_there(client, content).await? || there.contains(name) {
                left.push(name.clone());
            }
        }
        if left.is_empty() || Instant::now() + PAUSE > deadline {
            return Ok(left);
        }
        sleep(PAUSE).await;
    }
}

/// Asks for the deletion of what is there, and says what that was; `leaving` are the snapshots' contents. What is being
/// deleted is looked at as well: its content may have come only now.
async fn attempt(
    client: &Client,
    uid: &str,
    kept: &BTreeSet<Name>,
    leaving: &mut BTreeMap<String, Name>,
) -> Result<BTreeSet<Name>, DriveError> {
    let ours = ListParams::default().labels(&format!("{}={uid}", labels::BACKUP_UID));
    let mut there = BTreeSet::new();
    for snapshot in list::<VolumeSnapshot>(client, &ours).await? {
        let name = name_of(&snapshot);
        if !kept.contains(&name) {
            remove_snapshot(client, &snapshot).await?;
            leaving.insert(contents::of_snapshot(&snapshot), name.clone());
            there.insert(name);
        }
    }
    for group in list::<VolumeGroupSnapshot>(client, &ours).await? {
        let (namespace, name) = name_of(&group);
        let members = contents::members(client, &namespace, &name).await?;
        if !members.iter().any(|member| kept.contains(&name_of(member))) {
            remove_group(client, &group, &members).await?;
            let contents = members.iter().map(contents::of_snapshot);
            leaving.extend(contents.map(|content| (content, (namespace.clone(), name.clone()))));
            there.insert((namespace, name));
        }
    }
    Ok(there)
}

async fn remove_snapshot(client: &Client, snapshot: &VolumeSnapshot) -> Result<(), DriveError> {
    contents::set_snapshot_policy(client, &contents::of_snapshot(snapshot), Policy::Delete).await?;
    delete(client, snapshot).await
}

async fn remove_group(
    client: &Client,
    group: &VolumeGroupSnapshot,
    members: &[VolumeSnapshot],
) -> Result<(), DriveError> {
    for member in members {
        contents::set_snapshot_policy(client, &contents::of_snapshot(member), Policy::Delete).await?;
    }
    contents::set_group_policy(client, &contents::of_group(group), Policy::Delete).await?;
    delete(client, group).await
}

/// All of a kind in all namespaces; none where the kind isn't installed.
async fn list<K>(client: &Client, selected: &ListParams) -> Result<Vec<K>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let found = Api::<K>::all(client.clone()).list(selected).await;
    let found = found.or_gone().doing(format!("list the {}s", K::kind(&())))?;
    Ok(found.map(|list| list.items).unwrap_or_default())
}

async fn delete<K>(client: &Client, object: &K) -> Result<(), DriveError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let (namespace, name) = name_of(object);
    let this_one = DeleteParams::default().preconditions(Preconditions {
        uid: object.uid(),
        resource_version: None,
    });
    Api::<K>::namespaced(client.clone(), &namespace)
        .delete(&name, &this_one)
        .await
        .or_gone()
        .doing(format!("delete {} {namespace}/{name}", K::kind(&())))
        .map(drop)
}

fn name_of<K: Resource<DynamicType = ()>>(object: &K) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}
