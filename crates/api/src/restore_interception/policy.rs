//! The choices an interception offers, as closed sets. The first of each is the default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to an object when one of its rules fails.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
pub enum OnModifierError {
    /// The object is refused.
    #[default]
    Deny,
    /// The object gets in without that rule's changes, and the client is warned.
    Warn,
}

/// What a restore may do to an object that exists already.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
pub enum ConflictPolicy {
    /// The object in the cluster stays as it is.
    #[default]
    Skip,
    /// What may change of it is changed, field by field.
    Patch,
}

/// How a skipped update is answered.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
pub enum SkipAs {
    /// It is refused, so that the client learns of it.
    #[default]
    Deny,
    /// It is accepted and changes nothing.
    Silent,
}

/// What strategic patches do to custom resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CustomResourceStrategy {
    /// They fail.
    #[default]
    Refuse,
    /// They merge lists by the keys that the definition gives for server-side apply.
    ListMapKeys,
}
