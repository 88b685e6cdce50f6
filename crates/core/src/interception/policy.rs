//! What an interception wants where something stands in the way: a rule that fails, an object that exists already,
//! a kind whose lists have no keys of Kubernetes' own.

/// What becomes of an object on which a rule fails. The greater one wins where interceptions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnModifierError {
    /// It is admitted without the failing rule, with a warning.
    Warn,
    /// It is refused.
    Deny,
}

/// What an update of an existing object may do to it. The greater one wins where interceptions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictPolicy {
    /// It changes what can be changed, field by field.
    Patch,
    /// Nothing: the object stays as it is in the cluster.
    Skip(SkipAs),
}

/// What the client is told of an object that stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipAs {
    /// That it was updated.
    Silent,
    /// That it is refused.
    Deny,
}

impl Default for ConflictPolicy {
    fn default() -> Self {
        Self::Skip(SkipAs::Deny)
    }
}

/// What strategic patches do to custom resources, for whose lists Kubernetes has no keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CustomResourceStrategy {
    /// They fail.
    #[default]
    Refuse,
    /// They merge lists by the keys that the definition gives for server-side apply.
    ListMapKeys,
}
