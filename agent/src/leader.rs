//! The leader: of several candidates the one that holds the Lease. It plans backups, tells the nodes what to do, adds
//! their reports up, keeps what they have cut, and removes what is not to be kept.
//!
//! | module | concern |
//! |---|---|
//! | [`run`] | the process: its flags, the election, the work of a term |
//! | `fleet` | objects that are driven, each by one task |
//! | `backups`, `drive` | which backups are driven; one of them, from where it stands to its end |
//! | `restores` | which restores are driven, and each of them |
//! | `subject`, `terms`, `rights`, `plan` | what a backup is of, whether those who want it may, and what it has to do |
//! | `instances` | whether backups could run |
//! | `policies`, `schedules` | whether policies can be followed, and the backups that they ask for |
//! | `limits` | how many backups people may ask for |
//! | `shown` | all objects of a kind, as a watch shows them |
//! | `rounds` | objects that are looked at now and then, of whatever kind |
//! | `tasks`, `record` | NodeTasks and what is driven, as this leader may write them |
//! | `barrier`, `silence` | what nodes may do next, and how long they are waited for |
//! | `reach` | what a requester may read |
//! | `objects`, `point`, `firsts`, `point_failure` | what is stored of a cluster, and the recovery point that it goes into |
//! | `mirror`, `catalogue` | what shows points in the cluster, and keeps to what their vaults have |
//! | `vault`, `vaults` | where points lie, and whether that can be used |
//! | `configuration` | what the system is set up with, written into vaults |
//! | `verification` | whether points are still as they were written |
//! | `own_cuts` | claims that no running pod mounts |
//! | `retain`, `discard`, `contents`, `groups` | what becomes of snapshots, and of the labels of groups |
//! | `report`, `conditions`, `news`, `events`, `metrics`, `survey` | what people and machines are told |

mod backups;
mod barrier;
mod catalogue;
mod conditions;
mod configuration;
mod contents;
mod discard;
mod drive;
mod error;
mod events;
mod firsts;
mod fleet;
mod groups;
mod instances;
mod limits;
mod listed;
mod metrics;
mod mirror;
mod news;
mod objects;
mod own_cuts;
mod plan;
mod point;
mod point_failure;
mod policies;
mod reach;
mod record;
mod report;
mod restores;
mod retain;
mod rights;
mod rounds;
pub mod run;
#[cfg(test)]
mod sample;
mod schedules;
mod shown;
mod silence;
mod subject;
mod survey;
mod tasks;
mod terms;
mod vault;
mod vaults;
mod verification;
mod world;
