//! Reads a point: what is in it, one object of it, or all. Whatever is handed out was compared with its hash first.
//!
//! A segment is always read whole: at most a few megabytes stored, and neither zstd nor age's MAC can begin in the middle.
//! Memory is bounded by the stored index and one open segment.

use std::io::Read;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::layout::{self, Part, PartFile};
use super::segment::Segment;
use super::{
    Entry, IndexEntry, LogLine, Manifest, PointError, PointId, PointVolume, compression, lines, part,
};
use crate::seal::Identity;
use crate::store::{Key, Store};

/// How many lines are read ahead.
const AHEAD: usize = 256;

/// The largest list of volumes.
const LARGEST_VOLUMES: u64 = 64 << 20;

/// An existing point.
#[derive(Clone, Debug)]
pub struct PointReader {
    store: Store,
    manifest: Manifest,
    identity: Option<Identity>,
}

impl PointReader {
    /// Reads the manifest. The identity is needed only for what is in sealed parts.
    pub async fn open(store: Store, id: &PointId, identity: Option<Identity>) -> Result<Self, PointError> {
        let manifest = Manifest::load(&store, id).await?;
        Ok(Self {
            store,
            manifest,
            identity,
        })
    }

    /// The manifest.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A line for each object, in the order in which they were written.
    pub fn entries(&self) -> BoxStream<'_, Result<IndexEntry, PointError>> {
        let expected = self.manifest.objects();
        let state = (self.lines(Part::Index), 0);
        stream::try_unfold(state, move |(mut lines, count)| async move {
            match lines.try_next().await? {
                Some(line) if count < expected => Ok(Some((line, (lines, count + 1)))),
                None if count == expected => Ok(None),
                _ => {
                    let why = format!("it has not the {expected} lines that the manifest counts");
                    Err(PointError::unreadable(&self.key(Part::Index)?, why))
                }
            }
        })
        .boxed()
    }

    /// What the run had to say.
    pub fn log(&self) -> BoxStream<'_, Result<LogLine, PointError>> {
        self.lines(Part::Log)
    }

    /// What became of each volume.
    pub async fn volumes(&self) -> Result<Vec<PointVolume>, PointError> {
        let (key, content) = self.content(Part::Volumes).await?;
        blocking(move || {
            let content = read_to_end(&key, content()?, LARGEST_VOLUMES)?;
            serde_json::from_slice(&content).map_err(|error| PointError::unreadable(&key, error))
        })
        .await
    }

    /// One object as JSON; nothing if the point hasn't got it. Reads the index and one segment.
    pub async fn get(
        &self,
        group_resource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Bytes>, PointError> {
        let mut entries = self.entries();
        while let Some(entry) = entries.try_next().await? {
            if (
                entry.group_resource.as_str(),
                entry.namespace.as_deref(),
                entry.name.as_str(),
            ) == (group_resource, namespace, name)
            {
                return self.segment(entry.segment).await?.object(&entry).map(Some);
            }
        }
        Ok(None)
    }

    /// All objects that are wanted, in the order in which they were written. Segments without any aren't read.
    pub fn objects<'a>(
        &'a self,
        mut wanted: impl FnMut(&IndexEntry) -> bool + Send + 'a,
    ) -> BoxStream<'a, Result<Entry, PointError>> {
        let entries = self.entries().try_filter(move |entry| {
            let wanted = wanted(entry);
            async move { wanted }
        });
        let state = (entries.boxed(), None::<Segment>);
        stream::try_unfold(state, move |(mut entries, open)| async move {
            let Some(entry) = entries.try_next().await? else {
                return Ok(None);
            };
            let segment = match open {
                Some(open) if open.number() == entry.segment => open,
                // Back and forth between segments would read each of them many times.
                Some(open) if open.number() > entry.segment => {
                    return Err(PointError::unreadable(
                        &self.key(Part::Index)?,
                        "its lines are not in order",
                    ));
                }
                _ => self.segment(entry.segment).await?,
            };
            let json = segment.object(&entry)?;
            Ok(Some((entry.with_json(json), (entries, Some(segment)))))
        })
        .boxed()
    }

    /// A whole segment, open.
    pub(super) async fn segment(&self, number: u32) -> Result<Segment, PointError> {
        let (key, content) = self.content(Part::Segment(number)).await?;
        blocking(move || {
            let archive = read_to_end(&key, zstd(&key, content()?)?, Segment::LARGEST as u64)?;
            Ok(Segment::new(number, key, archive.into()))
        })
        .await
    }

    fn lines<T: DeserializeOwned + Send + 'static>(
        &self,
        part: Part,
    ) -> BoxStream<'_, Result<T, PointError>> {
        let begun = async move {
            let (key, content) = self.content(part).await?;
            let (sender, mut receiver) = mpsc::channel(AHEAD);
            spawn_blocking(move || {
                let send = |line| sender.blocking_send(line).is_ok();
                match content().and_then(|content| zstd(&key, content)) {
                    Ok(content) => {
                        let unreadable = |error| PointError::unreadable(&key, error);
                        let mut lines = lines::read(content).map(|line| line.map_err(unreadable));
                        lines.all(send);
                    }
                    Err(error) => {
                        send(Err(error));
                    }
                }
            });
            Ok::<_, PointError>(stream::poll_fn(move |context| receiver.poll_recv(context)))
        };
        stream::once(begun).try_flatten().boxed()
    }

    /// A part's stored bytes, compared with their hash.
    pub(super) async fn stored(&self, part: Part) -> Result<(Key, Bytes), PointError> {
        let key = self.key(part)?;
        let stored = self.manifest.parts.get(&self.file(part));
        let stored = stored.ok_or_else(|| PointError::unreadable(&key, "the manifest doesn't name it"))?;
        let bytes = part::fetch(&self.store, &key, *stored).await?;
        Ok((key, bytes))
    }

    /// A part, and how to open it: off the threads that wait for the network.
    async fn content(&self, part: Part) -> Result<(Key, Open), PointError> {
        let identity = match (self.manifest.is_sealed(), &self.identity) {
            (false, _) => None,
            (true, Some(identity)) => Some(identity.clone()),
            (true, None) => return Err(PointError::Sealed(self.manifest.begin.id.clone())),
        };
        let (key, stored) = self.stored(part).await?;
        let of = key.clone();
        Ok((key, Box::new(move || open(&of, stored, identity.as_ref()))))
    }

    pub(super) fn key(&self, part: Part) -> Result<Key, PointError> {
        let Manifest { begin, .. } = &self.manifest;
        Ok(layout::part(&begin.id, &begin.attempt, self.file(part))?)
    }

    const fn file(&self, part: Part) -> PartFile {
        let sealed = self.manifest.is_sealed() && !matches!(part, Part::Begin);
        PartFile { part, sealed }
    }
}

