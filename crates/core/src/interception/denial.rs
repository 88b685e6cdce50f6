//! Why an object is refused.

use thiserror::Error;

use super::{OutOfScope, Unusable};
use crate::modifier::RuleError;
use crate::patch::EditError;

/// Why an object is refused. Every message names the interception, the object and the way out.
#[derive(Debug, Error)]
pub enum Denial {
    /// An interception that concerns the object has no rules to apply.
    #[error("interception {interception} concerns {subject}, but {cause}")]
    Unusable {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// Why there are none.
        cause: Unusable,
    },
    /// A rule failed, and the interception doesn't say `onModifierError: Warn`.
    #[error("interception {interception} could not change {subject}: {cause}")]
    RuleFailed {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// Which rule, and why.
        cause: RuleError,
    },
    /// Rules hold on an object that is out of their reach.
    #[error("interception {interception} may not change {subject}: {cause}")]
    OutOfScope {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// Whose rules, and what would allow it.
        cause: OutOfScope,
    },
    /// Several namespaces are mapped to the object's, and its rules differ by which it comes from.
    #[error(
        "interception {interception}: {subject} may come from any of the namespaces {}, and the rules make \
         different things of it; map each to a namespace of its own or write the rules alike", .originals.join(", ")
    )]
    AmbiguousOrigin {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
        /// The namespaces it may come from.
        originals: Vec<String>,
    },
    /// The object exists, and is to stay as it is.
    #[error(
        "interception {interception} leaves {subject} as it is, by its conflictPolicy: Skip; delete the object, or set conflictPolicy: Patch"
    )]
    Skipped {
        /// Its name.
        interception: String,
        /// The object.
        subject: String,
    },
    /// What the client leaves out could not be brought back, or what can't be changed not be put back.
    #[error("{subject} can't be merged with the object in the cluster: {cause}; change less at once")]
    Unmergeable {
        /// The object.
        subject: String,
        /// Why.
        cause: EditError,
    },
    /// The mark could not be written.
    #[error("{subject} can't be marked as changed: {cause}")]
    Unmarkable {
        /// The object.
        subject: String,
        /// Why.
        cause: EditError,
    },
}

impl Denial {
    /// The HTTP status that tells the client what kind of refusal it is. 503 makes clients try again, and is only for
    /// what may pass by itself.
    pub fn code(&self) -> u16 {
        match self {
            Self::Unusable {
                cause: Unusable::Unread(_),
                ..
            } => 503,
            Self::OutOfScope { .. } | Self::Unusable { .. } => 403,
            Self::Skipped { .. } => 409,
            Self::RuleFailed { .. }
            | Self::AmbiguousOrigin { .. }
            | Self::Unmergeable { .. }
            | Self::Unmarkable { .. } => 422,
        }
    }

    /// The reason of the status, where clients go by it. The API server repeats a patch that is refused as `Conflict`,
    /// so that this is none.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Skipped { .. } => Some("AlreadyExists"),
            _ => None,
        }
    }
}
