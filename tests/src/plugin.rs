//! The kubectl plugin, run as a person runs it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::program;

/// What a run of the plugin said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs it to its end, with a kubeconfig or with none.
pub async fn plugin(kubeconfig: Option<&Path>, arguments: &[&str]) -> Result<Ran> {
    let mut command = Command::new(program::PLUGIN.built().await?);
    command
        .args(arguments)
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().await.context("failed to run the plugin")?;
    Ok(Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}
