//! What there is to say of a policy, from what is known of it: nothing is asked here.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::iter;

use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::backup_policy::WrongPolicy;
use clusterbackup_api::recovery_point::{PointInTier, PointState, Tier};
use clusterbackup_api::{BackupInstance, BackupPolicy, RecoveryPoint};
use clusterbackup_core::retention::{Rule, Rules, Verdict, verdicts};
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
    /// What is copied into the vault tier, and for how long that is kept there.
    copies: Vec<Keeps>,
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

/// A recovery point in a tier, and what becomes of it there.
#[derive(Debug, Serialize)]
struct Judged {
    name: String,
    tier: Tier,
    finished: Timestamp,
    phase: BackupPhase,
    kept: bool,
    /// When the time of its rule is over, where a rule is asked.
    until: Option<Timestamp>,
    why: String,
}

/// The rules of a policy; of copies there may be none.
struct ByTier {
    operational: Rules,
    copies: Option<Rules>,
}

impl Explanation {
    /// Of a policy, the instances that name it, and the points of their namespace.
    pub(super) fn of(
        policy: &BackupPolicy,
        instances: &[&BackupInstance],
        points: &[RecoveryPoint],
        now: Timestamp,
    ) -> Result<Self, WrongPolicy> {
        let (schedule, zone) = (policy.spec.schedule()?, policy.spec.zone()?);
        let rules = ByTier {
            operational: policy.spec.operational()?,
            copies: policy.spec.vault_tier()?,
        };
        let slots = schedule.slots(now).take(SLOTS);
        let followers = instances
            .iter()
            .map(|instance| Follower::of(instance, &schedule, &zone, points, &rules, now));
        Ok(Self {
            policy: format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any()),
            schedule: schedule.to_string(),
            slots: slots.map(|slot| Moment::of(slot, &zone)).collect(),
            keeps: rules.operational.all().map(Keeps::of).collect(),
            // What no rule names is not copied.
            copies: rules
                .copies
                .iter()
                .flat_map(Rules::all)
                .filter(|(rule, _)| *rule != Rule::Default)
                .map(Keeps::of)
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
        for (label, rules) in [("Keeps:", &self.keeps), ("Copies:", &self.copies)] {
            for (number, keeps) in rules.iter().rev().enumerate() {
                let label = if number == 0 { label } else { "" };
                writeln!(out, "{label:<10} {} days by {}", keeps.days, keeps.rule)?;
            }
        }
        for follower in &self.instances {
            writeln!(out)?;
            follower.print(out)?;
        }
        Ok(())
    }
}

impl Keeps {
    fn of((rule, days): (Rule, u32)) -> Self {
        Self {
            rule: rule.to_string(),
            days,
        }
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
        rules: &ByTier,
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
            points: judged(&name, points, rules, now),
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
                point.tier.to_string(),
                format!("{:.0}", point.finished),
                format!("{:?}", point.phase),
                point.why.clone(),
            ]
        });
        output::table(&["POINT", "TIER", "FINISHED", "PHASE", "WHY"], rows, out)
    }
}

/// What becomes of an instance's points in their tiers, the newest first.
fn judged(instance: &str, points: &[RecoveryPoint], rules: &ByTier, now: Timestamp) -> Vec<Judged> {
    let ours = points.iter().filter(|point| point.spec.instance == instance);
    let ours: Vec<_> = ours.collect();
    let tiers = [
        (Tier::Operational, Some(&rules.operational)),
        (Tier::Vault, rules.copies.as_ref()),
    ];
    let judged = tiers.map(|(tier, rules)| in_tier(&ours, tier, rules, now));
    let mut judged: Vec<_> = judged.into_iter().flatten().collect();
    judged.sort_by_key(|point| (Reverse(point.finished), point.name.clone(), point.tier));
    judged
}

/// What becomes of them in one. Those that the leader asks no rule about are nothing to the others.
fn in_tier(points: &[&RecoveryPoint], tier: Tier, rules: Option<&Rules>, now: Timestamp) -> Vec<Judged> {
    let there = points
        .iter()
        .filter_map(|point| Some((*point, point.in_tier(tier)?)));
    let (asked, unasked): (Vec<_>, Vec<_>) = there.partition(|(_, in_tier)| is_asked_about(in_tier));
    let entries: Vec<_> = asked
        .iter()
        .map(|(point, in_tier)| point.entry(in_tier))
        .collect();
    let verdicts = rules.map_or_else(Vec::new, |rules| verdicts(&entries, rules, now));
    let verdicts = verdicts.into_iter().map(Some).chain(iter::repeat(None));
    let asked = asked.into_iter().zip(verdicts);
    let unasked = unasked.into_iter().map(|there| (there, None));
    asked
        .chain(unasked)
        .map(|((point, in_tier), verdict)| Judged::of(point, &in_tier, verdict))
        .collect()
}

/// Whether its policy decides: not about points of others, nor about what is deleted.
fn is_asked_about(in_tier: &PointInTier) -> bool {
    let decided_otherwise = in_tier.expires_at.is_none() && in_tier.kept_because.is_some();
    in_tier.state == PointState::Available && !decided_otherwise
}

impl Judged {
    fn of(point: &RecoveryPoint, in_tier: &PointInTier, verdict: Option<Verdict>) -> Self {
        let purge_after = point
            .status
            .as_ref()
            .and_then(|status| status.purge_after.as_ref());
        let otherwise = match (in_tier.state, purge_after) {
            (PointState::Available, _) => "no rule of the policy is about it".to_owned(),
            (_, Some(after)) => format!("deleted, and can be had back until {}", after.0),
            (_, None) => "deleted".to_owned(),
        };
        let otherwise = || in_tier.kept_because.clone().unwrap_or(otherwise);
        Self {
            name: point.name_any(),
            tier: in_tier.tier,
            finished: point.spec.finished_at.0,
            phase: point.spec.phase,
            kept: verdict
                .as_ref()
                .map_or(in_tier.state == PointState::Available, Verdict::is_kept),
            until: verdict.as_ref().map(|verdict| verdict.until),
            why: verdict.map_or_else(otherwise, |verdict| verdict.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
