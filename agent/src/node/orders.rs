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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            let orders = self
                .spec
                .borrow_and_update()
                .as_deref()
                .map(|spec| (spec.state, spec.epoch));
            let highest = *self.epoch.borrow_and_update();
            if self.stopping.is_cancelled() {
                return Gate::Left;
            }
            if let Some(gate) = gate(orders, highest) {
                return gate;
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
        tokio::select! {
            cause = self.cancelled() => cause,
            () = self.stopping.cancelled() => Cause::Stopping,
        }
    }

    /// The same, for what goes on for a while when the agent stops.
    pub(super) async fn cancelled(&self) -> Cause {
        let mut spec = self.spec.clone();
        let over = |spec: &Option<Arc<NodeTaskSpec>>| {
            spec.as_ref()
                .is_none_or(|spec| spec.state == TaskState::Cancelled)
        };
        let seen = spec.wait_for(over).await;
        // Nobody watches any more: the process is about to end.
        seen.map_or(Cause::Stopping, |_| Cause::Cancelled)
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

/// Whether a task of this state and epoch may begin, where `highest` is the highest epoch seen; none: not yet.
fn gate(orders: Option<(TaskState, i64)>, highest: i64) -> Option<Gate> {
    match orders {
        None => Some(Gate::Left),
        Some((TaskState::Cancelled, _)) => Some(Gate::Refused),
        Some((TaskState::Running, epoch)) if epoch >= highest => Some(Gate::Open),
        Some((TaskState::Running | TaskState::Prepared, _)) => None,
    }
}

fn released(spec: Option<&NodeTaskSpec>, unit: &str) -> Option<Step> {
    spec?.units.iter().find(|of| of.name == unit)?.released
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn spec(state: &str, epoch: i64, released: &str) -> Arc<NodeTaskSpec> {
        let unit = json!({
            "name": "u1", "maxFreeze": "60s", "cutLimit": "20s", "released": released, "pods": [], "cuts": [],
        });
        let spec = json!({
            "nodeName": "node-1", "epoch": epoch, "state": state, "units": [unit],
            "backup": { "namespace": "shop", "name": "nightly", "uid": "u" },
        });
        Arc::new(serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn new_work_of_a_lower_epoch_is_not_begun() {
        use TaskState::{Cancelled, Prepared, Running};
        for (orders, highest, expected) in [
            (Some((Running, 3)), 3, Some(Gate::Open)),
            (Some((Running, 4)), 3, Some(Gate::Open)),
            (Some((Running, 2)), 3, None),
            (Some((Prepared, 3)), 3, None),
            (Some((Prepared, 2)), 3, None),
            // Nothing is frozen by that, so that it may come from whomever.
            (Some((Cancelled, 2)), 3, Some(Gate::Refused)),
            (None, 3, Some(Gate::Left)),
        ] {
            assert_eq!(gate(orders, highest), expected, "{orders:?} {highest}");
        }
    }

    #[test]
    fn work_of_an_old_leader_waits_until_the_new_one_adopts_it() {
        let (leader, spec_seen) = watch::channel(Some(spec("Running", 1, "Freeze")));
        let (highest, epoch) = watch::channel(2);
        let mut orders = Orders {
            spec: spec_seen,
            epoch,
            stopping: CancellationToken::new(),
        };
        assert!(orders.gate().now_or_never().is_none(), "begun for an old leader");
        // Written late, and still below what is seen.
        leader.send_replace(Some(spec("Running", 1, "Cut")));
        assert!(orders.gate().now_or_never().is_none(), "begun by a late write");
        leader.send_replace(Some(spec("Running", 2, "Freeze")));
        assert_eq!(orders.gate().now_or_never(), Some(Gate::Open));

        highest.send_replace(3);
        assert!(orders.gate().now_or_never().is_none(), "begun for an old leader");
        orders.stopping.cancel();
        assert_eq!(orders.gate().now_or_never(), Some(Gate::Left));
    }

    #[test]
    fn what_is_released_is_seen_and_a_task_that_is_gone_ends_the_work() {
        let (leader, spec_seen) = watch::channel(Some(spec("Running", 1, "Freeze")));
        let orders = Orders {
            spec: spec_seen,
            epoch: watch::channel(1).1,
            stopping: CancellationToken::new(),
        };
        let unit = spec("Running", 1, "Freeze").units[0].clone();
        assert!(orders.released(&unit, Step::Cut).now_or_never().is_none());
        leader.send_replace(Some(spec("Running", 1, "Thaw")));
        assert_eq!(
            orders.released(&unit, Step::Cut).now_or_never(),
            Some(Some(Step::Thaw))
        );
        assert!(orders.ended().now_or_never().is_none());
        leader.send_replace(None);
        assert_eq!(orders.ended().now_or_never(), Some(Cause::Cancelled));
    }
}
