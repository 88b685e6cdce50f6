//! The rules of a restore in the cluster: a ConfigMap that nobody can edit any more, and the RestoreInterception by which the
//! webhook applies it to what the restore creates. They go when the restore ends; what a dead leader left is swept.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use clusterbackup_api::labels::{RESTORE_UID, VELERO_EXCLUDE};
use clusterbackup_api::requester::Requester;
use clusterbackup_api::rule_config_map::only_entry;
use clusterbackup_api::{Restore, RestoreInterception, namespaces};
use clusterbackup_core::interception::{
    ConflictPolicy, CustomResourceStrategy, Interception, Matches, NamespaceMappings, OnModifierError, Scope,
};
use clusterbackup_core::modifier::RuleSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::warn;

use super::rules::Rules;
use super::stand_in::{Place, StandIn};
use crate::leader::error::{Doing as _, DriveError, OrGone as _};
use crate::leader::point_failure::PointFailure;
use crate::leader::world::World;

/// The Service of the webhook.
const WEBHOOK: &str = "clusterbackup-webhook";
/// The only key of the ConfigMap.
const KEY: &str = "rules.yaml";
/// So long the webhook's replicas may take before the restore says that it waits for them, and looks at them anew.
const NOTICED: Duration = Duration::from_secs(15);

/// What the rules are called that a restore has frozen.
fn name(uid: &str) -> String {
    format!("restore-{uid}")
}

/// Freezes the rules of a restore, and waits until the webhook has them.
pub(super) async fn freeze(
    world: &World,
    restore: &Restore,
    requester: &Requester,
    stand_in: &StandIn,
) -> Result<Rules, PointFailure> {
    if restore.spec.resource_modifier_reference.is_none() {
        return Ok(Rules::default());
    }
    let uid = restore.uid().unwrap_or_default();
    let name = name(&uid);
    let frozen = frozen(world, &name).await?;
    let (text, source) = match frozen {
        Some(text) => (text, format!("{}/{name}", world.own)),
        None => wanted(restore, requester, stand_in).await?,
    };
    let rules = parse(restore, &text, &source)?;
    let interception = write(world, restore, requester, &rules).await?;
    write_text(world, &interception, &text).await?;
    until_applied(world, &name, &rules).await?;
    let hash = *rules.hash();
    Ok(Rules::new(
        decided(name, rules, requester),
        hash,
        &requester.username,
    ))
}

/// The text that was frozen before this leader led.
async fn frozen(world: &World, name: &str) -> Result<Option<String>, DriveError> {
    let config_maps = Api::<ConfigMap>::namespaced(world.client.clone(), &world.own);
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = config_maps.list(&named).await;
    let found = found.doing("look for the frozen rules")?.items.into_iter().next();
    Ok(found.and_then(|object| object.data?.remove(KEY)))
}

/// The text that the restore names, and where it is from: read in the name of the requester.
async fn wanted(
    restore: &Restore,
    requester: &Requester,
    stand_in: &StandIn,
) -> Result<(String, String), PointFailure> {
    let Some(reference) = &restore.spec.resource_modifier_reference else {
        return Ok(Default::default());
    };
    let own = restore.namespace().unwrap_or_default();
    let namespace = reference.namespace.as_ref().unwrap_or(&own);
    let source = format!("{namespace}/{}", reference.name);
    let place = Place::named::<ConfigMap>(namespace, &reference.name);
    let found = match stand_in.get(&place).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            return Err(PointFailure::Final(format!(
                "ConfigMap {source} does not exist: correct spec.resourceModifierReference in another Restore"
            )));
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            let username = &requester.username;
            return Err(PointFailure::Final(format!(
                "ConfigMap {source} may not be read by the requester {username}: allow it with: kubectl create role \
                 {name} -n {namespace} --verb=get --resource=configmaps --resource-name={name} and a RoleBinding to it",
                name = reference.name
            )));
        }
        Err(error) => {
            return Err(PointFailure::Passing(format!(
                "failed to read ConfigMap {source}: {error}"
            )));
        }
    };
    let data = found["data"].as_object().into_iter().flatten();
    let text = only_entry(data.map(|(key, text)| (key.as_str(), text)));
    let text =
        text.map_err(|reason| PointFailure::Final(format!("ConfigMap {source} can't be used: {reason}")))?;
    Ok((text.as_str().unwrap_or_default().to_owned(), source))
}

