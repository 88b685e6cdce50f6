//! What runs pods.

use serde_json::{Value, json};

use super::row::{Row, extended, set, unset};

const IMAGE: &str = "registry.example/web:1";

pub(super) fn rows() -> Vec<Row> {
    [pods(), controllers(), jobs(), others()]
        .into_iter()
        .flatten()
        .collect()
}

fn pod_spec() -> Value {
    json!({
        "containers": [{
            "name": "web",
            "image": IMAGE,
            "ports": [{ "name": "http", "containerPort": 8080 }],
            "env": [{ "name": "MODE", "value": "fast" }],
            "resources": { "requests": { "cpu": "10m" }, "limits": { "cpu": "20m" } },
        }],
        "initContainers": [{ "name": "init", "image": IMAGE }],
        "volumes": [{ "name": "scratch", "emptyDir": {} }],
    })
}

fn pod(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": pod_spec() })
}

fn template() -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": pod_spec() })
}

fn workload(kind: &str, spec: &Value) -> Value {
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": { "name": "web" },
        "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": template() },
    });
    extended(object, "/spec", spec)
}

fn pods() -> Vec<Row> {
    const FIXED: &str = "pod updates may not change fields";
    let mut plain = pod("plain");
    plain["spec"]["activeDeadlineSeconds"] = json!(100);
    plain["spec"]["tolerations"] = json!([{ "key": "own", "operator": "Exists", "effect": "NoExecute" }]);
    let mut gated = pod("gated");
    gated["spec"]["schedulingGates"] = json!([{ "name": "example.com/a" }, { "name": "example.com/b" }]);
    gated["spec"]["nodeSelector"] = json!({ "disk": "fast" });
    gated["spec"]["affinity"] = json!({ "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "a", "operator": "Exists" }] }],
        },
    }});
    let expressions = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/\
                       nodeSelectorTerms/0/matchExpressions";
    let plain = Row::of(plain)
        .accepts(json!([set("/metadata/labels", json!({ "a": "b" }))]))
        .accepts(json!([set("/spec/containers/0/image", "registry.example/web:2")]))
        .accepts(json!([set(
            "/spec/initContainers/0/image",
            "registry.example/web:2"
        )]))
        .accepts(json!([set("/spec/activeDeadlineSeconds", 50)]))
        .refuses(
            json!([set("/spec/activeDeadlineSeconds", 200)]),
            "must be less than or equal",
        )
        .refuses(
            json!([unset("/spec/activeDeadlineSeconds")]),
            "must not update from a positive integer to nil",
        )
        .accepts(json!([set(
            "/spec/tolerations/-",
            json!({ "key": "a", "operator": "Exists" })
        )]))
        .accepts(json!([set("/spec/tolerations/0/tolerationSeconds", 5)]))
        .refuses(
            json!([unset("/spec/tolerations/0")]),
            "existing toleration can not be modified",
        )
        .refuses(json!([set("/spec/nodeName", "elsewhere")]), FIXED)
        .refuses(json!([set("/spec/nodeSelector", json!({ "a": "b" }))]), FIXED)
        .refuses(
            json!([set("/spec/volumes/-", json!({ "name": "more", "emptyDir": {} }))]),
            FIXED,
        )
        .refuses(json!([set("/spec/containers/0/env/0/value", "slow")]), FIXED)
        .refuses(json!([set("/spec/containers/0/command", json!(["sh"]))]), FIXED)
        .refuses(
            json!([set("/spec/containers/0/resources/requests/cpu", "5m")]),
            FIXED,
        )
        .refuses(json!([set("/spec/serviceAccountName", "other")]), FIXED)
        .refuses(json!([set("/spec/restartPolicy", "Never")]), FIXED)
        .refuses(json!([set("/spec/terminationGracePeriodSeconds", 1)]), FIXED)
        .refuses(
            json!([set(
                "/spec/containers/-",
                json!({ "name": "more", "image": IMAGE })
            )]),
            "may not add or remove containers",
        )
        .refuses(
            json!([set("/spec/schedulingGates", json!([{ "name": "example.com/a" }]))]),
            "",
        )
        .refuses(
            json!([set(
                "/metadata/annotations",
                json!({ "kubernetes.io/config.mirror": "x" })
            )]),
            "mirror",
        );
    let gated = Row::of(gated)
        .accepts(json!([unset("/spec/schedulingGates/0")]))
        .accepts(json!([unset("/spec/schedulingGates")]))
        .refuses(
            json!([set("/spec/schedulingGates/-", json!({ "name": "example.com/c" })),]),
            "only deletion is allowed",
        )
        .accepts(json!([set("/spec/nodeSelector/zone", "a")]))
        .refuses(json!([set("/spec/nodeSelector/disk", "slow")]), "nodeSelector")
        .refuses(json!([unset("/spec/nodeSelector/disk")]), "nodeSelector")
        .accepts(json!([set(
            &format!("{expressions}/-"),
            json!({ "key": "b", "operator": "Exists" })
        )]))
        .refuses(json!([set(&format!("{expressions}/0/key"), "b")]), "nodeAffinity")
        .accepts(json!([set(
            "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution",
            json!([{
                "weight": 1,
                "preference": { "matchExpressions": [{ "key": "a", "operator": "Exists" }] },
            }]),
        )]))
        .refuses(json!([set("/spec/affinity/podAffinity", json!({}))]), FIXED);
    vec![plain, gated]
}

