//! The steps that scenarios are made of: an interception with its rules, objects that opt in, what became of them.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::{RestoreInterception, labels};
use clusterbackup_core::modifier::RuleSetHash;
use clusterbackup_core::object::GroupResource;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ObjectMeta, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::runtime::Handle;

use crate::{Cluster, eventually, webhook};

const LIMIT: Duration = Duration::from_secs(20);

/// A `RestoreInterception` and the ConfigMap with its rules; both go when it is dropped.
pub struct Intercepted {
    /// The value of the opt-in label.
    pub name: String,
    /// Where its ConfigMap is; the ConfigMap has the interception's name.
    pub rules_namespace: String,
    client: Client,
}

/// What an interception is made of.
pub struct Plan<'a> {
    /// Its name, and that of its ConfigMap; unique in the cluster.
    pub name: &'a str,
    /// Where the ConfigMap goes.
    pub rules_namespace: &'a str,
    /// The rule text.
    pub rules: &'a str,
    /// What its spec says beside the reference to the rules.
    pub spec: Value,
}

impl<'a> Plan<'a> {
    /// An interception by the administrators, with nothing special about it.
    pub fn new(name: &'a str, rules: &'a str) -> Self {
        Self {
            name,
            rules_namespace: webhook::NAMESPACE,
            rules,
            spec: json!({}),
        }
    }

    /// Creates it, whatever becomes of it.
    pub async fn create(self, client: Client) -> Result<Intercepted> {
        let rules = self.rules.to_owned();
        let intercepted = self.create_without_rules(client).await?;
        intercepted.write_rules(&rules).await?;
        Ok(intercepted)
    }

    /// Creates it without the ConfigMap it refers to.
    pub async fn create_without_rules(self, client: Client) -> Result<Intercepted> {
        let intercepted = Intercepted {
            name: self.name.to_owned(),
            rules_namespace: self.rules_namespace.to_owned(),
            client,
        };
        let mut spec = self.spec;
        spec["resourceModifierReference"] = json!({ "name": self.name, "namespace": self.rules_namespace });
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "RestoreInterception",
            "metadata": { "name": self.name },
            "spec": spec,
        });
        intercepted
            .api()
            .create(&PostParams::default(), &serde_json::from_value(object)?)
            .await
            .context("failed to create the interception")?;
        Ok(intercepted)
    }

    /// Creates it and waits until its rules are in force.
    pub async fn in_force(self, client: Client) -> Result<Intercepted> {
        let rules = self.rules.to_owned();
        let intercepted = self.create(client).await?;
        intercepted.until_in_force(&rules).await?;
        Ok(intercepted)
    }
}

impl Intercepted {
    /// One that was not made by a [`Plan`]; it goes all the same when this is dropped.
    pub fn existing(client: Client, name: &str, rules_namespace: &str) -> Self {
        Self {
            name: name.to_owned(),
            rules_namespace: rules_namespace.to_owned(),
            client,
        }
    }

    /// Creates `object` with the label that opts it in to this interception; what is stored.
    pub async fn restore(&self, namespace: Option<&str>, object: Value) -> kube::Result<Value> {
        create(&self.client, namespace, &opted_in(object, &self.name)).await
    }

    /// The kind's API.
    pub fn api(&self) -> Api<RestoreInterception> {
        Api::all(self.client.clone())
    }

    /// Writes the rules, for the first time or again.
    pub async fn write_rules(&self, rules: &str) -> Result<()> {
        self.write_rules_as(&self.client, rules).await
    }

