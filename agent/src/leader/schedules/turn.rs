//! What is to be done about one instance now: decided from what is known of it, and nothing is asked or changed.

use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::{Backup, BackupInstance};
use clusterbackup_core::schedule::{Due, Ended, Jitter, Schedule, superfluous};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde::Serialize;

/// What an instance goes by.
#[derive(Debug)]
pub(super) enum Course {
    /// Nothing: its backups are made by people.
    Free,
    /// A policy that isn't there, or that can't be followed. What was noted of it holds when it can again.
    Unknown,
    /// The schedule of its policy.
    Follows(Schedule),
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Turn {
    /// A backup is to be made for this slot; so many before it have none.
    pub(super) start: Option<(Timestamp, usize)>,
    /// What is noted of it then.
    pub(super) note: Note,
    /// Old backups by schedule that go.
    pub(super) superfluous: Vec<String>,
    /// When something is due again; else when something changes.
    pub(super) wake: Option<Timestamp>,
}

/// What schedules note in the status of an instance. What is absent is taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    schedule: Option<String>,
    scheduled_since: Option<Time>,
    last_scheduled: Option<Time>,
    next_backup: Option<Time>,
    last_successful: Option<Time>,
}

impl Note {
    /// As it stands in the status.
    pub(super) fn of(instance: &BackupInstance) -> Self {
        let status = instance.status.clone().unwrap_or_default();
        Self {
            schedule: status.schedule,
            scheduled_since: status.scheduled_since,
            last_scheduled: status.last_scheduled,
            next_backup: status.next_backup,
            last_successful: status.last_successful,
        }
    }
}

impl Turn {
    /// What is to be done about an instance with these backups.
    pub(super) fn of(
        instance: &BackupInstance,
        course: &Course,
        backups: &[&Backup],
        now: Timestamp,
    ) -> Self {
        let noted = Note::of(instance);
        let mut turn = Self {
            start: None,
            note: Note {
                next_backup: None,
                last_successful: last_successful(backups).max(noted.last_successful.clone()),
                ..noted.clone()
            },
            superfluous: superfluous(backups.iter().filter_map(|backup| ended(backup))),
            wake: None,
        };
        match course {
            Course::Free => {
                turn.note.schedule = None;
                turn.note.scheduled_since = None;
                turn.note.last_scheduled = None;
            }
            Course::Unknown => {}
            Course::Follows(schedule) => {
                let runs = backups.iter().any(|backup| !backup.is_over());
                turn.follow(schedule, &noted, runs, jitter(instance), now);
            }
        }
        turn
    }

    fn follow(&mut self, schedule: &Schedule, noted: &Note, runs: bool, jitter: Jitter, now: Timestamp) {
        let earlier = noted.schedule.as_deref().zip(noted.last_scheduled.as_ref());
        let mut settled = schedule.settled(earlier.map(|(text, slot)| (text, slot.0)), now);
        let began = settled;
        let mut due = schedule.due(settled, runs, jitter, now);
        if let Due::Start { slot, missed } = due {
            self.start = Some((slot, missed));
            settled = slot;
            due = schedule.due(settled, true, jitter, now);
        }
        if let Due::Wait(until) = due {
            self.wake = Some(until);
        }
        let known = noted.schedule.as_ref() == Some(&schedule.to_string());
        let since = noted.scheduled_since.clone().filter(|_| known);
        self.note.scheduled_since = since.or(Some(Time(began)));
        self.note.schedule = Some(schedule.to_string());
        self.note.last_scheduled = Some(Time(settled));
        self.note.next_backup = self.wake.map(Time);
    }
}

/// When an instance starts after its slots.
fn jitter(instance: &BackupInstance) -> Jitter {
    Jitter::of(&instance.uid().unwrap_or_default())
}

fn last_successful(backups: &[&Backup]) -> Option<Time> {
    let complete = backups
        .iter()
        .filter(|backup| backup.phase() == Some(BackupPhase::Completed));
    let ends = complete.filter_map(|backup| backup.status.as_ref()?.finished_at.as_ref());
    let last = ends.map(|end| end.0.as_second()).max()?;
    Timestamp::from_second(last).ok().map(Time)
}

/// A backup that was made by schedule and has ended.
fn ended(backup: &Backup) -> Option<Ended<String>> {
    let slot = backup.slot()?;
    backup.is_over().then(|| Ended {
        backup: backup.name_any(),
        slot,
        complete: backup.phase() == Some(BackupPhase::Completed),
    })
}

#[cfg(test)]
mod tests;
