//! The rules of a restore: applied by the webhook as they were when it began, and nothing gets in without them.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels::{INTERCEPT, MODIFIED};
use clusterbackup_api::restore::{RestorePhase, RestoreStatus};
use clusterbackup_api::{Restore, RestoreInterception};
use clusterbackup_tests::steps::{api_of, create, holds};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually, leader, webhook};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::interrupted::{big, mapped, target};
use crate::leader::stage::{Ground, LIMIT};
use crate::load::marking;
use crate::published_samples::samples;
use crate::runner::scenarios;

scenarios! {
    Own: [
        the_published_samples_are_applied_by_restores,
        rules_that_are_edited_meanwhile_reach_no_running_restore,
        without_the_webhook_a_restore_waits_and_nothing_gets_in_unchanged,
        a_leader_that_dies_and_a_restore_that_goes_leave_no_rules_behind,
        what_can_not_be_applied_is_refused_before_anything_is_created,
    ],
}

/// So many that a restore takes a while.
const MANY: usize = 600;

/// A ground where restores have a webhook.
struct Site {
    ground: Ground,
    webhook: Webhook,
}

impl Site {
    async fn set_up(cluster: Cluster) -> Result<Self> {
        let webhook = Webhook::install(&cluster, &[]).await?;
        let ground = Ground::set_up(cluster).await?;
        ground.vault("vault").await?;
        Ok(Self { ground, webhook })
    }

    async fn replica(&self) -> Result<Replica> {
        self.webhook.start(ReplicaOptions::default()).await
    }

    /// Writes rules into a ConfigMap beside the restores.
    async fn rules(&self, name: &str, text: &str) -> Result<()> {
        let rules = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "rules.yaml": text },
        });
        let config_maps = self.ground.home.api::<ConfigMap>();
        let rules = Patch::Apply(rules);
        config_maps
            .patch(name, &PatchParams::apply("test").force(), &rules)
            .await?;
        Ok(())
    }

    /// Asks for a restore by rules into a namespace of its own.
    async fn restore(&self, name: &str, point: &str) -> Result<()> {
        let mut spec = mapped(&self.ground, name);
        spec["resourceModifierReference"] = json!({ "name": "rules" });
        self.ground.restore(name, point, spec).await
    }

    /// The ConfigMaps of the shop that a restore has created.
    async fn created(&self, name: &str) -> Result<Vec<ConfigMap>> {
        let namespace = target(&self.ground, name);
        let settings = Api::<ConfigMap>::namespaced(self.ground.cluster.admin(), &namespace);
        let mut objects = settings.list(&ListParams::default()).await?.items;
        objects.retain(|object| object.name_any().starts_with("settings-"));
        Ok(objects)
    }

    /// Waits until nothing is left of the rules of any restore.
    async fn nothing_is_left(&self) -> Result<()> {
        let admin = self.ground.cluster.admin();
        let interceptions = Api::<RestoreInterception>::all(admin.clone());
        let config_maps = Api::<ConfigMap>::namespaced(admin, webhook::NAMESPACE);
        eventually("the frozen rules are gone", LIMIT, || async {
            let all = ListParams::default();
            let interceptions = interceptions.list(&all).await?.items;
            let mut texts = config_maps.list(&all).await?.items;
            texts.retain(|object| object.name_any().starts_with("restore-"));
            ensure!(
                interceptions.is_empty() && texts.is_empty(),
                "{interceptions:#?} {texts:#?}"
            );
            Ok(())
        })
        .await
    }
}

/// Whether every object has what the rules `marking(value)` write, the mark that says so, and no label of the way in.
fn are_marked(objects: &[ConfigMap], value: &str) -> Result<()> {
    for object in objects {
        let first = object.data.as_ref().and_then(|data| data.get("first"));
        let is_marked = object.annotations().contains_key(MODIFIED);
        let has_label = object.labels().contains_key(INTERCEPT);
        ensure!(
            first.is_some_and(|first| first == value) && is_marked && !has_label,
            "{object:#?}"
        );
    }
    Ok(())
}

