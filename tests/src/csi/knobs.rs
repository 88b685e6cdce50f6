//! How the driver should behave: files that it looks at whenever something is asked of it (`knobs.go`).

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use tempfile::NamedTempFile;

/// What the driver is told of all volumes, or of one.
pub struct Knobs {
    folder: PathBuf,
}

/// What the driver can be asked to do. Being asked for what is done already is no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make a volume.
    CreateVolume,
    /// Remove a volume.
    DeleteVolume,
    /// Cut one volume, at the end of the time it takes.
    CreateSnapshot,
    /// Remove a cut of one volume.
    DeleteSnapshot,
    /// Cut several volumes at one moment, at the end of the time it takes.
    CreateVolumeGroupSnapshot,
    /// Remove a cut of several volumes.
    DeleteVolumeGroupSnapshot,
    /// Mount a volume for a pod.
    NodePublishVolume,
    /// Unmount it.
    NodeUnpublishVolume,
}

impl Knobs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// From now on, `operation` takes at least `time`.
    pub fn takes(&self, operation: Operation, time: Duration) -> Result<()> {
        self.turn(operation, "time", &time.as_millis().to_string())
    }

    /// Snapshots that `operation` makes from now on are ready `time` after they were taken.
    pub fn ready_after(&self, operation: Operation, time: Duration) -> Result<()> {
        self.turn(operation, "ready", &time.as_millis().to_string())
    }

    /// The next `times` of `operation` fail.
    pub fn fails(&self, operation: Operation, times: u32) -> Result<()> {
        self.turn(operation, "fail", &times.to_string())
    }

    /// `operation` doesn't end, until it is told to go on.
    pub fn hangs(&self, operation: Operation) -> Result<()> {
        self.turn(operation, "hang", "")
    }

    /// `operation` doesn't hang any more; what hung goes on.
    pub fn goes_on(&self, operation: Operation) -> Result<()> {
        match fs::remove_file(self.file(operation, "hang")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// In one step: the driver never reads half of it.
    fn turn(&self, operation: Operation, knob: &str, to: &str) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = NamedTempFile::new_in(&self.folder)?;
        fs::write(new.path(), to)?;
        new.persist(self.file(operation, knob))?;
        Ok(())
    }

    fn file(&self, operation: Operation, knob: &str) -> PathBuf {
        self.folder.join(format!("{operation:?}.{knob}"))
    }
}
