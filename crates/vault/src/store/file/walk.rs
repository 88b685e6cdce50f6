//! The files of a folder in the order of their keys, as far as they are asked for. In memory are the names of one folder on
//! each level.

use std::fs::{self, DirEntry};
use std::vec;

use futures::stream::{self, Stream};

use super::super::{Blob, Key, StoreError};
use super::blocking;
use super::disk::{self, Disk};

enum Node {
    Blob(Blob),
    Folder(Key),
}

/// All blobs below a folder, or all.
pub(super) fn blobs(disk: Disk, below: Option<Key>) -> impl Stream<Item = Result<Blob, StoreError>> + Send {
    let levels: Vec<vec::IntoIter<Node>> = Vec::new();
    stream::try_unfold(
        (disk, Some(below), levels),
        async |(disk, mut next, mut levels)| {
            loop {
                if let Some(folder) = next.take() {
                    let disk = disk.clone();
                    let nodes = blocking(move || read(&disk, folder.as_ref())).await?;
                    levels.push(nodes.into_iter());
                }
                let Some(level) = levels.last_mut() else {
                    return Ok(None);
                };
                match level.next() {
                    Some(Node::Blob(blob)) => return Ok(Some((blob, (disk, None, levels)))),
                    Some(Node::Folder(folder)) => next = Some(Some(folder)),
                    None => drop(levels.pop()),
                }
            }
        },
    )
}

/// What lies in a folder, in the order of the keys.
fn read(disk: &Disk, folder: Option<&Key>) -> Result<Vec<Node>, StoreError> {
    let path = folder.map_or_else(|| disk.root().to_owned(), |folder| disk.path(folder));
    let entries = match fs::read_dir(&path) {
        Err(error) if disk::is_absence(&error) => return disk.is_there().map(|()| Vec::new()),
        other => other.map_err(|error| disk::told(&path, &error))?,
    };
    let mut nodes = Vec::new();
    for entry in entries {
        let node = entry.and_then(|entry| node(folder, &entry));
        nodes.extend(node.map_err(|error| disk::told(&path, &error))?);
    }
    nodes.sort_by_cached_key(Node::place);
    Ok(nodes)
}

/// Nothing for what has no key, is neither file nor folder, or was removed meanwhile.
fn node(folder: Option<&Key>, entry: &DirEntry) -> std::io::Result<Option<Node>> {
    let key = entry.file_name().into_string().ok().and_then(|name| {
        let text = folder.map_or_else(|| name.clone(), |folder| format!("{folder}/{name}"));
        Key::new(text).ok()
    });
    let Some(key) = key else { return Ok(None) };
    let found = match entry.metadata() {
        Err(error) if disk::is_absence(&error) => return Ok(None),
        other => other?,
    };
    Ok(if found.is_dir() {
        Some(Node::Folder(key))
    } else {
        let size = found.len();
        found.is_file().then_some(Node::Blob(Blob { key, size }))
    })
}

impl Node {
    /// Where its keys come in the order: all those of a folder have a slash after its name.
    fn place(&self) -> String {
        match self {
            Self::Blob(blob) => blob.key.to_string(),
            Self::Folder(folder) => format!("{folder}/"),
        }
    }
}
