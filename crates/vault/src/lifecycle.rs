//! What was decided about a point after it was made: numbered records beside it, each written once. A point itself never
//! changes.
//!
//! - `state`: what the records come to

mod state;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::state::{Owner, PointState, Presence, fold};
use crate::point::{PointError, PointId, document, layout};
use crate::store::{Put, Store};

/// Nobody decides so often about one point.
const MOST: u32 = 10_000;

/// How often another writer may be first before this one gives up.
const TRIES: usize = 100;

/// `lifecycle/<id>/<n>.json`: one decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it was decided.
    pub time: Timestamp,
    /// By whom: a user of the cluster, or the policy.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub decision: Decision,
}

/// What can be decided.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "decision", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Decision {
    /// It is to go, and can be had back until then.
    Delete {
        /// From when on its data may be removed.
        purge_after: Timestamp,
        /// Whether somebody has asked for it by the point's name; else its policy has, or whatever became of its instance.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        named: bool,
    },
    /// It is to stay after all.
    Undelete,
    /// It is to be kept at least so long.
    Extend {
        /// Until when.
        until: Timestamp,
    },
    /// It is another cluster's from now on: the one that made it is gone.
    Adopt {
        /// Whose.
        owner: Owner,
    },
}

/// All decisions about a point, in their order. One that is missing between others is damage.
pub async fn records(store: &Store, id: &PointId) -> Result<Vec<Record>, PointError> {
    let folder = layout::lifecycle(id)?;
    let mut highest = 0;
    let mut listed = store.list(Some(&folder));
    while let Some(blob) = listed
        .try_next()
        .await
        .map_err(|source| PointError::store(&folder, source))?
    {
        let number = layout::number_of_record(id, &blob.key).filter(|number| number.get() <= MOST);
        let number =
            number.ok_or_else(|| PointError::unreadable(&blob.key, "its name is not that of a record"))?;
        highest = highest.max(number.get());
    }
    let mut records = Vec::new();
    for number in (1..=highest).filter_map(NonZeroU32::new) {
        let Numbered {
            id: of,
            number: n,
            record,
        } = document::fetch(store, &layout::record(id, number)?).await?;
        if (&of, n) != (id, number) {
            let key = layout::record(id, number)?;
            return Err(PointError::unreadable(&key, "it is another record"));
        }
        records.push(record);
    }
    Ok(records)
}

/// The number of the last record of every point that has any, without a look at them.
pub async fn last(store: &Store) -> Result<BTreeMap<PointId, NonZeroU32>, PointError> {
    let folder = layout::lifecycles()?;
    let mut last = BTreeMap::new();
    let mut listed = store.list(Some(folder));
    while let Some(blob) = listed
        .try_next()
        .await
        .map_err(|source| PointError::store(folder, source))?
    {
        if let Some((id, number)) = layout::point_of_record(&blob.key) {
            let highest = last.entry(id).or_insert(number);
            *highest = number.max(*highest);
        }
    }
    Ok(last)
}

/// Where a point stands.
pub async fn state(store: &Store, id: &PointId) -> Result<PointState, PointError> {
    Ok(fold(&records(store, id).await?))
}

/// Writes a decision, which `decide` makes from where the point stands: again, when somebody else was first. Without a
/// decision nothing is written. Answers where the point stands then.
pub async fn record(
    store: &Store,
    id: &PointId,
    mut decide: impl FnMut(&PointState) -> Option<Record>,
) -> Result<PointState, PointError> {
    for _ in 0..TRIES {
        let mut so_far = records(store, id).await?;
        let Some(record) = decide(&fold(&so_far)) else {
            return Ok(fold(&so_far));
        };
        let number = u32::try_from(so_far.len()).unwrap_or(MOST) + 1;
        let Some(number) = NonZeroU32::new(number).filter(|number| number.get() <= MOST) else {
            break;
        };
        let key = layout::record(id, number)?;
        let numbered = Numbered {
            id: id.clone(),
            number,
            record,
        };
        let body = document::write(&key, &numbered)?;
        match store
            .put_if_absent(&key, body)
            .await
            .map_err(|source| PointError::store(&key, source))?
        {
            Put::Stored => {
                so_far.push(numbered.record);
                return Ok(fold(&so_far));
            }
            Put::Exists => {}
        }
    }
    Err(PointError::Contended(id.clone()))
}

/// What stands in the file: it says where it belongs, so that it can't stand for another.
#[derive(Deserialize, Serialize)]
struct Numbered {
    id: PointId,
    number: NonZeroU32,
    #[serde(flatten)]
    record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{Damage, sample};
    use crate::store::Key;

    fn extend(until: &str) -> Record {
        let until = until.parse().unwrap();
        Record {
            time: "2026-11-21T01:00:00Z".parse().unwrap(),
            by: "policy".to_owned(),
            decision: Decision::Extend { until },
        }
    }

    async fn filled(records: u32) -> Store {
        let store = sample::store();
        for day in 1..=records {
            let until = format!("2027-01-{day:02}T00:00:00Z");
            record(&store, &sample::id(0), |_| Some(extend(&until)))
                .await
                .unwrap();
        }
        store
    }

    #[tokio::test]
    async fn records_come_in_the_order_of_their_numbers() {
        let store = filled(11).await;
        let read = records(&store, &sample::id(0)).await.unwrap();
        assert_eq!((read.len(), &read[10]), (11, &extend("2027-01-11T00:00:00Z")));
        assert_eq!(records(&store, &sample::id(1)).await, Ok(Vec::new()));
        let eleventh = NonZeroU32::new(11).unwrap();
        assert_eq!(last(&store).await, Ok([(sample::id(0), eleventh)].into()));
    }

    #[tokio::test]
    async fn a_record_that_is_missing_moved_or_changed_is_found() {
        let key = |number| layout::record(&sample::id(0), NonZeroU32::new(number).unwrap()).unwrap();
        let store = filled(3).await;
        let moved = store.get_range(&key(3), 0..u64::MAX).await.unwrap();
        store.put(&key(2), moved).await.unwrap();
        assert!(matches!(
            records(&store, &sample::id(0)).await,
            Err(PointError::Damaged { .. })
        ));
        store.delete(&key(2)).await.unwrap();
        let missing = PointError::Damaged {
            key: key(2),
            damage: Damage::Missing,
        };
        assert_eq!(records(&store, &sample::id(0)).await, Err(missing));
        store
            .put(
                &Key::new(format!("lifecycle/{}/02.json", sample::id(0))).unwrap(),
                "{}".into(),
            )
            .await
            .unwrap();
        assert!(matches!(
            records(&store, &sample::id(0)).await,
            Err(PointError::Damaged { .. })
        ));
    }

    #[tokio::test]
    async fn of_two_who_decide_at_once_both_are_heard_one_after_the_other() {
        let store = sample::store();
        let (other, id) = (store.clone(), sample::id(0));
        let mut first = true;
        let state = record(&store, &id, |_| {
            // Somebody else is quicker, once.
            if std::mem::take(&mut first) {
                let racing = record(&other, &id, |_| Some(extend("2027-02-01T00:00:00Z")));
                futures::executor::block_on(racing).unwrap();
            }
            Some(extend("2027-01-01T00:00:00Z"))
        });
        let state = state.await.unwrap();
        assert_eq!(records(&store, &id).await.unwrap().len(), 2);
        assert_eq!(state.kept_until, Some("2027-02-01T00:00:00Z".parse().unwrap()));
        assert_eq!(record(&store, &id, |_| None).await, Ok(state));
    }
}
