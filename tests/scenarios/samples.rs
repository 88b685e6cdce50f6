//! The samples that we ship, which are what people write most: applied as they are, each changes a real object.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clusterbackup_tests::{webhook, workspace};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Intercepted, holds, volume};

scenarios! {
    Webhook: [
        every_shipped_sample_changes_what_it_is_for,
        a_team_writes_rules_for_the_namespace_its_objects_are_restored_into,
    ],
}

/// A file of `manifests/samples`, objects that opt in to it, and what is to be stored of each.
type Sample = (&'static str, Vec<(Value, Vec<(&'static str, Value)>)>);

fn claim() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "data",
            "annotations": { "pv.kubernetes.io/bind-completed": "yes", "example.com/keep": "me" },
        },
        "spec": {
            "storageClassName": "standard",
            "volumeName": "pvc-0b1c",
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    })
}

fn workload(kind: &str, name: &str, pod: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": pod,
            },
        },
    });
    if kind == "StatefulSet" {
        object["spec"]["serviceName"] = json!(name);
    }
    object
}

fn containers(images: &[&str]) -> Value {
    images
        .iter()
        .enumerate()
        .map(|(index, image)| json!({ "name": format!("c{index}"), "image": image }))
        .collect()
}

fn ingress() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "web",
            "annotations": {
                "cert-manager.io/cluster-issuer": "letsencrypt-production",
                "example.com/keep": "me",
            },
        },
        "spec": { "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } } },
    })
}

fn containers_of(images: &[&str]) -> Value {
    json!({ "containers": containers(images) })
}

/// Samples that change what a workload is or runs.
fn workload_samples() -> Vec<Sample> {
    let plain = containers_of(&["web:1"]);
    let shop = containers_of(&[
        "registry.old.example/shop/web:2.4.1",
        "registry.old.example/shop/proxy:1.9.0",
    ]);
    let mixed = containers_of(&[
        "registry.old.example/shop/web:2.4.1",
        "elsewhere.example/sidecar:1",
    ]);
    let (first, second) = (
        "/spec/template/spec/containers/0/image",
        "/spec/template/spec/containers/1/image",
    );
    let asleep = || vec![("/spec/replicas", json!(0))];
    vec![
        (
            "image-registry",
            vec![
                (
                    workload("Deployment", "web", &shop),
                    vec![
                        (first, json!("registry.new.example/shop/web:2.4.1")),
                        (second, json!("registry.new.example/shop/proxy:1.9.0")),
                    ],
                ),
                (
                    workload("Deployment", "web", &mixed),
                    vec![
                        (first, json!("registry.new.example/shop/web:2.4.1")),
                        (second, json!("elsewhere.example/sidecar:1")),
                    ],
                ),
            ],
        ),
        (
            "labels",
            vec![(
                workload("Deployment", "web", &plain),
                vec![
                    ("/metadata/labels/app", json!("web")),
                    ("/metadata/labels/environment", json!("staging")),
                    ("/metadata/labels/restored", json!("true")),
                ],
            )],
        ),
        (
            "replicas",
            vec![
                (workload("Deployment", "web", &plain), asleep()),
                (workload("StatefulSet", "db", &plain), asleep()),
            ],
        ),
    ]
}

/// Samples about volumes and claims, and the workloads that mount them.
fn volume_samples(unique: &str) -> Vec<Sample> {
    let with_volume = |volume: Value| json!({ "containers": containers(&["db:1"]), "volumes": [volume] });
    let claimed = with_volume(json!({ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }));
    let mounted =
        with_volume(json!({ "name": "files", "nfs": { "server": "nfs.old.example", "path": "/exports" } }));
    vec![
        (
            "nfs-server",
            vec![
                (
                    volume(unique),
                    vec![("/spec/nfs/server", json!("nfs.new.example"))],
                ),
                (
                    workload("Deployment", "files", &mounted),
                    vec![(
                        "/spec/template/spec/volumes/0/nfs/server",
                        json!("nfs.new.example"),
                    )],
                ),
            ],
        ),
        (
            "rename-claim",
            vec![
                (claim(), vec![("/metadata/name", json!("data-restored"))]),
                (
                    workload("Deployment", "database", &claimed),
                    vec![(
                        "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName",
                        json!("data-restored"),
                    )],
                ),
            ],
        ),
        (
            "storage-class",
            vec![(claim(), vec![("/spec/storageClassName", json!("premium"))])],
        ),
        (
            "volume-name",
            vec![(
                claim(),
                vec![
                    ("/spec/volumeName", Value::Null),
                    (
                        "/metadata/annotations/pv.kubernetes.io~1bind-completed",
                        Value::Null,
                    ),
                    ("/metadata/annotations/example.com~1keep", json!("me")),
                ],
            )],
        ),
    ]
}

