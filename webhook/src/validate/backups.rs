//! Instances, restores and hooks: whether they make sense, and whether who wrote them may do himself what they would do for him.

use clusterbackup_api::access::Demand;
use clusterbackup_api::requester::Requester;
use clusterbackup_api::{BackupHook, BackupInstance, Problem, Restore, RestoreHook, labels};
use clusterbackup_core::hook;
use clusterbackup_kit::rights;
use kube::Client;

use super::{Refusal, Verdict, forbidden, read};
use crate::deadline::Deadline;
use crate::requester;
use crate::review::AdmissionRequest;

/// So many missing rights are named; somebody is to read it.
const NAMED: usize = 10;

/// Looks at what people write for backups and restores.
pub(super) struct Backups {
    client: Client,
}

impl Backups {
    /// Asks about rights with `client`.
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) async fn instance(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let spec = read::<BackupInstance>(request)?.spec;
        let filter = spec.inclusion().map_err(listed)?.filter;
        let demand = Demand::of_instance(&filter.namespaces);
        self.rights(request, spec.requester, &demand).await
    }

    pub(super) async fn backup_hook(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let object = read::<BackupHook>(request)?;
        let hooks = object.hooks().map_err(listed)?;
        let demand = Demand::of_hooks(hooks.iter().map(|hook| &hook.pods.namespaces));
        let mut warnings: Vec<_> = hook::remarks(&hooks).iter().map(ToString::to_string).collect();
        let requester = Requester::of_hook(&object.metadata).ok();
        warnings.extend(self.rights(request, requester, &demand).await?);
        Ok(warnings)
    }

    pub(super) async fn restore_hook(&self, request: &AdmissionRequest<'_>) -> Verdict {
        let object = read::<RestoreHook>(request)?;
        let hooks = object.hooks().map_err(listed)?;
        let demand = Demand::of_hooks(hooks.iter().map(|hook| &hook.pods.namespaces));
        let requester = Requester::of_hook(&object.metadata).ok();
        self.rights(request, requester, &demand).await
    }

    /// Refuses what is not in the name of who writes it, and what he may not do.
    async fn rights(
        &self,
        request: &AdmissionRequest<'_>,
        recorded: Option<Requester>,
        demand: &Demand,
    ) -> Verdict {
        let writer = writer(request, recorded.as_ref())?;
        let asked = rights::missing(&self.client, &writer, demand);
        match Deadline::from_now().await_answer(asked).await {
            Ok(Ok(missing)) if missing.is_empty() => Ok(Vec::new()),
            Ok(Ok(missing)) => {
                let mut named: Vec<_> = missing.iter().take(NAMED).map(ToString::to_string).collect();
                if missing.len() > NAMED {
                    named.push(format!("{} more", missing.len() - NAMED));
                }
                Err(forbidden(format!(
                    "{} may not: {}; what runs in somebody's name needs that right: name fewer namespaces, or have it \
                     granted",
                    writer.username,
                    named.join(", ")
                )))
            }
            Ok(Err(error)) => Ok(vec![unasked(&error.to_string())]),
            Err(expired) => Ok(vec![unasked(&expired.to_string())]),
        }
    }
}

/// Whether a restore makes sense. What the requester may is asked when the recovery point is read.
pub(super) fn restore(request: &AdmissionRequest<'_>) -> Verdict {
    let restore = read::<Restore>(request)?;
    restore.decided().map_err(listed)?;
    writer(request, restore.spec.requester.as_ref())?;
    Ok(Vec::new())
}

/// Who writes it, if he is recorded as the one who does.
fn writer(request: &AdmissionRequest<'_>, recorded: Option<&Requester>) -> Result<Requester, Refusal> {
    let writer = requester::of(request).map_err(|error| format!("the user can't be read: {error}"))?;
    if recorded == Some(&writer) {
        return Ok(writer);
    }
    Err(forbidden(format!(
        "{} writes it, but is not recorded as its requester (spec.requester, or the annotation {}): the webhook \
         configuration clusterbackup-requester is missing or was changed; apply the manifests again",
        writer.username,
        labels::REQUESTER
    )))
}

/// It is asked again before anything is done.
fn unasked(cause: &str) -> String {
    format!("whether you may do what it asks for was not checked yet: {cause}")
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn listed(problems: Vec<Problem>) -> Refusal {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    problems.join("\n").into()
}
