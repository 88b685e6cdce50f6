//! Backups as a leader drives them: candidates as processes under the shipped rights, real snapshots.

pub(crate) mod backups;
mod stage;