/// Samples that take an annotation off and leave the others.
fn annotation_samples() -> Vec<Sample> {
    let last_applied = "kubectl.kubernetes.io/last-applied-configuration";
    let mut applied = ingress();
    applied["metadata"]["annotations"][last_applied] = json!("{}");
    let without = |annotation| {
        vec![
            (annotation, Value::Null),
            ("/metadata/annotations/example.com~1keep", json!("me")),
        ]
    };
    vec![
        (
            "annotation",
            vec![(
                ingress(),
                without("/metadata/annotations/cert-manager.io~1cluster-issuer"),
            )],
        ),
        (
            "velero-patch",
            vec![(
                applied,
                without("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"),
            )],
        ),
    ]
}

async fn every_shipped_sample_changes_what_it_is_for(context: &Context) -> Result<()> {
    let client = context.cluster.admin();
    let samples = [
        annotation_samples(),
        workload_samples(),
        volume_samples(context.namespace.name()),
    ]
    .concat();
    every_file_is_tried(&samples)?;
    for (sample, objects) in samples {
        let file = format!("manifests/samples/{sample}.yaml");
        context
            .cluster
            .kubectl(&["apply", "-f", &file])
            .await?
            .success()?;
        let interception = Intercepted::existing(client.clone(), sample, webhook::NAMESPACE);
        interception.until("Ready", |_| Ok(())).await?;
        for (object, wanted) in objects {
            // Each in a namespace of its own: the samples are about objects of one name.
            let namespace = context.cluster.namespace("sample").await?;
            let namespace = (object["kind"] != "PersistentVolume").then_some(namespace.name());
            let stored = interception.restore(namespace, object).await?;
            holds(&stored, &wanted)?;
        }
    }
    Ok(())
}

/// A sample that nobody tries is a promise that nobody keeps.
fn every_file_is_tried(samples: &[Sample]) -> Result<()> {
    let tried: BTreeSet<String> = samples
        .iter()
        .map(|(name, _)| format!("{name}.yaml"))
        .chain(["team-rules.yaml".to_owned()])
        .collect();
    let shipped = workspace::root()
        .join("manifests/samples")
        .read_dir()?
        .map(|file| Ok(file?.path()))
        .filter(|file: &Result<PathBuf>| {
            file.as_ref()
                .map_or(true, |file| file.extension().is_some_and(|end| end == "yaml"))
        })
        .map(|file| {
            Ok(file?
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned())
        })
        .collect::<Result<BTreeSet<String>>>()?;
    ensure!(tried == shipped, "tried are {tried:?}, and there are {shipped:?}");
    Ok(())
}

async fn a_team_writes_rules_for_the_namespace_its_objects_are_restored_into(
    context: &Context,
) -> Result<()> {
    for arguments in [
        ["create", "namespace", "shop"],
        ["create", "namespace", "shop-staging"],
        ["apply", "-f", "manifests/samples/team-rules.yaml"],
    ] {
        context.cluster.kubectl(&arguments).await?.success()?;
    }
    let interception = Intercepted::existing(context.cluster.admin(), "shop-staging", "shop");
    interception.until("Ready", |_| Ok(())).await?;
    for kind in ["NodePort", "LoadBalancer", "ClusterIP"] {
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": kind.to_lowercase() },
            "spec": { "type": kind, "ports": [{ "port": 80 }] },
        });
        let stored = interception.restore(Some("shop-staging"), service).await?;
        holds(&stored, &[("/spec/type", json!("ClusterIP"))])?;
    }
    Ok(())
}
