//! The archives that Velero and AKS Backup write: which backups there are, and the objects in them. Nothing is written here.
//!
//! Whoever can write to the container can put anything into it, so an archive is read as one that somebody forged.
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

mod at_most;
mod backup;
mod counts;
mod error;
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

pub use self::backup::{Backup, find, list};
pub use self::error::{ArchiveError, Refusal};
pub use self::reader::Archive;