    /// Has somebody else write them, by the rights of `author`.
    pub async fn write_rules_as(&self, author: &Client, rules: &str) -> Result<()> {
        let config_maps = Api::<ConfigMap>::namespaced(author.clone(), &self.rules_namespace);
        let wanted = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            data: Some([("rules.yaml".to_owned(), rules.to_owned())].into()),
            ..ConfigMap::default()
        };
        match config_maps.get_opt(&self.name).await? {
            Some(_) => {
                config_maps
                    .replace(&self.name, &PostParams::default(), &wanted)
                    .await?
            }
            None => config_maps.create(&PostParams::default(), &wanted).await?,
        };
        Ok(())
    }

    /// Waits until the status says that just these rules are in force.
    pub async fn until_in_force(&self, rules: &str) -> Result<()> {
        let hash = RuleSetHash::of(rules).to_string();
        self.until("Ready", |object| {
            let in_force = object
                .status
                .as_ref()
                .and_then(|status| status.rules_hash.as_ref());
            ensure!(in_force == Some(&hash), "rulesHash is {in_force:?}");
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Waits until the `Ready` condition has this reason and `check` agrees; returns its message.
    pub async fn until(
        &self,
        reason: &str,
        check: impl Fn(&RestoreInterception) -> Result<()>,
    ) -> Result<String> {
        let what = format!("RestoreInterception {} is {reason}", self.name);
        eventually(&what, LIMIT, || async {
            let object = self.api().get(&self.name).await?;
            let conditions = object.status.iter().flat_map(|status| &status.conditions);
            let condition = conditions.last().context("it has no conditions")?;
            ensure!(
                condition.reason == reason,
                "it is {}: {}",
                condition.reason,
                condition.message
            );
            check(&object)?;
            Ok(condition.message.clone())
        })
        .await
    }
}

impl Drop for Intercepted {
    fn drop(&mut self) {
        let config_maps = Api::<ConfigMap>::namespaced(self.client.clone(), &self.rules_namespace);
        let (interceptions, name) = (self.api(), std::mem::take(&mut self.name));
        // Nobody waits for it: no other scenario uses its name.
        Handle::current().spawn(async move {
            interceptions
                .delete(&name, &DeleteParams::default())
                .await
                .map(drop)?;
            config_maps
                .delete(&name, &DeleteParams::default())
                .await
                .map(drop)
        });
    }
}

/// Adds the label that opts `object` in.
pub fn opted_in(mut object: Value, interception: &str) -> Value {
    object["metadata"]["labels"][labels::INTERCEPT] = json!(interception);
    object
}

/// Adds the label that Velero gives to what its Restore `restore` restores.
pub fn by_velero(mut object: Value, restore: &str) -> Value {
    object["metadata"]["labels"][labels::VELERO_RESTORE] = json!(restore);
    object
}

/// Lets the webhook do in `namespace` what a shipped ClusterRole allows.
pub async fn bind(cluster: &Cluster, role: &str, namespace: &str) -> Result<()> {
    let (role_ref, account) = (
        format!("--clusterrole={role}"),
        format!("--serviceaccount={}:{}", webhook::NAMESPACE, webhook::NAME),
    );
    let binding = [
        "create",
        "rolebinding",
        role,
        &role_ref,
        &account,
        "-n",
        namespace,
    ];
    cluster.kubectl(&binding).await?.success().map(drop)
}

/// A kind of somebody else's, as far as it takes to store objects of it.
pub fn foreign_kind(group: &str, version: &str, kind: &str) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": { "kind": kind, "plural": plural, "singular": singular },
            "versions": [{
                "name": version, "served": true, "storage": true, "schema": { "openAPIV3Schema": schema },
            }],
        },
    })
}

/// Has kubectl apply kinds from where its arguments say, and waits until the API server knows them.
pub async fn create_kinds(cluster: &Cluster, arguments: &[&OsStr]) -> Result<()> {
    let apply = ["apply", "--server-side"].map(OsStr::new);
    cluster.kubectl(&[&apply, arguments].concat()).await?.success()?;
    until_established(cluster).await
}

/// Waits until the API server knows every kind that is defined.
pub async fn until_established(cluster: &Cluster) -> Result<()> {
    let wait = [
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ];
    cluster.kubectl(&wait).await?.success().map(drop)
}

