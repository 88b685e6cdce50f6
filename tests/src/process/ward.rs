//! A command that is waited for where it was started, and that ends with this program all the same.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::Warden;

/// A running command with a warden of its own. Dropped before it was waited for, its whole group is killed.
pub struct Ward {
    child: Child,
    warden: Arc<Warden>,
}

impl Ward {
    /// Starts `command` without input in a process group of its own.
    pub fn start(command: &mut Command) -> Result<Self> {
        let warden = Warden::new()?;
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {}", command.get_program().display()))?;
        warden.tell("started", child.id())?;
        Ok(Self { child, warden })
    }

    /// Its standard output, if that is piped; once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until it has ended.
    pub fn wait(mut self) -> Result<ExitStatus> {
        let status = self.child.wait()?;
        self.warden.tell("ended", self.child.id())?;
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_a_dropped_command_has_started_ends_with_it() {
        let script = "sleep 600 & echo started; wait";
        let mut command = Command::new("sh");
        let mut ward = Ward::start(command.args(["-c", script]).stdout(Stdio::piped())).unwrap();
        let mut output = ward.output().unwrap();
        let mut beginning = [0; 7];
        output.read_exact(&mut beginning).unwrap();
        drop(ward);
        // The pipe has its end when nobody holds it any more, the sleeping one included.
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\n");
    }

    #[test]
    fn a_command_is_waited_for() {
        let ward = Ward::start(Command::new("sh").args(["-c", "exit 3"])).unwrap();
        assert_eq!(ward.wait().unwrap().code(), Some(3));
    }
}
