//! What the parts of one backup's task share: the way into containers, journal, snapshots and report.

use std::sync::Arc;

use clusterbackup_api::node_task::{NodeTask, NodeTaskSpec, RunReference, Thaw};
use kube::{Client, ResourceExt as _};
use tokio::sync::Semaphore;

use super::Node;
use super::metrics::NodeMetrics;
use super::status::Reporter;
use crate::journal::{Entry, Journal};
use crate::people::News;
use crate::snapshots::Snapshots;
use crate::undo::Means;

/// What the parts of a task share.
pub(super) struct Work {
    pub(super) client: Client,
    pub(super) means: Means,
    pub(super) journal: Journal,
    pub(super) node_metrics: Arc<NodeMetrics>,
    pub(super) reporter: Reporter,
    pub(super) snapshots: Snapshots,
    /// Units that may be under way at once, over all tasks.
    pub(super) room: Arc<Semaphore>,
    pub(super) backup: RunReference,
    pub(super) task: String,
    pub(super) task_uid: String,
    pub(super) keep_output: bool,
}

impl Work {
    /// For a task of the node that is for a backup.
    pub(super) fn of(
        node: &Node,
        task: &NodeTask,
        (spec, backup): (&NodeTaskSpec, &RunReference),
        reporter: Reporter,
    ) -> Self {
        let name = task.name_any();
        Self {
            client: node.client.clone(),
            means: node.means.clone(),
            journal: node.journal.clone(),
            node_metrics: Arc::clone(&node.metrics),
            reporter,
            snapshots: Snapshots::new(node.client.clone(), &name),
            room: Arc::clone(&node.room),
            backup: backup.clone(),
            task: name,
            task_uid: task.uid().unwrap_or_default(),
            keep_output: spec.keep_output,
        }
    }

    /// Tells people of a pod that another than who froze it had to thaw.
    pub(super) fn tell(&self, frozen: &Entry, thaw: Thaw) {
        let news = match thaw {
            Thaw::ByWatchdog => News::ThawedByWatchdog,
            Thaw::ByReplay => News::ThawedByReplay,
            _ => return,
        };
        if let Some(people) = &self.means.people {
            people.tell(frozen, news);
        }
    }
}
