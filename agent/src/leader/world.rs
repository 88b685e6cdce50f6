//! What everything that the leader does shares, for as long as it leads.

use std::sync::Arc;

use clusterbackup_api::NodeTask;
use kube::{Api, Client};

use super::events::Events;
use super::metrics::Metrics;

/// The cluster as this leader may change it.
#[derive(Clone)]
pub(super) struct World {
    /// The way to the API server.
    pub(super) client: Client,
    /// Where NodeTasks live.
    pub(super) agents: String,
    /// The fencing epoch of this leader's term.
    pub(super) epoch: i64,
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
}