async fn the_published_samples_are_applied_by_restores(cluster: Cluster) -> Result<()> {
    let site = Site::set_up(cluster).await?;
    let _replica = site.replica().await?;
    let (ground, admin) = (&site.ground, site.ground.cluster.admin());
    let _leader = ground.leaders.start().await?;
    let namespaces = Api::<Namespace>::all(admin.clone());
    for name in ["bar", "foo", "nginx"] {
        let namespace = json!({ "metadata": { "name": name } });
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(namespace)?)
            .await?;
    }
    for sample in samples() {
        eventually("the object is admitted", LIMIT, || async {
            Ok(create(&admin, Some(sample.namespace), &sample.object).await?)
        })
        .await?;
    }
    let instance = json!({
        "vault": "vault", "snapshotVolumes": false, "includedNamespaces": ["bar", "foo", "nginx", "default"],
    });
    ground.instance("nightly", instance).await?;
    let point = ground.taken("nightly").await?;
    for sample in samples() {
        site.rules("rules", sample.rules).await?;
        let target = target(ground, sample.name);
        let kind = clusterbackup_tests::steps::kind_of(&sample.object)?;
        let object_name = sample.object["metadata"]["name"]
            .as_str()
            .context("no name")?
            .to_owned();
        let spec = json!({
            "objects": [{ "groupResource": kind.as_str(), "namespace": sample.namespace, "name": object_name }],
            "namespaceMappings": { sample.namespace: target },
            "resourceModifierReference": { "name": "rules" },
        });
        ground.restore(sample.name, &point, spec).await?;
        ground.restored(sample.name, RestorePhase::Completed).await?;
        let stored = api_of(&admin, &sample.object, Some(&target))?
            .get(&object_name)
            .await?;
        let stored = serde_json::to_value(stored)?;
        holds(&stored, &sample.stored).with_context(|| sample.name.to_owned())?;
        ensure!(
            stored["metadata"]["annotations"][MODIFIED].is_string(),
            "{stored:#}"
        );
        ensure!(stored["metadata"]["labels"][INTERCEPT].is_null(), "{stored:#}");
    }
    site.nothing_is_left().await
}

async fn rules_that_are_edited_meanwhile_reach_no_running_restore(cluster: Cluster) -> Result<()> {
    let site = Site::set_up(cluster).await?;
    let _replicas = [site.replica().await?, site.replica().await?];
    let ground = &site.ground;
    let _leader = ground.leaders.start().await?;
    let point = big(ground, MANY).await?;
    site.rules("rules", &marking("a")).await?;
    site.restore("friday", &point).await?;
    let creates = |status: &RestoreStatus| status.counts.created > 0;
    ground.restore_sees("friday", "creates objects", creates).await?;
    site.rules("rules", &marking("b")).await?;
    let status = ground.restored("friday", RestorePhase::Completed).await?;
    ensure!(status.counts.created >= MANY as u64, "{status:#?}");
    are_marked(&site.created("friday").await?, "a")?;

    // The next one begins with what they are by then; what is there is compared with what they make of it.
    site.restore("saturday", &point).await?;
    ground.restored("saturday", RestorePhase::Completed).await?;
    are_marked(&site.created("saturday").await?, "b")?;
    let mut again = mapped(ground, "saturday");
    again["resourceModifierReference"] = json!({ "name": "rules" });
    ground.restore("again", &point, again).await?;
    let status = ground.restored("again", RestorePhase::Completed).await?;
    ensure!(
        status.counts.skipped == 0 && status.counts.unchanged >= MANY as u64,
        "{status:#?}"
    );
    site.nothing_is_left().await
}

