//! What is known of a vault: of the operational tier, where points are made, and of the vault tier, if it has one.

use std::collections::BTreeSet;

use clusterbackup_api::recovery_point::{RecoveryPointStatus, Tier};
use clusterbackup_api::schema;
use clusterbackup_vault::point::PointId;

use super::archives::Archives;
use super::copies::Copies;
use super::inventory::{Found, Inventory, Item};
use crate::leader::vault::VaultError;

/// Both tiers of a vault.
#[derive(Debug, Default)]
pub(super) struct Tiers {
    /// Where points are made.
    pub(super) operational: Inventory,
    /// What was copied; nothing where the vault has no vault tier.
    pub(super) vault: Inventory,
    /// Why the vault tier couldn't be read.
    pub(super) unread: Option<Unread>,
    /// What is being copied.
    pub(super) copies: Copies,
    /// What there is in their place where the vault is of Velero's backups.
    pub(super) archives: Archives,
}

/// Why a tier couldn't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    /// In one stable word.
    pub(super) reason: &'static str,
    /// For a person.
    pub(super) message: String,
}

/// A point, as far as it can be read.
pub(super) enum Seen<'a> {
    /// It is whole in these tiers.
    Whole(Vec<(Tier, &'a Item)>),
    /// It is there, and damaged wherever it is.
    Damaged(&'a str),
    /// No tier lists it.
    Nowhere,
}

impl Tiers {
    /// All points that a tier lists.
    pub(super) fn names(&self) -> BTreeSet<&PointId> {
        let tiers = [&self.operational, &self.vault];
        tiers.iter().flat_map(|tier| tier.points.keys()).collect()
    }

    /// Where a point is.
    pub(super) fn see(&self, id: &PointId) -> Seen<'_> {
        let tiers = [(Tier::Operational, &self.operational), (Tier::Vault, &self.vault)];
        let (mut whole, mut damage) = (Vec::new(), None);
        for (tier, inventory) in tiers {
            match inventory.points.get(id) {
                Some(Found::Whole(item)) => whole.push((tier, &**item)),
                Some(Found::Damaged(why)) => damage = damage.or(Some(&**why)),
                None => {}
            }
        }
        match damage {
            _ if !whole.is_empty() => Seen::Whole(whole),
            Some(why) => Seen::Damaged(why),
            None => Seen::Nowhere,
        }
    }

    /// What is said of a point that is in these tiers.
    pub(super) fn status(&self, in_tiers: &[(Tier, &Item)]) -> RecoveryPointStatus {
        let awaited = in_tiers.iter().find(|(_, item)| item.awaited);
        let awaits = awaited.map(|(_, item)| self.copies.waits_for(&item.manifest.begin.id));
        RecoveryPointStatus {
            awaits_copy: awaits.map(|why| schema::bounded(why).into_owned()),
            ..Item::status(in_tiers)
        }
    }

    /// Whether a purge has removed it, or tried to.
    pub(super) fn has_purged(&self, id: &PointId) -> bool {
        self.operational.purged.contains(id) || self.vault.purged.contains(id)
    }
}

impl From<VaultError> for Unread {
    fn from(error: VaultError) -> Self {
        Self {
            reason: error.reason().as_str(),
            message: error.to_string(),
        }
    }
}
