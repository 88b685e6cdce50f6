//! A property: whatever happens to the bytes of an archive, it is either read as it was or refused; and whatever stands in the
//! tar archive, no limit is exceeded, and no object comes out that doesn't belong to its path.

use std::sync::LazyLock;

use futures::StreamExt as _;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::limits::Limits;
use super::sample::{self, compress, pack};
use super::{Archive, ArchiveError};
use crate::point::Entry;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

const SMALL: Limits = Limits {
    object: 4 << 10,
    objects: 4,
    kinds: 3,
    opened: 16 << 10,
    ratio: 500,
    slack: 4 << 10,
};

#[derive(Clone, Debug)]
enum Harm {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Repeat(Index, Index),
}

fn harms() -> impl Strategy<Value = Vec<Harm>> {
    let harm = prop_oneof![
        4 => (any::<Index>(), 0..8u8).prop_map(|(byte, bit)| Harm::Flip(byte, bit)),
        4 => (any::<Index>(), any::<u8>()).prop_map(|(byte, value)| Harm::Set(byte, value)),
        1 => any::<Index>().prop_map(Harm::Cut),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Harm::Repeat(from, to)),
    ];
    prop::collection::vec(harm, 1..4)
}

fn harm(mut bytes: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        let length = bytes.len();
        match harm {
            _ if length == 0 => {}
            Harm::Flip(byte, bit) => bytes[byte.index(length)] ^= 1 << bit,
            Harm::Set(byte, value) => bytes[byte.index(length)] = *value,
            Harm::Cut(left) => bytes.truncate(left.index(length)),
            Harm::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
        }
    }
    bytes
}

/// What reading says: objects until the end or the one error.
fn read(archive: Vec<u8>) -> (Vec<Entry>, Option<ArchiveError>) {
    RUNTIME.block_on(async {
        let store = sample::store();
        sample::write_archive(&store, "a", archive).await;
        let archive = Archive::open(store, "a").await.unwrap().within(SMALL);
        let (mut entries, mut refused) = (Vec::new(), None);
        let mut objects = archive.objects();
        while let Some(object) = objects.next().await {
            assert!(refused.is_none(), "it goes on after an error");
            match object {
                Ok(entry) => entries.push(entry),
                Err(error) => refused = Some(error),
            }
        }
        (entries, refused)
    })
}

fn check(entries: &[Entry]) {
    assert!(entries.len() <= SMALL.objects);
    let length: usize = entries.iter().map(|entry| entry.json.len()).sum();
    assert!(length as u64 <= SMALL.opened);
    for entry in entries {
        let object: Value = serde_json::from_slice(&entry.json).unwrap();
        assert_eq!(object["metadata"]["name"], *entry.name);
        assert_eq!(
            object["metadata"]["namespace"].as_str(),
            entry.namespace.as_deref()
        );
        assert!(!entry.name.contains('/') && entry.name != "..");
    }
}

proptest! {
    #[test]
    fn harmed_bytes_are_refused_or_change_nothing(harms in harms()) {
        let whole = compress(&pack(&sample::files()));
        let (entries, refused) = read(harm(whole.clone(), &harms));
        check(&entries);
        if refused.is_none() {
            // A few bytes of gzip's header are of no meaning.
            prop_assert_eq!(entries, read(whole).0);
        }
    }

    #[test]
    fn a_harmed_tar_archive_exceeds_no_limit(harms in harms()) {
        let (entries, refused) = read(compress(&harm(pack(&sample::files()), &harms)));
        check(&entries);
        if let Some(error) = refused {
            prop_assert!(matches!(error, ArchiveError::Refused { .. }), "{}", error);
            prop_assert!(error.to_string().len() < 2000);
        }
    }
}
