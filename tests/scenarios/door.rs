//! Which requests reach the webhook, counted, and what becomes of them when nobody answers.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::cluster::KubectlOutput;
use clusterbackup_tests::metrics::Counts;
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, TestNamespace, Webhook, eventually};
use k8s_openapi::api::core::v1::{Endpoints, Pod, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::runner::scenarios;
use crate::steps::{Plan, api_of, by_velero, create, holds, manifest, mark, opted_in};

scenarios! {
    Own: [
        only_the_creation_of_an_opted_in_object_makes_a_call,
        what_the_control_plane_copies_a_restore_label_onto_is_left_alone,
        when_nobody_answers_only_opted_in_objects_wait_until_one_command_lets_them_in,
    ],
}

const LIMIT: Duration = Duration::from_secs(30);

/// Below the five seconds that the API server would wait for us.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A cluster in which nobody but the scenario makes the webhook do anything.
pub(crate) struct Quiet {
    replica: Replica,
    pub(crate) namespace: TestNamespace,
    pub(crate) client: Client,
    _webhook: Webhook,
    cluster: Cluster,
}

impl Quiet {
    pub(crate) async fn start(cluster: Cluster) -> Result<Self> {
        let webhook = Webhook::install(&cluster, &["velero-door"]).await?;
        // The door is shut there too, where agents are installed.
        cluster
            .kubectl(&["create", "namespace", clusterbackup_api::namespaces::AGENTS])
            .await?
            .success()?;
        Ok(Self {
            replica: webhook.start(ReplicaOptions::default()).await?,
            namespace: cluster.namespace("door").await?,
            client: cluster.admin(),
            _webhook: webhook,
            cluster,
        })
    }

    /// What the webhook has counted.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        self.replica.counts().await
    }

    /// How many reviews the webhook has answered.
    async fn calls(&self) -> Result<u64> {
        Ok(self.counts().await?.total("clusterbackup_reviews_total"))
    }

    /// Checks how many calls a request takes; its answer.
    pub(crate) async fn costs<T, E: Into<anyhow::Error>>(
        &self,
        calls: u64,
        what: &str,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T> {
        let before = self.calls().await?;
        let answer = request
            .await
            .map_err(Into::into)
            .with_context(|| what.to_owned())?;
        let made = self.calls().await? - before;
        ensure!(made == calls, "{what} makes {made} calls, not {calls}");
        Ok(answer)
    }
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: '**'}
  mergePatches:
  - patchData: '{\"metadata\": {\"labels\": {\"restored\": \"true\"}}}'
";

const RESTORED: &str = "/metadata/labels/restored";

fn config_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

async fn only_the_creation_of_an_opted_in_object_makes_a_call(cluster: Cluster) -> Result<()> {
    let quiet = Quiet::start(cluster).await?;
    let namespace = Some(quiet.namespace.name());
    let mut plan = Plan::new("chosen", RULES);
    plan.spec = json!({ "match": { "interceptLabels": ["chosen"], "veleroRestores": ["nightly-*"] } });
    let _in_force = plan.in_force(quiet.client.clone()).await?;

    creations(&quiet, namespace).await?;
    closed_doors(&quiet, namespace).await?;

    let object = opted_in(config_map("later"), "chosen");
    quiet
        .costs(1, "a create", create(&quiet.client, namespace, &object))
        .await?;
    let api = api_of(&quiet.client, &object, namespace)?;
    for (what, change) in [
        ("an update", json!({ "data": { "key": "value" } })),
        (
            "an update that changes the label",
            json!({ "metadata": { "labels": { labels::INTERCEPT: "unheard-of" } } }),
        ),
        (
            "an update that drops the label",
            json!({ "metadata": { "labels": { labels::INTERCEPT: null } } }),
        ),
        (
            "an update that adds the label",
            json!({ "metadata": { "labels": { labels::INTERCEPT: "chosen" } } }),
        ),
        (
            "an update that takes the rule's change back",
            json!({ "metadata": { "labels": { "restored": null } } }),
        ),
    ] {
        let parameters = PatchParams::default();
        let change = Patch::Merge(change);
        let update = api.patch("later", &parameters, &change);
        quiet.costs(0, what, update).await?;
    }
    let parameters = DeleteParams::default();
    let deletion = api.delete("later", &parameters);
    quiet.costs(0, "a deletion", deletion).await.map(drop)
}

/// How many calls the creation of each object takes, and whether rules act on it.
async fn creations(quiet: &Quiet, namespace: Option<&str>) -> Result<()> {
    for (what, object, calls, changed) in [
        ("an object without a label", config_map("plain"), 0, false),
        (
            "an opted-in object",
            opted_in(config_map("opted-in"), "chosen"),
            1,
            true,
        ),
        (
            "an object of a matched Velero restore",
            by_velero(config_map("nightly"), "nightly-2"),
            1,
            true,
        ),
        (
            "an object of any other Velero restore",
            by_velero(config_map("weekly"), "weekly-2"),
            1,
            false,
        ),
        (
            "an object with both labels",
            by_velero(opted_in(config_map("both"), "chosen"), "nightly-2"),
            1,
            true,
        ),
    ] {
        let stored = quiet
            .costs(calls, what, create(&quiet.client, namespace, &object))
            .await?;
        let label = if changed { json!("true") } else { Value::Null };
        holds(&stored, &[(RESTORED, label)]).context(what)?;
        ensure!(mark(&stored).is_ok() == changed, "{what}: {stored:#}");
    }
    Ok(())
}

/// Where even an object that opts in to what doesn't exist goes by.
async fn closed_doors(quiet: &Quiet, namespace: Option<&str>) -> Result<()> {
    for closed in clusterbackup_api::namespaces::EXCLUDED {
        let object = opted_in(by_velero(config_map("by"), "nightly-2"), "unheard-of");
        let what = format!("an object in {closed}");
        let stored = quiet
            .costs(0, &what, create(&quiet.client, Some(closed), &object))
            .await?;
        ensure!(mark(&stored).is_err(), "{what}: {stored:#}");
    }
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": "by" },
    });
    let object = opted_in(lease, "unheard-of");
    quiet
        .costs(0, "a lease", create(&quiet.client, namespace, &object))
        .await
        .map(drop)
}

