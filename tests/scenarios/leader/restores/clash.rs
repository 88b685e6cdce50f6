//! Restores of objects that exist already and are different: field by field, kind by kind.

mod kinds;
mod meanwhile;
mod replaced;
mod rights;
mod row;
mod turns;

use anyhow::{Result, ensure};
use clusterbackup_api::restore::{Outcome, RestorePhase, RestoreStatus};
use clusterbackup_tests::Cluster;
use clusterbackup_tests::steps::{api_of, name_of};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use self::meanwhile::{
    nothing_is_patched_twice_when_a_leader_dies, what_somebody_writes_meanwhile_is_not_lost,
};
use self::replaced::what_is_named_is_deleted_and_created_anew;
use self::rights::what_the_requester_may_not_change_stays;
use self::turns::a_restore_waits_for_another_one_in_its_way;
use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    Own: [
        what_is_different_gets_what_the_point_says_field_by_field,
        what_is_named_is_deleted_and_created_anew,
        what_the_requester_may_not_change_stays,
        what_somebody_writes_meanwhile_is_not_lost,
        a_restore_waits_for_another_one_in_its_way,
    ],
    OwnRounds: [nothing_is_patched_twice_when_a_leader_dies],
}

/// A ConfigMap of one entry.
fn settings(name: &str, level: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "level": level } })
}

/// Whether something of an object is told.
fn tells(status: &RestoreStatus, name: &str, action: Outcome, part: &str) -> bool {
    let mut problems = status.problems.iter();
    problems.any(|problem| problem.name == name && problem.action == action && problem.message.contains(part))
}

/// Changes an object.
async fn change(ground: &Ground, object: &Value, patch: &Value) -> Result<()> {
    let api = api_of(&ground.cluster.admin(), object, Some(ground.shop.name()))?;
    api.patch(&name_of(object), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// What an object is now.
async fn live(ground: &Ground, object: &Value) -> Result<Value> {
    let api = api_of(&ground.cluster.admin(), object, Some(ground.shop.name()))?;
    Ok(serde_json::to_value(api.get(&name_of(object)).await?)?)
}

async fn what_is_different_gets_what_the_point_says_field_by_field(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let rows = kinds::rows(ground.shop.name());
    for row in &rows {
        row.create(&ground).await?;
    }
    let point = ground.whole_point("nightly").await?;
    for row in &rows {
        row.harm(&ground).await?;
    }
    let spec = json!({ "conflictPolicy": "Patch", "includeClusterScopeResources": true });
    ground.restore("friday", &point, spec.clone()).await?;
    let status = ground
        .restored("friday", RestorePhase::CompletedWithWarnings)
        .await?;
    let mut restored = Vec::new();
    for row in &rows {
        restored.push(row.is_restored(&ground, &status).await?);
    }
    let changed = rows.iter().filter(|row| row.changes()).count();
    ensure!(
        status.counts.patched == u64::try_from(changed)?,
        "{changed} are to be patched: {status:#?}"
    );

    // Nothing is left to do.
    ground.restore("again", &point, spec).await?;
    let status = ground
        .restored("again", RestorePhase::CompletedWithWarnings)
        .await?;
    ensure!(
        status.counts.patched == 0 && status.counts.created == 0,
        "{status:#?}"
    );
    for (row, before) in rows.iter().zip(restored) {
        let after = row.live(&ground).await?;
        ensure!(
            after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"],
            "it was {before:#} and is {after:#}"
        );
    }
    Ok(())
}
