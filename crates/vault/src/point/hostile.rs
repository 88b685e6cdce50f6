//! Points that somebody forged, hashes and all, to make their reader run out of memory or of bounds: each is refused.

use std::io::Write as _;

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::layout::{self, Part, PartFile};
use super::{Digest, IndexEntry, Manifest, PointError, PointReader, Stored, document, sample, verify};
use crate::seal::Seal;
use crate::store::Store;

/// A point of our own that is changed, with a manifest to match.
async fn forged(part: Part, content: Vec<u8>, change: impl FnOnce(&mut Manifest)) -> Store {
    let store = sample::store();
    let mut manifest = sample::write(&store, sample::begin(0, "a"), Seal::Clear, sample::entries())
        .await
        .unwrap();
    let (file, body) = (PartFile { part, sealed: false }, Bytes::from(content));
    let stored = Stored {
        size: body.len() as u64,
        sha256: Digest::of(&body),
    };
    manifest.parts.insert(file, stored);
    let key = layout::part(&sample::id(0), &manifest.begin.attempt, file).unwrap();
    store.put(&key, body).await.unwrap();
    change(&mut manifest);
    let key = layout::manifest(&sample::id(0)).unwrap();
    store
        .put(&key, document::write(&key, &manifest).unwrap())
        .await
        .unwrap();
    store
}

/// What reading all objects says.
async fn refusal(store: Store) -> String {
    assert!(
        !verify(store.clone(), &sample::id(0), None)
            .await
            .unwrap()
            .is_good()
    );
    let read = async {
        let reader = PointReader::open(store, &sample::id(0), None).await?;
        reader
            .objects(|_| true)
            .try_for_each(async |_| Ok::<_, PointError>(()))
            .await
    };
    read.await.unwrap_err().to_string()
}

fn line(change: impl FnOnce(&mut IndexEntry)) -> Vec<u8> {
    let mut line = IndexEntry {
        group_resource: "secrets".to_owned(),
        namespace: None,
        name: "a".to_owned(),
        segment: 0,
        offset: 512,
        size: 1,
        sha256: Digest::of(b"{"),
        labels: [].into(),
    };
    change(&mut line);
    zstd::encode_all(
        [serde_json::to_vec(&line).unwrap(), b"\n".to_vec()]
            .concat()
            .as_slice(),
        1,
    )
    .unwrap()
}

#[tokio::test]
async fn an_archive_that_swells_is_refused() {
    let bomb = zstd::encode_all(vec![0; 64 << 20].as_slice(), 1).unwrap();
    assert!(bomb.len() < 100_000);
    let refused = refusal(forged(Part::Segment(0), bomb, |_| ()).await).await;
    assert!(refused.contains("it is larger than"), "{refused}");
}

#[tokio::test]
async fn an_archive_that_needs_much_memory_to_decompress_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&[0; 1000]).unwrap();
    let refused = refusal(forged(Part::Segment(0), encoder.finish().unwrap(), |_| ()).await).await;
    assert!(refused.contains("memory"), "{refused}");
}

#[tokio::test]
async fn an_endless_line_is_refused() {
    let endless = zstd::encode_all(vec![b'x'; 64 << 20].as_slice(), 1).unwrap();
    let refused = refusal(forged(Part::Index, endless, |_| ()).await).await;
    assert!(refused.contains("too long"), "{refused}");
}

#[tokio::test]
async fn a_part_that_is_said_to_be_huge_is_refused_before_it_is_read() {
    let huge = |manifest: &mut Manifest| {
        manifest
            .parts
            .values_mut()
            .for_each(|stored| stored.size = u64::MAX);
    };
    let refused = refusal(forged(Part::Log, Vec::new(), huge).await).await;
    assert!(refused.contains("which none is"), "{refused}");
}

#[tokio::test]
async fn lines_that_lead_out_of_the_archive_are_refused() {
    for (offset, size) in [(u64::MAX, 1), (1, u64::MAX), (1 << 40, 1), (512, 1 << 30)] {
        let index = line(|line| (line.offset, line.size) = (offset, size));
        let one = |manifest: &mut Manifest| manifest.counts = [("secrets".to_owned(), 1)].into();
        let refused = refusal(forged(Part::Index, index, one).await).await;
        assert!(refused.contains("is not what the index says"), "{refused}");
    }
}

#[tokio::test]
async fn counts_and_lines_that_differ_are_refused() {
    let many = |manifest: &mut Manifest| {
        manifest.counts = [("pods".to_owned(), u64::MAX), ("secrets".to_owned(), u64::MAX)].into();
    };
    let refused = refusal(forged(Part::Index, line(|line| line.segment = 7), many).await).await;
    assert!(refused.contains("doesn't name it"), "{refused}");
    let none = |manifest: &mut Manifest| manifest.counts.clear();
    let refused = refusal(forged(Part::Index, line(|_| ()), none).await).await;
    assert!(refused.contains("has not the 0 lines"), "{refused}");
}
