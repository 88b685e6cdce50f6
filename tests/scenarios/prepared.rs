//! What a restore makes of objects, by the API server: objects of about forty kinds are read as it gives them, prepared
//! for another namespace, created there, and compared.

pub(crate) mod claims;
mod expected;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_core::restore::{
    Conflicts, Mappings, Prepared, RESTORE, RESTORE_UID, Ready, Restore, Survey, Terms, Volumes, prepare,
};
use clusterbackup_core::yaml;
use clusterbackup_tests::{Cluster, eventually};
use kube::Client;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::runner::scenarios;
use crate::steps::{api_of, create, kind_of};
use expected::{DIFFERENT, LEFT_OUT};

scenarios! {
    Cluster: [objects_of_many_kinds_come_back_as_they_were_but_for_what_a_cluster_gives],
}

/// Its objects, for a namespace SHOP.
const OBJECTS: &str = include_str!("prepared/application.yaml");
/// The controllers look at some things only now and then.
const LIMIT: Duration = Duration::from_mins(1);

/// What is not compared: who restored is asked for by itself, the rest is the API server's.
const OF_THE_SERVER: [&str; 8] = [
    "creationTimestamp",
    "generateName",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "uid",
];

async fn objects_of_many_kinds_come_back_as_they_were_but_for_what_a_cluster_gives(
    cluster: &Cluster,
) -> Result<()> {
    let (shop, copy) = (cluster.namespace("shop").await?, cluster.namespace("copy").await?);
    let (admin, shop, copy) = (cluster.admin(), shop.name(), copy.name());
    let objects = yaml::to_json_documents(&OBJECTS.replace("SHOP", shop))?;
    let (inside, outside): (Vec<_>, Vec<_>) =
        objects.iter().partition(|object| namespace_of(object).is_some());
    for object in outside.iter().chain(&inside) {
        eventually("the object is admitted", LIMIT, || async {
            Ok(create(&admin, namespace_of(object), object).await?)
        })
        .await?;
    }
    let plan = eventually("the controllers have acted", LIMIT, || async {
        let plan = Plan::of(stored(&admin, shop, &inside, &outside).await?, shop, copy)?;
        plan.is_whole()?;
        Ok(plan)
    })
    .await?;
    let mut found = BTreeMap::new();
    for (before, ready) in &plan.ready {
        let after = create_again(&admin, ready, (shop, copy)).await?;
        let different = differences(before, &after)?;
        if !different.is_empty() {
            found.insert(
                (
                    ready.origin.kind.to_string(),
                    ready.origin.name.replace(shop, "SHOP"),
                ),
                different,
            );
        }
    }
    let expected = DIFFERENT.iter().map(|(kind, name, paths)| {
        let paths = paths.iter().map(ToString::to_string).collect();
        ((kind.to_string(), name.to_string()), paths)
    });
    let expected: BTreeMap<_, BTreeSet<String>> = expected.collect();
    ensure!(found == expected, "what differs: {found:#?}");
    remove(&admin, &outside).await
}

fn namespace_of(object: &Value) -> Option<&str> {
    object["metadata"]["namespace"].as_str()
}

/// Every object that there is of the application's kinds in its namespace, and its objects outside.
async fn stored(
    admin: &Client,
    shop: &str,
    inside: &[&Value],
    outside: &[&Value],
) -> Result<Vec<(GroupResource, Value)>> {
    let revision = json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision" });
    let kinds = inside.iter().copied().chain([&revision]);
    let kinds = kinds.map(|object| Ok((kind_of(object)?, object)));
    let kinds: BTreeMap<GroupResource, &Value> = kinds.collect::<Result<_>>()?;
    let mut stored = Vec::new();
    for (kind, sample) in kinds {
        for object in api_of(admin, sample, Some(shop))?
            .list(&ListParams::default())
            .await?
        {
            let mut object = serde_json::to_value(object)?;
            object["apiVersion"] = sample["apiVersion"].clone();
            object["kind"] = sample["kind"].clone();
            stored.push((kind.clone(), object));
        }
    }
    for object in outside {
        let name = object["metadata"]["name"].as_str().context("no name")?;
        let live = api_of(admin, object, None)?.get(name).await?;
        stored.push((kind_of(object)?, serde_json::to_value(live)?));
    }
    Ok(stored)
}

/// What becomes of the objects.
struct Plan {
    /// As they were, and as they are created, in order.
    ready: Vec<(Value, Ready)>,
    /// How many objects of which kind are left out for which reason.
    left_out: BTreeMap<(String, String), usize>,
}

