//! What is installed: that it goes in, does no harm, may do no more than it needs, and goes out again.

pub(crate) mod rights;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::cluster::KubectlOutput;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook, webhook, workspace};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{create, foreign_kind, opted_in, refusal};

scenarios! {
    Webhook: [
        kubectl_explains_every_field,
        pods_are_admitted_under_the_restricted_standard,
    ],
    Own: [
        agents_are_admitted_in_their_namespace_and_the_leader_under_the_restricted_standard,
        installing_again_changes_nothing_and_uninstalling_leaves_nothing_in_the_way,
        installing_again_keeps_the_ca_bundle_and_every_sample_becomes_ready,
        every_component_goes_in,
    ],
}

/// What everything that we ship carries, so that no restore brings an old installation back.
const EXCLUDED: &str = "/metadata/labels/velero.io~1exclude-from-backup";

fn manifests(folder: &str) -> PathBuf {
    workspace::root().join("manifests").join(folder)
}

async fn kustomized(cluster: &Cluster, command: &[&str], folder: &Path) -> Result<KubectlOutput> {
    let mut arguments = command.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    arguments.extend(["-k".as_ref(), folder.as_os_str()]);
    cluster.kubectl(&arguments).await
}

/// The objects of a folder as kubectl puts them together.
async fn objects(cluster: &Cluster, folder: &str) -> Result<Vec<Value>> {
    let command = ["create", "--dry-run=client", "--output=json"];
    let printed = kustomized(cluster, &command, &manifests(folder))
        .await?
        .success()?;
    // One document after the other, or one List.
    let documents: Vec<Value> = serde_json::Deserializer::from_str(&printed)
        .into_iter()
        .collect::<Result<_, _>>()?;
    Ok(documents
        .into_iter()
        .flat_map(|document| match document.get("items") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![document],
        })
        .collect())
}

async fn kubectl_explains_every_field(context: &Context) -> Result<()> {
    let cluster = &context.cluster;
    let told = cluster
        .kubectl(&["explain", "restoreinterception.spec", "--recursive"])
        .await?
        .success()?;
    for field in [
        "allowClusterScoped",
        "allowPrivilegedKinds",
        "interceptLabels",
        "veleroRestores",
        "namespaceMappings",
        "onModifierError",
        "priority",
        "sha256",
        "targetNamespaces",
        "veleroNamespaces",
    ] {
        ensure!(told.contains(field), "{field} is missing: {told}");
    }
    let told = cluster
        .kubectl(&["explain", "ri.spec.onModifierError"])
        .await?
        .success()?;
    ensure!(
        told.contains("ENUM") && told.contains("What happens to an object when one of its rules fails"),
        "{told}"
    );
    Ok(())
}

async fn pods_are_admitted_under_the_restricted_standard(context: &Context) -> Result<()> {
    let client = context.cluster.admin();
    let deployment = Api::<Deployment>::namespaced(client.clone(), webhook::NAMESPACE)
        .get(webhook::NAME)
        .await?;
    let mut pod = pod_of(deployment.spec.context("no spec")?.template);
    is_admitted(&client, webhook::NAMESPACE, &pod).await?;

    for container in pod.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
        container.security_context = None;
    }
    let pods = Api::<Pod>::namespaced(client, webhook::NAMESPACE);
    let message = refusal(pods.create(&DRY_RUN, &pod).await)?;
    ensure!(
        message.contains("violates PodSecurity \"restricted"),
        "the namespace enforces nothing: {message}"
    );
    Ok(())
}

async fn agents_are_admitted_in_their_namespace_and_the_leader_under_the_restricted_standard(
    cluster: Cluster,
) -> Result<()> {
    clusterbackup_tests::manifests::apply(&cluster, "system", &[]).await?;
    let client = cluster.admin();
    let leader = Api::<Deployment>::namespaced(client.clone(), webhook::NAMESPACE)
        .get("clusterbackup-leader")
        .await?;
    let leader = pod_of(leader.spec.context("no spec")?.template);
    is_admitted(&client, webhook::NAMESPACE, &leader).await?;

    let agent = Api::<DaemonSet>::namespaced(client.clone(), AGENTS)
        .get("clusterbackup-agent")
        .await?;
    let agent = pod_of(agent.spec.context("no spec")?.template);
    is_admitted(&client, AGENTS, &agent).await?;
    // It gets along without the one switch that turns everything off.
    for container in agent.spec.iter().flat_map(|spec| &spec.containers) {
        let security = container.security_context.as_ref().context("no context")?;
        ensure!(
            security.privileged.is_none() && security.read_only_root_filesystem == Some(true),
            "{security:?}"
        );
    }
    Ok(())
}

const AGENTS: &str = "clusterbackup-agents";

const DRY_RUN: PostParams = PostParams {
    dry_run: true,
    field_manager: None,
};

/// The pod that a controller would create.
fn pod_of(template: PodTemplateSpec) -> Pod {
    Pod {
        metadata: ObjectMeta {
            name: Some("tried".to_owned()),
            ..template.metadata.unwrap_or_default()
        },
        spec: template.spec,
        ..Pod::default()
    }
}

/// The API server takes it, and Velero would leave it out.
async fn is_admitted(client: &Client, namespace: &str, pod: &Pod) -> Result<()> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let admitted = pods.create(&DRY_RUN, pod).await?;
    ensure!(
        serde_json::to_value(&admitted)?.pointer(EXCLUDED) == Some(&json!("true")),
        "Velero would back the pod up: {:?}",
        admitted.metadata.labels
    );
    Ok(())
}

