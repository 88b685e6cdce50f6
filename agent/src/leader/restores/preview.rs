//! A preview: each object is sent as a restore would send it, as a dry run, and what came of it is judged by what the restore
//! is to create before. What a preview finds goes the same way as what a restore does: into the sums and the report.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clusterbackup_core::restore::{DryRun, Foreseen, ObjectReport, Outcome, Ready, Wave};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::ListParams;
use kube::{Api, Client};

use super::object::{Created, Fate};
use super::targets;
use crate::leader::error::{Doing as _, DriveError};

/// What a preview knows by now.
#[derive(Debug)]
pub(super) struct Preview(Mutex<Foreseen>);

impl Preview {
    /// Looks at what is in force in the namespaces that objects go into. The leader looks itself: what comes of it is how sure
    /// a verdict is, and nothing else.
    pub(super) async fn begin(
        client: &Client,
        namespaces: impl Iterator<Item = &String>,
    ) -> Result<Self, DriveError> {
        let mut foreseen = Foreseen::default();
        for namespace in namespaces {
            let there = targets::existing(client, namespace).await?;
            // One that is going is waited for, and made anew.
            if there.is_none_or(|there| there.metadata.deletion_timestamp.is_some()) {
                foreseen.create_namespace(namespace);
                continue;
            }
            let quotas = Api::<ResourceQuota>::namespaced(client.clone(), namespace);
            let found = quotas.list(&ListParams::default()).await;
            for quota in found.doing(format!("list the quotas of namespace {namespace}"))? {
                let hard = quota.spec.and_then(|spec| spec.hard).unwrap_or_default();
                foreseen.count(namespace, hard.into_keys());
            }
        }
        Ok(Self(Mutex::new(foreseen)))
    }

    /// What is told of an object, judged.
    pub(super) fn judge(&self, ready: &Ready, wave: Wave, fate: &Fate) -> ObjectReport {
        let mut report = fate.report(ready, wave);
        report
            .warnings
            .extend(ready.warning.map(|warning| warning.to_string()));
        if let Fate::Created(Created {
            is_guarded: false, ..
        }) = fate
        {
            let unguarded = "it would be created, and the webhook doesn't apply the rules to it";
            report.warnings.push(unguarded.to_owned());
        }
        let (outcome, refusal) = (report.outcome, fate.refusal());
        let mut foreseen = self.foreseen();
        let run = DryRun {
            ready,
            wave,
            outcome,
            refusal,
        };
        let (outcome, certainty) = foreseen.judge(run);
        if outcome == Outcome::Created {
            foreseen.create(&ready.target);
        }
        // What it was refused for will have passed by then.
        let message = report.message.filter(|_| outcome == run.outcome);
        ObjectReport {
            outcome,
            message,
            certainty: Some(certainty),
            ..report
        }
    }

    /// Nothing can be created in this namespace.
    pub(super) fn close(&self, namespace: &str) {
        self.foreseen().close(namespace);
    }

    fn foreseen(&self) -> MutexGuard<'_, Foreseen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
