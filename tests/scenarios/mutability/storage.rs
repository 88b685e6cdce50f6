//! Claims, volumes and what provides them.

use serde_json::{Value, json};

use super::row::{Row, extended, set, unset};

const FIXED: &str = "field is immutable";

pub(super) fn rows() -> Vec<Row> {
    [claims(), volumes(), classes(), drivers()]
        .into_iter()
        .flatten()
        .collect()
}

fn claims() -> Vec<Row> {
    const SPEC: &str = "spec is immutable after creation except";
    let claim_of = |class: &str, name: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": { "name": name },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": class,
                "resources": { "requests": { "storage": "10Gi" } },
            },
        })
    };
    let bound = |volume: &str| {
        let mut bound = claim_of("mutability-expandable", volume);
        bound["spec"]["volumeName"] = json!(volume);
        bound
    };
    let bound_to = |volume: &str| Row::of(bound(volume)).until("/status/phase", "Bound");
    let volume = |name: &str| {
        let spec = json!({
            "capacity": { "storage": "10Gi" },
            "storageClassName": "mutability-expandable",
            "csi": { "driver": "example.com", "volumeHandle": name },
        });
        volume(name, &spec)
    };
    let with_attributes = |mut object: Value| {
        object["spec"]["volumeAttributesClassName"] = json!("fast");
        object
    };
    // There is no volume of its class that it could be bound to.
    let pending = claim_of("mutability-none", "pending");
    let mut classless = claim_of("mutability-none", "classless");
    classless["spec"]
        .as_object_mut()
        .map(|spec| spec.remove("storageClassName"));
    vec![
        Row::cluster_wide(class("mutability-expandable")),
        Row::cluster_wide(volume("mutability-bound")),
        Row::cluster_wide(volume("mutability-resizing")),
        Row::cluster_wide(with_attributes(volume("mutability-classed"))),
        Row::of(pending)
            .refuses(json!([set("/spec/resources/requests/storage", "20Gi")]), SPEC)
            .refuses(json!([set("/spec/storageClassName", "other")]), SPEC)
            .refuses(json!([set("/spec/accessModes/0", "ReadOnlyMany")]), SPEC)
            .refuses(json!([set("/spec/volumeMode", "Block")]), SPEC)
            .refuses(
                json!([set("/spec/selector", json!({ "matchLabels": { "a": "b" } }))]),
                SPEC,
            )
            .refuses(
                json!([set(
                    "/spec/dataSource",
                    json!({ "kind": "PersistentVolumeClaim", "name": "x" })
                )]),
                SPEC,
            )
            .refuses(
                json!([set("/spec/resources/limits", json!({ "storage": "30Gi" }))]),
                SPEC,
            )
            .refuses(json!([set("/spec/volumeAttributesClassName", "fast")]), SPEC)
            .accepts(json!([set("/spec/volumeName", "some-volume")])),
        bound_to("mutability-bound")
            .accepts(json!([set("/spec/resources/requests/storage", "20Gi")]))
            .refuses(
                json!([set("/spec/resources/requests/storage", "5Gi")]),
                "can not be less than",
            )
            .refuses(json!([set("/spec/volumeName", "other")]), SPEC)
            .refuses(json!([unset("/spec/volumeName")]), SPEC)
            .refuses(json!([set("/spec/storageClassName", "other")]), SPEC)
            .accepts(json!([set("/spec/volumeAttributesClassName", "fast")]))
            .accepts(json!([set("/metadata/labels", json!({ "a": "b" }))])),
        bound_to("mutability-resizing")
            .then(json!([
                set("/spec/resources/requests/storage", "30Gi"),
                set("/spec/volumeAttributesClassName", "fast"),
            ]))
            .accepts(json!([set("/spec/resources/requests/storage", "20Gi")]))
            .refuses(
                json!([set("/spec/resources/requests/storage", "10Gi")]),
                "can not be less than",
            )
            .accepts_though_put_back(json!([unset("/spec/volumeAttributesClassName")])),
        Row::of(with_attributes(bound("mutability-classed")))
            .until("/status/currentVolumeAttributesClassName", "fast")
            .accepts(json!([set("/spec/volumeAttributesClassName", "slow")]))
            .refuses(
                json!([unset("/spec/volumeAttributesClassName")]),
                "update to nil is forbidden",
            ),
        Row::of(classless).accepts(json!([set("/spec/storageClassName", "mutability-expandable")])),
    ]
}

fn volume(name: &str, spec: &Value) -> Value {
    let object = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "mutability",
        },
    });
    extended(object, "/spec", spec)
}

