//! Updates of objects that exist already, as a restore sends them: which of them reach the webhook, and what becomes of
//! the object in the cluster.
//!
//! - `sending`: updates, and what is answered

pub(crate) mod door;
mod sending;
