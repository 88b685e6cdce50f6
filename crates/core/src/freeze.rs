//! Which applications are frozen together, on which nodes, and what each node does.
//!
//! - `unit`: freeze units, their parts, and whether their time-outs fit
//! - `plan`: from pods and claims to units
//! - `task`: the units' parts, put into tasks of bounded size
//! - `barrier`: when the nodes of a unit may go on
//! - `thaw`: when an undo is due, and how often it is tried

pub mod barrier;
mod plan;
mod task;
pub mod thaw;
mod unit;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use plan::{PlannedPod, Units, units};
pub use task::{MAX_STEPS, Task, TaskUnit, tasks};
pub use unit::{Limits, Part, PodCommands, TooLong, Unit, check};

/// Steps of a unit with a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Step {
    /// Freeze, then wait.
    Freeze,
    /// Cut, then wait.
    Cut,
    /// Undo.
    Thaw,
}

/// How far a unit is; each phase comes after the ones above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum UnitPhase {
    /// Pre hooks run.
    Freezing,
    /// All of them are done; with a barrier: waits for the leader.
    Frozen,
    /// The cuts are under way.
    Cutting,
    /// All of them are taken; with a barrier: waits for the leader.
    Cut,
    /// The undo runs.
    Thawing,
    /// Every undo is done, or there was nothing to undo.
    Thawed,
}
