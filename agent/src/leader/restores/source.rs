//! The recovery point of a restore: found in its vault, opened for reading, and what of it the requester may read.

use clusterbackup_api::access::{Access, Demand, Reach, Read};
use clusterbackup_api::recovery_point::{PointFormat, PointState};
use clusterbackup_api::requester::Requester;
use clusterbackup_api::{RecoveryPoint, Restore};
use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_kit::rights;
use clusterbackup_vault::archive::{self, Archive, StageError};
use clusterbackup_vault::point::{Manifest, PointId, PointReader};
use clusterbackup_vault::seal::Identity;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::stand_in::{Place, StandIn};
use crate::leader::error::{Doing as _, DriveError};
use crate::leader::point;
use crate::leader::point_failure::PointFailure;
use crate::leader::reach::{Reachable, Wanted};
use crate::leader::world::World;

/// The entry of a Secret that holds a private key.
const IDENTITY: &str = "identity";

/// Opens the point.
pub(super) async fn open(
    world: &World,
    restore: &Restore,
    stand_in: &StandIn,
) -> Result<PointReader, PointFailure> {
    let namespace = restore.namespace().unwrap_or_default();
    let point = find(world, &namespace, &restore.spec.recovery_point).await?;
    let store = world.doors.open_point(&world.client, &point).await?;
    if point.spec.format == PointFormat::Velero {
        let archive = Archive::open(store, &point.spec.backup.name).await;
        let archive = archive.map_err(StageError::from)?;
        return Ok(archive::stage(&archive, &point.spec.instance, &world.scratch).await?);
    }
    let identity = match &restore.spec.identity {
        Some(secret) => Some(identity(stand_in, &namespace, secret).await?),
        None => None,
    };
    let id = PointId::new(point.name_any()).map_err(|error| PointFailure::Final(error.to_string()))?;
    Ok(PointReader::open(store, &id, identity).await?)
}

/// The point, if it can be read.
pub(super) async fn find(world: &World, namespace: &str, name: &str) -> Result<RecoveryPoint, PointFailure> {
    let points = Api::<RecoveryPoint>::namespaced(world.client.clone(), namespace);
    let found = points.get_opt(name).await.doing("read the RecoveryPoint")?;
    let point = found.ok_or_else(|| {
        PointFailure::Final(format!(
            "RecoveryPoint {name} doesn't exist in namespace {namespace}; `kubectl get recoverypoints` lists those that do"
        ))
    })?;
    match point.status.as_ref().and_then(|status| status.state) {
        Some(PointState::Deleted) => Err(PointFailure::Final(format!(
            "RecoveryPoint {name} is deleted: have it back by `kubectl clusterbackup rp undelete {name}`, then make another Restore"
        ))),
        Some(PointState::Purging) => Err(PointFailure::Final(format!(
            "RecoveryPoint {name} is deleted and its data is being removed: restore another one"
        ))),
        Some(PointState::Available) | None => Ok(point),
    }
}

/// The private key in a Secret, as far as the requester may get that. No error repeats anything of what it holds.
async fn identity(stand_in: &StandIn, namespace: &str, name: &str) -> Result<Identity, PointFailure> {
    let said = |what: &str| PointFailure::Final(format!("Secret {name}, which spec.identity names, {what}"));
    let id = ObjectId {
        kind: GroupResource::new("", "secrets"),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let place = Place::of(&id, &json!({ "apiVersion": "v1", "kind": "Secret" }));
    let found = stand_in.get(&place).await;
    let found = found.doing(format!("read Secret {name} in the name of the requester"))?;
    let found = found.ok_or_else(|| said("doesn't exist: create it in the namespace of the Restore"))?;
    let secret: Secret = serde_json::from_value(found).map_err(|_| said("can't be read"))?;
    let data = secret.data.unwrap_or_default();
    let key = data.get(IDENTITY).ok_or_else(|| {
        said("has no entry `identity`: put the private key (AGE-SECRET-KEY-1...) of a recipient there")
    })?;
    let text = str::from_utf8(&key.0).map_err(|_| said("holds a private key that is no text"))?;
    text.parse()
        .map_err(|error: clusterbackup_vault::seal::BadIdentity| said(&format!("is of no use: {error}")))
}

/// Whether the point is of another cluster.
pub(super) async fn is_foreign(world: &World, manifest: &Manifest) -> Result<bool, DriveError> {
    Ok(manifest.begin.cluster != point::cluster(&world.client).await?)
}

/// What of the point the requester may read. Who has the verb `restore` on the instance that the point is of may read all of
/// it; anybody else what he may get in the cluster, where it was. What another cluster calls a namespace or an instance gives
/// nobody rights here: its points are for those who have that verb everywhere.
pub(super) async fn reachable(
    world: &World,
    requester: &Requester,
    manifest: &Manifest,
    wanted: Wanted,
) -> Result<Reachable, PointFailure> {
    let begin = &manifest.begin;
    let foreign = is_foreign(world, manifest).await?;
    let reach = if foreign {
        Reach::Everywhere
    } else {
        Reach::In([begin.backup.namespace.clone()].into())
    };
    let demand = Demand::of_points(&begin.instance, reach);
    let missing = rights::missing(&world.client, requester, &demand).await;
    let missing = missing.doing("ask for the rights of the requester")?;
    if missing.is_empty() {
        return Ok(Reachable::everything(requester, Read::Get));
    }
    if foreign {
        let lacking: Vec<_> = missing.iter().map(Access::to_string).collect();
        return Err(PointFailure::Final(format!(
            "the recovery point is of another cluster, and the requester {} may not {}: have somebody restore it who may, or \
             have the verb granted",
            requester.username,
            lacking.join(", ")
        )));
    }
    let asked: Result<_, DriveError> = Reachable::ask(&world.client, requester, Read::Get, wanted).await;
    Ok(asked?)
}
