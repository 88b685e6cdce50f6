//! Hooks, instances and tasks: what the API server takes of them, and whose rights count.
//!
//! - `kinds`: their schemas
//! - `reports`: who may report on tasks
//! - `requester`: who wrote them

pub(crate) mod kinds;
pub(crate) mod reports;
pub(crate) mod requester;