impl Plan {
    fn of(objects: Vec<(GroupResource, Value)>, shop: &str, copy: &str) -> Result<Self> {
        let terms = Terms {
            conflicts: Conflicts::Skip,
            restore: Restore {
                name: "friday".to_owned(),
                uid: "7f1c".to_owned(),
            },
            mappings: Mappings::parse([(shop, copy)]).map_err(|problems| anyhow::anyhow!("{problems:?}"))?,
            volumes: Volumes::Without,
        };
        let mut survey = Survey::default();
        for (kind, object) in &objects {
            let id = ObjectId {
                kind: kind.clone(),
                namespace: namespace_of(object).map(str::to_owned),
                name: object["metadata"]["name"].as_str().context("no name")?.to_owned(),
            };
            survey.choose(id.clone());
            survey.note(&id, object);
        }
        let mut plan = Self {
            ready: Vec::new(),
            left_out: BTreeMap::new(),
        };
        for (kind, object) in objects {
            match prepare(object.clone(), &kind, &terms, &survey) {
                Prepared::Create(ready) => plan.ready.push((object, *ready)),
                Prepared::LeftOut(reason) => {
                    *plan
                        .left_out
                        .entry((kind.to_string(), format!("{reason:?}")))
                        .or_default() += 1;
                }
                Prepared::WithoutData(reason) => bail!("{kind}: {reason}"),
            }
        }
        plan.ready
            .sort_by_key(|(_, ready)| survey.wave(&ready.origin.kind));
        Ok(plan)
    }

    /// Whether everything is there that controllers make of the application.
    fn is_whole(&self) -> Result<()> {
        let expected = LEFT_OUT
            .iter()
            .map(|(kind, reason, count)| ((kind.to_string(), reason.to_string()), *count));
        let expected: BTreeMap<_, _> = expected.collect();
        ensure!(self.left_out == expected, "left out: {:#?}", self.left_out);
        let token = self.ready.iter().find(|(_, ready)| ready.origin.name == "token");
        let (token, _) = token.context("no Secret asks for a token")?;
        ensure!(
            token.pointer("/data/token").is_some(),
            "the Secret has no token yet"
        );
        Ok(())
    }
}

/// Creates an object in the namespace that its own is mapped to; outside of namespaces, where it exists, by another name and
/// for trial.
async fn create_again(admin: &Client, ready: &Ready, (shop, copy): (&str, &str)) -> Result<Value> {
    let mut object = ready.object.clone();
    let namespace = ready.target.namespace.as_deref();
    if namespace.is_none() {
        for path in ["/metadata/name", "/spec/group"] {
            if let Some(Value::String(text)) = object.pointer_mut(path) {
                *text = text.replace(shop, copy);
            }
        }
    }
    let how = PostParams {
        dry_run: namespace.is_none(),
        ..PostParams::default()
    };
    let sent = serde_json::from_value(object.clone())?;
    let created = api_of(admin, &object, namespace)?.create(&how, &sent).await;
    let created = serde_json::to_value(created.with_context(|| format!("{} as {object:#}", ready.origin))?)?;
    let metadata = &created["metadata"];
    ensure!(
        metadata["labels"][RESTORE] == "friday" && metadata["annotations"][RESTORE_UID] == "7f1c",
        "{} doesn't say who restored it",
        ready.origin
    );
    Ok(created)
}

/// The paths at which an object is another one than before, but for what the API server writes and who restored it.
fn differences(before: &Value, after: &Value) -> Result<BTreeSet<String>> {
    let stripped = |object: &Value| -> Result<Value> {
        let mut object = object.clone();
        let members = object.as_object_mut().context("no object")?;
        members.remove("status");
        let metadata = members
            .get_mut("metadata")
            .and_then(Value::as_object_mut)
            .context("no metadata")?;
        metadata.retain(|name, _| !OF_THE_SERVER.contains(&name.as_str()));
        for map in ["labels", "annotations"] {
            if let Some(map) = metadata.get_mut(map).and_then(Value::as_object_mut) {
                map.retain(|name, _| !name.starts_with("clusterbackup.io/"));
            }
            metadata.retain(|name, value| name != map || value.as_object().is_none_or(|map| !map.is_empty()));
        }
        Ok(object)
    };
    let mut found = BTreeSet::new();
    compare(&stripped(before)?, &stripped(after)?, "", &mut found);
    Ok(found)
}

fn compare(before: &Value, after: &Value, path: &str, found: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(left), Value::Object(right)) => {
            for name in left.keys().chain(right.keys()) {
                let [left, right] = [left, right].map(|members| members.get(name).unwrap_or(&Value::Null));
                compare(left, right, &format!("{path}/{name}"), found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(left, right, &format!("{path}/{index}"), found);
            }
        }
        _ if before == after => {}
        _ => drop(found.insert(path.to_owned())),
    }
}

/// Removes what is outside of namespaces.
async fn remove(admin: &Client, outside: &[&Value]) -> Result<()> {
    for object in outside {
        let name = object["metadata"]["name"].as_str().context("no name")?;
        api_of(admin, object, None)?
            .delete(name, &kube::api::DeleteParams::default())
            .await?;
    }
    Ok(())
}
