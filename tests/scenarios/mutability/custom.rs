//! Custom kinds, by the rules that their schemas state plainly. The first two have those of the snapshots of volumes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::custom_kind::CustomKind;
use clusterbackup_tests::{Cluster, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::row::{Row, check_of_kind, set, unset};

const GROUP: &str = "fixed.example.com";

pub(super) async fn check(cluster: &Cluster) -> Result<()> {
    for (kind, spec, row) in [snapshots(), contents(), databases()] {
        let plural = format!("{}s", kind.to_lowercase());
        let definition = definition(kind, &plural, &spec);
        let definitions = Api::<CustomResourceDefinition>::all(cluster.admin());
        let name = format!("{plural}.{GROUP}");
        let wanted = serde_json::from_value(definition.clone())?;
        definitions.create(&PostParams::default(), &wanted).await?;
        eventually("the kind is served", Duration::from_secs(20), || async {
            let status = definitions.get(&name).await?.status.context("no status")?;
            let conditions = status.conditions.unwrap_or_default();
            let is_served = |wanted: &str| {
                conditions
                    .iter()
                    .any(|condition| condition.type_ == wanted && condition.status == "True")
            };
            ensure!(is_served("Established"), "not yet");
            Ok(())
        })
        .await?;
        let custom = CustomKind::read(&definition, "v1").context("no such version")?;
        let outcome = check_of_kind(cluster, &plural, &[row], Some(&custom)).await;
        definitions.delete(&name, &DeleteParams::default()).await?;
        outcome?;
    }
    Ok(())
}

fn definition(kind: &str, plural: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "names": { "plural": plural, "kind": kind },
            "scope": "Namespaced",
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object",
                "properties": { "spec": spec },
            }}}],
        },
    })
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": { "name": "a" }, "spec": spec })
}

fn rules(rules: &[&str]) -> Value {
    rules
        .iter()
        .map(|rule| json!({ "rule": rule, "message": "fixed" }))
        .collect()
}

fn fixed_text() -> Value {
    json!({ "type": "string", "maxLength": 9, "x-kubernetes-validations": rules(&["self == oldSelf"]) })
}

fn snapshots() -> (&'static str, Value, Row) {
    let spec = json!({ "type": "object", "properties": {
        "volumeSnapshotClassName": { "type": "string" },
        "source": {
            "type": "object",
            "properties": {
                "persistentVolumeClaimName": fixed_text(),
                "volumeSnapshotContentName": fixed_text(),
            },
            "x-kubernetes-validations": rules(&[
                "!has(oldSelf.persistentVolumeClaimName) || has(self.persistentVolumeClaimName)",
                "!has(oldSelf.volumeSnapshotContentName) || has(self.volumeSnapshotContentName)",
            ]),
        },
    }});
    let row = Row::of(object(
        "Snapshot",
        &json!({ "source": { "persistentVolumeClaimName": "data" } }),
    ))
    .refuses(
        json!([set("/spec/source/persistentVolumeClaimName", "other")]),
        "fixed",
    )
    .refuses(json!([unset("/spec/source/persistentVolumeClaimName")]), "fixed")
    .accepts(json!([set("/spec/volumeSnapshotClassName", "fast")]));
    ("Snapshot", spec, row)
}

fn contents() -> (&'static str, Value, Row) {
    let spec = json!({
        "type": "object",
        "properties": {
            "deletionPolicy": { "type": "string" },
            "sourceVolumeMode": fixed_text(),
            "source": {
                "type": "object",
                "properties": { "volumeHandle": fixed_text(), "snapshotHandle": fixed_text() },
                "x-kubernetes-validations": rules(&[
                    "!has(oldSelf.volumeHandle) || has(self.volumeHandle)",
                    "!has(oldSelf.snapshotHandle) || has(self.snapshotHandle)",
                ]),
            },
        },
        "x-kubernetes-validations": rules(&["!has(oldSelf.sourceVolumeMode) || has(self.sourceVolumeMode)"]),
    });
    let created = json!({
        "source": { "snapshotHandle": "a" },
        "sourceVolumeMode": "Block",
        "deletionPolicy": "Retain",
    });
    let row = Row::of(object("Content", &created))
        .refuses(json!([set("/spec/source/snapshotHandle", "b")]), "fixed")
        .refuses(json!([set("/spec/sourceVolumeMode", "File")]), "fixed")
        .refuses(json!([unset("/spec/sourceVolumeMode")]), "fixed")
        .accepts(json!([set("/spec/deletionPolicy", "Delete")]));
    ("Content", spec, row)
}

/// The other usual forms.
fn databases() -> (&'static str, Value, Row) {
    let text = || json!({ "type": "string", "maxLength": 9 });
    let spec = json!({
        "type": "object",
        "properties": {
            "engine": text(),
            "zone": text(),
            "region": {
                "type": "string",
                "maxLength": 9,
                "x-kubernetes-validations": rules(&["oldSelf == '' || self == oldSelf"]),
            },
            "backup": text(),
            "disks": {
                "type": "array",
                "maxItems": 5,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": { "type": "object", "required": ["name"], "properties": {
                    "name": text(),
                    "class": fixed_text(),
                    "size": text(),
                }},
            },
            "tags": { "type": "object", "maxProperties": 5, "additionalProperties": fixed_text() },
        },
        "x-kubernetes-validations": rules(&[
            "self.engine == oldSelf.engine",
            "!has(oldSelf.zone) || (has(self.zone) && self.zone == oldSelf.zone)",
            "has(self.backup) == has(oldSelf.backup)",
        ]),
    });
    let disks = json!([{ "name": "data", "class": "fast" }, { "name": "logs", "class": "slow" }]);
    let created = json!({ "engine": "a", "region": "", "backup": "a", "disks": disks, "tags": { "a": "b" } });
    let row = Row::of(object("Database", &created))
        .refuses(json!([set("/spec/engine", "b")]), "fixed")
        .refuses(json!([unset("/spec/engine")]), "")
        .accepts(json!([set("/spec/zone", "a")]))
        .accepts(json!([set("/spec/region", "west")]))
        .accepts(json!([set("/spec/backup", "b")]))
        .refuses(json!([unset("/spec/backup")]), "fixed")
        .refuses(json!([set("/spec/disks/1/class", "fast")]), "fixed")
        .accepts(json!([
            set("/spec/disks/1/size", "1"),
            set("/spec/disks/-", json!({ "name": "more" }))
        ]))
        .refuses(json!([set("/spec/tags/a", "c")]), "fixed")
        .accepts(json!([set("/spec/tags/b", "c"), unset("/spec/tags/a")]));
    ("Database", spec, row)
}
