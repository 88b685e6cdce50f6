//! How sure a preview is of what it says about an object. A dry run is judged by the cluster as it stands: what depends on
//! something that the restore itself is to create, or on a webhook that takes no dry runs, is never called certain.
//!
//! - `foreseen`: what the restore creates first, and what follows from that

mod foreseen;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::foreseen::{DryRun, Foreseen};

/// How sure it is that a restore does what its preview says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(tag = "certainty", content = "doubt")]
pub enum Certainty {
    /// It does, as long as nobody changes anything meanwhile.
    Certain,
    /// It probably does.
    Likely(Doubt),
    /// The dry run could not tell.
    Unknown(Doubt),
}

/// What keeps a preview from being certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Doubt {
    /// Its namespace isn't there yet.
    Namespace,
    /// Its kind isn't served yet.
    Definition,
    /// It names something that isn't there yet.
    Prerequisite,
    /// A webhook takes no dry runs.
    NoDryRun,
    /// A webhook refuses it, perhaps since it looks for what isn't there yet.
    Webhook,
    /// A quota counts it, with the others together.
    Quota,
    /// Limits that are created before it judge it, too.
    Limits,
    /// Rights that are created before it may allow it.
    Rights,
    /// A port of the nodes is free for one Service only.
    NodePort,
    /// Its owner is created before it, and may make it itself.
    Owner,
    /// Its data comes from a snapshot that isn't made yet.
    Data,
    /// Others that guard or extend the API are created with it.
    Guards,
    /// What is there is deleted first.
    Replacement,
}

/// Why a dry run was refused, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such namespace, or kind, or something that it names.
    Missing,
    /// The requester may not.
    Forbidden,
    /// A webhook takes no dry runs.
    NoDryRun,
    /// A webhook says no.
    Webhook,
    /// Anything else: validation, policies, quotas.
    Other,
}

/// For people: why it isn't certain.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "its namespace is not there yet",
            Self::Definition => "its kind is not served yet",
            Self::Prerequisite => "it names something that the restore creates first",
            Self::NoDryRun => "a webhook takes no dry runs",
            Self::Webhook => "the webhook may look for something that the restore creates first",
            Self::Quota => "a quota counts it, with the others together",
            Self::Limits => "limits that the restore creates first judge it, too",
            Self::Rights => "rights that the restore creates first may allow it",
            Self::NodePort => "another one may get the port on the nodes first",
            Self::Owner => "its owner is created first, and may make it itself",
            Self::Data => "its data comes from a snapshot that is not made yet",
            Self::Guards => "others that guard or extend the API are created with it",
            Self::Replacement => "what is there has to be deleted first",
        })
    }
}

impl Certainty {
    /// Why it isn't certain.
    pub const fn doubt(self) -> Option<Doubt> {
        match self {
            Self::Certain => None,
            Self::Likely(doubt) | Self::Unknown(doubt) => Some(doubt),
        }
    }

    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "Certain",
            Self::Likely(_) => "Likely",
            Self::Unknown(_) => "Unknown",
        }
    }
}