fn controllers() -> Vec<Row> {
    const SELECTOR: &str = "field is immutable";
    const STATEFUL: &str = "updates to statefulset spec for fields other than";
    let other_labels = || {
        json!([
            set("/spec/selector/matchLabels/tier", "a"),
            set("/spec/template/metadata/labels/tier", "a"),
        ])
    };
    let claim = json!({ "metadata": { "name": "data" }, "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "1Gi" } },
    }});
    vec![
        Row::of(workload("Deployment", &json!({ "replicas": 0 })))
            .refuses(other_labels(), SELECTOR)
            .accepts(json!([
                set("/spec/replicas", 1),
                set("/spec/paused", true),
                set("/spec/minReadySeconds", 5)
            ]))
            .accepts(json!([set("/spec/strategy", json!({ "type": "Recreate" }))]))
            .accepts(json!([
                set("/spec/revisionHistoryLimit", 1),
                set("/spec/progressDeadlineSeconds", 700)
            ]))
            .accepts(json!([set(
                "/spec/template/spec/containers/0/env/0/value",
                "slow"
            )])),
        Row::of(workload("ReplicaSet", &json!({ "replicas": 0 })))
            .refuses(other_labels(), SELECTOR)
            .accepts(json!([set("/spec/replicas", 1), set("/spec/minReadySeconds", 5)])),
        Row::of(workload("DaemonSet", &json!({})))
            .refuses(other_labels(), SELECTOR)
            .accepts(json!([set(
                "/spec/updateStrategy",
                json!({ "type": "OnDelete" })
            )]))
            .accepts(json!([
                set("/spec/minReadySeconds", 5),
                set("/spec/revisionHistoryLimit", 1)
            ])),
        Row::of(workload(
            "StatefulSet",
            &json!({ "replicas": 0, "serviceName": "web", "volumeClaimTemplates": [claim] }),
        ))
        .refuses(other_labels(), STATEFUL)
        .refuses(json!([set("/spec/serviceName", "other")]), STATEFUL)
        .refuses(json!([set("/spec/podManagementPolicy", "Parallel")]), STATEFUL)
        .refuses(
            json!([set(
                "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
                "2Gi"
            )]),
            STATEFUL,
        )
        .accepts_though_put_back(json!([set("/spec/revisionHistoryLimit", 1)]))
        .accepts(json!([set("/spec/replicas", 1), set("/spec/minReadySeconds", 5)]))
        .accepts(json!([set(
            "/spec/updateStrategy",
            json!({ "type": "OnDelete" })
        )]))
        .accepts(json!([set("/spec/ordinals", json!({ "start": 2 }))]))
        .accepts(json!([set(
            "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted",
            "Delete"
        )])),
        Row::of(json!({
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "metadata": { "name": "web" },
            "spec": { "replicas": 0, "selector": { "app": "web" }, "template": template() },
        }))
        .accepts(json!([
            set("/spec/selector", json!({ "tier": "a" })),
            set("/spec/template/metadata/labels/tier", "a"),
        ]))
        .accepts(json!([set("/spec/replicas", 1), set("/spec/minReadySeconds", 5)])),
        Row::of(json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": { "name": "web-1" },
            "revision": 1,
            "data": { "a": 1 },
        }))
        .refuses(json!([set("/data/a", 2)]), SELECTOR)
        .accepts(json!([set("/revision", 2)])),
    ]
}