/// The last rule would show on what the control plane makes.
const SERVICE_RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: services}
  patches:
  - {operation: replace, path: /spec/ports/0/targetPort, value: '9090'}
  - {operation: add, path: /metadata/labels/restored, value: 'true'}
- conditions: {groupResource: '{endpoints,endpointslices.discovery.k8s.io}'}
  mergePatches:
  - patchData: '{\"metadata\": {\"annotations\": {\"touched\": \"by a rule\"}}}'
";

async fn what_the_control_plane_copies_a_restore_label_onto_is_left_alone(cluster: Cluster) -> Result<()> {
    let quiet = Quiet::start(cluster).await?;
    let namespace = quiet.namespace.name();
    let mut plan = Plan::new("chosen", SERVICE_RULES);
    plan.spec = json!({ "match": { "interceptLabels": ["chosen"], "veleroRestores": ["nightly-*"] } });
    let _in_force = plan.in_force(quiet.client.clone()).await?;
    node(&quiet).await?;
    running_pod(&quiet, "one", "10.1.0.1").await?;

    let service = |name: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
        })
    };
    let services = [
        (
            opted_in(service("by-hand"), "chosen"),
            "by-hand",
            labels::INTERCEPT,
        ),
        (
            by_velero(service("by-velero"), "nightly-2"),
            "by-velero",
            labels::VELERO_RESTORE,
        ),
    ];
    for (object, name, _) in &services {
        let creation = create(&quiet.client, Some(namespace), object);
        let stored = quiet.costs(1, name, creation).await?;
        holds(
            &stored,
            &[
                ("/spec/ports/0/targetPort", json!(9090)),
                (RESTORED, json!("true")),
            ],
        )?;
    }

    let before = quiet.calls().await?;
    for (_, name, label) in &services {
        until_led_to(&quiet, name, label, &["10.1.0.1"]).await?;
    }
    running_pod(&quiet, "two", "10.1.0.2").await?;
    for (_, name, label) in &services {
        until_led_to(&quiet, name, label, &["10.1.0.1", "10.1.0.2"]).await?;
    }
    let made = quiet.calls().await? - before;
    ensure!(made == 0, "the control plane made {made} calls");
    Ok(())
}

/// A node that is there, so that pods on it count; nothing runs on it.
async fn node(quiet: &Quiet) -> Result<()> {
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "worker" } });
    create(&quiet.client, None, &node).await?;
    let accounts = quiet.namespace.api::<ServiceAccount>();
    eventually("pods have an account", LIMIT, || async {
        Ok(accounts.get("default").await?)
    })
    .await
    .map(drop)
}

/// A pod as it looks when a kubelet has started it.
async fn running_pod(quiet: &Quiet, name: &str, address: &str) -> Result<()> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": "web" } },
        "spec": { "nodeName": "worker", "containers": [{ "name": "web", "image": "web:1" }] },
    });
    create(&quiet.client, Some(quiet.namespace.name()), &pod).await?;
    let status = json!({ "status": {
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": "True" }],
        "podIP": address,
        "podIPs": [{ "ip": address }],
    } });
    quiet
        .namespace
        .api::<Pod>()
        .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(())
}

