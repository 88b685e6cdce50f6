//! Points of clusters that are gone become ours where somebody asks for that: `spec.adopt` of a BackupVault. Each adoption is
//! a record in the life of its point, so that every cluster that knows the store sees whose it is.

use std::fmt::Display;

use clusterbackup_api::backup_vault::{ADOPTED, Adoption};
use clusterbackup_api::conditions;
use clusterbackup_core::retention::Tier;
use clusterbackup_vault::catalogue;
use clusterbackup_vault::lifecycle::{self, Decision, Owner, PointState, Record};
use clusterbackup_vault::point::PointId;
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use tracing::info;

use super::inventory::{Found, Inventory, Item};
use super::life::{Failure, Read};
use crate::leader::conditions::condition;
use crate::leader::error::DriveError;
use crate::leader::point;
use crate::leader::rounds;

/// A cluster that has stored something since may be at work: most are backed up every week at least.
const QUIET: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What came of one adoption.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// So many points of that cluster are ours now.
    Ours(usize),
    /// It is this cluster.
    Own,
    /// It has no such points.
    Nothing,
    /// It has stored something a short while ago.
    Alive(Timestamp),
}

impl Read<'_> {
    /// Adopts what somebody asks for, and says what came of it.
    pub(super) async fn adopt(&self, inventory: &mut Inventory) -> Result<(), Failure> {
        let mut outcomes = Vec::new();
        for adoption in &self.vault.spec.adopt {
            let outcome = self.adopt_from(adoption, inventory).await?;
            outcomes.push((&*adoption.cluster, outcome));
        }
        if outcomes.is_empty() || self.tier == Tier::Vault {
            return Ok(());
        }
        let before = self.vault.status.as_ref();
        let mut after = before.cloned().unwrap_or_default();
        let said = Condition {
            observed_generation: self.vault.metadata.generation,
            ..said(&outcomes)
        };
        conditions::merge(&mut after.conditions, said);
        Ok(rounds::report(&self.world.client, self.vault, before, &after).await?)
    }

    async fn adopt_from(&self, adoption: &Adoption, inventory: &mut Inventory) -> Result<Outcome, Failure> {
        let ours = Owner {
            cluster: point::cluster(&self.world.client).await?,
            namespace: self.vault.namespace().unwrap_or_default(),
        };
        if adoption.cluster == ours.cluster {
            return Ok(Outcome::Own);
        }
        let asked = asked(adoption, &ours, inventory);
        if asked.is_empty() {
            let adopted =
                |item: &&Item| item.owner() == ours && item.manifest.begin.cluster == adoption.cluster;
            let count = inventory.whole().filter(adopted).count();
            return Ok(if count == 0 {
                Outcome::Nothing
            } else {
                Outcome::Ours(count)
            });
        }
        if !adoption.force
            && let Some(sign) = self.sign_of_life(&adoption.cluster, inventory).await?
        {
            return Ok(Outcome::Alive(sign));
        }
        let count = asked.len();
        for id in asked {
            if !self.world.is_latest().await? {
                return Err(DriveError::Superseded.into());
            }
            if let Some(Found::Whole(item)) = inventory.points.get_mut(&id) {
                info!(point = %id, cluster = adoption.cluster, "adopting a recovery point");
                self.take_over(item, &ours).await?;
            }
        }
        Ok(Outcome::Ours(count))
    }

    /// Of two clusters that want the same point, one gets it.
    async fn take_over(&self, item: &mut Item, ours: &Owner) -> Result<(), Failure> {
        let record = Record {
            time: Timestamp::now(),
            by: format!("BackupVault {}/{}", ours.namespace, self.vault.name_any()),
            decision: Decision::Adopt { owner: ours.clone() },
        };
        let before = item.state.adopted_by.clone();
        let due = |state: &PointState| (state.adopted_by == before).then(|| record.clone());
        item.state = lifecycle::record(self.store, &item.manifest.begin.id, due).await?;
        Ok(())
    }

    /// When the cluster has stored something, if that is not long ago: a point, or a part of one.
    async fn sign_of_life(&self, cluster: &str, inventory: &Inventory) -> Result<Option<Timestamp>, Failure> {
        let recent = |time: &Timestamp| Timestamp::now().duration_since(*time) < QUIET;
        let made = inventory
            .whole()
            .filter(|item| item.manifest.begin.cluster == cluster);
        let newest = made.map(|item| item.manifest.finished).max();
        if let Some(sign) = newest.filter(recent) {
            return Ok(Some(sign));
        }
        let mut attempts = catalogue::leftovers(self.store);
        while let Some(attempt) = attempts.try_next().await? {
            let theirs = attempt.begin.filter(|begin| begin.cluster == cluster);
            if let Some(sign) = theirs.map(|begin| begin.started).filter(recent) {
                return Ok(Some(sign));
            }
        }
        Ok(None)
    }
}

/// The points that are to become ours.
fn asked(adoption: &Adoption, ours: &Owner, inventory: &Inventory) -> Vec<PointId> {
    let theirs = Owner {
        cluster: adoption.cluster.clone(),
        namespace: adoption
            .namespace
            .clone()
            .unwrap_or_else(|| ours.namespace.clone()),
    };
    let until = adoption.until.0.as_second();
    let asked = inventory
        .whole()
        .filter(|item| item.owner() == theirs && item.manifest.begin.started.as_second() <= until);
    asked.map(|item| item.manifest.begin.id.clone()).collect()
}

/// What is said of all adoptions. What was refused comes first.
fn said(outcomes: &[(&str, Outcome)]) -> Condition {
    let refused = outcomes.iter().find_map(|(_, outcome)| outcome.refusal());
    let (status, reason) = refused.map_or(("True", "Adopted"), |reason| ("False", reason));
    let messages = outcomes.iter().map(|(cluster, outcome)| outcome.message(cluster));
    condition(ADOPTED, status, reason, messages.collect::<Vec<_>>().join("; "))
}

impl Outcome {
    const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Ours(_) => None,
            Self::Own => Some("OwnCluster"),
            Self::Nothing => Some("NothingToAdopt"),
            Self::Alive(_) => Some("ClusterAlive"),
        }
    }

    fn message(&self, cluster: &impl Display) -> String {
        match self {
            Self::Ours(count) => format!("{count} recovery points of cluster {cluster} are this cluster's"),
            Self::Own => format!("{cluster} is this cluster: its points are its own"),
            Self::Nothing => format!("there is no such recovery point of cluster {cluster}"),
            Self::Alive(sign) => format!(
                "cluster {cluster} has stored something at {sign:.0}, less than {} days ago, and would lose what it can delete: is it \
                 gone? Then set force",
                QUIET.as_hours() / 24
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_said_first_and_the_rest_as_well() {
        let alive = Outcome::Alive(Timestamp::UNIX_EPOCH);
        for (outcomes, status, reason) in [
            (vec![("a", Outcome::Ours(3))], "True", "Adopted"),
            (
                vec![("a", Outcome::Ours(3)), ("b", Outcome::Nothing)],
                "False",
                "NothingToAdopt",
            ),
            (
                vec![("a", Outcome::Own), ("b", Outcome::Ours(1))],
                "False",
                "OwnCluster",
            ),
            (
                vec![("a", Outcome::Ours(1)), ("b", alive)],
                "False",
                "ClusterAlive",
            ),
        ] {
            let said = said(&outcomes);
            assert_eq!((&*said.status, &*said.reason), (status, reason), "{outcomes:?}");
            assert!(
                outcomes.iter().all(|(cluster, _)| said.message.contains(cluster)),
                "{}",
                said.message
            );
        }
    }
}
