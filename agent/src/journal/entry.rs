//! What an entry of the journal says: enough to undo a freeze with nothing but the node at hand.

use std::time::Duration;

use clusterbackup_api::node_task::{PodOrder, RunReference, Thaw};
use clusterbackup_core::duration::Span;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// Beyond what an owner is allowed before somebody else steps in.
const GRACE: Duration = Duration::from_secs(1);

/// One pod's freeze, written before its first pre hook and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The NodeTask.
    pub task: String,
    /// Its uid.
    pub task_uid: String,
    /// The backup.
    pub backup: RunReference,
    /// The freeze unit.
    pub unit: String,
    /// The pod with its commands.
    pub pod: PodOrder,
    /// The node's boot in which it is frozen.
    pub boot: String,
    /// When its first pre hook was about to begin, on that boot's clock.
    pub frozen_at_millis: u64,
    /// How long it may be frozen.
    pub max_freeze: Span,
}

/// What is added below an entry while it is open; one line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Note {
    /// Its owner has begun to undo.
    Undoing {
        /// When, on the clock of the owner's boot.
        at_millis: u64,
    },
    /// Somebody other than who froze it has undone it.
    Thawed(Outcome),
}

/// How a freeze ended that another process than the one that began it has undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// How it ended, and by whom.
    pub thaw: Thaw,
    /// How long it was frozen; unknown after a reboot.
    pub frozen_millis: Option<u64>,
}

impl Entry {
    /// How long the pod has been frozen; none when the node has booted since.
    pub fn frozen_for(&self, clock: &Clock) -> Option<Duration> {
        let frozen_at = Duration::from_millis(self.frozen_at_millis);
        (self.boot == clock.boot()).then(|| clock.uptime().saturating_sub(frozen_at))
    }

    /// Whether an owner who is alive should have undone it by now: it may hang.
    ///
    /// Once the owner has begun to undo, it has the time that one try of each command may take.
    pub fn is_late(&self, undoing: Option<Duration>, clock: &Clock) -> bool {
        let Some(frozen_for) = self.frozen_for(clock) else {
            // Whoever holds it has taken it over after the boot, and undoes it.
            return false;
        };
        match undoing {
            None => frozen_for >= self.max_freeze.duration() + GRACE,
            Some(began) => clock.uptime().saturating_sub(began) >= self.one_try() + GRACE,
        }
    }

    fn one_try(&self) -> Duration {
        self.pod
            .post
            .iter()
            .map(|command| command.timeout.duration())
            .sum()
    }
}

/// What the lines of a file say: the entry, and when its owner began to undo.
pub(super) fn read(text: &str) -> Result<(Entry, Vec<Note>), serde_json::Error> {
    let mut lines = text.lines();
    let entry = serde_json::from_str(lines.next().unwrap_or_default())?;
    // A note that is cut off says nothing; the entry above it was on the disk before anything was frozen.
    let notes = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok((entry, notes))
}

/// One line of a file.
pub(super) fn line(part: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(part)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::journal) fn entry(uid: &str) -> Entry {
        serde_json::from_value(serde_json::json!({
            "task": "task", "taskUid": "1",
            "backup": { "namespace": "shop", "name": "nightly", "uid": "2" },
            "unit": "a", "boot": "this", "frozenAtMillis": 10_000, "maxFreeze": "60s",
            "pod": { "namespace": "shop", "name": "db-0", "uid": uid, "post": [
                { "hook": "h", "container": "db", "command": ["thaw"], "onError": "Fail", "timeout": "30s" },
            ] },
        }))
        .unwrap()
    }

    #[test]
    fn an_owner_is_late_after_max_freeze_or_after_one_try_to_undo() {
        let seconds = Duration::from_secs;
        for (boot, uptime, undoing, late) in [
            ("this", seconds(70), None, false),
            ("this", seconds(71), None, true),
            ("this", seconds(90), Some(seconds(70)), false),
            ("this", seconds(101), Some(seconds(70)), true),
            ("other", seconds(500), None, false),
        ] {
            let clock = Clock::new(boot, move || uptime);
            assert_eq!(
                entry("u").is_late(undoing, &clock),
                late,
                "{boot} {uptime:?} {undoing:?}"
            );
        }
    }

    #[test]
    fn a_boot_makes_the_frozen_time_unknown() {
        let clock = Clock::new("other", || Duration::from_secs(500));
        assert_eq!(entry("u").frozen_for(&clock), None);
        let clock = Clock::new("this", || Duration::from_secs(12));
        assert_eq!(entry("u").frozen_for(&clock), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_note_that_is_cut_off_leaves_the_entry_readable() {
        let mut text = line(&entry("u")).unwrap();
        text.extend(line(&Note::Undoing { at_millis: 1 }).unwrap());
        text.extend(b"{\"thawed\":{\"th");
        let (read, notes) = super::read(&String::from_utf8(text).unwrap()).unwrap();
        assert_eq!(read, entry("u"));
        assert_eq!(notes, [Note::Undoing { at_millis: 1 }]);
    }
}
