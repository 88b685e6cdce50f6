//! What an update of a restored object does to the one in the cluster, field by field.
//!
//! - `existing`: the object in the cluster, against which an update is judged; start here
//! - `merge`: the client's object onto it, so that nothing is lost that the client only leaves out
//! - `settle`: what may not change is put back
//! - `difference`: the fields in which two objects differ
//! - `proposal`: what the API server is asked about, until it is known what it takes; `partial`: the object with some of the
//!   changes; `cause`: what a refusal names
//! - `items`: the items of two lists, matched
//! - `table`: what the fields of each kind may do, and which belong together; `custom` and `transition` read it from
//!   the schema of a custom kind
//! - `aspect`, `change`, `mutability`, `spot`: what the table is made of, and how the others read it
//! - `remark`: the table as people read it

mod aspect;
mod cause;
mod change;
mod custom;
mod difference;
mod existing;
mod items;
mod merge;
mod mutability;
mod partial;
mod proposal;
mod remark;
mod settle;
mod spot;
mod table;
mod transition;

use std::fmt;

pub use existing::{Existing, Losses};
pub use mutability::Mutability;
pub use proposal::{Proposal, Settled};
pub use remark::{Remark, remarks};
use serde::{Deserialize, Serialize};

/// What becomes of one field in which the restored object and the one in the cluster differ.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Field {
    /// JSON pointer to it; never its value.
    pub path: String,
    /// What becomes of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(tag = "outcome", content = "reason")]
pub enum Outcome {
    /// The cluster's field takes the new value, or goes.
    Changed,
    /// It stays as it is in the cluster.
    Kept(Reason),
}

/// Why a field stays as it is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Reason {
    /// The restored object has no such field.
    LeftOut,
    /// The API server refuses the change.
    Immutable,
    /// The API server or a controller gives it its value.
    Allocated,
    /// The API server was asked, and refuses the change.
    Refused,
    /// The object as a whole is to stay as it is.
    Skipped,
}

impl Outcome {
    /// `Changed` or `Kept`, as in outputs for programs and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "Changed",
            Self::Kept(_) => "Kept",
        }
    }

    /// Why it stays.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Changed => None,
            Self::Kept(reason) => Some(reason),
        }
    }
}

impl Reason {
    /// One word, as in outputs for programs and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeftOut => "LeftOut",
            Self::Immutable => "Immutable",
            Self::Allocated => "Allocated",
            Self::Refused => "Refused",
            Self::Skipped => "Skipped",
        }
    }
}

/// For people.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeftOut => "the restored object leaves it out",
            Self::Immutable => "it can't be changed",
            Self::Allocated => "the API server or a controller sets it",
            Self::Refused => "the API server refuses the change",
            Self::Skipped => "the object stays as it is",
        })
    }
}
