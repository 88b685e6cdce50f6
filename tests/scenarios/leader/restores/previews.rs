//! What previews say, and that restores then do it: the two reports, object by object.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::restore::RestorePhase;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{Certainty, Doubt, ObjectReport, Outcome, Report, ReportLine};
use clusterbackup_tests::memory::Memory;
use clusterbackup_tests::steps::create;
use clusterbackup_tests::{Cluster, Daemon};
use clusterbackup_vault::point::PointId;
use clusterbackup_vault::restore_report::{self, ReportId};
use clusterbackup_vault::store::{FileStore, Store};
use futures::stream::{self, TryStreamExt as _};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::leader::stage::Ground;
use crate::leader::vault::Application;
use crate::runner::scenarios;

scenarios! {
    Own: [
        what_a_preview_calls_certain_is_what_a_restore_does,
        a_preview_calls_nothing_certain_that_depends_on_the_restore_itself,
        what_is_certain_of_thousands_of_objects_is_what_becomes_of_them,
    ],
}

/// So many objects are many.
const MANY: usize = 3000;
/// Objects that are created at a time.
const AT_ONCE: usize = 32;
/// What the leader may take for them.
const MEGABYTES: f64 = 150.0;

/// An application of forty kinds, backed up.
async fn stored(cluster: Cluster) -> Result<(Ground, Application, String, Daemon)> {
    let ground = Ground::set_up(cluster).await?;
    let application = Application::create(&ground).await?;
    ground.vault("vault").await?;
    let leader = ground.leaders.start().await?;
    application.settled(&ground).await?;
    let spec = json!({
        "vault": "vault", "snapshotVolumes": false, "includeSecrets": true, "includeClusterScopeResources": true,
    });
    ground.instance("nightly", spec).await?;
    ground.ask("nightly", "nightly").await?;
    let status = ground.ends("nightly", BackupPhase::Completed).await?;
    let point = status.recovery_point.context("there is no point")?;
    Ok((ground, application, point, leader))
}

/// The report of a restore that has ended.
async fn report(ground: &Ground, name: &str) -> Result<Report> {
    let restore = ground.restores().get(name).await?;
    let status = restore.status.clone().context("it has no status")?;
    let told = status.report.context("it says nothing of its report")?;
    ensure!(told.missing.is_none(), "{told:?}");
    let id = ReportId::new(
        PointId::new(&*restore.spec.recovery_point)?,
        PointId::new(restore.uid().context("it has no uid")?)?,
    );
    let store: Store = Arc::new(FileStore::new(ground.leaders.vaults().join("vault")));
    let mut lines = restore_report::read::<ReportLine>(&store, &id, None).await?;
    let mut report = Report::default();
    while let Some(line) = lines.try_next().await? {
        report.add(line);
    }
    ensure!(report.end == status.phase, "{:?}", report.end);
    let counts = status.counts;
    ensure!(
        report.objects().len() as u64 == counts.total - counts.pending,
        "the report tells of {} objects: {counts:?}",
        report.objects().len()
    );
    Ok(report)
}

/// Previews a restore and carries it out.
async fn both(ground: &Ground, point: &str, mut spec: Value) -> Result<(Report, Report)> {
    spec["mode"] = json!("Preview");
    ground.restore("seen", point, spec.clone()).await?;
    ended(ground, "seen").await?;
    let seen = report(ground, "seen").await?;
    spec["mode"] = json!("Apply");
    ground.restore("done", point, spec).await?;
    ended(ground, "done").await?;
    Ok((seen, report(ground, "done").await?))
}

async fn ended(ground: &Ground, name: &str) -> Result<()> {
    let ends = |phase: Option<RestorePhase>| phase.is_some_and(RestorePhase::is_end);
    let status = ground
        .restore_sees(name, "has ended", |status| ends(status.phase))
        .await?;
    ensure!(status.phase != Some(RestorePhase::Failed), "{status:#?}");
    Ok(())
}

/// Holds what was certain against what was done, and says how much of it was.
fn held(seen: &Report, done: &Report) -> Result<f64> {
    let done: BTreeMap<&ObjectId, &ObjectReport> =
        done.objects().map(|object| (&object.origin, object)).collect();
    ensure!(
        done.len() == seen.objects().len(),
        "{} objects were seen, {} done",
        seen.objects().len(),
        done.len()
    );
    let mut broken = Vec::new();
    let (mut certain, mut all) = (0_u32, 0_u32);
    for object in seen.objects() {
        all += 1;
        let then = done
            .get(&object.origin)
            .context("an object was seen and not done")?;
        ensure!(
            object.certainty.is_some(),
            "nobody says how sure this is: {object:?}"
        );
        if object.certainty == Some(Certainty::Certain) {
            certain += 1;
            if then.outcome != object.outcome {
                broken.push((object, then));
            }
        }
    }
    ensure!(broken.is_empty(), "these were certain, and were not: {broken:#?}");
    Ok(f64::from(certain) / f64::from(all))
}

