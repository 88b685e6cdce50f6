//! The rule samples that the documentation of AKS Backup shows work as they stand there, in a ConfigMap made from them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{Plan, holds, refusal};

scenarios! {
    Webhook: [
        every_sample_is_accepted_and_acts,
        the_copy_sample_acts_so_that_the_api_server_misses_a_second_name,
    ],
}

/// A sample, an object in its namespace, and what is to be stored of that.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) rules: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) object: Value,
    pub(crate) stored: Vec<(&'static str, Value)>,
}

const CLASS_AND_LABEL: &str = include_str!("../../crates/core/tests/published/class-and-label.yaml");
const ADD: &str = include_str!("../../crates/core/tests/published/add.yaml");
const REMOVE: &str = include_str!("../../crates/core/tests/published/remove.yaml");
const REPLACE: &str = include_str!("../../crates/core/tests/published/replace.yaml");
const COPY: &str = include_str!("../../crates/core/tests/published/copy.yaml");
const TEST: &str = include_str!("../../crates/core/tests/published/test.yaml");
/// Its list is indented less than its key, as the documentation has it.
const JSON_PATCH: &str = include_str!("../../crates/core/tests/published/json-patch.yaml");
const MERGE_PATCH: &str = include_str!("../../crates/core/tests/published/merge-patch.yaml");
const STRATEGIC_PATCH: &str = include_str!("../../crates/core/tests/published/strategic-patch.yaml");

fn claim(name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": name, "labels": { "foo": "bar", "test": "yes" } },
        "spec": {
            "storageClassName": class,
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    })
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "labels": { "app": "nginx" } },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
    })
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": { "containers": [{ "name": "side", "image": "side:1" }, { "name": "nginx", "image": "nginx:1" }] },
    })
}

/// Those that make something that an API server takes.
pub(crate) fn samples() -> Vec<Sample> {
    let sample = |name, rules, namespace, object, stored| Sample {
        name,
        rules,
        namespace,
        object,
        stored,
    };
    vec![
        sample(
            "class-and-label",
            CLASS_AND_LABEL,
            "bar",
            claim("mysql-class-and-label", "standard"),
            vec![
                ("/spec/storageClassName", json!("premium")),
                ("/metadata/labels/test", Value::Null),
                ("/metadata/labels/foo", json!("bar")),
            ],
        ),
        sample(
            "add",
            ADD,
            "foo",
            deployment("test-add"),
            vec![
                ("/spec/template/spec/containers/0/name", json!("nginx")),
                (
                    "/spec/template/spec/containers/0/ports/0/containerPort",
                    json!(80),
                ),
                ("/spec/template/spec/containers/1/name", json!("web")),
            ],
        ),
        sample(
            "remove",
            REMOVE,
            "foo",
            claim("mysql-remove", "standard"),
            vec![("/metadata/labels/test", Value::Null)],
        ),
        sample(
            "replace",
            REPLACE,
            "bar",
            claim("mysql-replace", "standard"),
            vec![("/spec/storageClassName", json!("premium"))],
        ),
        sample(
            "test",
            TEST,
            "bar",
            claim("any", "premium"),
            vec![("/spec/storageClassName", json!("standard"))],
        ),
        sample(
            "json-patch",
            JSON_PATCH,
            "default",
            deployment("nginxdep-json"),
            vec![("/spec/replicas", json!(12))],
        ),
        sample(
            "merge-patch",
            MERGE_PATCH,
            "nginx",
            deployment("nginxdep-merge"),
            vec![("/metadata/labels/app", json!("nginx1"))],
        ),
        sample(
            "strategic-patch",
            STRATEGIC_PATCH,
            "default",
            pod("nginx-strategic"),
            vec![
                ("/spec/containers/0/name", json!("side")),
                (
                    "/spec/containers/1/image",
                    json!("mcr.microsoft.com/cbl-mariner/base/nginx:1.22"),
                ),
            ],
        ),
    ]
}

async fn every_sample_is_accepted_and_acts(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    for sample in samples() {
        let name = format!("{namespace}-{}", sample.name);
        let mut plan = Plan::new(&name, sample.rules);
        plan.spec = json!({ "namespaceMappings": { sample.namespace: namespace } });
        let interception = plan.in_force(context.cluster.admin()).await?;
        let stored = interception.restore(Some(namespace), sample.object).await?;
        holds(&stored, &sample.stored)?;
    }
    Ok(())
}

/// As published it makes a second container of the first one's name, which no API server takes.
async fn the_copy_sample_acts_so_that_the_api_server_misses_a_second_name(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let mut plan = Plan::new(namespace, COPY);
    plan.spec = json!({ "namespaceMappings": { "foo": namespace } });
    let interception = plan.in_force(context.cluster.admin()).await?;
    let message = refusal(
        interception
            .restore(Some(namespace), deployment("test-copy"))
            .await,
    )?;
    ensure!(
        message.contains(r#"spec.template.spec.containers[1].name: Duplicate value: "web""#),
        "{message}"
    );
    Ok(())
}
