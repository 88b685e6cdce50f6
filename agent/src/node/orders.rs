//! What the leader wants of a task now, and what ends its work before the time.

use std::sync::Arc;

use clusterbackup_api::node_task::{FreezeUnit, NodeTaskSpec, Step, TaskState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::signal::Cause;

/// The live view of a task's spec. Clones see the same.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    /// None once the task is deleted.
    pub(super) spec: watch::Receiver<Option<Arc<NodeTaskSpec>>>,
    /// The highest epoch among the node's tasks.
    pub(super) epoch: watch::Receiver<i64>,
    /// The agent stops.
    pub(super) stopping: CancellationToken,
}

/// Whether a task may begin.
#[derive(Debug)]
pub(super) enum Gate {
    /// Now.
    Open,
    /// Never.
    Refused,
    /// The next agent will see.
    Left,
}

impl Orders {
    /// Waits until the task may begin, or never will.
    ///
    /// A task of an epoch lower than the highest seen waits: its leader is gone, and the next one adopts it by raising
    /// its epoch.
    pub(super) async fn gate(&mut self) -> Gate {
        loop {
            let spec = self.spec.borrow_and_update().clone();
            let highest = *self.epoch.borrow_and_update();
            if self.stopping.is_cancelled() {
                return Gate::Left;
            }
            match spec.map(|spec| (spec.state, spec.epoch)) {
                None => return Gate::Left,
                Some((TaskState::Cancelled, _)) => return Gate::Refused,
                Some((TaskState::Running, epoch)) if epoch >= highest => return Gate::Open,
                Some((TaskState::Running | TaskState::Prepared, _)) => {}
            }
            tokio::select! {
                changed = self.spec.changed() => if changed.is_err() { return Gate::Left },
                changed = self.epoch.changed() => if changed.is_err() { return Gate::Left },
                () = self.stopping.cancelled() => {}
            }
        }
    }

    /// Returns why the work is to end before its time, if ever.
    pub(super) async fn ended(&self) -> Cause {
        let mut spec = self.spec.clone();
        let over = |spec: &Option<Arc<NodeTaskSpec>>| {
            spec.as_ref()
                .is_none_or(|spec| spec.state == TaskState::Cancelled)
        };
        tokio::select! {
            // Nobody watches any more: the process is about to end.
            seen = spec.wait_for(over) => seen.map_or(Cause::Stopping, |_| Cause::Cancelled),
            () = self.stopping.cancelled() => Cause::Stopping,
        }
    }

    /// Waits until the leader has released a step of a unit; at once where the unit waits for nobody.
    pub(super) async fn released(&self, unit: &FreezeUnit, step: Step) -> Option<Step> {
        unit.released?;
        let mut spec = self.spec.clone();
        let reached = |spec: &Option<Arc<NodeTaskSpec>>| released(spec.as_deref(), &unit.name) >= Some(step);
        let seen = spec.wait_for(reached).await;
        let step = seen.ok().map(|spec| released(spec.as_deref(), &unit.name));
        match step {
            Some(step) => step,
            // Nobody watches any more: the process is about to end.
            None => std::future::pending().await,
        }
    }

    /// The step that the leader has released last.
    pub(super) fn step(&self, unit: &FreezeUnit) -> Option<Step> {
        released(self.spec.borrow().as_deref(), &unit.name)
    }

    /// The epoch of the task.
    pub(super) fn epoch(&self) -> Option<i64> {
        self.spec.borrow().as_ref().map(|spec| spec.epoch)
    }
}

fn released(spec: Option<&NodeTaskSpec>, unit: &str) -> Option<Step> {
    spec?.units.iter().find(|of| of.name == unit)?.released
}
