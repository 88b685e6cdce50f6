//! Recovery points on a store.
//!
//! - `store`: where blobs lie, whatever keeps them
//! - `place`: the store that a `BackupVault` names
//! - `location`: the place in a store that is a vault's
//! - `point`: what one recovery point is made of
//! - `catalogue`: which points there are
//! - `copy`: a point in another vault as well
//! - `lifecycle`: what was decided about a point after it was made
//! - `configuration`: what the system was set up with
//! - `restore_report`: what became of each object of a restore
//! - `seal`: parts that only the key's owner reads
//! - `archive`: the backups of Velero and AKS Backup, which are read; and points exported as such

pub mod archive;
pub mod catalogue;
pub mod configuration;
pub mod copy;
pub mod lifecycle;
pub mod location;
pub mod place;
pub mod point;
pub mod restore_report;
pub mod seal;
pub mod store;