/// A `ConfigMap` that opts in to an interception, as a client sends it.
pub fn given(name: &str, interception: &str) -> Value {
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "labels": {} },
        "data": { "given": "by the client" },
    });
    opted_in(object, interception)
}

/// Where objects of `object`'s kind are, in `namespace` or in the cluster. The plural is the kind's regular one.
pub fn api_of(client: &Client, object: &Value, namespace: Option<&str>) -> Result<Api<DynamicObject>> {
    let resource = resource_of(object)?;
    Ok(match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}

/// The kind of `object`, by its plural name and group. The plural is the kind's regular one.
pub fn kind_of(object: &Value) -> Result<GroupResource> {
    let resource = resource_of(object)?;
    Ok(GroupResource::new(&resource.group, &resource.plural))
}

fn resource_of(object: &Value) -> Result<ApiResource> {
    let text = |field: &str| {
        object[field]
            .as_str()
            .with_context(|| format!("the object has no {field}"))
    };
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Ok(ApiResource::from_gvk(&GroupVersionKind::gvk(
        group, version, kind,
    )))
}

/// Creates `object` as it is; what is stored.
pub async fn create(client: &Client, namespace: Option<&str>, object: &Value) -> kube::Result<Value> {
    let api = api_of(client, object, namespace).map_err(|error| kube::Error::Service(error.into()))?;
    let created = api
        .create(
            &PostParams::default(),
            &serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?,
        )
        .await?;
    serde_json::to_value(created).map_err(kube::Error::SerdeError)
}

/// The message with which an attempt was refused.
pub fn refusal<T: std::fmt::Debug>(attempt: kube::Result<T>) -> Result<String> {
    match attempt {
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        Err(error) => Err(error).context("not refused, but broken"),
        Ok(stored) => anyhow::bail!("not refused, but stored: {stored:?}"),
    }
}

/// The arguments of the kubectl command that a message offers.
pub fn command_in(message: &str) -> Result<Vec<&str>> {
    let command = message
        .split_once("kubectl ")
        .and_then(|(_, rest)| rest.split(';').next())
        .with_context(|| format!("no command in: {message}"))?;
    Ok(command.split(' ').collect())
}

/// A cluster-scoped object: a volume on an old file server.
pub fn volume(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadWriteMany"],
            "nfs": { "server": "nfs.old.example", "path": "/exports" },
        },
    })
}

/// Waits until an object is gone.
pub async fn gone<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned,
{
    eventually(&format!("{name} is gone"), LIMIT, || async {
        let found = api.get_opt(name).await?;
        ensure!(found.is_none(), "it is there: {found:?}");
        Ok(())
    })
    .await
}

/// The name of an object, which every stored one has.
pub fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Checks what is at each of the pointers; null is for nothing.
pub fn holds(stored: &Value, wanted: &[(&str, Value)]) -> Result<()> {
    for (pointer, wanted) in wanted {
        let found = stored.pointer(pointer).unwrap_or(&Value::Null);
        ensure!(
            found == wanted,
            "{pointer} is {found}, not {wanted}, of {stored:#}"
        );
    }
    Ok(())
}

/// The rules that hold on a stored object by what its mark says, for each interception that concerned it.
pub fn mark(stored: &Value) -> Result<Vec<(String, Vec<usize>)>> {
    #[derive(serde::Deserialize)]
    struct Entry {
        interception: String,
        rules: Vec<usize>,
    }
    let mark = stored["metadata"]["annotations"][labels::MODIFIED]
        .as_str()
        .with_context(|| format!("it has no mark: {stored:#}"))?;
    let entries: Vec<Entry> = serde_json::from_str(mark).with_context(|| format!("its mark is {mark}"))?;
    Ok(entries
        .into_iter()
        .map(|entry| (entry.interception, entry.rules))
        .collect())
}

/// A file for kubectl.
pub fn manifest(object: &Value) -> Result<NamedTempFile> {
    let file = NamedTempFile::with_suffix(".json")?;
    std::fs::write(file.path(), object.to_string())?;
    Ok(file)
}
