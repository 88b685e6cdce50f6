//! By what the points of a vault's instances are kept, as their objects say now.

use std::collections::BTreeMap;

use clusterbackup_api::{BackupInstance, BackupPolicy, BackupVault};
use clusterbackup_core::retention::{Protection, Rules, Terms, Tier};
use jiff::SignedDuration;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use crate::leader::error::{Doing as _, DriveError};
use crate::leader::world::World;

/// The rules of a policy; of copies there may be none.
type ByTier = (Rules, Option<Rules>);

/// The terms of a vault.
pub(super) struct Instances {
    by_name: BTreeMap<String, InTiers>,
    /// Those of an instance that doesn't exist any more, or has another vault now.
    others: InTiers,
}

/// Those of one instance.
struct InTiers {
    operational: Terms,
    copies: Terms,
}

impl Instances {
    /// Reads the instances that name the vault, and their policies.
    pub(super) async fn read(world: &World, vault: &BackupVault) -> Result<Self, DriveError> {
        let namespace = vault.namespace().unwrap_or_default();
        let all = ListParams::default();
        let instances = Api::<BackupInstance>::namespaced(world.client.clone(), &namespace);
        let instances = instances.list(&all).await.doing("list the BackupInstances")?;
        let policies = Api::<BackupPolicy>::namespaced(world.client.clone(), &namespace);
        let policies = policies.list(&all).await.doing("list the BackupPolicies")?;
        // A policy that can't be followed deletes nothing.
        let rules = policies
            .iter()
            .filter_map(|policy| Some((policy.name_any(), rules(policy)?)));
        let rules: BTreeMap<String, ByTier> = rules.collect();
        let ours = instances
            .iter()
            .filter(|instance| instance.spec.vault.as_ref() == Some(&vault.name_any()));
        let by_name = ours.map(|instance| {
            let policy = instance.spec.policy.as_ref();
            let rules = policy.and_then(|policy| rules.get(policy)).cloned();
            (
                instance.name_any(),
                InTiers::new(vault, rules, instance.spec.protection),
            )
        });
        Ok(Self {
            by_name: by_name.collect(),
            others: InTiers::new(vault, None, Protection::default()),
        })
    }

    /// Those of one instance, in one tier.
    pub(super) fn of(&self, instance: &str, tier: Tier) -> &Terms {
        let terms = self.by_name.get(instance).unwrap_or(&self.others);
        match tier {
            Tier::Operational => &terms.operational,
            Tier::Vault => &terms.copies,
        }
    }
}

impl InTiers {
    fn new(vault: &BackupVault, rules: Option<ByTier>, protection: Protection) -> Self {
        let (operational, copies) = rules.unzip();
        Self {
            operational: terms(vault, operational, protection),
            copies: terms(vault, copies.flatten(), protection),
        }
    }
}

/// The rules of a policy that can be followed.
fn rules(policy: &BackupPolicy) -> Option<ByTier> {
    Some((policy.spec.operational().ok()?, policy.spec.vault_tier().ok()?))
}

fn terms(vault: &BackupVault, rules: Option<Rules>, protection: Protection) -> Terms {
    Terms {
        rules,
        protection,
        soft_delete: SignedDuration::from_hours(24 * i64::from(vault.spec.soft_delete.days)),
        immutable: vault.spec.is_immutable(),
    }
}
