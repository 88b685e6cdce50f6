//! What Velero does with hooks, row by row, and what is decided here instead. The rows that need a node (that a time-out
//! ends every process, that the journal outlives the agent) are scenarios; the whole comparison is in docs/hooks.md.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod backup;
mod restore;

use std::collections::BTreeMap;

use clusterbackup_core::hook::{Exec, OnError};
use clusterbackup_core::selection::{Name, Pod, PodPhase};

fn pod(name: &str, claims: &[&str]) -> Pod {
    Pod {
        name: Name::new("shop", name),
        uid: format!("uid-{name}"),
        node: Some("node-1".to_owned()),
        phase: PodPhase::Running,
        deleting: false,
        labels: BTreeMap::new(),
        containers: vec!["db".to_owned(), "exporter".to_owned()],
        sidecars: vec!["proxy".to_owned()],
        claims: claims.iter().map(ToString::to_string).collect(),
    }
}

fn exec(program: &str, on_error: OnError) -> Exec {
    Exec {
        container: None,
        command: vec![program.to_owned()],
        on_error,
        timeout: Exec::TIMEOUT,
    }
}
