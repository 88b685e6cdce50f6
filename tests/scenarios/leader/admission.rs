//! What nobody may write: who could do so would have limits not count, or what is promised not kept.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::{Backup, labels};
use clusterbackup_tests::steps::refusal;
use clusterbackup_tests::{Cluster, eventually, leader, webhook};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::stage::{Ground, LIMIT};
use crate::runner::scenarios;

scenarios! {
    Own: [only_the_leader_says_that_a_schedule_made_a_backup],
}

const SLOT: &str = "2026-01-01T01:00:00Z";
const NAME: &str = "shop-202601010100";

async fn only_the_leader_says_that_a_schedule_made_a_backup(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let admins = ground.backups();
    eventually("the policy is in force", LIMIT, || async {
        let tried = admins.create(&PostParams::default(), &by_schedule()?).await;
        if tried.is_ok() {
            admins.delete(NAME, &DeleteParams::default()).await?;
        }
        let message = refusal(tried)?;
        ensure!(message.contains("is the leader's alone"), "{message}");
        Ok(())
    })
    .await?;

    let leader = ground.cluster.service_account(webhook::NAMESPACE, leader::NAME);
    let leaders = Api::<Backup>::namespaced(leader.await?, ground.home.name());
    let made = leaders.create(&PostParams::default(), &by_schedule()?).await?;
    ensure!(made.slot().is_some(), "{made:#?}");
    ground.ask("by-hand", "shop").await?;
    let slot = |slot: Value| json!({ "metadata": { "annotations": { labels::SCHEDULED_FOR: slot } } });
    let label = json!({ "metadata": { "labels": { "seen-by": "admin" } } });
    for (name, patch, admitted) in [
        (NAME, slot(Value::Null), false),
        (NAME, slot("2026-01-01T02:00:00Z".into()), false),
        (NAME, label.clone(), true),
        (NAME, json!({ "spec": { "cancel": true } }), true),
        ("by-hand", slot(SLOT.into()), false),
        ("by-hand", label, true),
    ] {
        let merge = Patch::Merge(&patch);
        let answer = admins.patch(name, &PatchParams::default(), &merge).await;
        if admitted {
            answer.with_context(|| format!("{name}: {patch}"))?;
        } else {
            let message = refusal(answer)?;
            ensure!(
                message.contains("is the leader's alone"),
                "{name}: {patch}: {message}"
            );
        }
    }
    let backups = admins.list(&ListParams::default()).await?;
    let mut names: Vec<_> = backups.iter().map(ResourceExt::name_any).collect();
    names.sort();
    ensure!(names == ["by-hand", NAME], "{names:?}");
    Ok(())
}

fn by_schedule() -> Result<Backup> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "Backup",
        "metadata": { "name": NAME, "annotations": { labels::SCHEDULED_FOR: SLOT } },
        "spec": { "instance": "shop" },
    }))?)
}