/// Waits until the Service leads to just these addresses by its changed port, under the label that it was restored
/// with, in objects that no rule has touched.
async fn until_led_to(quiet: &Quiet, service: &str, label: &str, addresses: &[&str]) -> Result<()> {
    let slices = quiet.namespace.api::<EndpointSlice>();
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let endpoints = quiet.namespace.api::<Endpoints>();
    let what = format!("Service {service} leads to {addresses:?}");
    eventually(&what, LIMIT, || async {
        let slices = slices.list(&of_service).await?.items;
        let slice = serde_json::to_value(slices.first().context("no EndpointSlice")?)?;
        let endpoints = serde_json::to_value(endpoints.get(service).await?)?;
        let found = |list: &Value, address: &str| -> Vec<String> {
            let entries = list.as_array().into_iter().flatten();
            let mut found: Vec<_> = entries
                .filter_map(|entry| entry.pointer(address)?.as_str().map(str::to_owned))
                .collect();
            found.sort();
            found
        };
        for (object, port, led_to) in [
            (
                &slice,
                &slice["ports"][0]["port"],
                found(&slice["endpoints"], "/addresses/0"),
            ),
            (
                &endpoints,
                &endpoints["subsets"][0]["ports"][0]["port"],
                found(&endpoints["subsets"][0]["addresses"], "/ip"),
            ),
        ] {
            ensure!(led_to == addresses && *port == json!(9090), "{object:#}");
            ensure!(
                !object["metadata"]["labels"][label].is_null(),
                "the label was not copied: {object:#}"
            );
            ensure!(
                mark(object).is_err() && object["metadata"]["annotations"]["touched"].is_null(),
                "a rule touched it: {object:#}"
            );
        }
        Ok(())
    })
    .await
}

async fn when_nobody_answers_only_opted_in_objects_wait_until_one_command_lets_them_in(
    cluster: Cluster,
) -> Result<()> {
    let quiet = Quiet::start(cluster).await?;
    let namespace = quiet.namespace.name();
    let _in_force = Plan::new("chosen", RULES).in_force(quiet.client.clone()).await?;
    let earlier = opted_in(config_map("earlier"), "chosen");
    create(&quiet.client, Some(namespace), &earlier).await?;
    quiet.replica.kill().await?;

    let config_maps = api_of(&quiet.client, &earlier, Some(namespace))?;
    let change = Patch::Merge(json!({ "data": { "key": "value" } }));
    timeout(AT_ONCE, async {
        create(&quiet.client, Some(namespace), &config_map("plain")).await?;
        config_maps
            .patch("earlier", &PatchParams::default(), &change)
            .await
    })
    .await
    .context("who didn't opt in waits for the webhook")??;

    let doors = [
        (
            opted_in(config_map("by-hand"), "chosen"),
            "intercept.clusterbackup.io",
        ),
        (
            by_velero(config_map("by-velero"), "nightly-2"),
            "velero.clusterbackup.io",
        ),
    ];
    for (object, door) in &doors {
        let output = kubectl_create(&quiet, object).await?;
        ensure!(
            output.code != Some(0)
                && output.stderr.contains("failed calling webhook")
                && output.stderr.contains(door),
            "{output:?}"
        );
    }

    let command = way_out()?;
    let (program, arguments) = command.split_once(' ').context("one word")?;
    ensure!(program == "kubectl", "not a command of kubectl: {command}");
    let arguments: Vec<&str> = arguments.split(' ').collect();
    quiet.cluster.kubectl(&arguments).await?.success()?;
    for (object, _) in &doors {
        eventually("the door is gone", LIMIT, || async {
            kubectl_create(&quiet, object).await?.success()
        })
        .await?;
    }
    Ok(())
}

/// As people do it, with no client that tries again by itself.
async fn kubectl_create(quiet: &Quiet, object: &Value) -> Result<KubectlOutput> {
    let file = manifest(object)?;
    let path = file.path().display().to_string();
    quiet
        .cluster
        .kubectl(&["create", "-n", quiet.namespace.name(), "-f", &path])
        .await
}

/// The command that the README gives to somebody who wants to be rid of the webhook.
fn way_out() -> Result<&'static str> {
    include_str!("../../manifests/README.md")
        .split_once("## The webhook is broken, get me out")
        .and_then(|(_, section)| section.split_once("```sh\n"))
        .and_then(|(_, block)| block.split_once("\n```"))
        .map(|(command, _)| command)
        .context("manifests/README.md gives no command")
}