async fn installing_again_changes_nothing_and_uninstalling_leaves_nothing_in_the_way(
    cluster: Cluster,
) -> Result<()> {
    let folder = manifests("system");
    kustomized(&cluster, &["apply"], &folder).await?.success()?;
    kustomized(&cluster, &["apply"], &folder).await?.success()?;
    // kubectl says "configured" of a PodDisruptionBudget whatever it is sent; the difference is what counts.
    kustomized(&cluster, &["diff"], &folder)
        .await?
        .success()
        .context("the second install left something to be done")?;
    let shipped = objects(&cluster, "system").await?;
    for object in &shipped {
        ensure!(
            object.pointer(EXCLUDED) == Some(&json!("true")),
            "Velero would back it up: {object:#}"
        );
    }
    for kind in [
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Deployment",
        "DaemonSet",
        "CustomResourceDefinition",
    ] {
        ensure!(
            shipped.iter().any(|object| object["kind"] == kind),
            "there is no {kind}"
        );
    }

    // Nobody answers, which stops those who opted in and nobody else.
    let object =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "tried", "labels": {} } });
    let opted = opted_in(object.clone(), "shop");
    let message = refusal(create(&cluster.admin(), Some("default"), &opted).await)?;
    ensure!(
        message.contains("failed calling webhook \"intercept.clusterbackup.io\""),
        "{message}"
    );
    create(&cluster.admin(), Some("default"), &object).await?;

    uninstall(&cluster, &shipped).await?;
    let mut opted = opted;
    opted["metadata"]["name"] = json!("afterwards");
    create(&cluster.admin(), Some("default"), &opted)
        .await
        .map(drop)?;
    Ok(())
}

/// Removes the system as docs say, and looks whether anything is left of it.
async fn uninstall(cluster: &Cluster, shipped: &[Value]) -> Result<()> {
    const OURS: &str = "--selector=app.kubernetes.io/part-of=clusterbackup";
    const LISTED: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations,\
                          customresourcedefinitions,clusterroles,clusterrolebindings,namespaces";
    // The API server makes a kind's storage at the first request for it. Where that is the one that comes with the kind's
    // removal it fails ("storage is (re)initializing"), and is tried again after a minute or more.
    let kinds = shipped
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition")
        .filter_map(|kind| kind["metadata"]["name"].as_str());
    let kinds = kinds.collect::<Vec<_>>().join(",");
    cluster
        .kubectl(&["get", &kinds, "--all-namespaces"])
        .await?
        .success()?;
    let delete = ["delete", "--ignore-not-found"];
    let doors = [
        "mutatingwebhookconfiguration/clusterbackup-intercept",
        "mutatingwebhookconfiguration/clusterbackup-velero",
    ];
    cluster.kubectl(&[delete, doors].concat()).await?.success()?;
    kustomized(cluster, &delete, &manifests("system"))
        .await?
        .success()?;
    let left = cluster
        .kubectl(&["get", LISTED, OURS, "--output=name"])
        .await?
        .success()?;
    ensure!(left.is_empty(), "{left}");
    Ok(())
}

async fn installing_again_keeps_the_ca_bundle_and_every_sample_becomes_ready(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    cluster
        .kubectl(&["create", "namespace", "shop"])
        .await?
        .success()?;
    let samples = manifests("samples");
    cluster
        .kubectl(&["apply".as_ref(), "-f".as_ref(), samples.as_os_str()])
        .await?
        .success()?;
    let wait = ["wait", "--for=condition=Ready", "ri", "--all", "--timeout=30s"];
    let ready = cluster.kubectl(&wait).await?.success()?;
    let files = std::fs::read_dir(samples)?
        .filter_map(Result::ok)
        .filter(|file| file.path().is_file());
    ensure!(ready.lines().count() == files.count(), "{ready}");

    let before = webhook.ca_bundle().await?;
    kustomized(&cluster, &["apply"], &manifests("webhook-only"))
        .await?
        .success()?;
    let after = webhook.ca_bundle().await.context("the caBundle is gone")?;
    ensure!(before == after, "the caBundle is another");
    Ok(())
}

async fn every_component_goes_in(cluster: Cluster) -> Result<()> {
    let foreign = [
        foreign_kind("cert-manager.io", "v1", "Issuer"),
        foreign_kind("cert-manager.io", "v1", "Certificate"),
        foreign_kind("monitoring.coreos.com", "v1", "PodMonitor"),
        foreign_kind("monitoring.coreos.com", "v1", "PrometheusRule"),
    ];
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": foreign });
    let file = cluster.folder().join("foreign.json");
    std::fs::write(&file, list.to_string())?;
    cluster
        .kubectl(&["apply".as_ref(), "-f".as_ref(), file.as_os_str()])
        .await?
        .success()?;
    let established = [
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ];
    cluster.kubectl(&established).await?.success()?;

    Webhook::install(&cluster, &["velero-door", "cert-manager"]).await?;
    let annotated = [
        "get",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "--output=jsonpath={.items[*].metadata.annotations.cert-manager\\.io/inject-ca-from}",
    ];
    let annotated = cluster.kubectl(&annotated).await?.success()?;
    ensure!(
        annotated.split(' ').count() == 3,
        "cainjector would fill {annotated:?}"
    );
    let own = cluster
        .kubectl(&[
            "get",
            "clusterroles",
            "clusterbackup-webhook-certificates",
            "--ignore-not-found",
        ])
        .await?
        .success()?;
    ensure!(own.is_empty(), "it may still make certificates: {own}");

    // As the README has them applied on their own.
    for folder in ["components/velero-door", "monitoring"] {
        kustomized(&cluster, &["apply"], &manifests(folder))
            .await?
            .success()
            .with_context(|| folder.to_owned())?;
        for object in objects(&cluster, folder).await? {
            ensure!(
                object.pointer(EXCLUDED) == Some(&json!("true")),
                "Velero would back it up: {object:#}"
            );
        }
    }
    Ok(())
}
