//! What an instance comes to, where nothing in it or in its hooks stands against a backup.

use clusterbackup_core::cut::Limits;
use clusterbackup_core::hook::Hook;
use clusterbackup_core::selection::Filter;
use kube::Client;

use super::rights;
use super::subject::{PlanError, Subject};

/// What a backup of the instance may do.
pub(super) struct Terms {
    /// What it takes.
    pub(super) filter: Filter,
    /// How much it may.
    pub(super) limits: Limits,
    /// The hooks that run.
    pub(super) hooks: Vec<Hook>,
}

impl Terms {
    /// Of an instance and its hooks; an error if no backup of it can run now, whatever is in the cluster.
    pub(super) async fn of(client: &Client, subject: &Subject) -> Result<Self, PlanError> {
        let (filter, limits, hooks) = (subject.filter()?, subject.limits()?, subject.decided()?);
        subject.inclusion()?;
        rights::check(client, subject, &filter, &hooks).await?;
        Ok(Self {
            filter,
            limits,
            hooks: hooks.into_iter().flatten().collect(),
        })
    }
}
