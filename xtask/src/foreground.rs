//! Staying in the foreground: until the work is done or a person ends it, with a kubeconfig where it is easily found.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clusterbackup_tests::{Cluster, workspace};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// How work in the foreground came to its end.
pub(crate) enum End {
    /// It was done.
    Done,
    /// Ctrl-C or SIGTERM stopped it.
    Stopped,
}

/// Carries `work` out, until it is done or a person stops it. What it holds is dropped before this returns.
pub(crate) fn run(work: impl Future<Output = Result<()>>) -> Result<End> {
    let runtime = Runtime::new()?;
    let end = runtime.block_on(until_stopped(work));
    // Not waiting for a build that is under way.
    runtime.shutdown_background();
    end
}

async fn until_stopped(work: impl Future<Output = Result<()>>) -> Result<End> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        done = work => done.map(|()| End::Done),
        _ = terminate.recv() => Ok(End::Stopped),
        _ = interrupt.recv() => Ok(End::Stopped),
    }
}

/// `target/<task>/kubeconfig`, there as long as the cluster is.
pub(crate) struct Kubeconfig(PathBuf);

impl Kubeconfig {
    /// Puts it where the user of `cargo xtask <task>` is told to look.
    pub(crate) fn publish(cluster: &Cluster, task: &str) -> Result<Self> {
        let folder = workspace::target()?.join(task);
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("kubeconfig");
        std::fs::copy(cluster.admin_kubeconfig(), &file)
            .with_context(|| format!("failed to write {}", file.display()))?;
        Ok(Self(file))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        // If it is gone already, that is what was wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}
