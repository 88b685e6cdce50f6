//! An object that is there, deleted and created anew: only of kinds that the user names. What was there is kept, and put back
//! where the new one is refused.

use std::time::Duration;

use clusterbackup_api::labels::RESTORE_UID;
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{REPLACES, Ready};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::existing::Changed;
use super::object::{Created, Creator, Fate, Hindrance, Refused, hindrance, told};
use super::rights;
use super::stand_in::{Made, Place, StandIn};

/// So long an object may take to go: what its finalizers are for may take time.
const GOING: Duration = Duration::from_mins(2);
/// So long the API server may take to create the new one.
const COMING: Duration = Duration::from_mins(1);
/// Between two looks, and two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// What the API server gives an object, and takes from nobody.
const GIVEN: [&str; 7] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
];

/// A deleted object, and the one that takes its place. That is carried out to its end, whatever becomes of the restore: half of
/// it would be a loss.
struct Exchange {
    stand_in: StandIn,
    place: Place,
    target: ObjectId,
    old: Value,
    new: Value,
}

impl Creator {
    /// Deletes what is there, and creates what the point has.
    pub(super) async fn replace(&self, ready: &Ready, live: Value) -> Result<Fate, Hindrance> {
        let outgoing = match self.rules.outgoing(ready) {
            Ok(outgoing) => outgoing,
            Err(denial) => return Ok(Fate::Failed(denial.to_string().into())),
        };
        let expected = self.rules.expected(ready);
        let place = Place::of(&expected.target, &expected.object);
        let custom = self.kind(ready, &live).await?;
        if let Some(claim) = self.claim_of(ready, &live).await? {
            return Ok(Fate::Failed(format!(
                "it exists and is different, but claim {claim} and the data of its volume would go with it: it is not deleted"
            )
            .into()));
        }
        match self.stand_in.delete(&place, &live).await {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if rights::lacks(&status) => {
                return Ok(rights::without(ready, "delete", &status));
            }
            Err(error) => return Err(hindrance(&ready.target, &error)),
        }
        let changed = changed(&expected, &live, custom.as_deref());
        if self.stand_in.only_tries() {
            // The new one can't be tried as long as the old one is there.
            let Made { uid, name, .. } = Made::of(&live);
            let is_guarded = true;
            let created = Created {
                uid,
                name,
                is_guarded,
            };
            return Ok(Fate::Replaced(created, Box::new(changed)));
        }
        let exchange = Exchange {
            stand_in: self.stand_in.clone(),
            place,
            target: ready.target.clone(),
            new: instead(outgoing.object.into_owned(), &live),
            old: live,
        };
        let done = tokio::spawn(exchange.carry_out()).await;
        Ok(match done {
            Ok(Ok(made)) => Fate::Replaced(self.created(made, outgoing.is_guarded), Box::new(changed)),
            Ok(Err(reason)) => Fate::Lost(reason, Box::new(changed)),
            Err(_) => Fate::Lost(
                "it is deleted, and the work on it broke off".to_owned(),
                Box::new(changed),
            ),
        })
    }

    /// A claim that would be collected as garbage with the object.
    async fn claim_of(&self, ready: &Ready, live: &Value) -> Result<Option<String>, Hindrance> {
        let (Some(namespace), Some(uid)) = (&ready.target.namespace, live["metadata"]["uid"].as_str()) else {
            return Ok(None);
        };
        let claims = Api::<PersistentVolumeClaim>::namespaced(self.client.clone(), namespace);
        let claims = claims.list(&ListParams::default()).await;
        let claims = claims.map_err(|error| hindrance(&ready.target, &error))?;
        let owned = claims
            .iter()
            .find(|claim| claim.owner_references().iter().any(|owner| owner.uid == uid));
        Ok(owned.map(ResourceExt::name_any))
    }
}

/// What is created, with what it takes the place of.
fn instead(mut new: Value, live: &Value) -> Value {
    new["metadata"]["annotations"][REPLACES] = live["metadata"]["uid"].clone();
    new
}

fn changed(ready: &Ready, live: &Value, custom: Option<&CustomKind>) -> Changed {
    Changed {
        before: Some(live.clone()),
        fields: ready.instead_of(live, custom),
        remark: None,
    }
}

impl Exchange {
    /// The new object; or why there is none.
    async fn carry_out(self) -> Result<Made, String> {
        self.gone().await?;
        let deadline = Instant::now() + COMING;
        loop {
            let error = match self.stand_in.create(&self.place, &self.new).await {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            match &error {
                kube::Error::Api(status) if status.is_already_exists() => return self.met().await,
                _ => match hindrance(&self.target, &error) {
                    Hindrance::Passing(_) if Instant::now() < deadline => sleep(PAUSE).await,
                    Hindrance::Passing(reason)
                    | Hindrance::Absent(reason)
                    | Hindrance::Final(Refused { reason, .. }) => return Err(self.put_back(&reason).await),
                },
            }
        }
    }

    /// Waits until the old one is gone.
    async fn gone(&self) -> Result<(), String> {
        let deadline = Instant::now() + GOING;
        let uid = &self.old["metadata"]["uid"];
        loop {
            let live = match self.stand_in.get(&self.place).await {
                Ok(None) => return Ok(()),
                Ok(Some(live)) if live["metadata"]["uid"] != *uid => return Ok(()),
                Ok(Some(live)) => Some(live),
                Err(_) => None,
            };
            if Instant::now() >= deadline {
                let live = live.unwrap_or_default();
                let finalizers = live["metadata"]["finalizers"].as_array().into_iter().flatten();
                let finalizers: Vec<_> = finalizers.filter_map(Value::as_str).collect();
                return Err(format!(
                    "it is deleted and still there after {} s, since its finalizers are not taken off ({}): restore it once \
                     it is gone",
                    GOING.as_secs(),
                    finalizers.join(", ")
                ));
            }
            sleep(PAUSE).await;
        }
    }

    /// Another one is there: the new one, whose answer was lost, or somebody else's.
    async fn met(&self) -> Result<Made, String> {
        let live = self
            .stand_in
            .get(&self.place)
            .await
            .ok()
            .flatten()
            .unwrap_or_default();
        let metadata = &live["metadata"];
        if metadata["annotations"][RESTORE_UID] == self.new["metadata"]["annotations"][RESTORE_UID] {
            return Ok(Made::of(&live));
        }
        Err("it is deleted, and somebody has created another one in its place since, which stays".to_owned())
    }

    /// The new one is refused: what was there comes back.
    async fn put_back(&self, reason: &str) -> String {
        let mut old = self.old.clone();
        if let Some(metadata) = old["metadata"].as_object_mut() {
            metadata.retain(|name, _| !GIVEN.contains(&name.as_str()));
        }
        match self.stand_in.create(&self.place, &old).await {
            Ok(_) => format!("what was there is put back, since the new one is refused: {reason}"),
            Err(error) => format!(
                "it is deleted, and neither is the new one taken ({reason}) nor what was there ({}), which the report has",
                told(&self.target, &error)
            ),
        }
    }
}
