//! Hooks around a cut.

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_core::cut::{Class, Classes, Consistency, CutOutcome, Cuttable, Cutter, SkipReason};
use clusterbackup_core::duration::Span;
use clusterbackup_core::freeze::thaw::{self, Ending, Moment, Next, PodState, Thaw, Tries};
use clusterbackup_core::freeze::{self, PlannedPod, Units};
use clusterbackup_core::hook::restore::RestoreExec;
use clusterbackup_core::hook::{self, Exec, ExecOutcome, Fault, Hook, OnError, Pods, Quiescence, Stage};
use clusterbackup_core::report::{BackupPhase, Cut, End, Ran, Tally};
use clusterbackup_core::selection::{Claim, ClaimPhase, Name, Pod, PodPhase, Volume};

use crate::{exec, pod};

const DRIVER: &str = "csi.example.com";

fn claim(name: &str) -> Claim {
    Claim {
        name: Name::new("shop", name),
        labels: BTreeMap::new(),
        phase: ClaimPhase::Bound,
        deleting: false,
        volume: Some(Volume {
            driver: Some(DRIVER.to_owned()),
            capacity: None,
        }),
        snapshots: 0,
    }
}

fn moment(boot: &str, seconds: u64) -> Moment<'_> {
    Moment {
        boot,
        since: Duration::from_secs(seconds),
    }
}

/// A hook that freezes with two commands and thaws with one.
fn freezing(on_error: OnError) -> Hook {
    Hook {
        name: "ops/freeze/db".to_owned(),
        pods: Pods::default(),
        pre: vec![exec("flush", on_error), exec("lock", on_error)],
        post: vec![exec("unlock", on_error)],
    }
}

fn plan(pods: &[Pod], claims: &[Claim], hooks: &[Hook]) -> Units {
    let classes = Classes::new(vec![Class {
        name: "fast".to_owned(),
        driver: DRIVER.to_owned(),
        for_backups: false,
        default: false,
    }]);
    let none = Classes::default();
    let cutter = Cutter {
        backup: "4f1c",
        groups: &none,
        all: claims,
    };
    let class = classes.of(DRIVER).unwrap();
    let cuttable: Vec<_> = claims.iter().map(|claim| Cuttable { claim, class }).collect();
    let planned = pods.iter().map(|pod| PlannedPod {
        pod,
        commands: hook::resolve(hooks, pod),
    });
    let planned: Vec<_> = planned.collect();
    freeze::units(&planned, &cutter.bundles(&cuttable), false, &cutter)
}

fn ran(pod: &Name, outcome: ExecOutcome) -> Ran<'_> {
    Ran {
        pod,
        hook: "ops/freeze/db",
        stage: Stage::Pre,
        outcome,
        at_large: false,
        message: None,
    }
}

fn taken(claim: &Name, consistency: Consistency) -> Cut<'_> {
    Cut {
        claim,
        outcome: CutOutcome::Taken,
        consistency: Some(consistency),
        hooks: true,
        message: None,
    }
}

/// Velero: an error line, the whole backup is PartiallyFailed.
#[test]
fn a_pre_hook_that_may_fail_leaves_a_crash_consistent_cut_and_a_warning() {
    assert!(!OnError::Continue.stops());
    assert_eq!(Quiescence::of([Ok(()), Err(OnError::Continue)]), Quiescence::Open);
    let (pod, claim) = (Name::new("shop", "db"), Name::new("shop", "data"));
    let mut tally = Tally::default();
    tally.command(ran(&pod, ExecOutcome::Failed));
    tally.cut(taken(&claim, Consistency::CrashConsistent));
    let summary = tally.end(End::Done);
    assert_eq!(summary.phase, BackupPhase::CompletedWithWarnings);
    assert_eq!(summary.warnings.len(), 2);
}

/// Velero: the pod is left out, its volumes are snapshotted all the same, its post hooks never run.
#[test]
fn a_pre_hook_that_may_not_fail_keeps_its_unit_from_being_cut_and_is_undone() {
    assert!(OnError::Fail.stops());
    assert_eq!(Quiescence::of([Ok(()), Err(OnError::Fail)]), Quiescence::Failed);
    let undo = [Tries::default()];
    assert_eq!(thaw::next(&undo, PodState::Exists, Duration::ZERO), Next::Try(0));
}

/// Velero: the documentation and the log say Fail, what happens is Continue.
#[test]
fn an_unset_on_error_has_one_meaning_for_backups_and_one_for_restores() {
    assert_eq!(Exec::ON_ERROR, OnError::Fail);
    assert_eq!(RestoreExec::ON_ERROR, OnError::Continue);
}

