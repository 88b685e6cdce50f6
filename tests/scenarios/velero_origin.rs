//! Where an object comes from by the Restore of Velero that restores it.

use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_core::modifier::RuleSetHash;
use clusterbackup_tests::{Cluster, ReplicaOptions, TestNamespace, Webhook, eventually, webhook};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::direct::{Direct, outcome, review};
use crate::gate::Gate;
use crate::runner::{Context, scenarios};
use crate::steps::{
    Intercepted, Plan, api_of, bind, by_velero, command_in, create, foreign_kind, manifest, mark, opted_in,
    refusal,
};

scenarios! {
    Webhook: [
        an_object_comes_from_where_its_restore_has_mapped_it_from,
        the_mappings_of_the_interception_count_for_what_velero_does_not_restore,
        a_restore_with_a_long_name_is_known_by_its_shortened_one,
        of_two_restores_with_one_name_neither_is_chosen,
        a_restore_that_is_not_there_refuses_its_objects_until_it_is,
        restores_that_may_not_be_read_say_the_command_that_makes_them_readable,
        whoever_writes_an_interception_is_told_of_the_right_that_it_will_miss,
        a_restore_under_a_used_name_counts_after_a_moment,
        several_namespaces_mapped_to_one_are_refused_only_where_it_matters,
        a_mapping_that_is_none_is_named,
    ],
    Own: [
        velero_may_be_installed_at_any_time,
        an_api_server_that_hangs_refuses_in_time,
    ],
}

const READER: &str = "clusterbackup-velero-reader";
const LIMIT: Duration = Duration::from_secs(20);
/// What the API server allows a webhook.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Each namespace leaves its name under a key of its own.
const BY_NAMESPACE: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps, namespaces: [shop]}
  patches:
  - {operation: add, path: /data/from-shop, value: x}
- conditions: {groupResource: configmaps, namespaces: [till]}
  patches:
  - {operation: add, path: /data/from-till, value: x}
";

fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "labels": {} },
        "data": { "given": "by Velero" },
    })
}

/// Whether the rules for just these namespaces have held on it.
fn came_from(stored: &Value, originals: &[&str]) -> Result<()> {
    for namespace in ["shop", "till"] {
        let key = format!("from-{namespace}");
        ensure!(
            stored["data"].get(&key).is_some() == originals.contains(&namespace),
            "not from {originals:?}: {stored:#}"
        );
    }
    Ok(())
}

/// A namespace in which Velero keeps Restores, and the webhook may read them.
struct Velero {
    client: Client,
    namespace: TestNamespace,
}

impl Velero {
    async fn new(cluster: &Cluster) -> Result<Self> {
        let velero = Self::unreadable(cluster).await?;
        bind(cluster, READER, velero.name()).await?;
        until_readable(cluster, velero.name()).await?;
        Ok(velero)
    }

    /// One whose Restores the webhook may not read yet.
    async fn unreadable(cluster: &Cluster) -> Result<Self> {
        install_kind(cluster).await?;
        Ok(Self {
            client: cluster.admin(),
            namespace: cluster.namespace("velero").await?,
        })
    }

    fn name(&self) -> &str {
        self.namespace.name()
    }

    /// A Restore with this mapping, new or again.
    async fn write(&self, name: &str, mapping: Value) -> Result<()> {
        let mut restore =
            json!({ "apiVersion": "velero.io/v1", "kind": "Restore", "metadata": { "name": name } });
        restore["spec"] = json!({ "backupName": "nightly", "namespaceMapping": mapping });
        restores(&self.client, self.name())?
            .patch(
                name,
                &PatchParams::apply("velero").force(),
                &Patch::Apply(restore),
            )
            .await?;
        Ok(())
    }
}

fn restores(client: &Client, namespace: &str) -> Result<Api<DynamicObject>> {
    let kind = json!({ "apiVersion": "velero.io/v1", "kind": "Restore" });
    api_of(client, &kind, Some(namespace))
}

/// Velero's kind, as often as scenarios ask for it.
async fn install_kind(cluster: &Cluster) -> Result<()> {
    let kind = foreign_kind("velero.io", "v1", "Restore");
    let definitions = api_of(&cluster.admin(), &kind, None)?;
    eventually("Velero's kind is served", LIMIT, || async {
        definitions
            .patch(
                "restores.velero.io",
                &PatchParams::apply("velero").force(),
                &Patch::Apply(&kind),
            )
            .await?;
        Ok(restores(&cluster.admin(), "default")?
            .list(&ListParams::default())
            .await?)
    })
    .await
    .map(drop)
}

