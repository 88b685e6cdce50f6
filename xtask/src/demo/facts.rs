//! What has to be true of the shop in staging, whatever was printed about it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::rules::{self, Rules};

/// Object, path, and what stands there; null where nothing may be left.
fn facts() -> Vec<(&'static str, &'static str, Value)> {
    const WEB: &str = "Deployment web";
    const DB: &str = "StatefulSet db";
    const CLAIM: &str = "PersistentVolumeClaim data-db-0";
    const INGRESS: &str = "Ingress shop";
    vec![
        (CLAIM, "/spec/storageClassName", json!("managed-standard")),
        (CLAIM, "/spec/volumeName", Value::Null),
        (
            CLAIM,
            "/metadata/annotations/pv.kubernetes.io~1bind-completed",
            Value::Null,
        ),
        (
            "PersistentVolumeClaim product-images",
            "/spec/storageClassName",
            json!("shared-files"),
        ),
        (
            DB,
            "/spec/volumeClaimTemplates/0/spec/storageClassName",
            json!("managed-standard"),
        ),
        (DB, "/spec/replicas", json!(1)),
        (
            DB,
            "/spec/template/spec/containers/0/image",
            json!("docker.io/library/postgres:17.2"),
        ),
        (WEB, "/spec/replicas", json!(1)),
        (
            WEB,
            "/spec/template/spec/containers/0/image",
            json!("registry.staging.example/web:2.4.1"),
        ),
        (
            WEB,
            "/spec/template/spec/containers/1/image",
            json!("registry.staging.example/proxy:1.9.0"),
        ),
        (
            INGRESS,
            "/metadata/annotations/cert-manager.io~1cluster-issuer",
            Value::Null,
        ),
        (
            INGRESS,
            "/metadata/annotations/shop.example~1production-hostname",
            json!("shop.example"),
        ),
        (INGRESS, "/spec/rules/0/host", json!("shop.staging.example")),
        (
            "ConfigMap settings",
            "/data/PRODUCTION_URL",
            json!("https://shop.example"),
        ),
        (
            "ConfigMap settings",
            "/data/PUBLIC_URL",
            json!("https://shop.staging.example"),
        ),
        (
            "Service web",
            "/metadata/annotations/service.beta.kubernetes.io~1azure-load-balancer-internal",
            json!("true"),
        ),
        (
            "RoleBinding settings-reader",
            "/subjects/0/namespace",
            json!("shop-staging"),
        ),
        ("PaymentGateway cards", "/spec/mode", json!("sandbox")),
    ]
}

/// Fails where one of the stored objects isn't as the rules say; how many facts were looked at.
pub(super) fn check(stored: &[Value], rules: &Rules) -> Result<usize> {
    let facts = facts();
    for (object, path, wanted) in &facts {
        let found = stored
            .iter()
            .find(|candidate| title(candidate) == *object)
            .with_context(|| format!("{object} was not restored"))?
            .pointer(path)
            .unwrap_or(&Value::Null);
        ensure!(found == wanted, "{object}: {path} is {found}, not {wanted}");
    }
    let mut used = BTreeSet::new();
    for object in stored {
        let environment = &object["metadata"]["labels"]["environment"];
        ensure!(
            environment == "staging",
            "{} is labelled {environment}",
            title(object)
        );
        used.append(&mut rules::applied(object)?);
    }
    ensure!(
        used.iter().copied().eq(0..rules.count()),
        "of {} rules only {used:?} had something to do",
        rules.count()
    );
    Ok(facts.len() + stored.len())
}

/// Kind and name.
pub(super) fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}
