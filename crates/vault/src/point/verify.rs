//! Whether what was written is still there, to the byte; and, for whom can open it, whether it is what the index says.
//!
//! - `agreement`: the objects of a segment against their lines of the index

mod agreement;

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use super::layout::{Part, PartFile};
use super::reader::{PointReader, blocking};
use super::{Begin, IndexEntry, PointError, PointId};
use crate::seal::Identity;
use crate::store::Store;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Parts that were read, the manifest left out.
    pub parts: u64,
    /// Their stored bytes, by the manifest.
    pub bytes: u64,
    /// Objects that were compared with the index; absent when the parts couldn't be opened for want of a key.
    pub objects: Option<u64>,
    /// What is damaged, at most 100 of them.
    pub faults: Vec<PointError>,
    /// How many faults are left out.
    pub more_faults: u64,
}

/// Reads every part of a point. Without the key of a sealed point its stored bytes are compared with the manifest; otherwise
/// all parts are opened too. An error says that this couldn't be done; what is damaged is in the answer.
pub async fn verify(
    store: Store,
    id: &PointId,
    identity: Option<Identity>,
) -> Result<Verification, PointError> {
    let mut found = Verification::default();
    let opens = identity.is_some();
    let reader = match PointReader::open(store, id, identity).await {
        Ok(reader) => reader,
        Err(error) => {
            found.note(Err(error))?;
            return Ok(found);
        }
    };
    let manifest = reader.manifest();
    let opens = opens || !manifest.is_sealed();
    let mut check = Check {
        reader: &reader,
        index: opens.then(|| Index {
            lines: reader.entries(),
            next: None,
        }),
        remaining: manifest.counts.clone(),
        objects: 0,
        opens,
    };
    for file in manifest.parts.keys() {
        found.note(check.part(*file).await)?;
    }
    found.note(check.end().await)?;
    found.parts = manifest.parts.len() as u64;
    found.bytes = manifest.stored_bytes();
    found.objects = opens.then_some(check.objects);
    Ok(found)
}

impl Verification {
    const MOST: usize = 100;

    /// Whether everything is as it was written.
    pub const fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// Damage is a finding; anything else ends the verification.
    fn note(&mut self, checked: Result<(), PointError>) -> Result<(), PointError> {
        match checked {
            Err(fault @ PointError::Damaged { .. }) if self.faults.contains(&fault) => Ok(()),
            Err(PointError::Damaged { .. }) if self.faults.len() == Self::MOST => {
                self.more_faults += 1;
                Ok(())
            }
            Err(fault @ PointError::Damaged { .. }) => {
                self.faults.push(fault);
                Ok(())
            }
            other => other,
        }
    }
}

struct Check<'a> {
    reader: &'a PointReader,
    /// As long as it can be read.
    index: Option<Index<'a>>,
    /// What the manifest counts, less the lines so far.
    remaining: BTreeMap<String, u64>,
    objects: u64,
    opens: bool,
}

struct Index<'a> {
    lines: BoxStream<'a, Result<IndexEntry, PointError>>,
    next: Option<IndexEntry>,
}

impl Check<'_> {
    async fn part(&mut self, file: PartFile) -> Result<(), PointError> {
        match file.part {
            Part::Begin => begin(self.reader).await,
            Part::Segment(number) if self.opens => self.segment(number).await,
            Part::Volumes if self.opens => volumes(self.reader).await,
            Part::Log if self.opens => self.reader.log().try_for_each(async |_| Ok(())).await,
            part => self.reader.stored(part).await.map(drop),
        }
    }

    async fn segment(&mut self, number: u32) -> Result<(), PointError> {
        let lines = match &mut self.index {
            Some(index) => index.of(number).await,
            None => Ok(None),
        };
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) => {
                // The segment's own bytes are compared all the same.
                self.index = None;
                self.reader.segment(number).await?;
                return Err(error);
            }
        };
        let segment = self.reader.segment(number).await?;
        let Some(lines) = lines else { return Ok(()) };
        for line in &lines {
            match self.remaining.get_mut(&line.group_resource) {
                Some(left) if *left > 0 => *left -= 1,
                _ => return Err(self.miscounted()),
            }
        }
        self.objects += lines.len() as u64;
        blocking(move || agreement::check(&segment, &lines)).await
    }

    /// After the last segment.
    async fn end(&mut self) -> Result<(), PointError> {
        let Some(mut index) = self.index.take() else {
            return Ok(());
        };
        let beyond = index.next.is_some() || index.lines.try_next().await?.is_some();
        if beyond {
            let key = self.reader.key(Part::Index)?;
            return Err(PointError::unreadable(
                &key,
                "it has lines of segments that aren't there",
            ));
        }
        if self.remaining.values().any(|left| *left > 0) {
            return Err(self.miscounted());
        }
        Ok(())
    }

    fn miscounted(&self) -> PointError {
        match self.reader.key(Part::Index) {
            Ok(key) => PointError::unreadable(&key, "its objects are not those that the manifest counts"),
            Err(error) => error,
        }
    }
}

async fn begin(reader: &PointReader) -> Result<(), PointError> {
    let (key, stored) = reader.stored(Part::Begin).await?;
    let begin: Begin =
        serde_json::from_slice(&stored).map_err(|error| PointError::unreadable(&key, error))?;
    let manifest = &reader.manifest().begin;
    let same = begin == *manifest;
    same.then_some(())
        .ok_or_else(|| PointError::unreadable(&key, "it says otherwise than the manifest"))
}

async fn volumes(reader: &PointReader) -> Result<(), PointError> {
    let volumes = reader.volumes().await?;
    let snapshots = volumes.iter().filter_map(|volume| volume.snapshot.as_ref());
    let same = snapshots.eq(&reader.manifest().snapshots);
    let key = reader.key(Part::Volumes)?;
    same.then_some(())
        .ok_or_else(|| PointError::unreadable(&key, "its snapshots are not those of the manifest"))
}

impl Index<'_> {
    /// The lines of a segment, as far as a segment can have so many.
    async fn of(&mut self, number: u32) -> Result<Option<Vec<IndexEntry>>, PointError> {
        let mut lines = Vec::new();
        loop {
            let next = match self.next.take() {
                Some(next) => Some(next),
                None => self.lines.try_next().await?,
            };
            match next {
                Some(line) if line.segment == number && lines.len() <= agreement::MOST => lines.push(line),
                next => {
                    self.next = next;
                    return Ok(Some(lines));
                }
            }
        }
    }
}
