//! How far a restore is: what became of its objects, counted by whoever brings them and shown in the status.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clusterbackup_api::restore::{ObjectProblem, ProblemAction, RestoreCounts, RestorePhase};
use clusterbackup_api::{RestoreStatus, schema};
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{End, Outcome, Tally, Wave};

/// So many problems are told one by one.
const TOLD: usize = 200;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    wave: Option<Wave>,
    problems: Vec<ObjectProblem>,
    /// Objects that are created and not as they should be.
    warnings: u64,
}

impl Progress {
    /// So many objects are to be restored.
    pub(super) fn expect(&self, total: u64) {
        *self.state() = State {
            tally: Tally::new(total),
            ..State::default()
        };
    }

    /// Now it is the turn of these.
    pub(super) fn reach(&self, wave: Wave) {
        self.state().wave = Some(wave);
    }

    /// Something became of an object.
    pub(super) fn count(&self, outcome: Outcome) {
        self.state().tally.add(outcome);
    }

    /// Tells of an object. The worst are kept: there may be more than a status can hold.
    pub(super) fn tell(&self, object: &ObjectId, action: ProblemAction, message: &str) {
        let problem = ObjectProblem {
            group_resource: object.kind.as_str().to_owned(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            action,
            message: schema::bounded(message).into_owned(),
        };
        let mut state = self.state();
        if action == ProblemAction::Created {
            state.warnings += 1;
        }
        let place = state.problems.partition_point(|known| known.action <= action);
        if place < TOLD {
            state.problems.insert(place, problem);
            state.problems.truncate(TOLD);
        }
    }

    /// What became of objects by now.
    pub(super) fn counts(&self) -> RestoreCounts {
        self.state().counts()
    }

    /// How a restore is called that ends so.
    pub(super) fn phase(&self, end: End) -> RestorePhase {
        let state = self.state();
        state.tally.phase(end, state.warnings)
    }

    /// The status, as far as it follows from that.
    pub(super) fn shown(&self, mut status: RestoreStatus) -> RestoreStatus {
        let state = self.state();
        status.counts = state.counts();
        status.wave = state.wave.map(|wave| wave.as_str().to_owned());
        status.problems.clone_from(&state.problems);
        status
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn counts(&self) -> RestoreCounts {
        let of = |outcome| self.tally.of(outcome);
        RestoreCounts {
            total: self.tally.total(),
            created: of(Outcome::Created),
            unchanged: of(Outcome::Unchanged),
            skipped: of(Outcome::Skipped),
            left_out: of(Outcome::LeftOut),
            failed: of(Outcome::Failed),
            pending: self.tally.pending(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clusterbackup_core::object::GroupResource;

    use super::*;

    fn object(name: &str) -> ObjectId {
        ObjectId {
            kind: GroupResource::new("", "configmaps"),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        }
    }

    #[test]
    fn the_parts_add_up_to_the_total_at_all_times() {
        let progress = Progress::default();
        progress.expect(6);
        for outcome in [
            Outcome::Created,
            Outcome::Unchanged,
            Outcome::Skipped,
            Outcome::LeftOut,
            Outcome::Failed,
        ] {
            progress.count(outcome);
            let RestoreCounts {
                total,
                created,
                unchanged,
                skipped,
                left_out,
                failed,
                pending,
            } = progress.counts();
            assert_eq!(created + unchanged + skipped + left_out + failed + pending, total);
        }
        assert_eq!(progress.counts().pending, 1);
    }

    #[test]
    fn of_more_problems_than_a_status_holds_the_worst_are_told() {
        let progress = Progress::default();
        for number in 0..TOLD {
            progress.tell(
                &object(&number.to_string()),
                ProblemAction::LeftOut,
                "a controller makes it",
            );
        }
        progress.tell(&object("bad"), ProblemAction::Failed, &"x".repeat(5000));
        progress.tell(&object("different"), ProblemAction::Skipped, "it is different");
        let told = progress.shown(RestoreStatus::default()).problems;
        let names: Vec<_> = told.iter().take(3).map(|problem| problem.name.as_str()).collect();
        assert_eq!(names, ["bad", "different", "0"]);
        assert_eq!(told.len(), TOLD);
        assert!(told[0].message.chars().count() <= 1024);
    }
}
