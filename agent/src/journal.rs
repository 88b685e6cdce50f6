//! What is frozen on this node, on its own disk: one file for each frozen pod, there before its first pre hook and
//! gone after its undo. Everybody who thaws goes by it: the agent that froze, the watchdog, an agent that starts.
//!
//! The name of a file is its state, so that a rename decides who of two was first:
//!
//! | name | meaning |
//! |---|---|
//! | `<pod uid>.open` | to be undone; locked by whoever does it. The kernel takes the lock from a process that dies |
//! | `<pod uid>.thawed` | undone by another than who froze it; waits for the agent to report it |
//! | `<pod uid>.corrupt` | can't be read, is set aside for a person |

mod entry;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

pub use self::entry::{Entry, Note, Outcome};

const OPEN: &str = "open";
const THAWED: &str = "thawed";
const CORRUPT: &str = "corrupt";
/// Being written; never read.
const DRAFT: &str = "draft";

/// An entry is a few KiB of commands.
const LARGEST: u64 = 4 << 20;

/// The journal of a node.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
}

/// Why something in the journal can't be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The pod is frozen already, by this backup or another.
    #[error(
        "the pod {0} has an open entry in the journal: another backup has frozen it, or its undo is still due"
    )]
    Taken(String),
    /// A uid that is no plain name.
    #[error("`{0}` is no pod uid")]
    Uid(String),
    /// What a file says can't be read.
    #[error("the journal's entry {file} can't be read: {source}")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The disk doesn't do what is asked.
    #[error("the journal {file} can't be used ({source}); check its disk")]
    Disk {
        /// File or folder.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open entry, as somebody has it in hand. Dropping it leaves it open, and takes the lock off.
#[derive(Debug)]
pub struct Opened {
    entry: Entry,
    notes: Vec<Note>,
    file: File,
    journal: Journal,
}

/// How an entry was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// By the one who closes it.
    Here,
    /// Somebody else had undone it before.
    Before(Outcome),
}

impl Journal {
    /// The journal in a folder, which is made if need be.
    pub fn new(folder: &Path) -> Result<Self, JournalError> {
        let journal = Self {
            folder: folder.to_path_buf(),
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| disk(folder, source))?;
        Ok(journal)
    }

    /// Removes the drafts of an agent that died: nothing was frozen for them.
    pub fn sweep(&self) -> Result<(), JournalError> {
        for uid in self.with_state(DRAFT)? {
            let draft = self.path(&uid, DRAFT);
            if File::open(&draft).is_ok_and(|file| locked(&file)) {
                fs::remove_file(&draft).map_err(|source| disk(&draft, source))?;
            }
        }
        Ok(())
    }

