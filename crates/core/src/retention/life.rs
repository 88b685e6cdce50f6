//! What becomes of the points of one instance in one vault: which are to be deleted, undeleted, kept for longer, and purged.
//!
//! Data goes only by the policy of an instance, or because somebody asked for just that: for the deletion of this point, or
//! of all points of an instance whose protection is stopped. A deleted point can be had back until it is purged. Before
//! that its policy is asked once more, as if the point were not deleted: so the last one stays, and the newest complete one
//! of each rule, whatever has become of the others meanwhile. What somebody reads goes when he has ended.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Point, Rules, Standing, Verdict, judge};

/// What is asked of a recovery point by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Wanted {
    /// It stays, whatever its policy says.
    Present,
    /// It goes, whatever its policy says.
    Deleted,
}

/// What becomes of an instance, and of its points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Protection {
    /// It is backed up, and its points are kept by its policy.
    #[default]
    Protect,
    /// It isn't backed up any more; its points are kept.
    StopAndRetain,
    /// It isn't backed up any more; its points are kept by its policy.
    StopAndRetainByPolicy,
    /// It isn't backed up any more; its points are deleted.
    StopAndDelete,
}

/// A point as its vault has it, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The point.
    pub point: Point,
    /// If it is deleted: how.
    pub deletion: Option<Deletion>,
    /// Until when its vault keeps it at least.
    pub kept_until: Option<Timestamp>,
    /// What is asked of it.
    pub wanted: Option<Wanted>,
    /// Whether it is to be copied into the vault tier, and is not there yet.
    pub awaited: bool,
    /// Who reads it, and has not ended.
    pub reader: Option<String>,
}

/// What its vault knows of the deletion of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// From when on its data may be removed.
    pub purge_after: Timestamp,
    /// Whether that somebody has asked for it by its name is noted there: what the cluster shows may be lost.
    pub named: bool,
}

/// By what the points of an instance are kept.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The rules of its policy; none where it has no policy.
    pub rules: Option<Rules>,
    /// What becomes of it.
    pub protection: Protection,
    /// For how long a deleted point can be had back.
    pub soft_delete: SignedDuration,
    /// Whether nobody can have a point deleted before its time.
    pub immutable: bool,
}

/// What has to be done with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// It is deleted, and can be had back until then.
    Delete {
        /// From when on its data may be removed.
        purge_after: Timestamp,
    },
    /// It is not deleted any more.
    Undelete,
    /// Its vault keeps it at least so long.
    Extend {
        /// Until when.
        until: Timestamp,
    },
    /// Its data is removed.
    Purge,
}

/// What becomes of a point, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// What has to be done now.
    pub step: Step,
    /// When its policy deletes it, as far as time alone decides.
    pub expires_at: Option<Timestamp>,
    /// Why it stays, where that is not just its time.
    pub kept_because: Option<String>,
}

/// What becomes of each of the points of an instance, in their order.
///
/// That another point stays is no reason to delete one if that other is deleted, or somebody wants it to be: each is judged
/// among those that stay.
pub fn decide(entries: &[Entry], terms: &Terms, now: Timestamp) -> Vec<Fate> {
    let rules = terms.rules.as_ref();
    let mut judged = rules.into_iter().flat_map(|rules| verdicts(entries, rules, now));
    let fates = entries.iter().map(|entry| {
        let verdict = judged.next();
        let fate = match entry.deletion {
            None => present(entry, terms, verdict.as_ref(), now),
            Some(deletion) => deleted(entry, terms, verdict.as_ref(), deletion, now),
        };
        held(entry, fate)
    });
    fates.collect()
}

/// What the rules say of each of the points of an instance, in their order, among those that stay.
pub fn verdicts(entries: &[Entry], rules: &Rules, now: Timestamp) -> Vec<Verdict> {
    let staying = entries.iter().filter(|entry| entry.stays());
    let mut staying: Vec<Point> = staying.map(|entry| entry.point.clone()).collect();
    let mut judged = judge(&staying, rules, now).into_iter();
    let verdicts = entries.iter().filter_map(|entry| {
        if entry.stays() {
            return judged.next();
        }
        staying.push(entry.point.clone());
        let verdict = judge(&staying, rules, now).pop();
        staying.pop();
        verdict
    });
    verdicts.collect()
}

