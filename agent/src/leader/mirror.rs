//! The object that shows a recovery point in the cluster. It is made from the manifest alone: by whoever commits the point,
//! and by whoever finds it in a vault.

use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::node_task::RunReference;
use clusterbackup_api::recovery_point::PointFormat;
use clusterbackup_api::{BackupVault, RecoveryPoint, RecoveryPointSpec, labels};
use clusterbackup_vault::point::{Manifest, PointPhase};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference, Time};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource as _, ResourceExt as _};

use super::error::{Doing as _, DriveError};

/// The longest value of a label.
const LABEL_LIMIT: usize = 63;

/// A time as the API server gives it back in a status, so that the same one is no difference.
pub(super) fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// The vault that a point lies in: with it, the objects go that show its points.
pub(super) fn owner(vault: &BackupVault) -> OwnerReference {
    OwnerReference {
        api_version: BackupVault::api_version(&()).into_owned(),
        kind: BackupVault::kind(&()).into_owned(),
        name: vault.name_any(),
        uid: vault.uid().unwrap_or_default(),
        ..OwnerReference::default()
    }
}

/// What shows this point of the vault.
pub(super) fn of(vault: &OwnerReference, manifest: &Manifest) -> RecoveryPoint {
    let begin = &manifest.begin;
    RecoveryPoint {
        metadata: ObjectMeta {
            owner_references: Some(vec![vault.clone()]),
            ..metadata(begin.id.as_str(), &begin.instance)
        },
        spec: spec(&vault.name, manifest),
        status: None,
    }
}

/// What it says of this point.
pub(super) fn spec(vault: &str, manifest: &Manifest) -> RecoveryPointSpec {
    let begin = &manifest.begin;
    RecoveryPointSpec {
        vault: vault.to_owned(),
        instance: begin.instance.clone(),
        backup: RunReference {
            namespace: begin.backup.namespace.clone(),
            name: begin.backup.name.clone(),
            uid: begin.id.as_str().to_owned(),
        },
        cluster: begin.cluster.clone(),
        started_at: MicroTime(begin.started),
        finished_at: MicroTime(manifest.finished),
        phase: phase(manifest.phase),
        first_of: manifest.first_of.iter().copied().collect(),
        objects: manifest.objects(),
        bytes: manifest.object_bytes,
        stored_bytes: manifest.stored_bytes(),
        volumes: u32::try_from(manifest.snapshots.len()).unwrap_or(u32::MAX),
        encrypted: manifest.is_sealed(),
        format: PointFormat::Native,
        wanted: None,
    }
}

/// How the backup ended that made a point.
pub(super) const fn phase(phase: PointPhase) -> BackupPhase {
    match phase {
        PointPhase::Completed => BackupPhase::Completed,
        PointPhase::CompletedWithWarnings => BackupPhase::CompletedWithWarnings,
    }
}

/// Makes it, unless it is there. Answers its name.
pub(super) async fn create(
    client: &Client,
    namespace: &str,
    point: &RecoveryPoint,
) -> Result<String, DriveError> {
    let points = Api::<RecoveryPoint>::namespaced(client.clone(), namespace);
    match points.create(&PostParams::default(), point).await {
        Ok(_) => Ok(point.name_any()),
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(point.name_any()),
        Err(error) => Err(error).doing("create the RecoveryPoint"),
    }
}

/// Of an object that belongs to an instance.
pub(super) fn metadata(name: &str, instance: &str) -> ObjectMeta {
    let mark = [(labels::INSTANCE.to_owned(), instance.to_owned())].into();
    let mut metadata = ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    };
    if instance.len() <= LABEL_LIMIT {
        metadata.labels = Some(mark);
    } else {
        metadata.annotations = Some(mark);
    }
    metadata
}