    /// Writes an entry, locked by us. When this returns, it survives a power cut.
    pub fn begin(&self, entry: Entry) -> Result<Opened, JournalError> {
        let uid = &entry.pod.uid;
        if uid.is_empty()
            || !uid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(JournalError::Uid(uid.clone()));
        }
        let (draft, open) = (self.path(uid, DRAFT), self.path(uid, OPEN));
        let written = write_draft(&draft, &entry).and_then(|file| {
            renameat_with(CWD, &draft, CWD, &open, RenameFlags::NOREPLACE)?;
            self.sync().map(|()| file)
        });
        match written {
            Ok(file) => Ok(Opened {
                entry,
                notes: Vec::new(),
                file,
                journal: self.clone(),
            }),
            Err(source) => {
                // What a full disk leaves of a draft has no use.
                let _ = fs::remove_file(&draft);
                if source.kind() == io::ErrorKind::AlreadyExists {
                    Err(JournalError::Taken(uid.clone()))
                } else {
                    Err(disk(&open, source))
                }
            }
        }
    }

    /// The uids of the pods that are to be thawed.
    pub fn open(&self) -> Result<Vec<String>, JournalError> {
        self.with_state(OPEN)
    }

    /// The uids of the pods whose thaw by another is to be reported.
    pub fn thawed(&self) -> Result<Vec<String>, JournalError> {
        self.with_state(THAWED)
    }

    /// How many entries were set aside.
    pub fn quarantined(&self) -> Result<usize, JournalError> {
        Ok(self.with_state(CORRUPT)?.len())
    }

    /// Whether the pod is to be thawed.
    pub fn is_open(&self, uid: &str) -> bool {
        self.path(uid, OPEN).exists()
    }

    /// An open entry, not locked; none if it was closed meanwhile.
    pub fn look(&self, uid: &str) -> Result<Option<Opened>, JournalError> {
        let path = self.path(uid, OPEN);
        let Some((file, entry, notes)) = read(uid, &path)? else {
            return Ok(None);
        };
        Ok(Some(Opened {
            entry,
            notes,
            file,
            journal: self.clone(),
        }))
    }

    /// Takes out what is known of a thaw by another, of a freeze of this task.
    pub fn take_thawed(&self, uid: &str, task_uid: &str) -> Result<Option<Outcome>, JournalError> {
        let path = self.path(uid, THAWED);
        let Some((_, entry, notes)) = read(uid, &path)? else {
            return Ok(None);
        };
        if entry.task_uid != task_uid {
            return Ok(None);
        }
        fs::remove_file(&path).map_err(|source| disk(&path, source))?;
        Ok(notes.into_iter().rev().find_map(|note| match note {
            Note::Thawed(outcome) => Some(outcome),
            Note::Undoing { .. } => None,
        }))
    }

    /// Sets an entry that can't be read aside, unless its owner lives: that one knows what to undo. Whether it was.
    pub fn quarantine(&self, uid: &str) -> Result<bool, JournalError> {
        for state in [OPEN, THAWED] {
            let path = self.path(uid, state);
            if File::open(&path).is_ok_and(|file| locked(&file)) {
                let moved = fs::rename(&path, self.path(uid, CORRUPT)).and_then(|()| self.sync());
                moved.map_err(|source| disk(&path, source))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn with_state(&self, state: &str) -> Result<Vec<String>, JournalError> {
        let files = fs::read_dir(&self.folder).map_err(|source| disk(&self.folder, source))?;
        let uid = |file: fs::DirEntry| {
            let name = file.file_name().into_string().ok()?;
            let (uid, of) = name.rsplit_once('.')?;
            (of == state).then(|| uid.to_owned())
        };
        Ok(files.flatten().filter_map(uid).collect())
    }

    fn path(&self, uid: &str, state: &str) -> PathBuf {
        self.folder.join(format!("{uid}.{state}"))
    }

    /// Renames and removals are on the disk when this returns.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

impl Opened {
    /// What it says.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// When its owner began to undo.
    pub fn undoing(&self) -> Option<Duration> {
        self.notes.iter().rev().find_map(|note| match note {
            Note::Undoing { at_millis } => Some(Duration::from_millis(*at_millis)),
            Note::Thawed(_) => None,
        })
    }

    /// Tries to become its owner: false while another is, and when it was closed meanwhile.
    pub fn lock(&self) -> bool {
        locked(&self.file) && self.is_open()
    }

    /// Whether it is still to be undone.
    pub fn is_open(&self) -> bool {
        let here = self.file.metadata();
        let there = fs::metadata(self.journal.path(&self.entry.pod.uid, OPEN));
        matches!((here, there), (Ok(here), Ok(there)) if here.ino() == there.ino() && here.dev() == there.dev())
    }

    /// Says that its owner has begun to undo. Only the living need it: it isn't waited for.
    pub fn note_undoing(&self, uptime: Duration) -> io::Result<()> {
        let at_millis = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        (&self.file).write_all(&entry::line(&Note::Undoing { at_millis })?)
    }

    /// Closes it: nothing is to be undone any more.
    pub fn close(self) -> Result<Closed, JournalError> {
        let uid = &self.entry.pod.uid;
        if self.is_open() {
            let open = self.journal.path(uid, OPEN);
            match fs::remove_file(&open).and_then(|()| self.journal.sync()) {
                Ok(()) => return Ok(Closed::Here),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(disk(&open, source)),
            }
        }
        let before = self.journal.take_thawed(uid, &self.entry.task_uid)?;
        Ok(before.map_or(Closed::Here, Closed::Before))
    }

    /// Closes it for whoever froze it, with what is to be reported. Nothing happens if that one was first.
    pub fn hand_over(self, outcome: Outcome) -> Result<(), JournalError> {
        let uid = &self.entry.pod.uid;
        let (open, thawed) = (self.journal.path(uid, OPEN), self.journal.path(uid, THAWED));
        if !self.is_open() {
            return Ok(());
        }
        let noted = entry::line(&Note::Thawed(outcome))
            .map_err(io::Error::from)
            .and_then(|line| (&self.file).write_all(&line))
            .and_then(|()| self.file.sync_all());
        // A full disk must not keep it open: undone is undone, only the report is lost.
        let moved = match noted {
            Ok(()) => fs::rename(&open, &thawed),
            Err(_) => fs::remove_file(&open),
        };
        match moved.and_then(|()| self.journal.sync()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(&open, error)),
            _ => Ok(()),
        }
    }
}

fn write_draft(draft: &Path, entry: &Entry) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(draft)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all(&entry::line(entry)?)?;
    file.sync_all()?;
    Ok(file)
}

fn read(uid: &str, path: &Path) -> Result<Option<(File, Entry, Vec<Note>)>, JournalError> {
    let mut file = match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(disk(path, source)),
    };
    let mut text = String::new();
    let parsed = (&mut file)
        .take(LARGEST)
        .read_to_string(&mut text)
        .and_then(|_| Ok(entry::read(&text)?));
    match parsed {
        Ok((entry, notes)) if entry.pod.uid == uid => Ok(Some((file, entry, notes))),
        Ok(_) => Err(corrupt(path, io::Error::other("it is another pod's"))),
        Err(source) => Err(corrupt(path, source)),
    }
}

/// Whether the lock of an open file is ours now.
fn locked(file: &File) -> bool {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::INTR) => {}
            done => return done.is_ok(),
        }
    }
}

fn disk(file: &Path, source: io::Error) -> JournalError {
    JournalError::Disk {
        file: file.to_path_buf(),
        source,
    }
}

fn corrupt(file: &Path, source: io::Error) -> JournalError {
    JournalError::Corrupt {
        file: file.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests;
