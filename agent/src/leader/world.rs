//! What everything that the leader does shares, for as long as it leads.

use std::path::PathBuf;
use std::sync::Arc;

use clusterbackup_api::NodeTask;
use clusterbackup_kit::lease::Fence;
use kube::{Api, Client};

use super::error::DriveError;
use super::events::Events;
use super::metrics::Metrics;
use super::vault::Doors;

/// The cluster as this leader may change it.
#[derive(Clone)]
pub(super) struct World {
    /// The way to the API server.
    pub(super) client: Client,
    /// The namespace that it runs in, and the webhook with it.
    pub(super) own: String,
    /// Where NodeTasks live.
    pub(super) agents: String,
    /// The fencing epoch of this leader's term.
    pub(super) epoch: i64,
    /// Where the highest epoch stands.
    pub(super) fence: Fence,
    /// What vaults are opened with.
    pub(super) doors: Doors,
    /// Where there is room for what is read only once.
    pub(super) scratch: Arc<PathBuf>,
    /// Tells people.
    pub(super) events: Events,
    /// Counts.
    pub(super) metrics: Arc<Metrics>,
}

impl World {
    /// The NodeTasks of the nodes' agents.
    pub(super) fn tasks(&self) -> Api<NodeTask> {
        Api::namespaced(self.client.clone(), &self.agents)
    }

    /// Whether nobody has begun to lead since this term began.
    pub(super) async fn is_latest(&self) -> Result<bool, DriveError> {
        Ok(self.fence.highest().await? == Some(self.epoch))
    }
}
