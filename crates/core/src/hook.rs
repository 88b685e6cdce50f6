//! Backup and restore hooks: commands that run in an application's containers around a cut or after a restore.
//!
//! - `resolve`: which commands run in a pod, in which container, in which order
//! - `quiescence`: what the pre hooks that ended mean for the cuts
//! - `lineage`: which pods are new by a restore
//! - `expected`: how many pods a controller is to have
//! - `restore`: when the commands of a new pod run

pub mod expected;
pub mod lineage;
mod quiescence;
mod resolve;
pub mod restore;
#[cfg(test)]
pub(crate) mod sample;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use quiescence::Quiescence;
pub use resolve::{Command, Commands, Fault, HookProblem, MAX_COMMANDS, Remark, remarks, resolve};

use crate::duration::Span;
use crate::selection::{Namespaces, Pod};
use crate::selector::LabelSelector;

/// What a hook that fails means for the run it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnError {
    /// The failure is reported; the run goes on and ends with warnings.
    Continue,
    /// The pod's further hooks don't run, and its volumes are not cut.
    Fail,
}

impl OnError {
    /// Whether the failure keeps the later commands of the pod from running. Never those of an undo: they run
    /// whatever failed.
    pub fn stops(self) -> bool {
        self == Self::Fail
    }
}

/// When a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Stage {
    /// Before the cut.
    Pre,
    /// After it.
    Post,
    /// In a new pod of a restore.
    Restore,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ExecOutcome {
    /// It runs.
    Running,
    /// Exit code 0.
    Succeeded,
    /// Another exit code.
    Failed,
    /// It was ended after its time-out.
    TimedOut,
    /// It wrote more than the runtime keeps; the exit code is lost.
    OutputTooLarge,
    /// It could not be started: no such program, container not running.
    NotStarted,
    /// The connection to the runtime broke; whether it ran is unknown.
    Lost,
}

/// The pods that a hook is for.
#[derive(Debug, Clone, Default)]
pub struct Pods {
    /// In these namespaces.
    pub namespaces: Namespaces,
    /// With these labels.
    pub labels: LabelSelector,
}

/// A backup hook.
#[derive(Debug, Clone)]
pub struct Hook {
    /// `<namespace>/<BackupHook>/<name of the hook>`.
    pub name: String,
    /// The pods that it is for.
    pub pods: Pods,
    /// What freezes the application, in this order.
    pub pre: Vec<Exec>,
    /// What undoes that, in this order.
    pub post: Vec<Exec>,
}

/// A command as a hook declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The container; none: the first of the pod.
    pub container: Option<String>,
    /// Program and arguments; no shell.
    pub command: Vec<String>,
    /// What its failure means.
    pub on_error: OnError,
    /// After this it is ended and has failed.
    pub timeout: Span,
}

impl Exec {
    /// The time-out of a command that declares none.
    pub const TIMEOUT: Span = Span::seconds(30);
    /// What the failure of a backup hook's command means that doesn't say so. One meaning, here and everywhere.
    pub const ON_ERROR: OnError = OnError::Fail;
}

impl Pods {
    /// Whether a hook is for a pod.
    pub fn include(&self, pod: &Pod) -> bool {
        self.select(&pod.name.namespace, &pod.labels)
    }

    /// Whether a hook is for pods with these labels there.
    pub fn select(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespaces.takes(namespace) && self.labels.selects(labels)
    }
}
