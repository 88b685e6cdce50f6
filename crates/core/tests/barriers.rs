//! Members of a unit and a leader that sees them late: whatever the delays and failures, a barrier that is said to have
//! held did hold.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use clusterbackup_core::freeze::barrier::{Decision, Member, Released, broken_by, next};
use clusterbackup_core::freeze::{Step, UnitPhase};
use proptest::prelude::*;

/// In ticks, as everything here.
const MAX_FREEZE: u64 = 60;

/// How one member does.
#[derive(Debug, Clone)]
struct Behaviour {
    start: u64,
    freeze: u64,
    cut: u64,
    hook_fails: bool,
    cut_fails: bool,
    /// How old what it sees of the leader is.
    hears_after: u64,
    /// How old what the leader sees of it is.
    heard_after: u64,
}

/// What one member truly did, tick by tick.
struct Truth {
    behaviour: Behaviour,
    phase: Option<UnitPhase>,
    since: u64,
    cut: bool,
    early: bool,
    cut_at: Option<u64>,
    undone_from: Option<u64>,
    history: Vec<(Option<UnitPhase>, bool, bool)>,
}

impl Truth {
    fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            phase: None,
            since: 0,
            cut: false,
            early: false,
            cut_at: None,
            undone_from: None,
            history: Vec::new(),
        }
    }

    fn tick(&mut self, now: u64, released: &[Step]) {
        let heard = now.saturating_sub(self.behaviour.hears_after);
        let released = released
            .get(usize::try_from(heard).unwrap())
            .copied()
            .unwrap_or(Step::Freeze);
        let lasts = now - self.since;
        match self.phase {
            None if now >= self.behaviour.start => self.enter(UnitPhase::Freezing, now),
            Some(phase) if phase < UnitPhase::Thawing && now >= self.behaviour.start + MAX_FREEZE => {
                self.thaw(released, now);
            }
            Some(UnitPhase::Freezing) if lasts >= self.behaviour.freeze => {
                if self.behaviour.hook_fails {
                    self.thaw(released, now);
                } else {
                    self.enter(UnitPhase::Frozen, now);
                }
            }
            Some(UnitPhase::Frozen) if released == Step::Cut => self.enter(UnitPhase::Cutting, now),
            Some(UnitPhase::Frozen | UnitPhase::Cut) if released == Step::Thaw => self.thaw(released, now),
            Some(UnitPhase::Cutting) if lasts >= self.behaviour.cut => {
                if self.behaviour.cut_fails {
                    self.thaw(released, now);
                } else {
                    (self.cut, self.cut_at) = (true, Some(now));
                    self.enter(UnitPhase::Cut, now);
                }
            }
            Some(UnitPhase::Thawing) => self.enter(UnitPhase::Thawed, now),
            _ => {}
        }
        self.history.push((self.phase, self.cut, self.early));
    }

    fn enter(&mut self, phase: UnitPhase, now: u64) {
        (self.phase, self.since) = (Some(phase), now);
    }

    fn thaw(&mut self, released: Step, now: u64) {
        self.early = released != Step::Thaw;
        self.undone_from = Some(now);
        self.enter(UnitPhase::Thawing, now);
    }

    /// What was true so many ticks ago.
    fn member(&self, number: usize, ago: u64) -> Member {
        let ago = usize::try_from(ago).unwrap();
        let seen = self.history.len().checked_sub(1 + ago).map(|at| self.history[at]);
        let (phase, cut, early) = seen.unwrap_or((None, false, false));
        Member {
            node: format!("n{number}"),
            phase,
            cut,
            early,
        }
    }
}