async fn until_readable(cluster: &Cluster, namespace: &str) -> Result<()> {
    let account = cluster.service_account(webhook::NAMESPACE, webhook::NAME).await?;
    eventually("the webhook may read Restores", LIMIT, || async {
        Ok(restores(&account, namespace)?
            .list(&ListParams::default())
            .await?)
    })
    .await
    .map(drop)
}

/// An interception for the Velero restores that begin with its name, looked up in `namespaces`.
async fn in_force(client: Client, name: &str, rules: &str, namespaces: &[&str]) -> Result<Intercepted> {
    let mut plan = Plan::new(name, rules);
    plan.spec = json!({
        "match": { "veleroRestores": [format!("{name}*")] },
        "veleroNamespaces": namespaces,
    });
    plan.in_force(client).await
}

async fn an_object_comes_from_where_its_restore_has_mapped_it_from(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::new(&context.cluster).await?;
    let other = Velero::new(&context.cluster).await?;
    velero
        .write(namespace, json!({ "shop": namespace, "till": "elsewhere" }))
        .await?;
    let unmapped = format!("{namespace}-unmapped");
    velero.write(&unmapped, Value::Null).await?;
    let namespaces = [velero.name(), other.name()];
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &namespaces).await?;
    for (restore, originals) in [(namespace, &["shop"][..]), (&unmapped, &[])] {
        let object = by_velero(config_map(restore), restore);
        let stored = create(&client, Some(namespace), &object).await?;
        came_from(&stored, originals)?;
        ensure!(mark(&stored)?.len() == 1, "{stored:#}");
    }
    Ok(())
}

async fn the_mappings_of_the_interception_count_for_what_velero_does_not_restore(
    context: &Context,
) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::unreadable(&context.cluster).await?;
    let mut plan = Plan::new(namespace, BY_NAMESPACE);
    plan.spec = json!({
        "match": { "interceptLabels": [namespace], "veleroRestores": [namespace] },
        "namespaceMappings": { "till": namespace },
        "veleroNamespaces": [velero.name()],
    });
    let _interception = plan.in_force(client.clone()).await?;
    // Restores may not be read, so that a look at them would show.
    let stored = create(
        &client,
        Some(namespace),
        &opted_in(config_map("by-hand"), namespace),
    )
    .await?;
    came_from(&stored, &["till"])?;
    // Nor is there anything to be looked for where an object has no namespace.
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": namespace, "labels": {} },
    });
    create(&client, None, &by_velero(role, namespace)).await?;

    bind(&context.cluster, READER, velero.name()).await?;
    until_readable(&context.cluster, velero.name()).await?;
    velero.write(namespace, json!({ "shop": namespace })).await?;
    for (name, object) in [
        ("by-velero", by_velero(config_map("by-velero"), namespace)),
        (
            "by-both",
            opted_in(by_velero(config_map("by-both"), namespace), namespace),
        ),
    ] {
        let stored = create(&client, Some(namespace), &object).await?;
        came_from(&stored, &["shop"]).context(name)?;
    }
    Ok(())
}

async fn a_restore_with_a_long_name_is_known_by_its_shortened_one(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::new(&context.cluster).await?;
    // As Velero's label package does it: the beginning of the name, and of its digest.
    let long = format!("{namespace}-{}", "a-very-long-name-of-a-restore-".repeat(3));
    let long = long.trim_end_matches('-');
    let digest = RuleSetHash::of(long).to_string();
    let shortened = format!("{}{}", &long[..57], &digest[..6]);
    let just_fits = format!("{}0123ef", &long[..57]);
    velero.write(long, json!({ "shop": namespace })).await?;
    velero.write(&just_fits, json!({ "till": namespace })).await?;
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &[velero.name()]).await?;
    for (name, restore, original) in [("shortened", &shortened, "shop"), ("whole", &just_fits, "till")] {
        let object = by_velero(config_map(name), restore);
        let stored = create(&client, Some(namespace), &object).await.context(name)?;
        came_from(&stored, &[original]).context(name)?;
    }
    let other = format!("{}fedcba", &long[..57]);
    let message = refusal(create(&client, Some(namespace), &by_velero(config_map("other"), &other)).await)?;
    ensure!(message.contains("no Restore of Velero"), "{message}");
    Ok(())
}

