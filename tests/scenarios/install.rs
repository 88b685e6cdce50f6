//! What is installed: that it goes in, does no harm, may do no more than it needs, and goes out again.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::cluster::KubectlOutput;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook, webhook, workspace};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{create, foreign_kind, opted_in, refusal};

scenarios! {
    Webhook: [
        kubectl_explains_every_field,
        pods_are_admitted_under_the_restricted_standard,
        the_webhook_may_do_what_it_needs_and_no_more,
    ],
    Own: [
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
    let template = deployment.spec.context("no spec")?.template;
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some("tried".to_owned()),
            ..template.metadata.unwrap_or_default()
        },
        spec: template.spec,
        ..Pod::default()
    };
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let pods = Api::<Pod>::namespaced(client, webhook::NAMESPACE);
    let admitted = pods.create(&dry_run, &pod).await?;
    ensure!(
        serde_json::to_value(&admitted)?.pointer(EXCLUDED) == Some(&json!("true")),
        "Velero would back the pod up: {:?}",
        admitted.metadata.labels
    );

    let mut root = pod;
    for container in root.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
        container.security_context = None;
    }
    let message = refusal(pods.create(&dry_run, &root).await)?;
    ensure!(
        message.contains("violates PodSecurity \"restricted"),
        "the namespace enforces nothing: {message}"
    );
    Ok(())
}

async fn the_webhook_may_do_what_it_needs_and_no_more(context: &Context) -> Result<()> {
    const OWN: &str = webhook::NAMESPACE;
    const TLS: &str = "clusterbackup-webhook-tls";
    const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
    const VALIDATING: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";
    const KIND: &str = "restoreinterceptions.clusterbackup.io";
    const RESTORE: &str = "restores.velero.io";
    const DEFINITION: &str = "customresourcedefinitions.apiextensions.k8s.io";
    let elsewhere = context.namespace.name();
    #[rustfmt::skip]
    let table = [
        // verb, resource, namespace, name, allowed
        ("list", KIND, "", "", true),
        ("watch", KIND, "", "", true),
        ("patch", "restoreinterceptions.clusterbackup.io/status", "", "a", true),
        ("update", "restoreinterceptions.clusterbackup.io/status", "", "a", false),
        ("patch", KIND, "", "a", false),
        ("update", KIND, "", "a", false),
        ("create", KIND, "", "a", false),
        ("delete", KIND, "", "a", false),
        ("get", "configmaps", OWN, "rules", true),
        ("watch", "configmaps", OWN, "rules", true),
        ("update", "configmaps", OWN, "rules", false),
        ("get", "configmaps", elsewhere, "rules", false),
        ("list", "configmaps", elsewhere, "", false),
        ("list", "configmaps", "", "", false),
        ("get", "secrets", OWN, TLS, true),
        ("update", "secrets", OWN, TLS, true),
        ("create", "secrets", OWN, "", true),
        ("delete", "secrets", OWN, TLS, false),
        ("get", "secrets", OWN, "another", false),
        ("list", "secrets", OWN, "", false),
        ("get", "secrets", elsewhere, TLS, false),
        ("list", "secrets", "", "", false),
        ("patch", MUTATING, "", "clusterbackup-intercept", true),
        ("patch", MUTATING, "", "clusterbackup-velero", true),
        ("patch", VALIDATING, "", "clusterbackup-validate", true),
        ("patch", MUTATING, "", "another", false),
        ("patch", VALIDATING, "", "another", false),
        ("update", MUTATING, "", "clusterbackup-intercept", false),
        ("create", MUTATING, "", "", false),
        ("delete", MUTATING, "", "clusterbackup-intercept", false),
        ("create", VALIDATING, "", "", false),
        ("delete", VALIDATING, "", "clusterbackup-validate", false),
        ("list", MUTATING, "", "", false),
        ("get", RESTORE, elsewhere, "a", false),
        ("list", RESTORE, elsewhere, "", false),
        ("list", RESTORE, "", "", false),
        ("get", DEFINITION, "", "a", true),
        ("list", DEFINITION, "", "", false),
        ("patch", DEFINITION, "", "a", false),
        ("create", "pods", OWN, "", false),
        ("create", "serviceaccounts/token", OWN, webhook::NAME, false),
        ("bind", "clusterroles.rbac.authorization.k8s.io", "", "cluster-admin", false),
        ("impersonate", "users", "", "admin", false),
    ];
    let account = context.cluster.service_account(OWN, webhook::NAME).await?;
    let reviews = Api::<SelfSubjectAccessReview>::all(account);
    for (verb, resource, namespace, name, expected) in table {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let question = json!({ "spec": { "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource,
            "namespace": namespace, "name": name,
        } } });
        let answer = reviews
            .create(&PostParams::default(), &serde_json::from_value(question)?)
            .await?;
        let allowed = answer.status.context("no answer")?.allowed;
        ensure!(
            allowed == expected,
            "{verb} {resource}/{subresource} {name:?} in {namespace:?} is {}",
            if allowed { "allowed" } else { "forbidden" }
        );
    }
    Ok(())
}

async fn installing_again_changes_nothing_and_uninstalling_leaves_nothing_in_the_way(
    cluster: Cluster,
) -> Result<()> {
    const OURS: &str = "--selector=app.kubernetes.io/part-of=clusterbackup";
    const KINDS: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations,\
                         customresourcedefinitions,clusterroles,clusterrolebindings,namespaces";
    let folder = manifests("webhook-only");
    kustomized(&cluster, &["apply"], &folder).await?.success()?;
    kustomized(&cluster, &["apply"], &folder).await?.success()?;
    // kubectl says "configured" of a PodDisruptionBudget whatever it is sent; the difference is what counts.
    kustomized(&cluster, &["diff"], &folder)
        .await?
        .success()
        .context("the second install left something to be done")?;
    let shipped = objects(&cluster, "webhook-only").await?;
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

    let doors = [
        "delete",
        "mutatingwebhookconfiguration",
        "clusterbackup-intercept",
        "clusterbackup-velero",
        "--ignore-not-found",
    ];
    cluster.kubectl(&doors).await?.success()?;
    kustomized(&cluster, &["delete", "--ignore-not-found"], &folder)
        .await?
        .success()?;
    let left = cluster
        .kubectl(&["get", KINDS, OURS, "--output=name"])
        .await?
        .success()?;
    ensure!(left.is_empty(), "{left}");
    let mut opted = opted;
    opted["metadata"]["name"] = json!("afterwards");
    create(&cluster.admin(), Some("default"), &opted)
        .await
        .map(drop)?;
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
    ensure!(
        ready.lines().count() == std::fs::read_dir(samples)?.count(),
        "{ready}"
    );

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