pub(crate) type Content = Box<dyn Read + Send>;
type Open = Box<dyn FnOnce() -> Result<Content, PointError> + Send>;

/// What was stored, opened with the key where it needs one.
pub(crate) fn open(key: &Key, stored: Bytes, identity: Option<&Identity>) -> Result<Content, PointError> {
    match identity {
        None => Ok(Box::new(std::io::Cursor::new(stored))),
        Some(identity) => match identity.open(stored) {
            Ok(content) => Ok(Box::new(content)),
            Err(age::DecryptError::NoMatchingKeys) => Err(PointError::WrongIdentity {
                key: key.clone(),
                recipient: identity.recipient(),
            }),
            Err(error) => Err(PointError::unreadable(key, error)),
        },
    }
}

pub(crate) fn zstd(key: &Key, content: Content) -> Result<impl Read + Send + use<>, PointError> {
    let unreadable = |error| PointError::unreadable(key, error);
    let mut decoder = zstd::Decoder::new(content).map_err(unreadable)?;
    // What we write needs 2 MiB of memory to read; a forged part could ask for 128.
    decoder
        .window_log_max(compression::WINDOW_LOG)
        .map_err(unreadable)?;
    Ok(decoder)
}

/// All of it, if it isn't more than that.
pub(crate) fn read_to_end(key: &Key, content: impl Read, largest: u64) -> Result<Vec<u8>, PointError> {
    let mut whole = Vec::new();
    let read = content.take(largest + 1).read_to_end(&mut whole);
    read.map_err(|error| PointError::unreadable(key, error))?;
    if whole.len() as u64 > largest {
        return Err(PointError::unreadable(
            key,
            format!("it is larger than {largest} bytes when it is open"),
        ));
    }
    Ok(whole)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PointError> + Send + 'static,
) -> Result<T, PointError> {
    spawn_blocking(work).await.map_err(|_| PointError::Interrupted)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::sample;
    use crate::seal::Seal;

    async fn sealed() -> (Store, Identity) {
        let (store, identity) = (sample::store(), Identity::generate());
        let seal = Seal::to(vec![identity.recipient()]);
        sample::write(&store, sample::begin(0, "a"), seal, sample::entries())
            .await
            .unwrap();
        (store, identity)
    }

    #[tokio::test]
    async fn what_went_in_comes_out_in_the_same_order() {
        let (store, identity) = sealed().await;
        let reader = PointReader::open(store, &sample::id(0), Some(identity))
            .await
            .unwrap();
        let objects: Vec<_> = reader.objects(|_| true).try_collect().await.unwrap();
        assert_eq!(objects, sample::entries());
        let wanted: Vec<_> = reader
            .objects(|line| line.name == "a")
            .try_collect()
            .await
            .unwrap();
        assert_eq!(wanted.len(), 2);
        assert_eq!(reader.volumes().await.unwrap(), sample::result().volumes);
    }

    #[tokio::test]
    async fn one_object_is_found_by_its_names() {
        let (store, identity) = sealed().await;
        let reader = PointReader::open(store, &sample::id(0), Some(identity))
            .await
            .unwrap();
        for entry in sample::entries() {
            let found = reader
                .get(&entry.group_resource, entry.namespace.as_deref(), &entry.name)
                .await;
            assert_eq!(found, Ok(Some(entry.json)));
        }
        assert_eq!(reader.get("configmaps", Some("shop"), "a").await, Ok(None));
        assert_eq!(reader.get("namespaces", Some("shop"), "shop").await, Ok(None));
    }

    #[tokio::test]
    async fn objects_of_several_segments_come_one_segment_after_the_other() {
        let store = sample::store();
        let entries = || (0..9).map(|number| sample::entry("secrets", None, &number.to_string(), 2 << 20));
        let manifest = sample::write(&store, sample::begin(0, "a"), Seal::Clear, entries())
            .await
            .unwrap();
        assert_eq!(manifest.parts.len(), 4 + 3);
        let reader = PointReader::open(store, &sample::id(0), None).await.unwrap();
        let objects: Vec<_> = reader.objects(|_| true).try_collect().await.unwrap();
        assert!(objects.into_iter().eq(entries()));
    }

    #[tokio::test]
    async fn a_sealed_point_asks_for_the_right_key() {
        let (store, _) = sealed().await;
        let without = PointReader::open(store.clone(), &sample::id(0), None)
            .await
            .unwrap();
        assert_eq!(
            without.get("pods", None, "a").await,
            Err(PointError::Sealed(sample::id(0)))
        );
        let other = Identity::generate();
        let wrong = PointReader::open(store, &sample::id(0), Some(other))
            .await
            .unwrap();
        let refused = wrong.entries().try_next().await;
        assert!(
            matches!(refused, Err(PointError::WrongIdentity { .. })),
            "{refused:?}"
        );
    }
}
