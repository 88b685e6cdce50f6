//! Events on Backups, vaults, recovery points and snapshots: what a person who runs `kubectl describe` or `kubectl get events`
//! looks for.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tracing::warn;

/// Who reports, in each event.
const CONTROLLER: &str = "clusterbackup-leader";
/// What the API server takes of a note.
const NOTE_LIMIT: usize = 1024;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The nodes are at work.
    Started,
    /// A new leader goes on with it.
    Adopted,
    /// A claim could not be cut.
    CutFailed,
    /// The cuts of a unit on several nodes were not taken at one moment.
    BarrierBroken,
    /// A pod was frozen for longer than allowed.
    FrozenTooLong,
    /// A pod still waits for its undo.
    ThawPending,
    /// The agent of a node doesn't report.
    AgentSilent,
    /// Its objects are in the vault.
    Stored,
    /// They could not be stored yet.
    StoreFailing,
    /// It ended as wished.
    Completed,
    /// It ended, but not all is as it should be.
    CompletedWithWarnings,
    /// Nothing came of it.
    Failed,
    /// It was stopped.
    Cancelled,
    /// A restore hook failed, or could not run.
    HookFailed,
    /// A vault can't be used.
    VaultUnusable,
    /// It can again.
    VaultUsable,
    /// A recovery point is not as it was written.
    PointDamaged,
    /// A vault doesn't list a point any more that nobody has deleted.
    PointLost,
    /// A snapshot was kept for a recovery point, and none names it.
    SnapshotUnnamed,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Adopted => "Adopted",
            Self::CutFailed => "CutFailed",
            Self::BarrierBroken => "BarrierBroken",
            Self::FrozenTooLong => "FrozenTooLong",
            Self::ThawPending => "ThawPending",
            Self::AgentSilent => "AgentSilent",
            Self::Stored => "Stored",
            Self::StoreFailing => "StoreFailing",
            Self::Completed => "Completed",
            Self::CompletedWithWarnings => "CompletedWithWarnings",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::HookFailed => "HookFailed",
            Self::VaultUnusable => "VaultUnusable",
            Self::VaultUsable => "VaultUsable",
            Self::PointDamaged => "PointDamaged",
            Self::PointLost => "PointLost",
            Self::SnapshotUnnamed => "SnapshotUnnamed",
        }
    }

    const fn type_(self) -> EventType {
        match self {
            Self::Started
            | Self::Adopted
            | Self::Stored
            | Self::Completed
            | Self::Cancelled
            | Self::VaultUsable => EventType::Normal,
            Self::CutFailed
            | Self::BarrierBroken
            | Self::FrozenTooLong
            | Self::ThawPending
            | Self::AgentSilent
            | Self::StoreFailing
            | Self::CompletedWithWarnings
            | Self::Failed
            | Self::HookFailed
            | Self::VaultUnusable
            | Self::PointDamaged
            | Self::PointLost
            | Self::SnapshotUnnamed => EventType::Warning,
        }
    }

    /// What was being done, where it is not what the kind's name says.
    const fn action(self) -> Option<&'static str> {
        match self {
            Self::VaultUnusable | Self::VaultUsable => Some("Check"),
            Self::PointDamaged | Self::PointLost => Some("Verify"),
            Self::SnapshotUnnamed => Some("Audit"),
            _ => None,
        }
    }
}

/// Writes events.
#[derive(Clone)]
pub(super) struct Events(Recorder);

impl Events {
    /// Events by the candidate `identity`.
    pub(super) fn new(client: Client, identity: String) -> Self {
        let reporter = Reporter {
            controller: CONTROLLER.to_owned(),
            instance: Some(identity),
        };
        Self(Recorder::new(client, reporter))
    }

    /// Tells of one. An event that can't be written is logged: nothing depends on it.
    pub(super) async fn tell<K>(&self, about: &K, reason: Reason, note: String)
    where
        K: Resource<DynamicType = ()>,
    {
        let event = Event {
            type_: reason.type_(),
            reason: reason.as_str().to_owned(),
            note: Some(note.chars().take(NOTE_LIMIT).collect()),
            action: reason
                .action()
                .map_or_else(|| K::kind(&()).into_owned(), str::to_owned),
            secondary: None,
        };
        let regarding: ObjectReference = about.object_ref(&());
        if let Err(error) = self.0.publish(&event, &regarding).await {
            warn!(%error, reason = reason.as_str(), "writing an event");
        }
    }
}
