//! The control groups of a node: a root of its own in every hierarchy, removed at the end by the warden.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context as _, Result};

use crate::eventually;
use crate::process::Warden;

const LIMIT: Duration = Duration::from_secs(20);

const ALL: &str = "/sys/fs/cgroup";

/// What keeps control groups from being made, as what to do about it.
pub(super) fn obstacle() -> Option<String> {
    hierarchies()
        .is_empty()
        .then(|| format!("nodes need control groups: mount them at {ALL}"))
}

/// Makes the group in every hierarchy.
pub(super) fn create(warden: &Warden, name: &str) -> Result<()> {
    warden.remove_cgroup(name)?;
    for folder in folders(name) {
        fs::create_dir(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        inherit_cpus(&folder)?;
    }
    Ok(())
}

/// Removes the groups in it, in every hierarchy, once their processes are gone: a node that boots has none yet, and the
/// kubelet takes seconds for each that it finds.
pub(super) async fn clear(name: &str) -> Result<()> {
    eventually(&format!("the groups of {name} are gone"), LIMIT, || async {
        for folder in folders(name) {
            remove_below(&folder)?;
        }
        Ok(())
    })
    .await
}

fn remove_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path())?;
            fs::remove_dir(entry.path())?;
        }
    }
    Ok(())
}

/// Where the group is, in each hierarchy.
pub(super) fn folders(name: &str) -> impl Iterator<Item = PathBuf> {
    hierarchies()
        .into_iter()
        .map(move |hierarchy| hierarchy.join(name))
}

/// One folder for each controller, or the one of version 2.
fn hierarchies() -> Vec<PathBuf> {
    let is_hierarchy = |folder: &Path| folder.join("cgroup.procs").is_file();
    if is_hierarchy(Path::new(ALL)) {
        return vec![ALL.into()];
    }
    let entries = fs::read_dir(ALL).into_iter().flatten().flatten();
    // `cpu` and `cpuacct` may be links to the folder of both.
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|folder| is_hierarchy(folder))
        .collect()
}

/// In version 1 a new group has no processors and no memory until it is told which.
fn inherit_cpus(folder: &Path) -> Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (theirs, own) = (parent.join(file), folder.join(file));
        if theirs.is_file() && own.is_file() {
            fs::write(&own, fs::read(&theirs)?)
                .with_context(|| format!("failed to write {}", own.display()))?;
        }
    }
    Ok(())
}
