//! What there is to say of a policy, from what is known of it: nothing is asked here.

use std::io::{self, Write};

use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::backup_policy::WrongPolicy;
use clusterbackup_api::{BackupInstance, BackupPolicy, RecoveryPoint};
use clusterbackup_core::retention::{Outcome, Point, Rules, first_of, judge};
use clusterbackup_core::schedule::{Jitter, Schedule};
use clusterbackup_core::zone::Zone;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::output;

/// So many of the next slots are shown.
const SLOTS: usize = 5;

/// Everything there is to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    policy: String,
    schedule: String,
    /// The next slots.
    slots: Vec<Moment>,
    keeps: Vec<Keeps>,
    instances: Vec<Follower>,
}

/// A moment, and what the clock of the policy's zone shows then.
#[derive(Debug, Serialize)]
struct Moment {
    at: Timestamp,
    clock: String,
}

/// A rule of retention.
#[derive(Debug, Serialize)]
struct Keeps {
    rule: String,
    days: u32,
}

/// An instance that names the policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Follower {
    name: String,
    /// The beginning for the next slot; by the leader, if it knows more.
    next: Option<Moment>,
    /// How long after the slot that is.
    delay_seconds: i64,
    points: Vec<Judged>,
}

/// A recovery point, and what becomes of it.
#[derive(Debug, Serialize)]
struct Judged {
    name: String,
    finished: Timestamp,
    phase: BackupPhase,
    kept: bool,
    until: Timestamp,
    why: String,
}

impl Explanation {
    /// Of a policy, the instances that name it, and the points of their namespace.
    pub(super) fn of(
        policy: &BackupPolicy,
        instances: &[&BackupInstance],
        points: &[RecoveryPoint],
        now: Timestamp,
    ) -> Result<Self, WrongPolicy> {
        let (schedule, zone, rules) = (
            policy.spec.schedule()?,
            policy.spec.zone()?,
            policy.spec.operational()?,
        );
        let slots = schedule.slots(now).take(SLOTS);
        let followers = instances
            .iter()
            .map(|instance| Follower::of(instance, &schedule, &zone, points, &rules, now));
        Ok(Self {
            policy: format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any()),
            schedule: schedule.to_string(),
            slots: slots.map(|slot| Moment::of(slot, &zone)).collect(),
            keeps: rules
                .all()
                .map(|(rule, days)| Keeps {
                    rule: rule.to_string(),
                    days,
                })
                .collect(),
            instances: followers.collect(),
        })
    }

    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Policy:    {}", self.policy)?;
        writeln!(out, "Schedule:  {}", self.schedule)?;
        for (number, slot) in self.slots.iter().enumerate() {
            let label = if number == 0 { "Slots:" } else { "" };
            writeln!(out, "{label:<10} {}", slot.clock)?;
        }
        for (number, keeps) in self.keeps.iter().rev().enumerate() {
            let label = if number == 0 { "Keeps:" } else { "" };
            writeln!(out, "{label:<10} {} days by {}", keeps.days, keeps.rule)?;
        }
        for follower in &self.instances {
            writeln!(out)?;
            follower.print(out)?;
        }
        Ok(())
    }
}

impl Moment {
    fn of(at: Timestamp, zone: &Zone) -> Self {
        Self {
            clock: zone.clock(at),
            at,
        }
    }
}

impl Follower {
    fn of(
        instance: &BackupInstance,
        schedule: &Schedule,
        zone: &Zone,
        points: &[RecoveryPoint],
        rules: &Rules,
        now: Timestamp,
    ) -> Self {
        let (name, jitter) = (
            instance.name_any(),
            Jitter::of(&instance.uid().unwrap_or_default()),
        );
        let start = |slot| schedule.start(slot, jitter);
        // The latest slot's beginning may still lie ahead.
        let next = schedule
            .latest(now)
            .into_iter()
            .chain(schedule.next(now))
            .find(|slot| start(*slot) > now);
        let delay = next.map(|slot| start(slot).duration_since(slot));
        Self {
            points: judged(&name, points, rules, zone, now),
            next: next.map(|slot| Moment::of(start(slot), zone)),
            delay_seconds: delay.map_or(0, |delay| delay.as_secs()),
            name,
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Instance:  {}", self.name)?;
        if let Some(next) = &self.next {
            writeln!(
                out,
                "Begins:    {}, {} s after its slot",
                next.clock, self.delay_seconds
            )?;
        }
        if self.points.is_empty() {
            return writeln!(out, "Points:    none");
        }
        let rows = self.points.iter().map(|point| {
            vec![
                point.name.clone(),
                format!("{:.0}", point.finished),
                format!("{:?}", point.phase),
                point.why.clone(),
            ]
        });
        output::table(&["POINT", "FINISHED", "PHASE", "WHY"], rows, out)
    }
}

/// What becomes of an instance's points, the newest first.
fn judged(
    instance: &str,
    points: &[RecoveryPoint],
    rules: &Rules,
    zone: &Zone,
    now: Timestamp,
) -> Vec<Judged> {
    let mut points: Vec<_> = points
        .iter()
        .filter(|point| point.spec.instance == instance)
        .collect();
    points.sort_by_key(|point| point.spec.finished_at.0);
    let mut complete = None;
    let known: Vec<_> = points
        .iter()
        .map(|point| {
            let time = point.spec.finished_at.0;
            let outcome = if point.spec.phase == BackupPhase::Completed {
                Outcome::Completed(first_of(time, complete.replace(time), zone))
            } else {
                Outcome::Partial
            };
            Point {
                id: point.name_any(),
                time,
                outcome,
                base_of: Vec::new(),
            }
        })
        .collect();
    let verdicts = judge(&known, rules, now);
    let judged = points.iter().zip(verdicts).map(|(point, verdict)| Judged {
        name: point.name_any(),
        finished: point.spec.finished_at.0,
        phase: point.spec.phase,
        kept: verdict.is_kept(),
        until: verdict.until,
        why: verdict.to_string(),
    });
    let mut judged: Vec<_> = judged.collect();
    judged.reverse();
    judged
}

#[cfg(test)]
mod tests;
