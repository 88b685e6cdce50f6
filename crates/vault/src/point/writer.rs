//! Makes a point: parts first, the manifest last. Until the manifest is there, there is no point; after it, nothing changes.
//!
//! Memory is bounded by the open segment, those on their way, and the compressed index.

use std::collections::{BTreeMap, HashSet};
use std::io;

use tokio::task::JoinSet;

use super::layout::{self, Part, PartFile};
use super::lines::Lines;
use super::part::{Destination, Packing};
use super::segment::{self, OpenSegment};
use super::{Begin, Digest, Entry, LogLine, Manifest, PointError, PointResult, Stored, document};
use crate::seal::Seal;
use crate::store::{Put, Store};

/// How many segments are compressed and uploaded at a time, beside the open one.
const ON_THEIR_WAY: usize = 2;

/// One attempt at a point. Dropped without a commit, it leaves parts that nobody takes for a point.
pub struct PointWriter {
    begin: Begin,
    destination: Destination,
    open: OpenSegment,
    uploads: JoinSet<Result<(PartFile, Stored), PointError>>,
    parts: BTreeMap<PartFile, Stored>,
    index: Lines,
    log: Lines,
    seen: HashSet<[u8; 16]>,
    counts: BTreeMap<String, u64>,
    object_bytes: u64,
    /// Whether adding an object began and didn't end: it failed, or its caller gave up.
    in_between: bool,
}

/// What came of adding an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is in the point.
    New,
    /// The point had it already, as it was read first.
    Repeated,
}

impl PointWriter {
    /// Writes `begin.json`. Parts of other attempts are never touched.
    pub async fn begin(store: Store, begin: Begin, seal: Seal) -> Result<Self, PointError> {
        let unmade = |error: io::Error| PointError::make(&begin.id, error);
        let (index, log) = (Lines::new().map_err(unmade)?, Lines::new().map_err(unmade)?);
        let content = serde_json::to_vec(&begin).map_err(|error| unmade(error.into()))?;
        let destination = Destination {
            store,
            id: begin.id.clone(),
            attempt: begin.attempt.clone(),
            seal,
        };
        let first = destination.write(Part::Begin, content, Packing::AsIs).await?;
        Ok(Self {
            begin,
            destination,
            open: OpenSegment::new(0),
            uploads: JoinSet::new(),
            parts: BTreeMap::from([first]),
            index,
            log,
            seen: HashSet::new(),
            counts: BTreeMap::new(),
            object_bytes: 0,
            in_between: false,
        })
    }

    /// Adds an object, and waits where too much is on its way to the store.
    pub async fn add(&mut self, entry: Entry) -> Result<Added, PointError> {
        let path = segment::checked_path(&entry)?;
        if !self.seen.insert(Digest::of(path.as_bytes()).short()) {
            return Ok(Added::Repeated);
        }
        self.in_between = true;
        if self.open.is_full_for(&entry) {
            let full = self.open.begin_next();
            self.send(full).await?;
        }
        self.append(entry, &path)
            .map_err(|error| PointError::make(&path, error))?;
        self.in_between = false;
        Ok(Added::New)
    }

    /// Adds a line to the log.
    pub fn log(&mut self, line: &LogLine) -> Result<(), PointError> {
        self.log
            .add(line)
            .map_err(|error| PointError::make(&Part::Log, error))
    }

    /// Writes what is left, then the manifest where none is: the commit.
    pub async fn commit(mut self, result: PointResult) -> Result<Manifest, PointError> {
        if self.in_between {
            return Err(PointError::Incomplete(self.begin.id));
        }
        let last = self.open.begin_next();
        if !last.is_empty() {
            self.send(last).await?;
        }
        self.settle(0).await?;
        let lines = |part, lines: Lines| lines.done().map_err(|error| PointError::make(&part, error));
        let index = lines(Part::Index, self.index)?;
        let log = lines(Part::Log, self.log)?;
        let volumes = serde_json::to_vec(&result.volumes);
        let volumes = volumes.map_err(|error| PointError::make(&Part::Volumes, error))?;
        for (part, content) in [(Part::Index, index), (Part::Volumes, volumes), (Part::Log, log)] {
            let (file, stored) = self.destination.write(part, content, Packing::AsIs).await?;
            self.parts.insert(file, stored);
        }
        let manifest = Manifest {
            format: Manifest::FORMAT,
            begin: self.begin,
            finished: result.finished,
            phase: result.phase,
            counts: self.counts,
            object_bytes: self.object_bytes,
            unread: result.unread,
            inconsistent: result.inconsistent,
            first_of: result.first_of,
            snapshots: result
                .volumes
                .into_iter()
                .filter_map(|volume| volume.snapshot)
                .collect(),
            recipients: self.destination.seal.recipients().to_vec(),
            parts: self.parts,
        };
        publish(&self.destination.store, manifest).await
    }

    fn append(&mut self, entry: Entry, path: &str) -> io::Result<()> {
        let line = self.open.append(entry, path)?;
        self.index.add(&line)?;
        self.object_bytes += line.size;
        *self.counts.entry(line.group_resource).or_default() += 1;
        Ok(())
    }