fn parse(restore: &Restore, text: &str, source: &str) -> Result<Arc<RuleSet>, PointFailure> {
    let rules = RuleSet::parse(text).map_err(|problems| {
        PointFailure::Final(format!("ConfigMap {source} holds no valid rules: {problems}"))
    })?;
    let mapped = restore.spec.namespace_mappings.iter();
    let mappings = NamespaceMappings::invert(mapped.map(|(from, to)| (from.as_str(), to.as_str())));
    let unreachable = mappings.unreachable(&rules, &namespaces::EXCLUDED);
    if unreachable.is_empty() {
        return Ok(Arc::new(rules));
    }
    Err(PointFailure::Final(format!(
        "ConfigMap {source} can't be used: {}",
        unreachable.join("; ")
    )))
}

/// Makes the interception, unless it is there.
async fn write(
    world: &World,
    restore: &Restore,
    requester: &Requester,
    rules: &RuleSet,
) -> Result<RestoreInterception, DriveError> {
    let uid = restore.uid().unwrap_or_default();
    let name = name(&uid);
    let wanted = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "RestoreInterception",
        "metadata": metadata(&name, &uid),
        "spec": {
            "match": { "requester": requester.username },
            // After those that stay: what is shown of interceptions is bounded.
            "priority": i32::MAX,
            "resourceModifierReference": {
                "name": name, "namespace": world.own, "sha256": rules.hash().to_string(),
            },
        },
    });
    let interceptions = Api::<RestoreInterception>::all(world.client.clone());
    let made = create(&interceptions, wanted).await?;
    if let Some(made) = made {
        return Ok(made);
    }
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = interceptions.list(&named).await.doing("read the interception")?;
    let found = found.items.into_iter().next();
    let pinned =
        found.filter(|found| found.spec.resource_modifier_reference.sha256 == Some(rules.hash().to_string()));
    if pinned.is_none() {
        // Its leader died before the text was frozen, and somebody has edited it since.
        remove(&world.client, &uid).await?;
    }
    pinned.ok_or_else(|| DriveError::Silent(format!("RestoreInterception {name} is made anew")))
}

/// Makes the ConfigMap, unless it is there. It goes with the interception.
async fn write_text(world: &World, interception: &RestoreInterception, text: &str) -> Result<(), DriveError> {
    let name = interception.name_any();
    let uid = interception
        .labels()
        .get(RESTORE_UID)
        .cloned()
        .unwrap_or_default();
    let mut metadata = metadata(&name, &uid);
    metadata["ownerReferences"] = json!([{
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "RestoreInterception",
        "name": name,
        "uid": interception.uid(),
    }]);
    let wanted = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": true,
        "data": { KEY: text },
    });
    let config_maps = Api::<ConfigMap>::namespaced(world.client.clone(), &world.own);
    create(&config_maps, wanted).await.map(drop)
}

fn metadata(name: &str, uid: &str) -> Value {
    json!({ "name": name, "labels": { RESTORE_UID: uid, VELERO_EXCLUDE: "true" } })
}

/// Makes the object; none if one of its name is there.
async fn create<K>(api: &Api<K>, wanted: Value) -> Result<Option<K>, DriveError>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize,
    K::DynamicType: Default,
{
    let what = format!("make the {} of the restore", K::kind(&K::DynamicType::default()));
    let object = serde_json::from_value(wanted)
        .map_err(kube::Error::SerdeError)
        .doing(&what)?;
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
        made => made.map(Some).doing(&what),
    }
}

