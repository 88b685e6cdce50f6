//! The snapshots of a group's members, which its controller makes under names of its own.

use std::time::Duration;

use clusterbackup_api::node_task::{CutOrder, FreezeUnit};
use clusterbackup_api::snapshots::VolumeSnapshot;
use futures::future::join_all;
use kube::Api;
use kube::api::ListParams;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::status;
use super::work::Work;

/// Members come when the group is ready, which nobody who is frozen waits for.
const LIMIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(250);

/// Reports each group's members by claim. Where they don't come in time, the group's name stays in the report.
pub(super) async fn find(work: &Work, unit: &FreezeUnit) {
    let groups = unit.cuts.iter().filter(|order| order.group_labels.is_some());
    join_all(groups.map(|order| async move {
        if timeout(LIMIT, all(work, unit, order)).await.is_err() {
            warn!(group = order.snapshot, "the group's members did not come in time");
        }
    }))
    .await;
}

async fn all(work: &Work, unit: &FreezeUnit, order: &CutOrder) {
    let api = Api::<VolumeSnapshot>::namespaced(work.client.clone(), &order.namespace);
    loop {
        let snapshots = api.list(&ListParams::default()).await.map(|list| list.items);
        let members: Vec<(String, String)> = snapshots
            .unwrap_or_default()
            .into_iter()
            .filter_map(|snapshot| member(snapshot, &order.snapshot))
            .collect();
        let complete = order
            .claims
            .iter()
            .all(|claim| members.iter().any(|(of, _)| of == claim));
        if complete {
            work.reporter.note(|status| {
                for (claim, snapshot) in members {
                    if let Some(cut) = status::cut(status, &unit.name, &order.namespace, &claim) {
                        cut.snapshot = Some(snapshot);
                    }
                }
            });
            return;
        }
        sleep(LOOK).await;
    }
}

/// Claim and name of a member of the group.
fn member(snapshot: VolumeSnapshot, group: &str) -> Option<(String, String)> {
    let owners = snapshot.metadata.owner_references.unwrap_or_default();
    owners
        .iter()
        .any(|owner| owner.kind == "VolumeGroupSnapshot" && owner.name == group)
        .then_some(())?;
    Some((
        snapshot.spec.source.persistent_volume_claim_name?,
        snapshot.metadata.name?,
    ))
}