impl Entry {
    /// What is asked of it; where the cluster has lost that, as its vault has noted it.
    fn wish(&self) -> Option<Wanted> {
        let noted = self.deletion.filter(|deletion| deletion.named);
        self.wanted.or_else(|| noted.map(|_| Wanted::Deleted))
    }

    /// Whether it is not deleted, nor is to be by its name.
    pub(super) fn stays(&self) -> bool {
        self.deletion.is_none() && self.wanted != Some(Wanted::Deleted)
    }
}

/// Nothing is taken from under somebody who reads it.
fn held(entry: &Entry, fate: Fate) -> Fate {
    match (&entry.reader, fate.step) {
        (Some(reader), Step::Delete { .. } | Step::Purge) => Fate {
            step: Step::Stay,
            kept_because: Some(format!("{reader} reads it, and it goes when that has ended")),
            ..fate
        },
        _ => fate,
    }
}

fn present(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>, now: Timestamp) -> Fate {
    let expires_at = verdict.map(|verdict| verdict.until);
    let stays = |because: Option<String>| Fate {
        step: Step::Stay,
        expires_at,
        kept_because: because,
    };
    if let Some(until) = promise(entry, terms, verdict, now) {
        return Fate {
            step: Step::Extend { until },
            ..stays(None)
        };
    }
    match asked(entry, terms, verdict) {
        Err(because) => stays(because),
        Ok(()) => match locked(entry, terms, verdict, now) {
            Some(because) => stays(Some(because)),
            None => Fate {
                step: Step::Delete {
                    purge_after: now.checked_add(terms.soft_delete).unwrap_or(Timestamp::MAX),
                },
                ..stays(None)
            },
        },
    }
}

fn deleted(
    entry: &Entry,
    terms: &Terms,
    verdict: Option<&Verdict>,
    Deletion { purge_after, named }: Deletion,
    now: Timestamp,
) -> Fate {
    let (step, kept_because) = match entry.wish() {
        Some(Wanted::Present) => (Step::Undelete, None),
        Some(Wanted::Deleted) if !named => (Step::Delete { purge_after }, None),
        _ if now < purge_after => (Step::Stay, None),
        _ => match asked(entry, terms, verdict) {
            Err(because) => (Step::Stay, because),
            Ok(()) => match locked(entry, terms, verdict, now) {
                Some(because) => (Step::Stay, Some(because)),
                None => (Step::Purge, None),
            },
        },
    };
    Fate {
        step,
        expires_at: None,
        kept_because,
    }
}

/// Whether somebody asks for the deletion of a point, by its name or its instance, or its policy does; else why it stays.
fn asked(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>) -> Result<(), Option<String>> {
    match (entry.wish(), terms.protection, verdict) {
        (Some(Wanted::Present), ..) => Err(Some("spec.wanted of the RecoveryPoint is Present".to_owned())),
        (Some(Wanted::Deleted), ..) | (None, Protection::StopAndDelete, _) => Ok(()),
        (None, Protection::StopAndRetain, _) => Err(Some(
            "the protection of its instance is stopped, and its points are retained".to_owned(),
        )),
        (None, _, None) => Err(Some(
            "its instance has no policy that could be followed".to_owned(),
        )),
        (None, _, Some(verdict)) => match verdict.standing {
            Standing::Expired if entry.awaited => Err(Some(
                "it is to be copied into the vault tier before it goes".to_owned(),
            )),
            Standing::Expired => Ok(()),
            Standing::InTime => Err(None),
            Standing::Newest | Standing::Last | Standing::BaseOf(_) => Err(Some(verdict.to_string())),
        },
    }
}

/// Why it stays although its deletion is asked for.
fn locked(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>, now: Timestamp) -> Option<String> {
    if let Some(until) = entry.kept_until.filter(|until| now < *until) {
        return Some(format!("its vault keeps it until {until}, whatever is asked for"));
    }
    let promised = entry.kept_until.is_some() || verdict.is_some_and(|verdict| verdict.until <= now);
    (terms.immutable && !promised)
        .then(|| "its vault is immutable, and no policy says for how long the point is kept".to_owned())
}

/// Until when an immutable vault has to promise to keep a point; nothing where it has promised that.
fn promise(entry: &Entry, terms: &Terms, verdict: Option<&Verdict>, now: Timestamp) -> Option<Timestamp> {
    let until = verdict.filter(|_| terms.immutable)?.until;
    (now < until && entry.kept_until < Some(until)).then_some(until)
}

#[cfg(test)]
mod tests;