fn jobs() -> Vec<Row> {
    const FIXED: &str = "field is immutable";
    let job = |name: &str, spec: Value| {
        let mut object = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": name },
            "spec": { "suspend": true, "template": template() },
        });
        object["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
        extended(object, "/spec", &spec)
    };
    let never_started = Row::of(job("suspended", json!({ "parallelism": 1, "completions": 1 })))
        .accepts(json!([set("/spec/parallelism", 2), set("/spec/backoffLimit", 3)]))
        .accepts(json!([
            set("/spec/activeDeadlineSeconds", 60),
            set("/spec/ttlSecondsAfterFinished", 60)
        ]))
        .refuses(json!([set("/spec/completions", 2)]), FIXED)
        .refuses(
            json!([set("/spec/completions", 2), set("/spec/parallelism", 2)]),
            FIXED,
        )
        .refuses(json!([set("/spec/selector/matchLabels/a", "b")]), FIXED)
        .refuses(json!([set("/spec/completionMode", "Indexed")]), FIXED)
        .refuses(json!([set("/spec/managedBy", "example.com/other")]), FIXED)
        .refuses(
            json!([set(
                "/spec/template/spec/containers/0/image",
                "registry.example/web:2"
            )]),
            FIXED,
        )
        .accepts(json!([set(
            "/spec/template/spec/nodeSelector",
            json!({ "a": "b" })
        )]))
        .accepts(json!([set(
            "/spec/template/spec/tolerations",
            json!([{ "operator": "Exists" }])
        )]))
        .accepts(json!([set(
            "/spec/template/spec/schedulingGates",
            json!([{ "name": "example.com/a" }])
        )]))
        .accepts(json!([set("/spec/template/metadata/labels/tier", "a")]))
        .accepts(json!([set(
            "/spec/template/metadata/annotations",
            json!({ "a": "b" })
        )]));
    let started = Row::of(job("started", json!({ "managedBy": "example.com/somebody" })))
        .with_status(json!({ "startTime": "2026-01-01T00:00:00Z" }))
        .refuses(
            json!([set("/spec/template/spec/nodeSelector", json!({ "a": "b" }))]),
            FIXED,
        )
        .refuses(json!([set("/spec/template/metadata/labels/tier", "a")]), FIXED)
        .refuses(json!([set("/spec/managedBy", "example.com/other")]), FIXED);
    let policy =
        json!({ "rules": [{ "action": "Ignore", "onPodConditions": [{ "type": "A", "status": "True" }] }] });
    let indexed = Row::of(job(
        "indexed",
        json!({
            "completionMode": "Indexed",
            "completions": 2,
            "parallelism": 2,
            "backoffLimitPerIndex": 1,
            "podFailurePolicy": policy,
            "successPolicy": { "rules": [{ "succeededCount": 1 }] },
        }),
    ))
    .accepts(json!([set("/spec/completions", 3), set("/spec/parallelism", 3)]))
    .refuses(
        json!([set("/spec/completions", 3)]),
        "in tandem with spec.parallelism",
    )
    .accepts(json!([set("/spec/maxFailedIndexes", 1)]))
    .refuses(json!([set("/spec/backoffLimitPerIndex", 2)]), FIXED)
    .refuses(
        json!([set("/spec/podFailurePolicy/rules/0/action", "Count")]),
        FIXED,
    )
    .refuses(
        json!([set("/spec/successPolicy/rules/0/succeededCount", 2)]),
        FIXED,
    );
    vec![never_started, started, indexed]
}

fn others() -> Vec<Row> {
    let mut job = template();
    job["spec"]["restartPolicy"] = json!("Never");
    let selector = json!({ "matchLabels": { "app": "web" } });
    vec![
        Row::of(json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": { "name": "nightly" },
            "spec": {
                "schedule": "0 0 1 1 *",
                "suspend": true,
                "jobTemplate": { "spec": { "template": job } },
            },
        }))
        .accepts(json!([
            set("/spec/schedule", "1 1 1 1 *"),
            set("/spec/timeZone", "Etc/UTC")
        ]))
        .accepts(json!([
            set("/spec/concurrencyPolicy", "Forbid"),
            set("/spec/successfulJobsHistoryLimit", 1),
        ]))
        .accepts(json!([set(
            "/spec/jobTemplate/spec/template/spec/containers/0/image",
            "registry.example/web:2"
        ),])),
        Row::of(json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": { "name": "web" },
            "spec": { "minAvailable": 1, "selector": selector },
        }))
        .accepts(json!([
            unset("/spec/minAvailable"),
            set("/spec/maxUnavailable", 1)
        ]))
        .accepts(json!([set("/spec/selector/matchLabels", json!({ "tier": "a" }))])),
        Row::of(json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": { "name": "web" },
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "x" },
            },
        }))
        .accepts(json!([
            set("/spec/maxReplicas", 5),
            set("/spec/scaleTargetRef/name", "y")
        ])),
        Row::of(json!({
            "apiVersion": "v1",
            "kind": "PodTemplate",
            "metadata": { "name": "web" },
            "template": template(),
        }))
        .accepts(json!([set(
            "/template/spec/containers/0/image",
            "registry.example/web:2"
        )])),
    ]
}