async fn of_two_restores_with_one_name_neither_is_chosen(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = [
        Velero::new(&context.cluster).await?,
        Velero::new(&context.cluster).await?,
    ];
    for velero in &velero {
        velero.write(namespace, json!({ "shop": namespace })).await?;
    }
    let namespaces = [velero[0].name(), velero[1].name()];
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &namespaces).await?;
    let object = by_velero(config_map("settings"), namespace);
    let message = refusal(create(&client, Some(namespace), &object).await)?;
    let candidates = namespaces.map(|velero| format!("{velero}/{namespace}"));
    for part in [
        "several Restores",
        "spec.veleroNamespaces",
        &candidates[0],
        &candidates[1],
    ] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    // A namespace that is listed twice is one.
    let twice = format!("{namespace}-twice");
    velero[0].write(&twice, json!({ "shop": namespace })).await?;
    let _interception = in_force(client.clone(), &twice, BY_NAMESPACE, &[namespaces[0]; 2]).await?;
    let object = by_velero(config_map("twice"), &twice);
    came_from(&create(&client, Some(namespace), &object).await?, &["shop"])
}

async fn a_restore_that_is_not_there_refuses_its_objects_until_it_is(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::new(&context.cluster).await?;
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &[velero.name()]).await?;
    let object = by_velero(config_map("settings"), namespace);
    let message = refusal(create(&client, Some(namespace), &object).await)?;
    let label = format!("velero.io/restore-name={namespace}");
    for part in [
        "no Restore of Velero",
        &label,
        velero.name(),
        "spec.veleroNamespaces",
    ] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    velero.write(namespace, json!({ "shop": namespace })).await?;
    let stored = create(&client, Some(namespace), &object).await?;
    came_from(&stored, &["shop"])
}

async fn restores_that_may_not_be_read_say_the_command_that_makes_them_readable(
    context: &Context,
) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::unreadable(&context.cluster).await?;
    velero.write(namespace, json!({ "shop": namespace })).await?;
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &[velero.name()]).await?;
    let object = by_velero(config_map("settings"), namespace);
    let message = refusal(create(&client, Some(namespace), &object).await)?;
    context.cluster.kubectl(&command_in(&message)?).await?.success()?;
    let stored = eventually("the Restore is read", LIMIT, || async {
        Ok(create(&client, Some(namespace), &object).await?)
    })
    .await?;
    came_from(&stored, &["shop"])
}

async fn whoever_writes_an_interception_is_told_of_the_right_that_it_will_miss(
    context: &Context,
) -> Result<()> {
    let velero = Velero::unreadable(&context.cluster).await?;
    let written = manifest(&json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "RestoreInterception",
        "metadata": { "name": context.namespace.name() },
        "spec": {
            "veleroNamespaces": [velero.name()],
            "resourceModifierReference": { "name": "rules", "namespace": webhook::NAMESPACE },
        },
    }))?;
    let warnings = async || {
        let arguments = [
            OsStr::new("create"),
            "--dry-run=server".as_ref(),
            "-f".as_ref(),
            written.path().as_ref(),
        ];
        let output = context.cluster.kubectl(&arguments).await?;
        let warnings = output.stderr.clone();
        output.success().map(|_| warnings)
    };
    let told = warnings().await?;
    let command = told.lines().find(|line| line.starts_with("Warning: kubectl "));
    let command = command_in(command.with_context(|| told.clone())?)?;
    context.cluster.kubectl(&command).await?.success()?;
    until_readable(&context.cluster, velero.name()).await?;
    let told = warnings().await?;
    ensure!(told.is_empty(), "{told}");
    Ok(())
}

async fn a_restore_under_a_used_name_counts_after_a_moment(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::new(&context.cluster).await?;
    velero.write(namespace, json!({ "shop": namespace })).await?;
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &[velero.name()]).await?;
    let object = |name| by_velero(config_map(name), namespace);
    let stored = create(&client, Some(namespace), &object("first")).await?;
    came_from(&stored, &["shop"])?;
    velero
        .write(namespace, json!({ "shop": "elsewhere", "till": namespace }))
        .await?;
    eventually("the new mapping counts", Duration::from_secs(5), || async {
        let dry_run = kube::api::PostParams {
            dry_run: true,
            ..Default::default()
        };
        let object = serde_json::from_value(object("second"))?;
        let stored = api_of(&client, &config_map(""), Some(namespace))?
            .create(&dry_run, &object)
            .await?;
        came_from(&stored.data, &["till"])
    })
    .await
}

