//! Control groups of the second version, as containers have them: only to know and to kill what is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const PREFIX: &str = "clusterbackup-cri-";
const REMOVAL: Duration = Duration::from_secs(5);

/// The group that the containers of one runtime are in. Removed when dropped.
pub(super) struct Parent {
    folder: PathBuf,
}

impl Parent {
    /// A new one below the group of this process, if that is allowed.
    pub(super) fn make() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = own_folder()?;
        remove_those_of_the_dead(&own);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = own.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let parent = Self { folder };
        // It must be possible to kill what is inside, and to put processes there.
        let usable = parent.folder.join("cgroup.kill").exists()
            && fs::OpenOptions::new()
                .write(true)
                .open(own.join("cgroup.procs"))
                .is_ok();
        usable.then_some(parent)
    }

    /// The group of the container `id`.
    pub(super) fn group(&self, id: &str) -> std::io::Result<Group> {
        let folder = self.folder.join(id);
        fs::create_dir(&folder)?;
        Ok(Group { folder })
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// The group of one container. Everything in it is killed when dropped.
pub(super) struct Group {
    folder: PathBuf,
}

impl Group {
    /// The file that a process writes `0` to, to get in.
    pub(super) fn entrance(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Who is inside, living or dead and not yet reaped.
    pub(super) fn processes(&self) -> Vec<u32> {
        let list = fs::read_to_string(self.entrance()).unwrap_or_default();
        list.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Kills all who are inside.
    pub(super) fn kill(&self) {
        // Fails only if the group is gone, and then all are.
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Where the second version is mounted, and where in it this process is.
fn own_folder() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let mount = mount.split(' ').nth(4)?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount).join(own))
}

/// Processes leave a group only after they were reaped, which may take a moment.
fn remove(folder: &Path) {
    let give_up = Instant::now() + REMOVAL;
    for child in children(folder) {
        remove(&child);
    }
    let _ = fs::write(folder.join("cgroup.kill"), "1");
    while folder.exists() && fs::remove_dir(folder).is_err() && Instant::now() < give_up {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A test that was killed could not clean up.
fn remove_those_of_the_dead(own: &Path) {
    for folder in children(own) {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let owner = name.and_then(|name| Some(name.strip_prefix(PREFIX)?.split('-').next()?.to_owned()));
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            remove(&folder);
        }
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}
