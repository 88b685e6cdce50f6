//! Why a vault can't be used.

use clusterbackup_vault::archive::ArchiveError;
use clusterbackup_vault::location::LocationError;
use clusterbackup_vault::place::PlaceError;
use clusterbackup_vault::seal::BadRecipient;
use clusterbackup_vault::store::StoreError;

use super::reason::Reason;
use crate::leader::error::DriveError;

/// Why a vault can't be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::leader) enum VaultError {
    /// There is none.
    #[error("BackupVault {0} doesn't exist in the namespace of the instance: create it, or name another")]
    Missing(String),
    /// Nothing is to be written into it.
    #[error(
        "its access is ReadOnly, so nothing is written into it: have the instance name another vault, or set spec.access to ReadWrite"
    )]
    ReadOnly,
    /// It says not where.
    #[error("the vault has no place: name exactly one of fileSystem, azure and s3")]
    NoPlace,
    /// Its two tiers are one.
    #[error(
        "the vault tier is in the same place as operational: name another container, bucket, folder or prefix"
    )]
    SamePlace,
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
    /// Velero has nothing there.
    #[error(
        "no backup of Velero's is there: name the container or bucket of its BackupStorageLocation, and the same prefix"
    )]
    NoBackups,
    /// What Velero has there can't be read.
    #[error(transparent)]
    Archives(ArchiveError),
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
            (PlaceError::Store(error), _) => error.into(),
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
    pub(in crate::leader) const fn reason(&self) -> Reason {
        match self {
            Self::Missing(_) => Reason::Missing,
            Self::ReadOnly => Reason::AccessReadOnly,
            Self::NoPlace | Self::SamePlace | Self::Outside { .. } | Self::Recipient(_) | Self::Place(_) => {
                Reason::SpecInvalid
            }
            Self::NoSecret(_) => Reason::CredentialsMissing,
            Self::NoBackups => Reason::LocationEmpty,
            Self::Archives(_) => Reason::StoreFailed,
            Self::Credentials(..) => Reason::CredentialsInvalid,
            Self::Unread(_) => Reason::ApiServerUnreachable,
            Self::Location(error) => match error {
                LocationError::Store(error) => reason(error),
                LocationError::Foreign { .. } => Reason::LocationForeign,
                LocationError::Gone { .. } | LocationError::NoVault => Reason::LocationEmpty,
                LocationError::Another { .. } => Reason::LocationOfAnother,
                LocationError::BadMarker { .. } => Reason::MarkerDamaged,
                LocationError::LaterFormat { .. } => Reason::FormatUnknown,
                LocationError::Corrupts { .. }
                | LocationError::Overwrites
                | LocationError::KeepsDeleted { .. } => Reason::StoreUnfit,
                LocationError::Key(_) => Reason::StoreFailed,
            },
        }
    }
}

/// What a store says is said as of any place.
impl From<ArchiveError> for VaultError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store { source, .. } => source.into(),
            error => Self::Archives(error),
        }
    }
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        LocationError::from(error).into()
    }
}

const fn reason(error: &StoreError) -> Reason {
    match error {
        StoreError::Denied { .. } => Reason::AccessDenied,
        StoreError::NoLocation { .. } => Reason::LocationMissing,
        StoreError::Full { .. } => Reason::StoreFull,
        StoreError::ReadOnly { .. } | StoreError::Immutable { .. } => Reason::ReadOnly,
        StoreError::Unreachable { .. } => Reason::StoreUnreachable,
        _ => Reason::StoreFailed,
    }
}
