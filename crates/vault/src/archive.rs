//! The archives that Velero and AKS Backup write: which backups there are, and the objects in them; and recovery points
//! written as such archives.
//!
//! Whoever can write to the container can put anything into it, so an archive is read as one that somebody forged. Where
//! Velero's own backups are, nothing is written.
//!
//! - `layout`: where a backup's files lie in the store
//! - `backup`: which backups there are, by their `velero-backup.json`
//! - `limits`: how much is read at most
//! - `source`: a stored blob, for readers that wait
//! - `opened`: the archive without its compression, within the limits
//! - `files`: the files of the tar archive
//! - `place`: what a file is, by its path
//! - `at_most`: maps of JSON that don't grow beyond a limit
//! - `object`: an object of the archive, compared with its path
//! - `reader`: reads the objects of a backup
//! - `counts`: how many objects of which kind Velero says it wrote
//! - `error`: what can go wrong
//! - `staged`: a backup as a recovery point, for whoever reads those
//! - `export`: writes a recovery point as a backup of Velero's

mod at_most;
mod backup;
mod counts;
mod error;
mod export;
mod files;
#[cfg(test)]
mod harm;
#[cfg(test)]
mod hostile;
mod layout;
mod limits;
mod object;
mod opened;
mod place;
mod reader;
#[cfg(test)]
mod sample;
mod source;
mod staged;

pub use self::backup::{Backup, Outcome, find, list, names};
pub use self::error::{ArchiveError, Refusal};
pub use self::export::{ExportError, Exported, export};
pub use self::reader::Archive;
pub use self::staged::{CLUSTER, StageError, stage};
