//! Objects as a tar archive, in the layout of Velero's.

use std::{io, mem};

use bytes::Bytes;
use tar::{Builder, EntryType, Header};

use super::{Digest, Entry, IndexEntry, PointError};
use crate::store::Key;

/// A segment is closed before it grows beyond this, unless one object alone does.
pub(super) const FULL: usize = 8 << 20;

/// The largest object that is stored: well above what an API server takes.
pub(crate) const LARGEST_OBJECT: usize = 16 << 20;

/// What a tar archive adds to an object at most: its header, a long name with a header of its own, and what fills up.
const AROUND_OBJECT: usize = 16 << 10;

/// The longest of the names that a path is made of.
const LONGEST_NAME: usize = 4 << 10;

/// A segment that takes more.
pub(super) struct OpenSegment {
    number: u32,
    archive: Builder<Vec<u8>>,
}

impl OpenSegment {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            archive: Builder::new(Vec::with_capacity(FULL)),
        }
    }

    /// Takes what there is, and leaves the next one, empty.
    pub(super) fn begin_next(&mut self) -> Self {
        let next = Self::new(self.number + 1);
        mem::replace(self, next)
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn is_empty(&self) -> bool {
        self.archive.get_ref().is_empty()
    }

    /// Whether the object has to go into the next one.
    pub(super) fn is_full_for(&self, entry: &Entry) -> bool {
        !self.is_empty() && self.archive.get_ref().len() + entry.json.len() + AROUND_OBJECT > FULL
    }

    /// Adds an object, and says where it lies.
    pub(super) fn append(&mut self, entry: Entry, path: &str) -> io::Result<IndexEntry> {
        // Equal objects make equal archives: no times, no owners.
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(entry.json.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        self.archive.append_data(&mut header, path, entry.json.as_ref())?;
        let filled = entry.json.len().next_multiple_of(512);
        Ok(IndexEntry {
            offset: (self.archive.get_ref().len() - filled) as u64,
            size: entry.json.len() as u64,
            sha256: Digest::of(&entry.json),
            segment: self.number,
            group_resource: entry.group_resource,
            namespace: entry.namespace,
            name: entry.name,
            labels: entry.labels,
        })
    }

    /// The whole archive.
    pub(super) fn close(self) -> io::Result<Vec<u8>> {
        self.archive.into_inner()
    }
}

/// A segment that was read: the archive, decompressed.
pub(super) struct Segment {
    number: u32,
    key: Key,
    archive: Bytes,
}

impl Segment {
    /// The largest archive that we write: full, or with one object that is larger.
    pub(super) const LARGEST: usize = LARGEST_OBJECT + AROUND_OBJECT;

    pub(super) const fn new(number: u32, key: Key, archive: Bytes) -> Self {
        Self { number, key, archive }
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// What it is stored as.
    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn archive(&self) -> &[u8] {
        &self.archive
    }

    /// The JSON of an object, compared with its hash.
    pub(super) fn object(&self, line: &IndexEntry) -> Result<Bytes, PointError> {
        let begin = usize::try_from(line.offset).ok();
        let end = line
            .offset
            .checked_add(line.size)
            .and_then(|end| usize::try_from(end).ok());
        let place = begin.zip(end).filter(|(_, end)| *end <= self.archive.len());
        let object = place.map(|(begin, end)| self.archive.slice(begin..end));
        object
            .filter(|object| Digest::of(object) == line.sha256)
            .ok_or_else(|| {
                let path = path(&line.group_resource, line.namespace.as_deref(), &line.name);
                PointError::unreadable(&self.key, format!("{path:?} is not what the index says"))
            })
    }
}

/// Where an object lies in the archive: `resources/<plural.group>/{cluster|namespaces/<ns>}/<name>.json`.
pub(crate) fn path(group_resource: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("resources/{group_resource}/namespaces/{namespace}/{name}.json"),
        None => format!("resources/{group_resource}/cluster/{name}.json"),
    }
}

/// The path of an object that may go in.
pub(super) fn checked_path(entry: &Entry) -> Result<String, PointError> {
    let namespace = entry.namespace.as_deref();
    let bad = |reason| PointError::BadEntry {
        group_resource: entry.group_resource.clone(),
        name: entry.name.clone(),
        reason,
    };
    if ![Some(entry.group_resource.as_str()), namespace, Some(&entry.name)]
        .into_iter()
        .flatten()
        .all(is_file_name)
    {
        return Err(bad("its name, its namespace or its kind can't be a file's name"));
    }
    if entry.json.len() > LARGEST_OBJECT {
        return Err(bad("it is larger than 16 MiB"));
    }
    Ok(path(&entry.group_resource, namespace, &entry.name))
}

/// What the API server takes as a name can be one; this holds for whatever else made the entry.
pub(crate) fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= LONGEST_NAME && !name.contains(['/', '\0'])
}
