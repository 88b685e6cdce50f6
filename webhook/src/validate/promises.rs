//! What would break a promise of a vault: recovery points that go before their time where it is immutable, and backups that
//! run more often than it allows. The leader keeps the promise, whatever is written; here it is said to whoever writes it.

use std::collections::BTreeMap;

use clusterbackup_api::backup_instance::Protection;
use clusterbackup_api::recovery_point::Wanted;
use clusterbackup_api::{
    BackupInstance, BackupInstanceSpec, BackupPolicy, BackupPolicySpec, BackupVault, RecoveryPoint,
};
use clusterbackup_core::retention::{Shortening, Tier};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::{Refusal, Verdict, forbidden, read, read_old};
use crate::deadline::Deadline;
use crate::review::AdmissionRequest;

/// An instance may be large; a page of them isn't.
const PAGE: u32 = 20;

/// Knows vaults, and what goes into them.
pub(super) struct Promises {
    client: Client,
}

/// Why it is not known whether something would break a promise, or why it would.
enum Problem {
    Unread(kube::Error),
    Refused(Refusal),
}

impl From<kube::Error> for Problem {
    fn from(error: kube::Error) -> Self {
        Self::Unread(error)
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::Refused(forbidden(message))
    }
}

impl Promises {
    /// Reads vaults, policies and instances with `client`.
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// An instance that gives up its points, or takes a policy that its vault doesn't go with.
    pub(super) async fn instance(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let (new, old) = (
            read::<BackupInstance>(request)?.spec,
            read_old::<BackupInstance>(request)?.map(|old| old.spec),
        );
        settled(self.judge_instance(home(request), &new, old.as_ref())).await
    }

    /// A policy that can't be followed, keeps for shorter than it did, or runs more often than a vault allows.
    pub(super) async fn policy(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let (new, old) = (
            read::<BackupPolicy>(request)?.spec,
            read_old::<BackupPolicy>(request)?.map(|old| old.spec),
        );
        new.check().map_err(|error| error.to_string())?;
        let Some(old) = old else {
            return Ok(Vec::new());
        };
        settled(self.judge_policy(request, &new, &old)).await
    }

    /// A point that is asked to go before its time.
    pub(super) async fn point(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let (new, old) = (
            read::<RecoveryPoint>(request)?,
            read_old::<RecoveryPoint>(request)?,
        );
        let wanted = |point: &RecoveryPoint| point.spec.wanted == Some(Wanted::Deleted);
        if !wanted(&new) || old.as_ref().is_some_and(wanted) {
            return Ok(Vec::new());
        }
        settled(self.judge_point(home(request), &new)).await
    }

    async fn judge_instance(
        &self,
        namespace: &str,
        new: &BackupInstanceSpec,
        old: Option<&BackupInstanceSpec>,
    ) -> Result<(), Problem> {
        let terms = |spec: &BackupInstanceSpec| (spec.vault.clone(), spec.policy.clone(), spec.protection);
        let Some(name) = new.vault.as_ref().filter(|_| old.map(terms) != Some(terms(new))) else {
            return Ok(());
        };
        let Some(vault) = self.vault(namespace, name).await? else {
            return Ok(());
        };
        if new.protection == Protection::StopAndDelete && vault.spec.is_immutable() {
            return Err(format!(
                "spec.protection: BackupVault {name} is immutable, and keeps recovery points until their time: write \
                 StopAndRetain or StopAndRetainByPolicy"
            )
            .into());
        }
        let Some(policy) = self.policy_of(namespace, new).await? else {
            return Ok(());
        };
        let named = new.policy.as_deref().unwrap_or_default();
        if new.protection == Protection::Protect {
            runs(&vault, &policy).map_err(|why| format!("spec.policy: BackupPolicy {named}: {why}"))?;
        }
        let before = old.filter(|old| old.vault == new.vault && old.policy != new.policy);
        let before = match before {
            Some(old) => self.policy_of(namespace, old).await?,
            None => None,
        };
        let kept = before.map_or(Ok(()), |before| keeps(&vault, &before, &policy));
        Ok(kept.map_err(|why| format!("spec.policy: BackupPolicy {named}: {why}"))?)
    }

    async fn judge_policy(
        &self,
        request: &AdmissionRequest<'_>,
        new: &BackupPolicySpec,
        old: &BackupPolicySpec,
    ) -> Result<(), Problem> {
        let shortens = keeps_for_shorter(old, new).is_some();
        if !shortens && old.schedule == new.schedule {
            return Ok(());
        }
        let namespace = home(request);
        for (vault, instance) in self.users(namespace, &request.name).await? {
            let Some(vault) = self.vault(namespace, &vault).await? else {
                continue;
            };
            let of = |why: String| format!("BackupInstance {instance} goes by it: {why}");
            keeps(&vault, old, new).map_err(of)?;
            if old.schedule != new.schedule {
                runs(&vault, new).map_err(of)?;
            }
        }
        Ok(())
    }

