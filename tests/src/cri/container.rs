//! One container: its application, and how processes get into it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest as _, Sha256};
use tokio::process::{Child, Command};

use super::cgroup::Group;
use super::{ContainerSpec, END, Node};
use crate::eventually;
use crate::process::Warden;

/// Enters the container's group, if there is one, and becomes the program in a session of its own.
const ENTER: &str = r#"[ -z "$1" ] || echo 0 > "$1" || exit 137; shift; exec setsid "$@""#;
const SEARCHED: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A container, running or not.
pub(super) struct Container {
    pub(super) id: String,
    pub(super) spec: ContainerSpec,
    pub(super) created_at: i64,
    pub(super) application: Child,
    pub(super) processes: Arc<Processes>,
}

/// Everything that runs in a container.
pub(super) struct Processes {
    group: Option<Group>,
    /// The leaders of sessions that this program has started.
    leaders: Mutex<BTreeSet<u32>>,
    application: u32,
    warden: Arc<Warden>,
}

/// A process that was started in a container, with its session. Forgotten when dropped.
pub(super) struct Leader {
    processes: Arc<Processes>,
    pid: u32,
}

impl Container {
    pub(super) fn start(spec: ContainerSpec, node: &Node) -> Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let id = id_of(&format!("{:?} {now:?}", spec.target));
        let group = node.parent.as_ref().map(|parent| parent.group(&id)).transpose()?;
        let entrance = group.as_ref().map(Group::entrance);
        let mut command = command(&spec, entrance, &spec.application);
        let application = command.spawn().context("failed to start the application")?;
        let pid = application.id().context("it has ended")?;
        let processes = Processes {
            group,
            leaders: Mutex::new(BTreeSet::from([pid])),
            application: pid,
            warden: Arc::clone(&node.warden),
        };
        processes.warden.tell("started", pid)?;
        wait_until_entered(pid)?;
        Ok(Self {
            id,
            spec,
            created_at: i64::try_from(now.as_nanos())?,
            application,
            processes: Arc::new(processes),
        })
    }

    /// Whether its application runs. Where it has ended, so does the rest, as in a container.
    pub(super) fn runs(&mut self) -> bool {
        let runs = matches!(self.application.try_wait(), Ok(None));
        if !runs {
            self.processes.end();
        }
        runs
    }

    /// A command that runs `arguments` in it.
    pub(super) fn command(&self, arguments: &[String]) -> Command {
        let entrance = self.processes.group.as_ref().map(Group::entrance);
        command(&self.spec, entrance, arguments)
    }

    /// Whether there is a program that `name` means.
    pub(super) fn has_program(&self, name: &str) -> bool {
        if name.contains('/') {
            return self.spec.folder.join(name).is_file();
        }
        std::env::split_paths(SEARCHED).any(|folder| folder.join(name).is_file())
    }
}

impl Processes {
    /// Takes note of a process that was started in the container.
    pub(super) fn started(self: &Arc<Self>, pid: u32) -> Result<Leader> {
        self.leaders().insert(pid);
        self.warden.tell("started", pid)?;
        Ok(Leader {
            processes: Arc::clone(self),
            pid,
        })
    }

    /// Kills everything.
    pub(super) fn end(&self) {
        if let Some(group) = &self.group {
            group.kill();
        }
        for leader in self.leaders().iter() {
            let group = i32::try_from(*leader).ok().and_then(Pid::from_raw);
            // Fails if it has ended already.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        }
    }

    /// Kills everything and waits until it has ended; again, as a command may have been about to begin.
    pub(super) async fn gone(&self) -> Result<()> {
        eventually("all processes of the container have ended", END, || async {
            self.end();
            ensure!(!lives(self.application), "the application lives");
            let commands = self.commands();
            ensure!(commands.is_empty(), "{commands:?}");
            Ok(())
        })
        .await
    }

    /// What runs besides the application's first process. Without control groups: what was started and holds on.
    pub(super) fn commands(&self) -> Vec<String> {
        let processes = match &self.group {
            Some(group) => group.processes(),
            None => self.leaders().iter().copied().collect(),
        };
        let others = processes.into_iter().filter(|pid| *pid != self.application);
        others.filter(|pid| lives(*pid)).map(arguments).collect()
    }

    fn leaders(&self) -> std::sync::MutexGuard<'_, BTreeSet<u32>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.end();
        // The warden may be gone already.
        let _ = self.warden.tell("ended", self.application);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.processes.leaders().remove(&self.pid);
        let _ = self.processes.warden.tell("ended", self.pid);
    }
}

fn command(spec: &ContainerSpec, entrance: Option<PathBuf>, arguments: &[String]) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", ENTER, "runtime"])
        .arg(entrance.unwrap_or_default())
        .args(arguments)
        .current_dir(&spec.folder)
        .env_clear()
        .env("PATH", SEARCHED)
        .envs(spec.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A container is there once its application has a session, and so is in the group.
fn wait_until_entered(pid: u32) -> Result<()> {
    let give_up = Instant::now() + END;
    while session(pid).is_some_and(|session| session != pid) {
        ensure!(Instant::now() < give_up, "the application doesn't start");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// As the kernel shows it: zero where the session was opened outside this process namespace, before it is left.
fn session(pid: u32) -> Option<u32> {
    stat(pid)?.get(3)?.parse().ok()
}

fn id_of(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut id, byte| {
        // Writing to a string doesn't fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

fn lives(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| !matches!(fields[0].as_str(), "Z" | "X"))
}

/// `state parent group session …`: what follows the name, which may hold spaces and brackets.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}

fn arguments(pid: u32) -> String {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&arguments).replace('\0', " ")
}
