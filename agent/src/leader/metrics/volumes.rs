//! What became of the claims of backups, as labels.

use clusterbackup_api::backup::VolumeReport;
use clusterbackup_api::node_task::Consistency;
use clusterbackup_core::cut::SkipReason;

const SKIPS: [SkipReason; 13] = [
    SkipReason::Excluded,
    SkipReason::ClaimPending,
    SkipReason::VolumeLost,
    SkipReason::VolumeNotFound,
    SkipReason::ClaimDeleted,
    SkipReason::NotCsi,
    SkipReason::NoSnapshotClass,
    SkipReason::AmbiguousSnapshotClass,
    SkipReason::TooLarge,
    SkipReason::SnapshotLimitReached,
    SkipReason::HookFailed,
    SkipReason::AgentSilent,
    SkipReason::Cancelled,
];

/// Outcome and reason of all that may become of one.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let cut = ["application_consistent", "crash_consistent", "failed"];
    let skipped = SKIPS.map(|reason| ("skipped", skip_label(reason)));
    cut.map(|outcome| (outcome, "")).into_iter().chain(skipped)
}

/// Outcome and reason of one.
pub(super) const fn labels(volume: &VolumeReport) -> (&'static str, &'static str) {
    match (volume.skipped, volume.consistency) {
        (Some(reason), _) => ("skipped", skip_label(reason)),
        (None, Some(Consistency::ApplicationConsistent)) => ("application_consistent", ""),
        (None, Some(Consistency::CrashConsistent)) => ("crash_consistent", ""),
        (None, None) => ("failed", ""),
    }
}

const fn skip_label(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Excluded => "excluded",
        SkipReason::ClaimPending => "claim_pending",
        SkipReason::VolumeLost => "volume_lost",
        SkipReason::VolumeNotFound => "volume_not_found",
        SkipReason::ClaimDeleted => "claim_deleted",
        SkipReason::NotCsi => "not_csi",
        SkipReason::NoSnapshotClass => "no_snapshot_class",
        SkipReason::AmbiguousSnapshotClass => "ambiguous_snapshot_class",
        SkipReason::TooLarge => "too_large",
        SkipReason::SnapshotLimitReached => "snapshot_limit_reached",
        SkipReason::HookFailed => "hook_failed",
        SkipReason::AgentSilent => "agent_silent",
        SkipReason::Cancelled => "cancelled",
    }
}
