//! What runs on every node, and what leads it.

pub mod runtime;