    async fn judge_point(&self, namespace: &str, point: &RecoveryPoint) -> Result<(), Problem> {
        let kept_until = point
            .status
            .as_ref()
            .and_then(|status| status.kept_until.as_ref());
        let name = &point.spec.vault;
        match kept_until {
            Some(until) if until.0 > Timestamp::now() => Err(format!(
                "spec.wanted: BackupVault {name} keeps it until {}, whatever is asked for",
                until.0
            )
            .into()),
            Some(_) => Ok(()),
            None => {
                let vault = self.vault(namespace, name).await?;
                let immutable = vault.filter(|vault| vault.spec.is_immutable());
                immutable.map_or(Ok(()), |_| {
                    Err(format!(
                        "spec.wanted: BackupVault {name} is immutable, and nobody has said yet for how long it keeps this \
                         recovery point: its policy does"
                    )
                    .into())
                })
            }
        }
    }

    async fn vault(&self, namespace: &str, name: &str) -> kube::Result<Option<BackupVault>> {
        Api::namespaced(self.client.clone(), namespace)
            .get_opt(name)
            .await
    }

    async fn policy_of(
        &self,
        namespace: &str,
        instance: &BackupInstanceSpec,
    ) -> kube::Result<Option<BackupPolicySpec>> {
        let Some(name) = &instance.policy else {
            return Ok(None);
        };
        let policies = Api::<BackupPolicy>::namespaced(self.client.clone(), namespace);
        Ok(policies.get_opt(name).await?.map(|policy| policy.spec))
    }

    /// The vaults of the instances that go by a policy, and one instance of each.
    async fn users(&self, namespace: &str, policy: &str) -> kube::Result<BTreeMap<String, String>> {
        let instances = Api::<BackupInstance>::namespaced(self.client.clone(), namespace);
        let mut page = ListParams::default().limit(PAGE);
        let mut users = BTreeMap::new();
        loop {
            let list = instances.list(&page).await?;
            let of_policy = list
                .items
                .iter()
                .filter(|instance| instance.spec.policy.as_deref() == Some(policy));
            users.extend(
                of_policy.filter_map(|instance| Some((instance.spec.vault.clone()?, instance.name_any()))),
            );
            match list.metadata.continue_ {
                Some(token) if !token.is_empty() => page = page.continue_token(&token),
                _ => return Ok(users),
            }
        }
    }
}

/// All of these kinds are in namespaces.
fn home<'a>(request: &'a AdmissionRequest<'_>) -> &'a str {
    request.namespace().unwrap_or_default()
}

/// What cannot be asked in time is not refused.
async fn settled(judged: impl Future<Output = Result<(), Problem>>) -> Verdict {
    let unasked = |cause: &str| {
        vec![format!(
            "whether it breaks what a vault promises was not checked: {cause}; it is kept all the same"
        )]
    };
    match Deadline::from_now().await_answer(judged).await {
        Ok(Ok(())) => Ok(Vec::new()),
        Ok(Err(Problem::Refused(refusal))) => Err(refusal),
        Ok(Err(Problem::Unread(error))) => Ok(unasked(&error.to_string())),
        Err(expired) => Ok(unasked(&expired.to_string())),
    }
}

/// Whether a vault allows backups by this policy. One that can't be followed runs none.
fn runs(vault: &BackupVault, policy: &BackupPolicySpec) -> Result<(), String> {
    let Ok(schedule) = policy.schedule() else {
        return Ok(());
    };
    let allowed = vault.spec.allows(&schedule);
    allowed.map_err(|error| format!("BackupVault {}: {error}", vault.name_any()))
}

/// Whether another policy keeps what a vault has for as long, where it is immutable.
fn keeps(vault: &BackupVault, before: &BackupPolicySpec, after: &BackupPolicySpec) -> Result<(), String> {
    let shortening = keeps_for_shorter(before, after).filter(|_| vault.spec.is_immutable());
    shortening.map_or(Ok(()), |shortening| {
        Err(format!(
            "BackupVault {} is immutable, and {shortening}; make another policy for other instances",
            vault.name_any()
        ))
    })
}

fn keeps_for_shorter(before: &BackupPolicySpec, after: &BackupPolicySpec) -> Option<Shortening> {
    let (made, others) = (before.operational().ok()?, after.operational().ok()?);
    let copies = || {
        // Without rules nothing is deleted there.
        let (copied, others) = (before.vault_tier().ok()??, after.vault_tier().ok()??);
        copied.shortened_by(&others, Tier::Vault)
    };
    made.shortened_by(&others, Tier::Operational).or_else(copies)
}