/// Runs a unit to its end; the nodes by which the leader says that the barrier broke, and what truly happened. At
/// `takeover` another leader goes on, whose clock knows nothing of what was before.
fn run(behaviours: Vec<Behaviour>, takeover: u64) -> (Vec<String>, Vec<Truth>) {
    let mut members: Vec<Truth> = behaviours.into_iter().map(Truth::new).collect();
    let mut released = vec![Step::Freeze];
    let mut recorded = Vec::new();
    for now in 0.. {
        for member in &mut members {
            member.tick(now, &released);
        }
        let views = members.iter().enumerate();
        let views: Vec<Member> = views
            .map(|(number, member)| member.member(number, member.behaviour.heard_after))
            .collect();
        let so_far = *released.last().unwrap();
        let step = match so_far {
            Step::Freeze => Some(Released::Freeze),
            Step::Cut => Some(Released::Cut(None)),
            Step::Thaw => None,
        };
        let led_since = if now < takeover { 0 } else { takeover };
        let time = Duration::from_secs(now - led_since);
        let decision = step.map(|step| next(step, &views, time, Duration::from_secs(MAX_FREEZE)));
        released.push(match decision {
            Some(Decision::Release(step)) => {
                assert!(
                    step == Step::Cut || views.iter().all(|member| member.cut),
                    "{views:?}"
                );
                step
            }
            Some(Decision::Broken(nodes)) => {
                assert!(!nodes.is_empty());
                recorded = nodes;
                Step::Thaw
            }
            Some(Decision::Wait(_)) | None => so_far,
        });
        if members
            .iter()
            .all(|member| member.phase == Some(UnitPhase::Thawed))
        {
            break;
        }
    }
    let end: Vec<Member> = members
        .iter()
        .enumerate()
        .map(|(number, member)| member.member(number, 0))
        .collect();
    (broken_by(&recorded, &end), members)
}

fn good() -> Behaviour {
    Behaviour {
        start: 0,
        freeze: 5,
        cut: 3,
        hook_fails: false,
        cut_fails: false,
        hears_after: 1,
        heard_after: 1,
    }
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let delay = || prop_oneof![4 => 0_u64..5, 1 => 0_u64..80];
    let fails = || prop::bool::weighted(0.05);
    (delay(), delay(), delay(), delay(), delay(), fails(), fails()).prop_map(
        |(start, freeze, cut, hears_after, heard_after, hook_fails, cut_fails)| Behaviour {
            start,
            freeze,
            cut,
            hook_fails,
            cut_fails,
            hears_after,
            heard_after,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_barrier_that_is_said_to_have_held_did_hold(
        behaviours in prop::collection::vec(behaviour(), 1..5),
        takeover in 0_u64..100,
    ) {
        let (broken, members) = run(behaviours, takeover);
        if broken.is_empty() {
            let last_cut = members.iter().map(|member| member.cut_at.unwrap()).max();
            let first_undo = members.iter().map(|member| member.undone_from.unwrap()).min();
            prop_assert!(last_cut <= first_undo, "cut at {:?}, undone from {:?}", last_cut, first_undo);
        }
    }

    #[test]
    fn no_member_is_frozen_for_longer_than_max_freeze(behaviours in prop::collection::vec(behaviour(), 1..5)) {
        let (_, members) = run(behaviours, 0);
        for member in members {
            prop_assert!(member.undone_from.unwrap() <= member.behaviour.start + MAX_FREEZE);
        }
    }
}

#[test]
fn a_barrier_holds_when_everybody_is_in_time() {
    let slow = Behaviour { cut: 20, ..good() };
    let (broken, _) = run(vec![good(), slow, good()], 10);
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn who_breaks_a_barrier_is_named_and_nobody_else() {
    for (change, why) in [
        (
            (|one| one.hook_fails = true) as fn(&mut Behaviour),
            "a failed hook",
        ),
        (|one| one.cut_fails = true, "a failed cut"),
        (|one| one.freeze = 200, "a hook that hangs"),
        (|one| one.cut = 200, "a driver that hangs"),
    ] {
        let mut bad = good();
        change(&mut bad);
        let late = Behaviour { start: 2, ..good() };
        let (broken, members) = run(vec![late, bad], 0);
        assert_eq!(broken, ["n1"], "{why}");
        assert!(members[0].undone_from.is_some(), "{why}");
    }
}
