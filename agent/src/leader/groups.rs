//! Temporary labels on claims: what the snapshot controller knows the members of a group by. Each is taken off by
//! the backup that put it on, or, where that died with its leader, by the next leader.

use clusterbackup_api::labels;
use clusterbackup_core::cut::Group;
use clusterbackup_core::selection::Name;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tracing::info;

use super::error::{Doing as _, DriveError};
use super::tasks::json_patch;

/// Puts the label on a claim, unless it carries that of another backup.
pub(super) async fn put_on(client: &Client, claim: &Name, value: &str, uid: &str) -> Result<(), DriveError> {
    let Name { namespace, name } = claim;
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    let current = claims
        .get(name)
        .await
        .doing(format!("read PersistentVolumeClaim {claim}"))?;
    let foreign = current.labels().get(labels::GROUP);
    if foreign.is_some_and(|foreign| !Group::is_temporary_of(foreign, uid)) {
        return Err(DriveError::Labelled(claim.clone()));
    }
    let metadata =
        json!({ "resourceVersion": current.resource_version(), "labels": { labels::GROUP: value } });
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    claims
        .patch(name, &PatchParams::default(), &patch)
        .await
        .doing(format!("label PersistentVolumeClaim {claim}"))
        .map(drop)
}

/// Takes the label off every claim where `stale` says so of its value.
pub(super) async fn take_off(client: &Client, stale: impl Fn(&str) -> bool) -> Result<(), DriveError> {
    let labelled = ListParams::default().labels(labels::GROUP);
    let claims = Api::<PersistentVolumeClaim>::all(client.clone())
        .list(&labelled)
        .await
        .doing("list the labelled PersistentVolumeClaims")?;
    for claim in claims {
        let Some(value) = claim.labels().get(labels::GROUP).filter(|value| stale(value)) else {
            continue;
        };
        let namespace = claim.namespace().unwrap_or_default();
        let pointer = format!("/metadata/labels/{}", labels::GROUP.replace('/', "~1"));
        let patch = json_patch(vec![
            json!({ "op": "test", "path": pointer, "value": value }),
            json!({ "op": "remove", "path": pointer }),
        ]);
        let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
        match api
            .patch(&claim.name_any(), &PatchParams::default(), &patch)
            .await
        {
            Ok(_) => info!(namespace, claim = claim.name_any(), "temporary label taken off"),
            // Gone, or somebody else's by now.
            Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 422) => {}
            Err(error) => {
                return Err(error).doing(format!("take the label off {namespace}/{}", claim.name_any()));
            }
        }
    }
    Ok(())
}