/// Velero: post hooks run after a failed snapshot, once, whatever comes of them.
#[test]
fn an_undo_is_tried_until_it_succeeds_whatever_its_on_error_says() {
    for on_error in [OnError::Continue, OnError::Fail] {
        let commands = hook::resolve(&[freezing(on_error)], &pod("db", &[])).unwrap();
        let mut undo = vec![Tries::default(); commands.post.len()];
        let mut now = Duration::ZERO;
        for _ in 0..1000 {
            match thaw::next(&undo, PodState::Exists, now) {
                Next::Try(number) => {
                    undo[number] = Tries {
                        count: undo[number].count + 1,
                        ended: now,
                        succeeded: false,
                    }
                }
                Next::Wait(pause) => now += pause,
                Next::Finished(ending) => unreachable!("{ending:?}"),
            }
        }
        undo[0].succeeded = true;
        assert_eq!(
            thaw::next(&undo, PodState::Exists, now),
            Next::Finished(Ending::Undone)
        );
    }
}

/// Velero: when the wait for the upload of file system backups fails or its 4 hours end, post hooks are skipped.
#[test]
fn a_freeze_ends_after_max_freeze_and_is_refused_if_its_hooks_could_outlast_it() {
    let max_freeze = Span::seconds(60);
    let frozen = moment("a", 100);
    let later = moment("a", 160);
    assert_eq!(thaw::left(frozen, later, max_freeze.duration()), Duration::ZERO);

    let units = plan(
        &[pod("db", &["data"])],
        &[claim("data")],
        &[freezing(OnError::Fail)],
    );
    let limits = freeze::Limits {
        max_freeze,
        cut: Span::seconds(20),
    };
    assert!(
        freeze::check(&limits, &units.units[0]).is_err(),
        "two pre hooks may take 30s each"
    );
}

/// Velero: a server that is killed between pre and post never runs post; nothing remembers it.
#[test]
fn an_undo_survives_every_restart_even_one_of_the_node() {
    let frozen = moment("a", 100);
    let restarted = moment("b", 3);
    assert_eq!(
        thaw::left(frozen, restarted, Duration::from_mins(1)),
        Duration::ZERO
    );
    let undo = [Tries::default()];
    assert_eq!(thaw::next(&undo, PodState::Exists, restarted.since), Next::Try(0));
}

/// Velero: hooks that were listed and not run count as attempted; hooks in pods that ended count, and never ran.
#[test]
fn only_commands_that_ran_are_counted_as_succeeded_or_failed() {
    let pod = Name::new("shop", "db");
    let mut tally = Tally::default();
    tally.pod(&pod, Thaw::Done, 3);
    tally.command(ran(&pod, ExecOutcome::TimedOut));
    tally.command(ran(&pod, ExecOutcome::Succeeded));
    let counts = tally.end(End::Done).counts;
    assert_eq!(
        (counts.hooks, counts.hooks_failed, counts.hooks_succeeded),
        (3, 1, 1)
    );
    let over = Pod {
        phase: PodPhase::Succeeded,
        ..crate::pod("job", &[])
    };
    assert!(
        hook::resolve(&[freezing(OnError::Fail)], &over)
            .unwrap()
            .is_empty()
    );
}

/// Velero: the first container, or a named one that may be a sidecar; else an error in the middle of the backup.
#[test]
fn a_container_that_is_not_there_is_known_before_anything_is_frozen() {
    let mut wrong = freezing(OnError::Fail);
    wrong.post[0].container = Some("mysql".to_owned());
    let units = plan(&[pod("db", &["data"])], &[claim("data")], &[wrong]);
    assert!(units.units.is_empty());
    assert_eq!(units.refused, [Name::new("shop", "data")]);
    assert!(
        matches!(&units.problems[0].fault, Fault::NoContainer { containers, .. } if containers.len() == 3)
    );
}

/// Velero: pre hooks of all pods of a block, then all items, then all post hooks; other blocks in any order.
#[test]
fn pods_that_share_nothing_do_not_wait_for_each_other() {
    let pods = [pod("a", &["a"]), pod("b", &["b"]), pod("c", &["b"])];
    let units = plan(&pods, &[claim("a"), claim("b")], &[freezing(OnError::Fail)]);
    let sizes: Vec<usize> = units.units.iter().map(|unit| unit.parts[0].pods.len()).collect();
    assert_eq!(sizes, [1, 2]);
}

/// Velero: what is excluded or can't be snapshotted is an error or nothing at all.
#[test]
fn a_claim_that_is_left_out_on_purpose_is_no_warning_and_every_other_is() {
    let claim = Name::new("shop", "data");
    for (reason, warnings) in [
        (SkipReason::Excluded, 0),
        (SkipReason::NotCsi, 1),
        (SkipReason::HookFailed, 1),
    ] {
        let mut tally = Tally::default();
        tally.skip(&claim, reason);
        assert_eq!(tally.end(End::Done).warnings.len(), warnings, "{reason:?}");
    }
}