/// Waits until every replica of the webhook that is ready says that it has the rules.
async fn until_applied(world: &World, name: &str, rules: &RuleSet) -> Result<(), PointFailure> {
    let replicas = ready_replicas(world).await?;
    let hash = rules.hash().to_string();
    let missing = |object: &RestoreInterception| {
        let reports = object.status.iter().flat_map(|status| &status.replicas);
        let have: BTreeSet<&str> = reports
            .filter(|report| report.rules_hash == hash)
            .map(|report| report.name.as_str())
            .collect();
        let missing: Vec<_> = replicas
            .iter()
            .filter(|replica| !have.contains(replica.as_str()))
            .collect();
        have.is_empty() || !missing.is_empty()
    };
    let interceptions = Api::<RestoreInterception>::all(world.client.clone());
    let noticed = await_condition(interceptions, name, |object: Option<&RestoreInterception>| {
        object.is_some_and(|object| !missing(object))
    });
    match timeout(NOTICED, noticed).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(PointFailure::Passing(format!(
            "RestoreInterception {name} can't be watched: {error}"
        ))),
        Err(_) => Err(PointFailure::Passing(format!(
            "not every ready replica of the webhook ({}) says that it has the rules after {} s: `kubectl describe \
             restoreinterception {name}` says which do",
            if replicas.is_empty() {
                "none is known".to_owned()
            } else {
                Vec::from_iter(replicas).join(", ")
            },
            NOTICED.as_secs()
        ))),
    }
}

/// The pods behind the webhook's Service that get reviews. Where there are none behind it, nobody knows them by name.
async fn ready_replicas(world: &World) -> Result<BTreeSet<String>, DriveError> {
    let slices = Api::<EndpointSlice>::namespaced(world.client.clone(), &world.own);
    let of_it = ListParams::default().labels(&format!("kubernetes.io/service-name={WEBHOOK}"));
    let slices = slices.list(&of_it).await.doing("list the webhook's endpoints")?;
    let endpoints = slices
        .items
        .into_iter()
        .flat_map(|slice| slice.endpoints.unwrap_or_default());
    let ready = endpoints.filter(|endpoint| {
        let ready = endpoint
            .conditions
            .as_ref()
            .and_then(|conditions| conditions.ready);
        ready.unwrap_or(true)
    });
    Ok(ready.filter_map(|endpoint| endpoint.target_ref?.name).collect())
}

/// What reviews decide with, as the leader decides with it.
fn decided(name: String, rules: Arc<RuleSet>, requester: &Requester) -> Interception {
    Interception {
        name,
        priority: i32::MAX,
        matches: Matches {
            requester: Some(requester.username.clone()),
            ..Matches::default()
        },
        // What the rules make of an object is created by who made them: they reach as far as he does.
        scope: Scope::Unlimited,
        on_error: OnModifierError::Deny,
        conflict_policy: ConflictPolicy::Patch,
        custom_resources: CustomResourceStrategy::Refuse,
        mappings: NamespaceMappings::default(),
        velero_namespaces: BTreeSet::new(),
        rules: Ok(rules),
    }
}

/// The same, where nobody waits for it: what stays is swept.
pub(super) async fn release(client: &Client, uid: &str) {
    if let Err(error) = remove(client, uid).await {
        warn!(%error, uid, "removing the frozen rules of a restore");
    }
}

/// Takes the frozen rules of a restore away; the ConfigMap goes with the interception.
async fn remove(client: &Client, uid: &str) -> Result<(), DriveError> {
    let interceptions = Api::<RestoreInterception>::all(client.clone());
    let deleted = interceptions
        .delete(&name(uid), &DeleteParams::background())
        .await;
    deleted.or_gone().doing("remove the frozen rules").map(drop)
}

/// Takes away those of restores that are over or gone.
pub(super) async fn sweep(client: &Client, known: &BTreeSet<&str>) -> Result<(), DriveError> {
    let interceptions = Api::<RestoreInterception>::all(client.clone());
    let ours = ListParams::default().labels(RESTORE_UID);
    let ours = interceptions.list(&ours).await.doing("list frozen rules")?;
    for object in ours {
        match object.labels().get(RESTORE_UID) {
            Some(uid) if !known.contains(uid.as_str()) => remove(client, uid).await?,
            _ => {}
        }
    }
    Ok(())
}
