//! How the leader's work on a backup or a restore fails. None of it is that one's failure: the work is taken up again from
//! what is in the cluster.

use std::fmt::Display;

use clusterbackup_core::selection::Name;
use clusterbackup_kit::lease::LeaseError;

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriveError {
    /// The API server refused, or could not be asked.
    #[error("failed to {what}: {}", brief(.source))]
    Api {
        /// What was asked for.
        what: String,
        /// Its answer.
        source: kube::Error,
    },
    /// Somebody else writes the status of what is driven.
    #[error("another leader writes its status")]
    Superseded,
    /// Two backups want the same claim in a group at once; the next plan does without one.
    #[error("PersistentVolumeClaim {0} carries the temporary label of another backup")]
    Labelled(Name),
    /// What a schedule is to make is there, and is another's.
    #[error("Backup {0} is of another instance, and has the name of the next backup by schedule: delete it")]
    NameTaken(String),
    /// The API server doesn't answer.
    #[error("the API server doesn't answer: {0}")]
    Silent(String),
    /// Who leads could not be read.
    #[error("failed to read the fencing epoch: {0}")]
    Epoch(#[from] LeaseError),
    /// A vault could not be used.
    #[error("BackupVault {vault}: {reason}")]
    Vault {
        /// The vault.
        vault: String,
        /// Why not.
        reason: String,
    },
    /// Something that lives as long as the work ended before.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// What the API server said; the error itself shows its whole answer.
fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl DriveError {
    /// Whether somebody else was faster.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source: kube::Error::Api(status), .. } if status.code == 409)
    }

    /// Whether the answer is final: asking again gets the same one until a person changes something.
    pub(super) fn is_final(&self) -> bool {
        let Self::Api { source, .. } = self else {
            return false;
        };
        matches!(source, kube::Error::Api(status) if matches!(status.code, 400 | 403 | 404 | 413 | 422))
    }
}

/// Says what was being done when the API server refused.
pub(super) trait Doing<T> {
    /// `what` follows on "failed to".
    fn doing(self, what: impl Display) -> Result<T, DriveError>;
}

impl<T> Doing<T> for kube::Result<T> {
    fn doing(self, what: impl Display) -> Result<T, DriveError> {
        self.map_err(|source| DriveError::Api {
            what: what.to_string(),
            source,
        })
    }
}

/// Takes "there is none" for an answer.
pub(super) trait OrGone<T> {
    /// None for what isn't there.
    fn or_gone(self) -> kube::Result<Option<T>>;
}

impl<T> OrGone<T> for kube::Result<T> {
    fn or_gone(self) -> kube::Result<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }
}
