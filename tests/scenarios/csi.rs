//! The fixture for volumes keeps its promises: real claims and snapshots by a driver that conforms to CSI, whose cuts
//! are what tests are told they are.

pub(crate) mod conformance;
pub(crate) mod consistency;
pub(crate) mod cuts;
pub(crate) mod deletion;
pub(crate) mod drills;
pub(crate) mod groups;
mod steps;
