//! Which claims are cut, how, and why some are not.
//!
//! - `skip`: the reasons why a claim is not cut
//! - `class`: the snapshot class for a driver
//! - `order`: single snapshots and groups, with their names

mod class;
mod order;
#[cfg(test)]
pub(crate) mod sample;
mod skip;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use class::{Class, ClassProblem, Classes};
pub(crate) use order::snapshot_name;
pub use order::{Bundle, Cut, Cuttable, Cutter, Group, TEMPORARY_GROUP, VOLUME_GROUP};
pub use skip::{Limits, SkipReason, judge};

/// What came of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum CutOutcome {
    /// Under way.
    Pending,
    /// Taken.
    Taken,
    /// The driver refused, or took longer than the limit; nothing is left of it.
    Failed,
    /// Not begun, since a pre hook failed or the unit was cancelled.
    NotBegun,
}

/// What a cut can be trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Consistency {
    /// All pods of the unit were frozen when it was taken.
    ApplicationConsistent,
    /// Like the disk of a machine that lost power: no hooks, or they didn't hold until it was taken.
    CrashConsistent,
}