fn volumes() -> Vec<Row> {
    const SOURCE: &str = "spec.persistentvolumesource is immutable after creation";
    let affinity = |value: &str| {
        let zone = json!({ "key": "zone", "operator": "In", "values": [value] });
        json!({ "required": { "nodeSelectorTerms": [{ "matchExpressions": [zone] }] } })
    };
    let secret = |name: &str| json!({ "name": name, "namespace": "default" });
    let csi = json!({ "driver": "example.com", "volumeHandle": "a" });
    let claim = json!({ "namespace": "default", "name": "mutability", "uid": "1" });
    vec![
        Row::cluster_wide(volume("mutability-csi", &json!({ "csi": csi })))
            .refuses(json!([set("/spec/csi/volumeHandle", "b")]), SOURCE)
            .refuses(
                json!([
                    unset("/spec/csi"),
                    set("/spec/nfs", json!({ "server": "a", "path": "/" })),
                ]),
                SOURCE,
            )
            .accepts(json!([set("/spec/csi/controllerExpandSecretRef", secret("a"))]))
            .refuses(json!([set("/spec/volumeMode", "Block")]), FIXED)
            .accepts(json!([set("/spec/nodeAffinity", affinity("a"))]))
            .accepts(json!([set("/spec/volumeAttributesClassName", "fast")]))
            .accepts(json!([
                set("/spec/capacity/storage", "2Gi"),
                set("/spec/accessModes/0", "ReadOnlyMany"),
            ]))
            .accepts(json!([
                set("/spec/persistentVolumeReclaimPolicy", "Delete"),
                set("/spec/storageClassName", "x"),
            ]))
            .accepts(json!([set("/spec/mountOptions", json!(["ro"]))])),
        Row::cluster_wide(volume(
            "mutability-full",
            &json!({
                "csi": {
                    "driver": "example.com",
                    "volumeHandle": "a",
                    "controllerExpandSecretRef": secret("a"),
                },
                "nodeAffinity": affinity("a"),
                "volumeAttributesClassName": "fast",
                "claimRef": claim,
            }),
        ))
        .refuses(
            json!([set("/spec/csi/controllerExpandSecretRef", secret("b"))]),
            "",
        )
        .refuses(json!([set("/spec/nodeAffinity", affinity("b"))]), FIXED)
        .accepts(json!([set("/spec/volumeAttributesClassName", "slow")]))
        .refuses(json!([unset("/spec/volumeAttributesClassName")]), "")
        .accepts(json!([unset("/spec/claimRef")])),
        Row::cluster_wide(volume(
            "mutability-nfs",
            &json!({ "nfs": { "server": "a", "path": "/" } }),
        ))
        .refuses(json!([set("/spec/nfs/server", "b")]), SOURCE),
    ]
}

fn class(name: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": name },
        "provisioner": "example.com/none",
        "parameters": { "a": "b" },
        "allowVolumeExpansion": true,
    })
}

fn classes() -> Vec<Row> {
    vec![
        Row::cluster_wide(class("mutability"))
            .refuses(json!([set("/provisioner", "example.com/other")]), FIXED)
            .refuses(json!([set("/parameters/a", "c")]), FIXED)
            .refuses(json!([set("/reclaimPolicy", "Retain")]), FIXED)
            .refuses(json!([set("/volumeBindingMode", "WaitForFirstConsumer")]), FIXED)
            .accepts(json!([
                set("/allowVolumeExpansion", false),
                set("/mountOptions", json!(["ro"]))
            ]))
            .accepts(json!([set(
                "/allowedTopologies",
                json!([
                    { "matchLabelExpressions": [{ "key": "zone", "values": ["a"] }] }
                ])
            )])),
        Row::cluster_wide(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttributesClass",
            "metadata": { "name": "mutability" },
            "driverName": "example.com",
            "parameters": { "a": "b" },
        }))
        .refuses(
            json!([set("/driverName", "example.org")]),
            "updates to driverName are forbidden",
        )
        .refuses(
            json!([set("/parameters/a", "c")]),
            "updates to parameters are forbidden",
        ),
        Row::of(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIStorageCapacity",
            "metadata": { "name": "mutability" },
            "storageClassName": "mutability",
            "nodeTopology": { "matchLabels": { "zone": "a" } },
        }))
        .refuses(json!([set("/storageClassName", "other")]), FIXED)
        .refuses(json!([set("/nodeTopology/matchLabels/zone", "b")]), FIXED)
        .accepts(json!([set("/capacity", "1Gi"), set("/maximumVolumeSize", "1Gi")])),
    ]
}

fn drivers() -> Vec<Row> {
    let driver = |name: &str| json!({ "name": name, "nodeID": "1", "topologyKeys": ["zone"] });
    vec![
        Row::cluster_wide(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": { "name": "mutability.example.com" },
            "spec": { "attachRequired": false },
        }))
        .refuses(json!([set("/spec/attachRequired", true)]), FIXED)
        .refuses(
            json!([set("/spec/volumeLifecycleModes", json!(["Ephemeral"]))]),
            FIXED,
        )
        .accepts(json!([
            set("/spec/podInfoOnMount", true),
            set("/spec/fsGroupPolicy", "File")
        ]))
        .accepts(json!([
            set("/spec/storageCapacity", true),
            set("/spec/seLinuxMount", true)
        ]))
        .accepts(json!([
            set("/spec/requiresRepublish", true),
            set("/spec/tokenRequests", json!([{ "audience": "a" }]))
        ])),
        Row::cluster_wide(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSINode",
            "metadata": { "name": "mutability" },
            "spec": { "drivers": [driver("a.example.com"), driver("b.example.com")] },
        }))
        .refuses(json!([set("/spec/drivers/0/nodeID", "2")]), FIXED)
        .refuses(json!([set("/spec/drivers/1/topologyKeys/0", "rack")]), FIXED)
        .accepts(json!([set("/spec/drivers/-", driver("c.example.com"))]))
        .accepts(json!([unset("/spec/drivers/0")])),
        Row::cluster_wide(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttachment",
            "metadata": { "name": "mutability" },
            "spec": { "attacher": "example.com", "nodeName": "a", "source": { "persistentVolumeName": "a" } },
        }))
        .refuses(json!([set("/spec/nodeName", "b")]), FIXED)
        .accepts(json!([set("/metadata/labels", json!({ "a": "b" }))])),
    ]
}
