//! Velero itself, to compare ourselves with: its rule engine, and its server with a place for backups.

mod rule_engine;
mod server;
mod storage;

pub use rule_engine::{Answer, Case, RuleEngine};
pub use server::{Outcome, Velero};
