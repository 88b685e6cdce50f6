//! Hooks and instances: what the API server takes of them, and whose rights count.
//!
//! - `kinds`: their schemas
//! - `requester`: who wrote them

pub(crate) mod kinds;
pub(crate) mod requester;