async fn several_namespaces_mapped_to_one_are_refused_only_where_it_matters(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::new(&context.cluster).await?;
    velero
        .write(namespace, json!({ "shop": namespace, "till": namespace }))
        .await?;
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &[velero.name()]).await?;
    let message = refusal(
        create(
            &client,
            Some(namespace),
            &by_velero(config_map("settings"), namespace),
        )
        .await,
    )?;
    ensure!(message.contains("shop, till"), "{message}");
    let secret =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "plain", "labels": {} } });
    create(&client, Some(namespace), &by_velero(secret, namespace)).await?;
    Ok(())
}

async fn a_mapping_that_is_none_is_named(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    let velero = Velero::new(&context.cluster).await?;
    velero.write(namespace, json!(["shop"])).await?;
    let _interception = in_force(client.clone(), namespace, BY_NAMESPACE, &[velero.name()]).await?;
    let object = by_velero(config_map("settings"), namespace);
    let message = refusal(create(&client, Some(namespace), &object).await)?;
    let restore = format!("{}/{namespace}", velero.name());
    for part in ["spec.namespaceMapping", &restore] {
        ensure!(message.contains(part), "no {part:?} in: {message}");
    }
    Ok(())
}

async fn velero_may_be_installed_at_any_time(cluster: Cluster) -> Result<()> {
    let client = cluster.admin();
    let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
    let replica = webhook.start(ReplicaOptions::default()).await?;
    let namespace = cluster.namespace("velero").await?;
    bind(&cluster, READER, namespace.name()).await?;
    let _interception = in_force(client.clone(), "shop", BY_NAMESPACE, &[namespace.name()]).await?;
    let object = |name| by_velero(config_map(name), "shop");
    let message = eventually("the binding is in force", LIMIT, || async {
        let message = refusal(create(&client, Some("default"), &object("first")).await)?;
        ensure!(!message.contains("kubectl"), "{message}");
        Ok(message)
    })
    .await?;
    ensure!(message.contains("no Restore of Velero"), "{message}");
    let shortened = by_velero(config_map("long"), &format!("shop{}", "0".repeat(59)));
    let message = refusal(create(&client, Some("default"), &shortened).await)?;
    ensure!(message.contains("no Restore of Velero"), "{message}");

    install_kind(&cluster).await?;
    let velero = Velero {
        client: client.clone(),
        namespace,
    };
    velero.write("shop", json!({ "shop": "default" })).await?;
    for name in ["second", "third"] {
        let stored = create(&client, Some("default"), &object(name)).await?;
        came_from(&stored, &["shop"])?;
    }
    let counts = replica.counts().await?;
    let lookups = |outcome| {
        counts.get(&format!(
            "clusterbackup_velero_lookups_total{{outcome=\"{outcome}\"}}"
        ))
    };
    ensure!(
        lookups("missing") == 2 && lookups("found") + lookups("recent") == 2 && lookups("found") >= 1,
        "{counts:?}"
    );
    Ok(())
}

async fn an_api_server_that_hangs_refuses_in_time(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
    let gate = Gate::before(&cluster).await?;
    let replica = webhook.start(gate.replica(&[])).await?;
    let velero = Velero::new(&cluster).await?;
    velero.write("shop", json!({ "shop": "default" })).await?;
    let _interception = in_force(cluster.admin(), "shop", BY_NAMESPACE, &[velero.name()]).await?;
    let authority = webhook.ca_bundle().await?;
    let mut asked = review("slow", "default", "none");
    asked["request"]["object"]["metadata"]["labels"] = json!({ labels::VELERO_RESTORE: "shop" });
    gate.bar();
    let direct = Direct::to(&replica, &authority).await?;
    let answer = direct.post("/intercept", asked.to_string()).await?;
    let response = answer.response()?;
    ensure!(
        response["allowed"] == false && response["status"]["code"] == 503 && answer.took < TIMEOUT,
        "{answer:?}"
    );
    let message = response["status"]["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("within 3 s") && message.contains("try again"),
        "{message}"
    );
    gate.unbar();
    let answer = direct.post("/intercept", asked.to_string()).await?;
    let (allowed, operations) = outcome(&answer.response()?)?;
    ensure!(allowed && operations.contains("/data/from-shop"), "{answer:?}");
    Ok(())
}
