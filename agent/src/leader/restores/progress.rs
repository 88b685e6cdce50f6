//! How far a restore is: what became of its objects, counted by whoever brings them and shown in the status.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clusterbackup_api::restore::{
    CertaintyCounts, HookCounts, ObjectProblem, RestoreCounts, RestorePhase, RestoreReadiness,
};
use clusterbackup_api::{RestoreStatus, schema};
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{
    Certainty, End, LateWarning, ObjectReport, Outcome, Readiness, ReportLine, Tally, Wave,
};

use super::readiness::Known;
use super::report::Lines;

/// So many problems are told one by one.
const TOLD: usize = 200;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    /// What goes into the report.
    pub(super) lines: Lines,
}

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    wave: Option<Wave>,
    problems: Vec<ObjectProblem>,
    certainty: Option<CertaintyCounts>,
    /// What is not as it should be of objects that are there.
    warnings: u64,
    /// How many are ready, once somebody waits for that.
    readiness: Option<RestoreReadiness>,
    /// The commands of hooks, where there are any.
    hooks: Option<HookCounts>,
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

    /// What became of an object: told once of each.
    pub(super) fn record(&self, report: ObjectReport) {
        let mut state = self.state();
        state.tally.add(report.outcome);
        state.warnings += report.warnings.len() as u64;
        for trouble in report.troubles() {
            state.tell(&report.target, report.outcome, trouble);
        }
        state.certainty = add(state.certainty, report.certainty);
        drop(state);
        self.lines.add(ReportLine::Object(Box::new(report)));
    }

    /// What turned out later not to be as it should of an object that is there and recorded.
    pub(super) fn warn(&self, target: &ObjectId, outcome: Outcome, warning: &str) {
        let mut state = self.state();
        state.warnings += 1;
        state.tell(target, outcome, warning);
        drop(state);
        let (target, warning) = (target.clone(), warning.to_owned());
        self.lines
            .add(ReportLine::Warning(LateWarning { target, warning }));
    }

    /// Nothing more is created, and so much of it is ready.
    pub(super) fn readiness(&self, known: &Known) {
        let ready = known.values().filter(|known| **known == Readiness::Ready).count();
        let mut state = self.state();
        state.wave = None;
        state.readiness = Some(RestoreReadiness {
            awaited: known.len() as u64,
            ready: ready as u64,
        });
    }

    /// What became of the commands of hooks by now.
    pub(super) fn hooks(&self, counts: HookCounts) {
        self.state().hooks = Some(counts);
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
        status.certainty = state.certainty;
        status.problems.clone_from(&state.problems);
        status.readiness = state.readiness;
        status.hooks = state.hooks;
        status
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counts: Option<CertaintyCounts>, certainty: Option<Certainty>) -> Option<CertaintyCounts> {
    let Some(certainty) = certainty else {
        return counts;
    };
    let mut counts = counts.unwrap_or_default();
    match certainty {
        Certainty::Certain => counts.certain += 1,
        Certainty::Likely(_) => counts.likely += 1,
        Certainty::Unknown(_) => counts.unknown += 1,
    }
    Some(counts)
}

impl State {
    /// Tells of an object. The worst are kept: there may be more than a status can hold.
    fn tell(&mut self, object: &ObjectId, action: Outcome, message: &str) {
        let place = self.problems.partition_point(|known| known.action <= action);
        if place >= TOLD {
            return;
        }
        let problem = ObjectProblem {
            group_resource: object.kind.as_str().to_owned(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            action,
            message: schema::bounded(message).into_owned(),
        };
        self.problems.insert(place, problem);
        self.problems.truncate(TOLD);
    }

    fn counts(&self) -> RestoreCounts {
        let of = |outcome| self.tally.of(outcome);
        RestoreCounts {
            total: self.tally.total(),
            created: of(Outcome::Created),
            patched: of(Outcome::Patched),
            replaced: of(Outcome::Replaced),
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

    fn report(name: &str, outcome: Outcome, message: &str) -> ObjectReport {
        ObjectReport {
            message: Some(message.to_owned()),
            ..ObjectReport::new(object(name), object(name), Wave::Config, outcome)
        }
    }

    #[test]
    fn the_parts_add_up_to_the_total_at_all_times() {
        let progress = Progress::default();
        progress.expect(8);
        for outcome in Outcome::ALL {
            progress.record(report("web", outcome, ""));
            let RestoreCounts {
                total,
                created,
                patched,
                replaced,
                unchanged,
                skipped,
                left_out,
                failed,
                pending,
            } = progress.counts();
            let there = created + patched + replaced + unchanged + skipped;
            assert_eq!(there + left_out + failed + pending, total);
        }
        assert_eq!(progress.counts().pending, 1);
    }

    #[test]
    fn of_more_problems_than_a_status_holds_the_worst_are_told() {
        let progress = Progress::default();
        for number in 0..TOLD {
            let name = number.to_string();
            progress.record(report(&name, Outcome::LeftOut, "a controller makes it"));
        }
        progress.record(report("bad", Outcome::Failed, &"x".repeat(5000)));
        progress.record(report("different", Outcome::Skipped, "it is different"));
        let told = progress.shown(RestoreStatus::default()).problems;
        let names: Vec<_> = told.iter().take(3).map(|problem| problem.name.as_str()).collect();
        assert_eq!(names, ["bad", "different", "0"]);
        assert_eq!(told.len(), TOLD);
        assert!(told[0].message.chars().count() <= 1024);
    }

    #[test]
    fn what_is_not_as_it_should_be_shows_in_the_phase_whenever_it_is_found() {
        for later in [false, true] {
            let progress = Progress::default();
            progress.expect(1);
            let mut created = ObjectReport::new(object("web"), object("web"), Wave::Config, Outcome::Created);
            if !later {
                created.warnings.push("it is empty".to_owned());
            }
            progress.record(created.clone());
            if later {
                progress.warn(&created.target, Outcome::Created, "it is empty");
            }
            assert_eq!(progress.phase(End::Done), RestorePhase::CompletedWithWarnings);
            let problems = progress.shown(RestoreStatus::default()).problems;
            assert_eq!(problems[0].message, "it is empty");
        }
    }
}
