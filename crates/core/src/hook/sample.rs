//! Hooks for the tables of tests.

use super::{Exec, Hook, OnError, Pods};

/// A hook for all pods with the commands `<name>-freeze` and `<name>-thaw` in the default container.
pub(crate) fn hook(name: &str) -> Hook {
    Hook {
        name: name.to_owned(),
        pods: Pods::default(),
        pre: vec![exec(&format!("{name}-freeze"))],
        post: vec![exec(&format!("{name}-thaw"))],
    }
}

pub(crate) fn exec(program: &str) -> Exec {
    Exec {
        container: None,
        command: vec![program.to_owned()],
        on_error: OnError::Fail,
        timeout: Exec::TIMEOUT,
    }
}

pub(crate) fn exec_in(container: &str, program: &str) -> Exec {
    Exec {
        container: Some(container.to_owned()),
        ..exec(program)
    }
}
