//! How well the instances are protected, from what is known of them.

use clusterbackup_api::{Backup, BackupInstance};
use clusterbackup_core::daily::is_near;
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::turn::Course;
use crate::leader::limits;
use crate::leader::metrics::{Protection, Summary};

/// Adds up what is known of instances.
#[derive(Debug)]
pub(super) struct Survey {
    now: Timestamp,
    summary: Summary,
}

impl Survey {
    /// Of now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            summary: Summary::default(),
        }
    }

    /// Adds an instance; `limit`: how many backups on demand its vault allows within a day.
    pub(super) fn add(
        &mut self,
        instance: &BackupInstance,
        course: &Course,
        limit: Option<u32>,
        backups: &[&Backup],
    ) {
        let status = instance.status.clone().unwrap_or_default();
        let last = status.last_successful.map(|last| last.0);
        let since = status.scheduled_since.map(|since| since.0);
        self.summary.instances.push(match course {
            Course::Free => Protection::OnDemand,
            Course::Unknown => Protection::Unfollowed,
            Course::Follows(schedule) => {
                if let Some(last) = last {
                    let age = self.now.duration_since(last).as_secs();
                    self.summary.oldest = self.summary.oldest.max(age);
                }
                let begin = last.max(since);
                let late = begin.is_some_and(|begin| schedule.is_late(begin, self.now));
                match (last, late) {
                    (Some(_), false) => Protection::Protected,
                    (Some(_), true) => Protection::Late,
                    (None, false) => Protection::Waiting,
                    (None, true) => Protection::Never,
                }
            }
        });
        let name = instance.name_any();
        let asked = backups
            .iter()
            .filter_map(|backup| limits::asked_for(backup, &name));
        if limit.is_some_and(|limit| is_near(limit, asked, self.now)) {
            self.summary.near_limit += 1;
        }
    }

    /// The sums.
    pub(super) fn end(self) -> Summary {
        self.summary
    }
}
