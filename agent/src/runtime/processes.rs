//! The processes of this node, as the kernel shows them in `/proc`.
//!
//! The agent runs in the node's process namespace, so a container's processes have the numbers here that the
//! runtime gives. A number is used again some day; together with the start time it never is.

mod cage;
mod looks;
mod tree;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(super) use self::cage::Cage;
pub(super) use self::looks::{Look, Looks};
pub(super) use self::tree::Tree;
pub(super) use self::watch::{Beginning, Found, Request, Watch};

/// One process for ever: its number and when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    /// Its number.
    pub(super) pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub(super) started: u64,
}

/// A process at the moment of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: Identity,
    pub(super) parent: i32,
    pub(super) session: i32,
    /// Dead, and only kept until its parent asks how it ended.
    pub(super) dead: bool,
    /// On its way out, or out: it runs none of its own code any more and has no place in the control groups.
    pub(super) exiting: bool,
}

/// `PF_EXITING` of the kernel's process flags.
const EXITING: u32 = 0x4;

/// A `/proc`.
#[derive(Clone, Debug)]
pub(super) struct ProcFs {
    root: PathBuf,
}

impl Default for ProcFs {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/proc"),
        }
    }
}

impl ProcFs {
    #[cfg(test)]
    pub(super) fn at(root: &std::path::Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// All processes. One that ends meanwhile is left out.
    pub(super) fn processes(&self) -> std::io::Result<BTreeMap<i32, Process>> {
        let mut processes = BTreeMap::new();
        for entry in std::fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            if let Some(process) = number.and_then(|pid| self.process(pid)) {
                processes.insert(process.id.pid, process);
            }
        }
        Ok(processes)
    }

    /// The process that has this number now.
    pub(super) fn process(&self, pid: i32) -> Option<Process> {
        let stat = std::fs::read(self.file(pid, "stat")).ok()?;
        read_stat(pid, &stat)
    }

    /// Whether this very process is alive.
    pub(super) fn alive(&self, id: Identity) -> bool {
        self.process(id.pid)
            .is_some_and(|process| process.id == id && !process.dead)
    }

    /// Whether this very process runs, and so has a place in the control groups. While one ends, the kernel still
    /// calls it running, but shows it at their root.
    pub(super) fn settled(&self, id: Identity) -> bool {
        self.process(id.pid)
            .is_some_and(|process| process.id == id && !process.dead && !process.exiting)
    }

    /// Its place in the control groups, one line for each hierarchy.
    pub(super) fn cgroup(&self, pid: i32) -> Option<String> {
        std::fs::read_to_string(self.file(pid, "cgroup")).ok()
    }

    /// Its arguments, each with a zero byte after it.
    pub(super) fn arguments(&self, pid: i32) -> Option<Vec<u8>> {
        std::fs::read(self.file(pid, "cmdline")).ok()
    }

    /// The pipes that it writes its output and its errors to.
    pub(super) fn outputs(&self, pid: i32) -> BTreeSet<u64> {
        ["fd/1", "fd/2"]
            .into_iter()
            .filter_map(|descriptor| pipe(&self.file(pid, descriptor)))
            .collect()
    }

    /// All pipes that it has open.
    pub(super) fn pipes(&self, pid: i32) -> BTreeSet<u64> {
        let Ok(descriptors) = std::fs::read_dir(self.file(pid, "fd")) else {
            return BTreeSet::new();
        };
        descriptors
            .filter_map(|descriptor| pipe(&descriptor.ok()?.path()))
            .collect()
    }

    /// The name of the namespace that its number in the container is of.
    pub(super) fn process_namespace(&self, pid: i32) -> Option<PathBuf> {
        std::fs::read_link(self.file(pid, "ns/pid")).ok()
    }

    fn file(&self, pid: i32, name: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(name)
    }
}

/// How long the node has been up.
fn uptime() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// A time since boot in the ticks that start times are told in.
fn ticks(uptime: Duration) -> u64 {
    let ticks = uptime.as_nanos() * u128::from(rustix::param::clock_ticks_per_second()) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The number of the pipe behind a descriptor.
fn pipe(descriptor: &std::path::Path) -> Option<u64> {
    let target = std::fs::read_link(descriptor).ok()?;
    let number = target.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?;
    number.parse().ok()
}

/// `pid (name) state parent group session …`: the name may hold spaces and brackets, so what follows its last one
/// counts.
fn read_stat(pid: i32, stat: &[u8]) -> Option<Process> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let flags: u32 = fields.get(6)?.parse().ok()?;
    Some(Process {
        id: Identity {
            pid,
            started: fields.get(19)?.parse().ok()?,
        },
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        dead: matches!(*fields.first()?, "Z" | "X" | "x"),
        exiting: flags & EXITING != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let rest = "S 40 41 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        for name in ["sleep", "a b", "x) R 1 1", "\u{1b}[0m"] {
            let process = read_stat(7, format!("7 ({name}) {rest}").as_bytes()).unwrap();
            assert_eq!(
                (process.parent, process.session, process.id.started),
                (40, 42, 12345)
            );
            assert!(!process.dead);
        }
        assert!(
            read_stat(7, format!("7 (x) {}", rest.replacen('S', "Z", 1)).as_bytes())
                .unwrap()
                .dead
        );
        assert_eq!(read_stat(7, b"7 (x) S 1"), None);
    }

    #[test]
    fn a_process_that_is_ending_is_told_from_one_that_has_left_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let proc_fs = ProcFs::at(folder.path());
        let id = Identity {
            pid: 7,
            started: 12345,
        };
        for (state, flags, alive, settled) in [
            ("S", 4_194_560, true, true),
            ("R", 4_194_564, true, false),
            ("Z", 4_194_564, false, false),
        ] {
            let stat = format!("7 (x) {state} 40 41 42 0 -1 {flags} 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0");
            std::fs::create_dir_all(folder.path().join("7")).unwrap();
            std::fs::write(folder.path().join("7/stat"), stat).unwrap();
            assert_eq!(
                (proc_fs.alive(id), proc_fs.settled(id)),
                (alive, settled),
                "{state} {flags}"
            );
        }
    }

    #[test]
    fn this_process_is_seen_with_its_start_time_and_arguments() {
        let proc_fs = ProcFs::default();
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = proc_fs.processes().unwrap()[&pid];
        assert_eq!(proc_fs.process(pid), Some(own));
        assert!(own.id.started <= ticks(uptime()) && !own.dead);
        let arguments = proc_fs.arguments(pid).unwrap();
        let program = std::env::args().next().unwrap();
        assert!(arguments.starts_with(program.as_bytes()));
    }
}
