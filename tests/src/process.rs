//! Processes that never outlive the program that started them.
//!
//! Each runs in a process group of its own, its output in a log file. A [`Warden`] (a small shell that reads a pipe)
//! ends the groups, unmounts what is mounted in the working folder and removes it, and control groups, when the pipe
//! closes, and the kernel closes it however this program ends: normally, by a panic, by Ctrl-C, SIGTERM or SIGKILL.

mod ward;

use std::fmt::Display;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};

pub use self::ward::Ward;

const WATCH: &str = r#"
groups= cgroups=
while read -r what name; do
  case $what in
    started) groups="$groups $name" ;;
    ended) left=; for g in $groups; do [ "$g" = "$name" ] || left="$left $g"; done; groups=$left ;;
    cgroup) cgroups="$cgroups $name" ;;
  esac
done
for g in $groups; do kill -s KILL -- "-$g"; done
while read -r _ place _; do
  case $place in "$1"/*) umount --lazy "$place" ;; esac
done < /proc/self/mounts
removed() {
  for c in $cgroups; do
    for d in /sys/fs/cgroup/"$c" /sys/fs/cgroup/*/"$c"; do
      [ ! -d "$d" ] || find "$d" -depth -type d -exec rmdir {} + || return
    done
  done
  rm -rf -- "$1"
}
# A process that is just dying may still write, and is still in its cgroup.
n=0; until removed "$1" || [ $n -ge 100 ]; do n=$((n + 1)); sleep 0.1; done
"#;

const LINES_SHOWN: usize = 15;

/// Cleans up after this program: knows its processes and its working folder.
pub struct Warden {
    folder: PathBuf,
    shell: Mutex<Child>,
    orders: Mutex<Option<ChildStdin>>,
}

impl Warden {
    /// A warden over a new working folder in the system's temporary folder.
    pub fn new() -> Result<Arc<Self>> {
        let folder = tempfile::Builder::new()
            .prefix("clusterbackup-")
            .tempdir()?
            .keep();
        let mut shell = Command::new("sh")
            .args(["-c", WATCH, "clusterbackup-warden"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole foreground group; the warden has to survive it.
            .process_group(0)
            .spawn()
            .context("failed to start sh")?;
        let orders = Mutex::new(shell.stdin.take());
        Ok(Arc::new(Self {
            folder,
            shell: Mutex::new(shell),
            orders,
        }))
    }

    /// The folder that is removed at the end.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has control groups of this name, in every hierarchy, removed at the end.
    pub(crate) fn remove_cgroup(&self, name: &str) -> Result<()> {
        self.tell("cgroup", name)
    }

    /// `started` or `ended`, and the leader of a process group; or `cgroup` and its name.
    pub(crate) fn tell(&self, what: &str, name: impl Display) -> Result<()> {
        let mut orders = locked(&self.orders);
        let pipe = orders.as_mut().context("the warden has ended")?;
        writeln!(pipe, "{what} {name}").context("the warden has ended")
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(locked(&self.orders).take());
        // Only waited for, so that nothing is left behind once this returns.
        let _ = locked(&self.shell).wait();
    }
}

/// A running process; dropping it kills its whole group.
pub struct Process {
    name: String,
    log: PathBuf,
    command: Command,
    child: Mutex<Child>,
    warden: Arc<Warden>,
}

impl Process {
    /// Starts `command` in a process group of its own with its output in `<logs>/<name>.log`.
    pub fn start(warden: &Arc<Warden>, logs: &Path, name: &str, mut command: Command) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("failed to create {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let process = Self {
            name: name.to_owned(),
            log,
            child: Mutex::new(spawn(&mut command)?),
            command,
            warden: Arc::clone(warden),
        };
        process.warden.tell("started", process.id())?;
        Ok(process)
    }

    /// Starts it again by the same command, after it has ended; its output goes on in the same log.
    pub fn start_again(&mut self) -> Result<()> {
        self.end()?;
        self.child = Mutex::new(spawn(&mut self.command)?);
        self.warden.tell("started", self.id())
    }

    /// The process id, which is the group's too.
    pub fn id(&self) -> u32 {
        locked(&self.child).id()
    }

    /// The file of its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did.
    pub fn exit_status(&self) -> Result<Option<ExitStatus>> {
        Ok(locked(&self.child).try_wait()?)
    }

    /// Sends a signal to the process group.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let group = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("the process id is out of range")?;
        // Not after the child is reaped: its number may be another's by then.
        if self.exit_status()?.is_none() {
            kill_process_group(group, signal).with_context(|| format!("failed to signal {}", self.name))?;
        }
        Ok(())
    }

    /// Waits until the process has ended.
    pub async fn ended(&self, limit: Duration) -> Result<ExitStatus> {
        crate::eventually(&format!("{} has ended", self.name), limit, || async {
            self.exit_status()?
                .with_context(|| format!("it is running; log: {}", self.log.display()))
        })
        .await
    }

    /// Carries `work` out, unless the process ends meanwhile: that is the error then, with the end of its log.
    /// A failure of `work` names the log as well.
    pub async fn while_running<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let death = async {
            loop {
                if let Some(status) = self.exit_status()? {
                    bail!(
                        "{} ended with {status}; the end of {}:\n{}",
                        self.name,
                        self.log.display(),
                        self.last_lines()
                    );
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            done = work => done.with_context(|| format!("see {}", self.log.display())),
            dead = death => dead,
        }
    }

    fn last_lines(&self) -> String {
        let text = std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// Kills its whole group; what has ended already stays so.
    pub fn end(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        locked(&self.child).wait()?;
        self.warden.tell("ended", self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!(
                "{}",
                anyhow!(error).context(format!("failed to end {}", self.name))
            );
        }
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    command
        .spawn()
        .with_context(|| format!("failed to start {}", command.get_program().display()))
}

/// A thread that panicked while it held the lock has not made the child any less ours to clean up.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