    /// Sends a segment on its way, once there is room.
    async fn send(&mut self, segment: OpenSegment) -> Result<(), PointError> {
        self.settle(ON_THEIR_WAY - 1).await?;
        let part = Part::Segment(segment.number());
        let archive = segment.close().map_err(|error| PointError::make(&part, error))?;
        let destination = self.destination.clone();
        self.uploads
            .spawn(async move { destination.write(part, archive, Packing::Zstd).await });
        Ok(())
    }

    /// Waits until no more than so many segments are on their way.
    async fn settle(&mut self, left: usize) -> Result<(), PointError> {
        while self.uploads.len() > left {
            let Some(done) = self.uploads.join_next().await else {
                break;
            };
            let (file, stored) = done.map_err(|_| PointError::Interrupted)??;
            self.parts.insert(file, stored);
        }
        Ok(())
    }
}

/// Puts the manifest where none is. An answer that was lost, or that tells of another manifest, is settled by reading it.
async fn publish(store: &Store, manifest: Manifest) -> Result<Manifest, PointError> {
    let Begin { id, attempt, .. } = &manifest.begin;
    let key = layout::manifest(id)?;
    let body = document::write(&key, &manifest)?;
    let failure = match store.put_if_absent(&key, body).await {
        Ok(Put::Stored) => return Ok(manifest),
        Ok(Put::Exists) => None,
        Err(error) => Some(PointError::store(&key, error)),
    };
    match (Manifest::load(store, id).await, failure) {
        (Ok(there), _) if there.begin.attempt == *attempt => Ok(there),
        (Ok(there), _) => Err(PointError::Superseded {
            id: id.clone(),
            by: there.begin.attempt,
        }),
        (Err(_), Some(failure)) => Err(failure),
        (Err(error), None) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{Attempt, sample};

    #[tokio::test]
    async fn a_point_exists_when_its_manifest_does() {
        let store = sample::store();
        let mut writer = PointWriter::begin(store.clone(), sample::begin(0, "a"), Seal::Clear)
            .await
            .unwrap();
        for entry in sample::entries() {
            assert_eq!(writer.add(entry).await, Ok(Added::New));
        }
        assert_eq!(writer.add(sample::entries().remove(3)).await, Ok(Added::Repeated));
        let absent = Manifest::load(&store, &sample::id(0)).await;
        assert_eq!(absent, Err(PointError::NoSuchPoint(sample::id(0))));
        let manifest = writer.commit(sample::result()).await.unwrap();
        assert_eq!(Manifest::load(&store, &sample::id(0)).await, Ok(manifest.clone()));
        assert_eq!((manifest.objects(), manifest.counts["deployments.apps"]), (6, 2));
        assert_eq!(
            manifest.snapshots,
            [sample::result().volumes.remove(0).snapshot.unwrap()]
        );
        let parts: Vec<_> = manifest.parts.keys().map(ToString::to_string).collect();
        let expected = [
            "begin.json",
            "segment-00000.tar.zst",
            "index.ndjson.zst",
            "volumes.json",
            "log.ndjson.zst",
        ];
        assert_eq!(parts, expected);
    }

    #[tokio::test]
    async fn the_first_attempt_wins_and_a_repeated_commit_is_recognised() {
        let store = sample::store();
        let first = sample::write(&store, sample::begin(0, "a"), Seal::Clear, sample::entries()).await;
        let second = sample::write(&store, sample::begin(0, "b"), Seal::Clear, []).await;
        let (id, by) = (sample::id(0), Attempt::new("a").unwrap());
        assert_eq!(second, Err(PointError::Superseded { id, by }));
        assert_eq!(publish(&store, first.clone().unwrap()).await, first);
    }

    #[tokio::test]
    async fn an_attempt_never_writes_over_what_is_there() {
        let store = sample::store();
        sample::write(&store, sample::begin(0, "a"), Seal::Clear, [])
            .await
            .unwrap();
        let mut other = sample::begin(0, "a");
        other.instance = "other".to_owned();
        let again = PointWriter::begin(store, other, Seal::Clear).await;
        assert!(matches!(again.err(), Some(PointError::NotFresh { .. })));
    }

    #[tokio::test]
    async fn large_points_have_several_segments() {
        let store = sample::store();
        let entries =
            (0..20).map(|number| sample::entry("secrets", Some("shop"), &number.to_string(), 1 << 20));
        let manifest = sample::write(&store, sample::begin(0, "a"), Seal::Clear, entries)
            .await
            .unwrap();
        let segments = manifest
            .parts
            .keys()
            .filter(|file| matches!(file.part, Part::Segment(_)));
        assert_eq!(segments.count(), 3);
    }

    #[tokio::test]
    async fn an_object_that_leads_elsewhere_is_refused() {
        let store = sample::store();
        let mut writer = PointWriter::begin(store, sample::begin(0, "a"), Seal::Clear)
            .await
            .unwrap();
        for (kind, namespace, name) in [
            ("pods", Some("shop"), "../../x"),
            ("pods", Some(".."), "x"),
            ("pods", Some(""), "x"),
            ("a/b", None, "x"),
            ("pods", None, "a\0b"),
            ("pods", None, &"a".repeat(5000)),
        ] {
            let added = writer.add(sample::entry(kind, namespace, name, 0)).await;
            assert!(
                matches!(added, Err(PointError::BadEntry { .. })),
                "{kind} {namespace:?} {name}"
            );
        }
    }
}
