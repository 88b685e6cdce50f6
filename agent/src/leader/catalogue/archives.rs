//! The backups of a vault that Velero writes, as far as they were read: each that can be restored is shown as a point. What becomes
//! of them is Velero's business.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::node_task::RunReference;
use clusterbackup_api::recovery_point::{PointFormat, PointInTier, PointState, RecoveryPointStatus, Tier};
use clusterbackup_api::{RecoveryPoint, RecoveryPointSpec};
use clusterbackup_vault::archive::{self, ArchiveError, Backup, CLUSTER};
use clusterbackup_vault::store::Store;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference, Time};
use kube::ResourceExt;
use tracing::warn;

use super::difference::{Availability, Change, before, says, tell};
use crate::leader::mirror::{self, seconds};

/// How many descriptions are read at a time.
const AT_A_TIME: usize = 8;
const KEPT: &str = "its vault is of Velero's backups: nothing is written there, and Velero deletes them";

/// The backups that can be restored, by their names. One that has ended doesn't change: each is read once.
#[derive(Debug, Default)]
pub(super) struct Archives {
    shown: BTreeMap<String, Shown>,
    /// Whether there is any backup, whatever has become of it.
    any: bool,
}

/// A backup as a point.
#[derive(Debug, Clone)]
struct Shown {
    /// What shows it, without a status.
    point: RecoveryPoint,
    expires_at: Option<Time>,
}

impl Archives {
    /// Reads what is new.
    pub(super) async fn read(&mut self, store: &Store, vault: &OwnerReference) -> Result<(), ArchiveError> {
        let sizes = archive::names(store).await?;
        self.any = !sizes.is_empty();
        self.shown
            .retain(|name, shown| sizes.get(name) == Some(&shown.point.spec.stored_bytes));
        let missing = sizes
            .into_iter()
            .filter(|(name, _)| !self.shown.contains_key(name));
        let missing: Vec<_> = missing.collect();
        let read = stream::iter(missing).map(async |(name, size)| {
            let shown = match archive::find(store, &name).await {
                Ok(found) => found.and_then(|backup| Shown::of(vault, &backup, size)),
                Err(error @ ArchiveError::Store { .. }) => return Err(error),
                Err(error) => {
                    warn!(%error, vault = vault.name, backup = name, "a backup of Velero's is not shown");
                    None
                }
            };
            Ok(shown.map(|shown| (name, shown)))
        });
        let read: Vec<_> = read.buffer_unordered(AT_A_TIME).try_collect().await?;
        self.shown.extend(read.into_iter().flatten());
        Ok(())
    }

    /// What has to be done so that the cluster shows them. An empty place takes none away.
    pub(super) fn changes(&self, mirrors: &[RecoveryPoint]) -> Vec<Change> {
        let shown: BTreeSet<String> = mirrors.iter().map(ResourceExt::name_any).collect();
        let missing = self.shown.values().map(|archive| &archive.point);
        let missing = missing.filter(|point| !shown.contains(&point.name_any()));
        let missing = missing.map(|point| Change::Create(Box::new(point.clone())));
        let others = mirrors.iter().filter_map(|mirror| self.change(mirror));
        missing.chain(others).collect()
    }

    fn change(&self, mirror: &RecoveryPoint) -> Option<Change> {
        match self.shown.get(&mirror.spec.backup.name) {
            Some(archive) if says(mirror, &archive.point) => {
                tell(mirror, archive.status(), Availability::Available)
            }
            None if !self.any => tell(mirror, before(mirror), Availability::Empty),
            _ => Some(Change::Remove(Box::new(mirror.clone()))),
        }
    }
}

impl Shown {
    /// Of a backup with an archive of this size, if it can be restored.
    fn of(vault: &OwnerReference, backup: &Backup, size: u64) -> Option<Self> {
        let outcome = backup.outcome()?;
        let mut point = RecoveryPoint::new(
            // Several vaults may have backups of one name.
            &format!("{}.{}", vault.name, backup.name),
            RecoveryPointSpec {
                vault: vault.name.clone(),
                instance: vault.name.clone(),
                backup: RunReference {
                    namespace: backup.namespace.clone(),
                    name: backup.name.clone(),
                    uid: String::new(),
                },
                cluster: CLUSTER.to_owned(),
                started_at: MicroTime(outcome.started),
                finished_at: MicroTime(outcome.finished),
                phase: mirror::phase(outcome.phase),
                first_of: Vec::new(),
                objects: backup.objects_written,
                bytes: size,
                stored_bytes: size,
                volumes: 0,
                encrypted: false,
                format: PointFormat::Velero,
                wanted: None,
            },
        );
        point.metadata.owner_references = Some(vec![vault.clone()]);
        Some(Self {
            point,
            expires_at: backup.expires.map(seconds),
        })
    }

    /// What is said of it.
    fn status(&self) -> RecoveryPointStatus {
        let expires_at = self.expires_at.clone();
        RecoveryPointStatus {
            state: Some(PointState::Available),
            expires_at: expires_at.clone(),
            kept_because: Some(KEPT.to_owned()),
            tiers: vec![PointInTier {
                tier: Tier::Operational,
                state: PointState::Available,
                expires_at,
                kept_because: Some(KEPT.to_owned()),
            }],
            ..RecoveryPointStatus::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn word(change: &Change) -> String {
        match change {
            Change::Create(point) => format!("create {}", point.name_any()),
            Change::Remove(point) => format!("remove {}", point.name_any()),
            Change::Tell(point) => {
                let said = point.status.iter().flat_map(|status| &status.conditions);
                let reasons: String = said.map(|said| &*said.reason).collect();
                format!("tell {} {reasons}", point.name_any())
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn backups_of_velero_come_and_go_and_an_empty_place_takes_none_away() {
        let backup = |name: &str, phase: &str| Backup {
            name: name.to_owned(),
            namespace: "velero".to_owned(),
            phase: phase.to_owned(),
            started: Some(Timestamp::UNIX_EPOCH),
            finished: Some(Timestamp::UNIX_EPOCH),
            expires: None,
            included_namespaces: Vec::new(),
            excluded_namespaces: Vec::new(),
            objects_found: 2,
            objects_written: 2,
            warnings: 0,
            errors: 0,
            format: None,
        };
        let old = OwnerReference {
            name: "old".to_owned(),
            ..OwnerReference::default()
        };
        let shown = |name: &str| Shown::of(&old, &backup(name, "Completed"), 7).unwrap();
        assert!(Shown::of(&old, &backup("a", "Failed"), 7).is_none());
        let archives = |names: &[&str], any| Archives {
            shown: names
                .iter()
                .map(|name| ((*name).to_owned(), shown(name)))
                .collect(),
            any,
        };
        // As the cluster gives it back.
        let mirror = |name: &str| -> RecoveryPoint {
            serde_json::from_value(serde_json::to_value(shown(name).point).unwrap()).unwrap()
        };
        for (has, mirrors, changes) in [
            (
                archives(&["a", "b"], true),
                vec![],
                vec!["create old.a", "create old.b"],
            ),
            (
                archives(&["a"], true),
                vec![mirror("a"), mirror("b")],
                vec!["tell old.a InVault", "remove old.b"],
            ),
            (archives(&[], true), vec![mirror("a")], vec!["remove old.a"]),
            (
                archives(&[], false),
                vec![mirror("a")],
                vec!["tell old.a CatalogueEmpty"],
            ),
        ] {
            let found: Vec<_> = has.changes(&mirrors).iter().map(word).collect();
            assert_eq!(found, changes, "{has:?}");
        }
    }
}
