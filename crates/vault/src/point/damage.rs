//! A property: whatever happens to a stored byte, a part or the manifest of a point, `verify` and the reads that need it find
//! it, and no other point is suspected.

use std::sync::LazyLock;

use bytes::Bytes;
use futures::TryStreamExt as _;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::Runtime;

use super::layout::{self, Part};
use super::{PointError, PointReader, sample, verify};
use crate::catalogue;
use crate::seal::{Identity, Seal};
use crate::store::{Key, Store};

/// Two points of one store, as they were written.
struct World {
    blobs: Vec<(Key, Bytes)>,
    identity: Identity,
}

#[derive(Clone, Debug)]
enum Harm {
    Flip { byte: Index, bit: u8 },
    Cut { left: Index },
    Lengthen(u8),
    Remove,
    Swap { with: Index },
}

async fn world(sealed: bool) -> World {
    let (store, identity) = (sample::store(), Identity::generate());
    let seal = Seal::to(if sealed {
        vec![identity.recipient()]
    } else {
        Vec::new()
    });
    for number in 0..2 {
        let others = (0..2).map(|part| sample::entry("secrets", None, &format!("{number}-{part}"), 5 << 20));
        let entries = sample::entries().into_iter().chain(others);
        sample::write(&store, sample::begin(number, "a"), seal.clone(), entries)
            .await
            .unwrap();
    }
    let keys: Vec<_> = store
        .list(None)
        .map_ok(|blob| blob.key)
        .try_collect()
        .await
        .unwrap();
    let mut blobs = Vec::new();
    for key in keys {
        let body = store.get_range(&key, 0..u64::MAX).await.unwrap();
        blobs.push((key, body));
    }
    World { blobs, identity }
}

impl World {
    /// Its store with one harm done, and the keys of what is other than it was.
    async fn harmed(&self, place: &Index, harm: &Harm) -> (Store, Vec<Key>) {
        let (key, body) = place.get(&self.blobs);
        let mut changes = match harm {
            Harm::Flip { byte, bit } => {
                let mut body = body.to_vec();
                let byte = byte.index(body.len());
                body[byte] ^= 1 << bit;
                vec![(key, Some(Bytes::from(body)))]
            }
            Harm::Cut { left } => vec![(key, Some(body.slice(..left.index(body.len()))))],
            Harm::Lengthen(byte) => vec![(key, Some([body, &[*byte][..]].concat().into()))],
            Harm::Remove => vec![(key, None)],
            Harm::Swap { with } => {
                let (other, there) = with.get(&self.blobs);
                vec![(key, Some(there.clone())), (other, Some(body.clone()))]
            }
        };
        let store = sample::store();
        for (key, body) in &self.blobs {
            store.put(key, body.clone()).await.unwrap();
        }
        changes.retain(|(key, changed)| {
            let was = self.blobs.iter().find(|(other, _)| other == *key);
            was.map(|(_, body)| body) != changed.as_ref()
        });
        for (key, body) in &changes {
            match body {
                Some(body) => store.put(key, body.clone()).await.unwrap(),
                None => store.delete(key).await.unwrap(),
            }
        }
        (store, changes.into_iter().map(|(key, _)| key.clone()).collect())
    }

    /// Whether the damage to this point is found, by everyone who looks; and nothing else is suspected.
    async fn check(&self, store: &Store, number: u8, harmed: &[Key]) {
        let id = sample::id(number);
        let ours: Vec<_> = harmed
            .iter()
            .filter(|key| key.as_str().contains(id.as_str()))
            .collect();
        let removed = matches!(catalogue::find(store, &id).await, Ok(None));
        for identity in [None, Some(self.identity.clone())] {
            match verify(store.clone(), &id, identity.clone()).await {
                Ok(found) => assert_eq!(found.is_good(), ours.is_empty(), "{found:?} {ours:?}"),
                Err(error) => assert!(removed && error == PointError::NoSuchPoint(id.clone()), "{error}"),
            }
        }
        for key in ours {
            let file = layout::attempt_of_part(key).map(|(_, _, file)| file);
            // Only `verify` needs `begin.json`.
            if let Some(file) = file.filter(|file| file.part != Part::Begin) {
                assert!(self.read(store, number, file.part).await.is_err(), "{key}");
            }
        }
    }

    async fn read(&self, store: &Store, number: u8, part: Part) -> Result<(), PointError> {
        let identity = Some(self.identity.clone());
        let reader = PointReader::open(store.clone(), &sample::id(number), identity).await?;
        match part {
            Part::Begin => Ok(()),
            Part::Segment(number) => {
                let of_it = reader.objects(move |line| line.segment == number);
                of_it.try_for_each(async |_| Ok(())).await
            }
            Part::Index => reader.entries().try_for_each(async |_| Ok(())).await,
            Part::Volumes => reader.volumes().await.map(drop),
            Part::Log => reader.log().try_for_each(async |_| Ok(())).await,
        }
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static WORLDS: LazyLock<[World; 2]> =
    LazyLock::new(|| [false, true].map(|sealed| RUNTIME.block_on(world(sealed))));

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        8 => (any::<Index>(), 0..8u8).prop_map(|(byte, bit)| Harm::Flip { byte, bit }),
        2 => any::<Index>().prop_map(|left| Harm::Cut { left }),
        1 => any::<u8>().prop_map(Harm::Lengthen),
        1 => Just(Harm::Remove),
        4 => any::<Index>().prop_map(|with| Harm::Swap { with }),
    ]
}

proptest! {
    #[test]
    fn every_harm_is_found_where_it_was_done(sealed: bool, place: Index, harm in harm()) {
        let world = &WORLDS[usize::from(sealed)];
        RUNTIME.block_on(async {
            let (store, harmed) = world.harmed(&place, &harm).await;
            world.check(&store, 0, &harmed).await;
            world.check(&store, 1, &harmed).await;
        });
    }
}
