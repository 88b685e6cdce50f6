//! Whether a vault can be used, in one stable word for programs: in its condition `Ready`, and in metrics.

/// Whether a vault can be used, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leader) enum Reason {
    /// It can.
    Ready,
    /// It can be read, and is not to be written.
    Readable,
    /// It was to be written all the same.
    AccessReadOnly,
    /// What it says makes no sense.
    SpecInvalid,
    /// Its Secret isn't there.
    CredentialsMissing,
    /// Its Secret is not as it should be.
    CredentialsInvalid,
    /// The store refuses the credentials.
    AccessDenied,
    /// There is no such place.
    LocationMissing,
    /// The place is somebody else's.
    LocationForeign,
    /// The vault was there, and isn't any more.
    LocationEmpty,
    /// The place is another vault's.
    LocationOfAnother,
    /// What says whose place it is can't be read.
    MarkerDamaged,
    /// A later version made it.
    FormatUnknown,
    /// The store takes no more.
    StoreFull,
    /// The store takes nothing.
    ReadOnly,
    /// The store doesn't answer.
    StoreUnreachable,
    /// The store doesn't do what a vault needs.
    StoreUnfit,
    /// Anything else that the store says.
    StoreFailed,
    /// The API server was no help.
    ApiServerUnreachable,
    /// There is no such vault.
    Missing,
    /// Nobody has tried yet.
    Untried,
}

impl Reason {
    /// Every one, for metrics.
    pub(in crate::leader) const ALL: [Self; 21] = [
        Self::Ready,
        Self::Readable,
        Self::AccessReadOnly,
        Self::SpecInvalid,
        Self::CredentialsMissing,
        Self::CredentialsInvalid,
        Self::AccessDenied,
        Self::LocationMissing,
        Self::LocationForeign,
        Self::LocationEmpty,
        Self::LocationOfAnother,
        Self::MarkerDamaged,
        Self::FormatUnknown,
        Self::StoreFull,
        Self::ReadOnly,
        Self::StoreUnreachable,
        Self::StoreUnfit,
        Self::StoreFailed,
        Self::ApiServerUnreachable,
        Self::Missing,
        Self::Untried,
    ];

    /// Whether a vault that says so is as it should be.
    pub(in crate::leader) const fn is_good(self) -> bool {
        matches!(self, Self::Ready | Self::Readable)
    }

    /// As it stands in a condition.
    pub(in crate::leader) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Readable => "Readable",
            Self::AccessReadOnly => "AccessReadOnly",
            Self::SpecInvalid => "SpecInvalid",
            Self::CredentialsMissing => "CredentialsMissing",
            Self::CredentialsInvalid => "CredentialsInvalid",
            Self::AccessDenied => "AccessDenied",
            Self::LocationMissing => "LocationMissing",
            Self::LocationForeign => "LocationForeign",
            Self::LocationEmpty => "LocationEmpty",
            Self::LocationOfAnother => "LocationOfAnother",
            Self::MarkerDamaged => "MarkerDamaged",
            Self::FormatUnknown => "FormatUnknown",
            Self::StoreFull => "StoreFull",
            Self::ReadOnly => "ReadOnly",
            Self::StoreUnreachable => "StoreUnreachable",
            Self::StoreUnfit => "StoreUnfit",
            Self::StoreFailed => "StoreFailed",
            Self::ApiServerUnreachable => "ApiServerUnreachable",
            Self::Missing => "Missing",
            Self::Untried => "Untried",
        }
    }

    /// The one that stands in a condition; a later version may know others.
    pub(in crate::leader) fn named(text: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|reason| reason.as_str() == text)
            .unwrap_or(Self::StoreFailed)
    }
}
