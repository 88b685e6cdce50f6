//! The steps in the life of the certificates: what [`decide`](crate::decide) chooses among, and what changes the
//! [`material`](crate::material).

use jiff::Timestamp;

/// What to do next. Every step but [`Step::Wait`] writes the Secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// There is nothing to build upon: make everything anew.
    Begin,
    /// Publish a next authority beside the one in use.
    PublishNext,
    /// The next authority is trusted everywhere: sign with it.
    SwitchToNext,
    /// Make a new leaf.
    RenewLeaf,
    /// An old authority has expired: nobody has to trust it any more.
    DropPrevious,
    /// Nothing, until then.
    Wait {
        /// When something is due next by what is known now.
        until: Timestamp,
    },
}

impl Step {
    /// Those that write the Secret.
    pub const WRITING: [Self; 5] = [
        Self::Begin,
        Self::PublishNext,
        Self::SwitchToNext,
        Self::RenewLeaf,
        Self::DropPrevious,
    ];

    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::PublishNext => "publish-next",
            Self::SwitchToNext => "switch-to-next",
            Self::RenewLeaf => "renew-leaf",
            Self::DropPrevious => "drop-previous",
            Self::Wait { .. } => "wait",
        }
    }
}
