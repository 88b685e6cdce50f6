//! The objects as a compressed tar archive, piece by piece, and the list of what is in it.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::mem;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use tar::{Builder, EntryType, Header};

use super::{ExportError, FORMAT, Listed};
use crate::point::{Entry, segment};

/// Pieces are at least so long, but for the last.
const PIECE: usize = 1 << 20;

/// The archive that is made.
pub(super) struct Pack {
    archive: Builder<GzEncoder<Vec<u8>>>,
    listed: Listed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

impl Pack {
    pub(super) fn begin() -> Result<Self, ExportError> {
        let mut pack = Self {
            archive: Builder::new(GzEncoder::new(Vec::new(), Compression::default())),
            listed: Listed::default(),
        };
        pack.append("metadata/version", format!("{FORMAT}\n").as_bytes())?;
        Ok(pack)
    }

    /// Adds an object; gives what there is of the archive, when that is enough.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<Option<Bytes>, ExportError> {
        let kind: Kind<'_> = serde_json::from_slice(&entry.json).map_err(|error| ExportError::Object {
            kind: entry.group_resource.clone(),
            name: entry.name.clone(),
            message: format!("it is no object of an API server ({:?})", error.classify()),
        })?;
        let kind = format!("{}/{}", kind.api_version, kind.kind);
        let namespace = entry.namespace.as_deref();
        let name = namespace.map_or_else(
            || entry.name.clone(),
            |namespace| format!("{namespace}/{}", entry.name),
        );
        self.listed.kinds.entry(kind).or_default().push(name);
        self.listed.namespaces.extend(entry.namespace.clone());
        self.listed.objects += 1;
        let path = segment::path(&entry.group_resource, namespace, &entry.name);
        self.append(&path, &entry.json)?;
        let out = self.archive.get_mut().get_mut();
        Ok((out.len() >= PIECE).then(|| mem::take(out).into()))
    }

    /// What was added, and the rest of the archive.
    pub(super) fn end(self) -> Result<(Listed, Bytes), ExportError> {
        let rest = self.archive.into_inner()?.finish()?;
        Ok((self.listed, rest.into()))
    }

    fn append(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        self.archive.append_data(&mut header, path, content)
    }
}

/// A file of its own.
pub(super) fn compress(content: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    Ok(encoder.finish()?.into())
}
