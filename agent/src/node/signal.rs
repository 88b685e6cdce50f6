//! The one signal by which everything of a unit thaws, and why it was given.

use std::sync::OnceLock;

use clusterbackup_core::duration::Span;
use tokio_util::sync::CancellationToken;

/// Why a unit thaws.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    /// Every cut was tried, and the barrier, if any, is past.
    #[error("the cuts are done")]
    Done,
    /// A pre hook with `onError: Fail` has failed.
    #[error("{0}; its unit's volumes are not cut")]
    Hook(String),
    /// The journal can't be written, or the pod is frozen by another backup.
    #[error("{0}; nothing was frozen")]
    Journal(String),
    /// The leader, or whoever deleted the task.
    #[error("the backup was cancelled")]
    Cancelled,
    /// SIGTERM.
    #[error("the node's agent was stopped")]
    Stopping,
    /// It took too long.
    #[error("it was frozen for maxFreeze ({0})")]
    MaxFreeze(Span),
    /// A pod is being deleted.
    #[error("the pod {0} is being deleted")]
    PodDeleted(String),
    /// The leader has given the barrier up.
    #[error("the barrier was given up before this node had cut")]
    Barrier,
}

/// Given once; the first cause counts.
#[derive(Debug, Default)]
pub(super) struct ThawSignal {
    token: CancellationToken,
    cause: OnceLock<Cause>,
}

impl ThawSignal {
    /// Everything of the unit thaws from now on.
    pub(super) fn give(&self, cause: Cause) {
        self.cause.get_or_init(|| cause);
        self.token.cancel();
    }

    /// Waits until it is given.
    pub(super) async fn given(&self) {
        self.token.cancelled().await;
    }

    /// Whether it is.
    pub(super) fn is_given(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Why, if it is.
    pub(super) fn cause(&self) -> Option<&Cause> {
        self.cause.get()
    }
}
