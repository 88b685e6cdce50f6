//! Why a vault can't be used.

use clusterbackup_vault::location::LocationError;
use clusterbackup_vault::place::PlaceError;
use clusterbackup_vault::seal::BadRecipient;
use clusterbackup_vault::store::StoreError;

use crate::leader::error::DriveError;

/// Why a vault can't be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::leader) enum VaultError {
    /// There is none.
    #[error("BackupVault {0} doesn't exist in the namespace of the instance: create it, or name another")]
    Missing(String),
    /// It says not where.
    #[error("the vault has no place: name exactly one of fileSystem, azure and s3")]
    NoPlace,
    /// The leader was not given that folder.
    #[error("the folder {path} is not below {root}, which the leader has for vaults: choose one there")]
    Outside {
        /// The vault's.
        path: String,
        /// The leader's.
        root: String,
    },
    /// Its recipient is none.
    #[error(transparent)]
    Recipient(#[from] BadRecipient),
    /// Its Secret isn't there.
    #[error("Secret {0}, which the vault names for its credentials, doesn't exist: create it there")]
    NoSecret(String),
    /// Its Secret is not as it should be.
    #[error("Secret {0}: {1}")]
    Credentials(String, PlaceError),
    /// What it says of its place is not as it should be.
    #[error(transparent)]
    Place(PlaceError),
    /// Its place is not as it should be.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The API server was no help.
    #[error(transparent)]
    Unread(#[from] DriveError),
}

impl VaultError {
    /// Of a place that is used by this Secret.
    pub(super) fn of_place(error: PlaceError, secret: Option<&str>) -> Self {
        match (error, secret) {
            (
                error @ (PlaceError::NoCredentials(_)
                | PlaceError::TwoCredentials(..)
                | PlaceError::NotText(_)),
                Some(secret),
            ) => Self::Credentials(secret.to_owned(), error),
            (error, _) => Self::Place(error),
        }
    }

    /// Whether trying again may help without anybody doing anything.
    pub(in crate::leader) fn is_transient(&self) -> bool {
        match self {
            Self::Location(error) => error.is_transient(),
            Self::Unread(error) => !error.is_final(),
            _ => false,
        }
    }

    /// Whether it may pass where the vault could be used a moment ago: credentials are changed in two places, one after the
    /// other.
    pub(in crate::leader) fn may_pass(&self) -> bool {
        let denied = matches!(
            self,
            Self::Location(LocationError::Store(StoreError::Denied { .. }))
        );
        self.is_transient() || denied || matches!(self, Self::NoSecret(_) | Self::Credentials(..))
    }

    /// In one stable word for programs.
    pub(in crate::leader) fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "Missing",
            Self::NoPlace | Self::Outside { .. } | Self::Recipient(_) | Self::Place(_) => "SpecInvalid",
            Self::NoSecret(_) => "CredentialsMissing",
            Self::Credentials(..) => "CredentialsInvalid",
            Self::Unread(_) => "ApiServerUnreachable",
            Self::Location(error) => match error {
                LocationError::Store(error) => reason(error),
                LocationError::Foreign { .. } => "LocationForeign",
                LocationError::Gone { .. } | LocationError::NoVault => "LocationEmpty",
                LocationError::Another { .. } => "LocationOfAnother",
                LocationError::BadMarker { .. } => "MarkerDamaged",
                LocationError::LaterFormat { .. } => "FormatUnknown",
                LocationError::Corrupts { .. }
                | LocationError::Overwrites
                | LocationError::KeepsDeleted { .. } => "StoreUnfit",
                LocationError::Key(_) => "StoreFailed",
            },
        }
    }
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        LocationError::from(error).into()
    }
}

const fn reason(error: &StoreError) -> &'static str {
    match error {
        StoreError::Denied { .. } => "AccessDenied",
        StoreError::NoLocation { .. } => "LocationMissing",
        StoreError::Full { .. } => "StoreFull",
        StoreError::ReadOnly { .. } | StoreError::Immutable { .. } => "ReadOnly",
        StoreError::Unreachable { .. } => "StoreUnreachable",
        _ => "StoreFailed",
    }
}
