//! Hooks and instances: what the API server takes of them, and whose rights count.
//!
//! - `kinds`: their schemas

pub(crate) mod kinds;
