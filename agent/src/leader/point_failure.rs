//! Why a backup has no recovery point: of whichever part of the way there, either it passes or it doesn't.

use clusterbackup_vault::archive::StageError;
use clusterbackup_vault::point::PointError;
use clusterbackup_vault::store::StoreError;

use super::error::DriveError;
use super::subject::PlanError;
use super::vault::VaultError;

/// Why there is no point.
#[derive(Debug, thiserror::Error)]
pub(super) enum PointFailure {
    /// Trying again may help.
    #[error("{0}")]
    Passing(String),
    /// A person has to do something first.
    #[error("{0}")]
    Final(String),
}

impl PointFailure {
    /// Of an error that may pass by itself, or doesn't.
    fn of(error: &impl ToString, transient: bool) -> Self {
        if transient {
            Self::Passing(error.to_string())
        } else {
            Self::Final(error.to_string())
        }
    }
}

impl From<PointError> for PointFailure {
    fn from(error: PointError) -> Self {
        // The vault was opened a moment ago: somebody changes its credentials.
        let denied = matches!(
            &error,
            PointError::Store {
                source: StoreError::Denied { .. },
                ..
            }
        );
        Self::of(&error, denied || error.is_transient())
    }
}

impl From<StageError> for PointFailure {
    fn from(error: StageError) -> Self {
        Self::of(&error, error.is_transient())
    }
}

impl From<DriveError> for PointFailure {
    fn from(error: DriveError) -> Self {
        Self::of(&error, !error.is_final())
    }
}

impl From<PlanError> for PointFailure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Impossible { message, .. } => Self::Final(message),
            PlanError::Unread(error) => error.into(),
        }
    }
}

impl From<VaultError> for PointFailure {
    fn from(error: VaultError) -> Self {
        Self::of(&error, error.may_pass())
    }
}