async fn what_a_preview_calls_certain_is_what_a_restore_does(cluster: Cluster) -> Result<()> {
    let (ground, _application, point, _leader) = stored(cluster).await?;
    let shop = ground.shop.name();
    let kubectl = async |arguments: &[&str]| {
        let arguments = [arguments, &["-n", shop]].concat();
        ground.cluster.kubectl(&arguments).await?.success()
    };
    // Some objects are gone, some are others by now, and something counts what comes.
    let gone = "configmaps,secrets,roles,rolebindings,networkpolicies,poddisruptionbudgets,cronjobs,ingresses,statefulsets";
    kubectl(&["delete", gone, "--all"]).await?;
    kubectl(&["label", "services,deployments,daemonsets", "--all", "changed=yes"]).await?;
    kubectl(&["create", "quota", "counted", "--hard=count/cronjobs.batch=50"]).await?;
    let before = there(&ground).await?;
    let spec = json!({ "includedNamespaces": [shop] });
    ground
        .restore("first", &point, with(&spec, "mode", "Preview"))
        .await?;
    ended(&ground, "first").await?;
    ensure!(
        there(&ground).await? == before,
        "the preview has written something"
    );
    let (seen, done) = both(&ground, &point, spec).await?;
    let certain = held(&seen, &done)?;
    ensure!(
        certain >= 0.9,
        "only {certain:.2} of the objects were certain: {seen:#?}"
    );
    let met = |outcome: Outcome| done.objects().filter(|object| object.outcome == outcome).count();
    ensure!(
        met(Outcome::Created) >= 5 && met(Outcome::Unchanged) >= 5,
        "{done:#?}"
    );
    let counted = seen
        .objects()
        .filter(|object| object.certainty == Some(Certainty::Likely(Doubt::Quota)));
    ensure!(counted.count() > 0, "nobody says that a quota counts cron jobs");
    Ok(())
}

/// What there is in the namespace, each object with its version.
async fn there(ground: &Ground) -> Result<String> {
    let kinds = "configmaps,secrets,roles,rolebindings,networkpolicies,cronjobs,statefulsets,services,deployments,pods";
    let columns = "custom-columns=K:.kind,N:.metadata.name,V:.metadata.generation,L:.metadata.labels,A:.metadata.annotations";
    let arguments = ["get", kinds, "-n", ground.shop.name(), "-o", columns];
    ground.cluster.kubectl(&arguments).await?.success()
}

fn with(spec: &Value, field: &str, value: &str) -> Value {
    let mut spec = spec.clone();
    spec[field] = json!(value);
    spec
}

async fn a_preview_calls_nothing_certain_that_depends_on_the_restore_itself(cluster: Cluster) -> Result<()> {
    let (ground, application, point, _leader) = stored(cluster).await?;
    application.delete(&ground).await?;
    ground
        .restore("gone", &point, json!({ "mode": "Preview" }))
        .await?;
    ended(&ground, "gone").await?;
    doubts(&report(&ground, "gone").await?, Doubt::Namespace)?;
    // Now the namespace is there again, and the definitions are not.
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ground.shop.name() } });
    create(&ground.cluster.admin(), None, &namespace).await?;
    let (seen, done) = both(&ground, &point, json!({})).await?;
    held(&seen, &done)?;
    doubts(&seen, Doubt::Definition)
}

/// Whether the doubt is among those that the preview has.
fn doubts(seen: &Report, wanted: Doubt) -> Result<()> {
    let doubts: Vec<_> = seen
        .objects()
        .filter_map(|object| object.certainty?.doubt())
        .collect();
    ensure!(doubts.contains(&wanted), "{wanted:?} is missing: {doubts:?}");
    Ok(())
}

async fn what_is_certain_of_thousands_of_objects_is_what_becomes_of_them(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
    let target = format!("{shop}-again");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": target } });
    create(&admin, None, &namespace).await?;
    stream::iter((0..MANY).map(Ok))
        .try_for_each_concurrent(AT_ONCE, async |number| {
            create(&admin, Some(shop), &mixed(number, "before")).await?;
            // Some are there already, and of these some are others.
            let is_changed = if number % 2 == 0 { "before" } else { "after" };
            if number % 5 == 0 {
                create(&admin, Some(&target), &mixed(number, is_changed)).await?;
            }
            Ok::<_, kube::Error>(())
        })
        .await?;
    let leader = ground.leaders.start().await?;
    let point = ground.point("nightly").await?;
    let spec = json!({ "includedNamespaces": [shop], "namespaceMappings": { shop: target } });
    let (seen, done) = both(&ground, &point, spec).await?;
    let certain = held(&seen, &done)?;
    ensure!(certain >= 0.9, "only {certain:.2} of the objects were certain");
    for outcome in [Outcome::Created, Outcome::Unchanged, Outcome::Skipped] {
        let met = done.objects().filter(|object| object.outcome == outcome).count();
        ensure!(met >= MANY / 10, "{outcome:?}: {met}");
    }
    let memory = Memory::of(leader.process_id())?;
    ensure!(memory.most < MEGABYTES, "the leader has had {memory:?}");
    ground.delete_namespace(&target).await
}

/// An object of one of several kinds.
fn mixed(number: usize, value: &str) -> Value {
    let name = format!("mixed-{number:05}");
    let metadata = json!({ "name": name, "labels": { "value": value } });
    match number % 4 {
        0 => {
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "value": value } })
        }
        1 => {
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": { "value": value } })
        }
        2 => {
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": { "clusterIP": "None", "ports": [{ "port": 80 }] } })
        }
        _ => json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }],
        }),
    }
}
