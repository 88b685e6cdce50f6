//! Backups as a leader drives them: candidates and agents as processes under the shipped rights, commands in real
//! processes, real snapshots.

pub(crate) mod admission;
pub(crate) mod backups;
pub(crate) mod barriers;
pub(crate) mod catalogue;
pub(crate) mod changes;
pub(crate) mod deaths;
pub(crate) mod expired;
pub(crate) mod hooks;
pub(crate) mod readiness;
pub(crate) mod requesters;
pub(crate) mod restores;
pub(crate) mod retention;
pub(crate) mod schedules;
pub(crate) mod shared;
mod stage;
pub(crate) mod tiers;
pub(crate) mod troubles;
pub(crate) mod uninstalled;
pub(crate) mod vault;
pub(crate) mod watched;
