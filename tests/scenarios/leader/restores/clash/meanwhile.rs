//! Objects that others write while they are restored, and leaders that die.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::restore::RestorePhase;
use clusterbackup_tests::steps::create;
use clusterbackup_tests::{Cluster, leader};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{change, live, settings};
use crate::leader::deaths::fraction;
use crate::leader::restores::interrupted::took;
use crate::leader::stage::Ground;

/// Between two things that somebody writes.
const BETWEEN: Duration = Duration::from_millis(20);
/// So many objects that a restore takes a while.
const MANY: usize = 200;

pub(super) async fn what_somebody_writes_meanwhile_is_not_lost(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let web = settings("web", "info");
    create(&ground.cluster.admin(), Some(ground.shop.name()), &web).await?;
    let point = ground.point("nightly").await?;
    let ended = CancellationToken::new();
    let writer = async {
        let mut number = 0;
        while !ended.is_cancelled() {
            number += 1;
            change(
                &ground,
                &web,
                &json!({ "data": { "number": number.to_string() } }),
            )
            .await?;
            sleep(BETWEEN).await;
        }
        anyhow::Ok(number)
    };
    let restores = async {
        for round in 0..5 {
            change(&ground, &web, &json!({ "data": { "level": "debug" } })).await?;
            let name = format!("restore-{round}");
            let spec = json!({ "conflictPolicy": "Patch", "includedNamespaces": [ground.shop.name()] });
            ground.restore(&name, &point, spec).await?;
            let status = ground.restored(&name, RestorePhase::Completed).await?;
            ensure!(status.counts.patched == 1, "{status:#?}");
            let level = live(&ground, &web).await?["data"]["level"].clone();
            ensure!(level == "info", "it is {level}");
        }
        ended.cancel();
        anyhow::Ok(())
    };
    let (written, ()) = tokio::try_join!(writer, restores)?;
    let found = live(&ground, &web).await?["data"]["number"].clone();
    ensure!(
        found.as_str() == Some(&*written.to_string()),
        "{written} was written, and it is {found}"
    );
    Ok(())
}

pub(super) async fn nothing_is_patched_twice_when_a_leader_dies(
    (cluster, rounds): (Cluster, u32),
) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let mut leader = ground.leaders.start().await?;
    leader::leads(&leader).await?;
    each(async |secret| {
        create(&ground.cluster.admin(), Some(ground.shop.name()), &secret).await?;
        Ok(())
    })
    .await?;
    let point = ground.point("nightly").await?;
    let spec = json!({ "conflictPolicy": "Patch", "includedNamespaces": [ground.shop.name()] });
    let mut whole: Option<Duration> = None;
    for round in 0..=rounds {
        each(async |secret| change(&ground, &secret, &json!({ "stringData": { "level": "debug" } })).await)
            .await?;
        let restore = format!("restore-{round}");
        ground.restore(&restore, &point, spec.clone()).await?;
        // The first one is left alone.
        if let Some(whole) = whole {
            sleep(whole.mul_f64(fraction())).await;
            leader.kill().await?;
            leader = ground.leaders.start().await?;
        }
        let status = ground.restored(&restore, RestorePhase::Completed).await?;
        ensure!(status.counts.patched == u64::try_from(MANY)?, "{status:#?}");
        whole = whole.or(Some(took(&status)?));
    }
    let expected = usize::try_from(rounds)? + 1;
    let patched = patched(&ground.cluster.audit_log()?)?;
    // Of what was on its way when a leader was killed, the end is not noted.
    let lost = 32 * usize::try_from(rounds)?;
    let (most, all) = (patched.values().max(), patched.values().sum::<usize>());
    ensure!(
        most == Some(&expected),
        "{expected} restores, and one object was patched {most:?} times"
    );
    ensure!(
        all + lost >= MANY * expected,
        "{expected} restores, and only {all} patches"
    );
    Ok(())
}

/// Does something with each of many objects, which are Secrets, since of these is noted who did what.
async fn each(work: impl AsyncFn(Value) -> Result<()>) -> Result<()> {
    let secrets = stream::iter(0..MANY).map(|number| {
        work(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("password-{number}") },
            "stringData": { "level": "info" },
        }))
    });
    secrets.buffer_unordered(16).try_collect().await
}

/// How many times restores have changed each Secret.
fn patched(audit: &str) -> Result<BTreeMap<String, usize>> {
    let mut patched = BTreeMap::new();
    for line in audit.lines() {
        let event: Value = serde_json::from_str(line).context("the audit log")?;
        let uri = event["requestURI"].as_str().unwrap_or_default();
        let is_ours = uri.contains("fieldManager=clusterbackup-restore") && !uri.contains("dryRun");
        if event["verb"] == "patch" && is_ours && event["responseStatus"]["code"] == 200 {
            let name = event["objectRef"]["name"].as_str().unwrap_or_default();
            *patched.entry(name.to_owned()).or_default() += 1;
        }
    }
    Ok(patched)
}
