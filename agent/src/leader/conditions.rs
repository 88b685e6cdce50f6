//! The conditions of Backups and Restores: whether one ended and how, and whether every application runs freely.

use clusterbackup_api::Backup;
use clusterbackup_api::backup::{BackupPhase, BackupStatus};
use clusterbackup_api::restore::RestoreReadiness;
use clusterbackup_api::{conditions, schema};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::subject::Obstacle;

/// Whether it could be planned; there only where it could not.
const PLANNED: &str = "Planned";
/// Whether it ended, and how.
const COMPLETE: &str = "Complete";
/// Whether every application that was frozen runs freely.
const THAWED: &str = "Thawed";

/// Whether what a restore created runs; there only where that was waited for.
const READY: &str = "Ready";

/// Whether applications run freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freedom {
    /// All of them, or nothing was frozen.
    All,
    /// Something is frozen, as it should be, or waits for its undo.
    NotYet,
    /// An agent that froze something doesn't report.
    Unknown,
}

/// Writes both into the status, by its phase and message.
pub(super) fn write(status: &mut BackupStatus, freedom: Freedom) {
    let phase = status.phase.unwrap_or(BackupPhase::Planning);
    let message = status.message.clone().unwrap_or_default();
    let complete = complete(phase.is_end(), &format!("{phase:?}"), message);
    let (holds, reason, text) = match freedom {
        Freedom::All => ("True", "RunsFreely", "nothing is frozen"),
        Freedom::NotYet => ("False", "Frozen", "pods are frozen or wait for their undo"),
        Freedom::Unknown => (
            "Unknown",
            "AgentSilent",
            "an agent doesn't report; look at its node",
        ),
    };
    let thawed = condition(THAWED, holds, reason, text.to_owned());
    conditions::merge(&mut status.conditions, complete);
    conditions::merge(&mut status.conditions, thawed);
}

/// Whether a backup or a restore ended, and how.
pub(super) fn complete(ended: bool, phase: &str, message: String) -> Condition {
    condition(COMPLETE, if ended { "True" } else { "False" }, phase, message)
}

/// Whether what a restore created runs.
pub(super) fn ready(readiness: RestoreReadiness) -> Condition {
    let (holds, reason) = if readiness.ready == readiness.awaited {
        ("True", "AllReady")
    } else {
        ("False", "NotReady")
    };
    condition(READY, holds, reason, readiness.to_string())
}

/// Notes that the backup could not be planned, and what was in the way.
pub(super) fn refuse(status: &mut BackupStatus, obstacle: Obstacle, message: &str) {
    let refused = condition(
        PLANNED,
        "False",
        &format!("{obstacle:?}"),
        schema::bounded(message).into_owned(),
    );
    conditions::merge(&mut status.conditions, refused);
}

/// Whether the backup could not be planned because of this.
pub(super) fn is_refused(backup: &Backup, obstacle: Obstacle) -> bool {
    let said = backup.status.iter().flat_map(|status| &status.conditions);
    conditions::find(said, PLANNED).is_some_and(|planned| planned.reason == format!("{obstacle:?}"))
}

/// A condition as of now.
pub(super) fn condition(type_: &str, status: &str, reason: &str, message: String) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: None,
        last_transition_time: Time(Timestamp::now()),
    }
}
