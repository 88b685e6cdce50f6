//! What a claim is made from, brought before it: a content that names the driver's snapshot, and the VolumeSnapshot that
//! it is bound to. The leader makes them itself, for whoever may create the claim.

use std::fmt::Debug;
use std::time::Duration;

use clusterbackup_api::access::{Access, Demand};
use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_api::requester::Requester;
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::Ready;
use clusterbackup_kit::rights;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::runtime::wait::{Error as WaitError, await_condition};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Helpers;
use crate::leader::error::{Doing as _, DriveError};

/// So long the API server is asked once more where it doesn't answer.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);
/// A driver that complains for so long doesn't know the snapshot.
const COMPLAINING: Duration = Duration::from_secs(30);
/// A snapshot that is still copied somewhere is waited for by the claim itself; only its size isn't known then.
const COPYING: Duration = Duration::from_mins(2);

/// Brings what claims of a restore are made from.
pub(in crate::leader::restores) struct Sources<'a> {
    pub(in crate::leader::restores) client: &'a Client,
    /// Who has to be allowed to create the claims.
    pub(in crate::leader::restores) requester: &'a Requester,
    /// Whoever removes it again.
    pub(in crate::leader::restores) helpers: &'a Helpers,
}

impl Sources<'_> {
    /// Sees to it that the claim can be made from its snapshot, and that it asks for enough; says why not.
    pub(in crate::leader::restores) async fn bring(&self, ready: &mut Ready) -> Result<(), String> {
        let Some(source) = ready.source.clone() else {
            return Ok(());
        };
        let deadline = Instant::now() + PATIENCE;
        let name = loop {
            match self
                .attempt(&ready.target, &source.content, &source.snapshot)
                .await
            {
                Ok(Brought::Refused(reason)) => return Err(reason),
                Ok(Brought::NotNeeded) => return Ok(()),
                Ok(Brought::There(name)) => break name,
                Err(error) if error.is_final() || Instant::now() + PAUSE > deadline => {
                    return Err(error.to_string());
                }
                Err(_) => sleep(PAUSE).await,
            }
        };
        let namespace = ready.target.namespace.clone().unwrap_or_default();
        if let Some(size) = self.size(&namespace, &name).await? {
            ready.ask_for(&size);
        }
        Ok(())
    }

    async fn attempt(
        &self,
        target: &ObjectId,
        content: &Value,
        snapshot: &Value,
    ) -> Result<Brought, DriveError> {
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let claims = Api::<PersistentVolumeClaim>::namespaced(self.client.clone(), namespace);
        let found = claims.get_metadata_opt(&target.name).await;
        let found = found.doing(format!("look for PersistentVolumeClaim {}", target.name))?;
        if found.is_some() {
            return Ok(Brought::NotNeeded);
        }
        let demand = Demand::of_claims([namespace.to_owned()].into());
        let missing = rights::missing(self.client, self.requester, &demand).await;
        let missing = missing.doing("ask for the rights of the requester")?;
        if !missing.is_empty() {
            let lacking: Vec<_> = missing.iter().map(Access::to_string).collect();
            let (user, lacking) = (&self.requester.username, lacking.join(", "));
            return Ok(Brought::Refused(format!(
                "the requester {user} may not {lacking}"
            )));
        }
        // What is left by the leader before is as good.
        self.helpers.wake();
        make::<VolumeSnapshotContent>(self.client, None, content).await?;
        let name = make::<VolumeSnapshot>(self.client, Some(namespace), snapshot).await?;
        self.helpers.wake();
        Ok(Brought::There(name))
    }

    /// What a volume made from the snapshot needs, as far as the driver says so in time.
    async fn size(&self, namespace: &str, name: &str) -> Result<Option<String>, String> {
        let snapshots = Api::<VolumeSnapshot>::namespaced(self.client.clone(), namespace);
        for limit in [COMPLAINING, COPYING] {
            match timeout(limit, await_condition(snapshots.clone(), name, is_ready)).await {
                Ok(Ok(found)) => return Ok(found.and_then(|found| found.status?.restore_size)),
                Ok(Err(error)) => return Err(unwatched(&error)),
                Err(_) => {
                    let found = snapshots.get_opt(name).await.ok().flatten();
                    if let Some(complaint) = found.and_then(|found| found.status?.error?.message) {
                        return Err(format!("its snapshot can't be used: {complaint}"));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// What came of an attempt.
enum Brought {
    /// The VolumeSnapshot of that name is there.
    There(String),
    /// The claim is there already.
    NotNeeded,
    /// For a reason that stays.
    Refused(String),
}

fn is_ready(snapshot: Option<&VolumeSnapshot>) -> bool {
    let status = snapshot.and_then(|snapshot| snapshot.status.as_ref());
    status.is_some_and(|status| status.ready_to_use == Some(true))
}

fn unwatched(error: &WaitError) -> String {
    format!("its snapshot can't be watched: {error}")
}

/// Makes an object of ours, unless it is there. Answers its name.
async fn make<K>(client: &Client, namespace: Option<&str>, object: &Value) -> Result<String, DriveError>
where
    K: Resource<DynamicType = ()> + Debug,
{
    let what = || format!("create the {} that a claim is made from", K::kind(&()));
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    };
    let object: DynamicObject = serde_json::from_value(object.clone())
        .map_err(kube::Error::SerdeError)
        .doing(what())?;
    let name = object.name_any();
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let there = api.get_metadata(&name).await.doing(what())?;
            let ours = there.labels().get(RESTORE_UID) == object.labels().get(RESTORE_UID);
            let of_ours = ours && there.metadata.deletion_timestamp.is_none();
            of_ours
                .then_some(name)
                .ok_or(DriveError::Ended("what a claim was to be made from"))
        }
        made => made.doing(what()).map(|_| name),
    }
}
