//! What the records of a point come to. Pure.
//!
//! The highest record wins: of deletions and undeletions the last one counts. An extension only ever lengthens, so that none
//! is needed to be undone, and a deleted point isn't purged before it. Of adoptions the last one counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Decision, Record};

/// Where a point stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointState {
    /// Whether it is deleted.
    pub presence: Presence,
    /// Until when it is kept at least.
    pub kept_until: Option<Timestamp>,
    /// Who has adopted it; nothing: it is still that cluster's that made it.
    pub adopted_by: Option<Owner>,
}

/// Who decides about a point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Owner {
    /// A cluster: the UID of its namespace kube-system.
    pub cluster: String,
    /// The namespace there whose instances the point belongs to.
    pub namespace: String,
}

/// Whether a point is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is not.
    #[default]
    Present,
    /// It is, and can be had back.
    Deleted {
        /// From when on its data may be removed, as the deletion says.
        purge_after: Timestamp,
        /// Whether somebody has asked for it by the point's name.
        named: bool,
    },
}

/// What the records come to, in their order.
pub fn fold(records: &[Record]) -> PointState {
    records
        .iter()
        .fold(PointState::default(), |state, record| match &record.decision {
            &Decision::Delete { purge_after, named } => PointState {
                presence: Presence::Deleted { purge_after, named },
                ..state
            },
            Decision::Undelete => PointState {
                presence: Presence::Present,
                ..state
            },
            Decision::Extend { until } => PointState {
                kept_until: state.kept_until.max(Some(*until)),
                ..state
            },
            Decision::Adopt { owner } => PointState {
                adopted_by: Some(owner.clone()),
                ..state
            },
        })
}

impl PointState {
    /// Whether its data may be removed.
    pub fn may_be_purged(&self, now: Timestamp) -> bool {
        let over = |until: Timestamp| until <= now;
        match self.presence {
            Presence::Present => false,
            Presence::Deleted { purge_after, .. } => over(purge_after) && self.kept_until.is_none_or(over),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decision::{Adopt, Extend, Undelete};
    use super::*;

    fn day(day: i8) -> Timestamp {
        format!("2026-12-{day:02}T00:00:00Z").parse().unwrap()
    }

    const fn delete(purge_after: Timestamp) -> Decision {
        Decision::Delete {
            purge_after,
            named: false,
        }
    }

    const fn deleted(purge_after: Timestamp) -> Presence {
        Presence::Deleted {
            purge_after,
            named: false,
        }
    }

    #[test]
    fn the_highest_record_wins() {
        let extend = |until| Extend { until: day(until) };
        let table = [
            (vec![], Presence::Present, None, None),
            (vec![delete(day(9))], deleted(day(9)), None, Some(9)),
            (
                vec![delete(day(9)), delete(day(5))],
                deleted(day(5)),
                None,
                Some(5),
            ),
            (vec![delete(day(9)), Undelete], Presence::Present, None, None),
            (
                vec![delete(day(9)), Undelete, delete(day(12))],
                deleted(day(12)),
                None,
                Some(12),
            ),
            (vec![Undelete], Presence::Present, None, None),
            (vec![extend(7)], Presence::Present, Some(7), None),
            (vec![extend(7), extend(3)], Presence::Present, Some(7), None),
            (vec![extend(7), delete(day(5))], deleted(day(5)), Some(7), Some(7)),
            (vec![delete(day(5)), extend(7)], deleted(day(5)), Some(7), Some(7)),
            (vec![delete(day(9)), extend(7)], deleted(day(9)), Some(7), Some(9)),
        ];
        for (decisions, presence, kept, purged) in table {
            let record = |decision| Record {
                time: day(1),
                by: "a person".to_owned(),
                decision,
            };
            let records: Vec<_> = decisions.into_iter().map(record).collect();
            let state = fold(&records);
            assert_eq!(
                state,
                PointState {
                    presence,
                    kept_until: kept.map(day),
                    adopted_by: None,
                },
                "{records:?}"
            );
            let first = (1..=31).find(|today| state.may_be_purged(day(*today)));
            assert_eq!(first, purged, "{records:?}");
        }
    }

    #[test]
    fn the_last_to_adopt_a_point_is_its_owner_and_changes_nothing_else() {
        let owner = |cluster: &str| Owner {
            cluster: cluster.to_owned(),
            namespace: "shop".to_owned(),
        };
        let adopt = |cluster| Adopt {
            owner: owner(cluster),
        };
        let decisions = [delete(day(9)), Extend { until: day(7) }, adopt("a"), adopt("b")];
        let records = decisions.map(|decision| Record {
            time: day(1),
            by: "a person".to_owned(),
            decision,
        });
        let PointState {
            presence,
            kept_until,
            adopted_by,
        } = fold(&records);
        assert_eq!((presence, kept_until), (deleted(day(9)), Some(day(7))));
        assert_eq!(adopted_by, Some(owner("b")));
    }
}
