//! What should happen: the rules that change restored objects, and the decisions around them.
//!
//! This crate is pure. It has no clock, no files, no environment, no network and no runtime; the same input
//! always gives the same output. `tests/purity.rs` keeps it so.

mod allowance;
pub mod clash;
pub mod configuration;
pub mod coverage;
pub mod custom_kind;
pub mod cut;
pub mod daily;
pub mod duration;
pub mod freeze;
pub mod glob;
pub mod hook;
pub mod inclusion;
pub mod interception;
pub mod lease;
pub mod modifier;
pub mod object;
pub mod patch;
pub mod pattern;
pub mod quantity;
pub mod report;
pub mod restore;
pub mod retention;
pub mod schedule;
pub mod schema;
pub mod selection;
pub mod selector;
pub mod stray;
pub mod yaml;
pub mod zone;
