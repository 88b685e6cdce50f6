//! A frozen application is thawed, whatever dies: a node's agent as a process, commands in real processes, real
//! snapshots. Every drill ends with the application itself saying that it thawed, and when.

pub(crate) mod deaths;
pub(crate) mod epochs;
pub(crate) mod happy;
pub(crate) mod hooks;
pub(crate) mod journal;
pub(crate) mod outages;
pub(crate) mod undo;