async fn without_the_webhook_a_restore_waits_and_nothing_gets_in_unchanged(cluster: Cluster) -> Result<()> {
    let site = Site::set_up(cluster).await?;
    let replica = site.replica().await?;
    let ground = &site.ground;
    let _leader = ground.leaders.start().await?;
    let point = big(ground, MANY).await?;
    site.rules("rules", &marking("a")).await?;
    site.restore("friday", &point).await?;
    ground
        .restore_sees("friday", "creates objects", |status| status.counts.created > 0)
        .await?;
    replica.kill().await?;
    let says = |status: &RestoreStatus, text: &str| {
        status
            .message
            .as_ref()
            .is_some_and(|message| message.contains(text))
    };
    ground
        .restore_sees("friday", "says what it waits for", |status| {
            says(status, "the webhook, which applies the rules, doesn't answer")
                || says(status, "replica of the webhook")
        })
        .await?;
    let there = site.created("friday").await?;
    ensure!(there.len() < MANY, "it was too fast for us: {}", there.len());
    are_marked(&there, "a")?;
    // One that begins now waits before it creates anything.
    site.restore("late", &point).await?;
    ground
        .restore_sees("late", "says what it waits for", |status| {
            says(status, "replica of the webhook") && status.phase == Some(RestorePhase::Planning)
        })
        .await?;

    let _replica = site.replica().await?;
    for name in ["friday", "late"] {
        let status = ground.restored(name, RestorePhase::Completed).await?;
        ensure!(status.counts.created >= MANY as u64, "{status:#?}");
        are_marked(&site.created(name).await?, "a")?;
    }
    site.nothing_is_left().await
}

async fn a_leader_that_dies_and_a_restore_that_goes_leave_no_rules_behind(cluster: Cluster) -> Result<()> {
    let site = Site::set_up(cluster).await?;
    let _replica = site.replica().await?;
    let ground = &site.ground;
    let doomed = ground.leaders.start().await?;
    leader::leads(&doomed).await?;
    let point = big(ground, MANY).await?;
    site.rules("rules", &marking("a")).await?;
    for name in ["friday", "gone"] {
        site.restore(name, &point).await?;
        ground
            .restore_sees(name, "creates objects", |status| status.counts.created > 0)
            .await?;
    }
    doomed.kill().await?;
    site.rules("rules", &marking("b")).await?;
    let restores: Api<Restore> = ground.restores();
    restores.delete("gone", &DeleteParams::default()).await?;
    let _leader = ground.leaders.start().await?;
    ground.restored("friday", RestorePhase::Completed).await?;
    are_marked(&site.created("friday").await?, "a")?;

    // And one that is deleted while its leader lives.
    site.restore("saturday", &point).await?;
    ground
        .restore_sees("saturday", "creates objects", |status| status.counts.created > 0)
        .await?;
    restores.delete("saturday", &DeleteParams::default()).await?;
    site.nothing_is_left().await
}

async fn what_can_not_be_applied_is_refused_before_anything_is_created(cluster: Cluster) -> Result<()> {
    let site = Site::set_up(cluster).await?;
    let _replica = site.replica().await?;
    let ground = &site.ground;
    let _leader = ground.leaders.start().await?;
    let point = big(ground, 1).await?;
    let refuses = async |name: &str, reasons: &[&str]| {
        site.restore(name, &point).await?;
        let status = ground.restored(name, RestorePhase::Failed).await?;
        let message = status.message.clone().unwrap_or_default();
        ensure!(status.counts.created == 0, "{status:#?}");
        ensure!(reasons.iter().all(|reason| message.contains(reason)), "{message}");
        anyhow::Ok(())
    };
    let source = format!("ConfigMap {}/rules", ground.home.name());
    refuses("missing", &[&format!("{source} does not exist")]).await?;
    site.rules(
        "rules",
        "version: v1\nresourceModifierRules:\n- conditions: {groupResource: '('}\n",
    )
    .await?;
    refuses("wrong", &[&source, "line 3, column"]).await?;
    let (rules, two): (_, Value) = (ground.home.api::<ConfigMap>(), json!({ "data": { "more": "" } }));
    rules
        .patch("rules", &PatchParams::default(), &Patch::Merge(two))
        .await?;
    refuses("two", &[&source, "it has 2 data keys"]).await?;
    site.nothing_is_left().await
}
