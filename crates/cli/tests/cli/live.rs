//! `rules apply` on objects that are in the cluster already.

use serde_json::{Value, json};

use crate::apply::{apply, json_of};
use crate::running::Folder;

/// What a rule changes on a live object, and what can't be changed there.
const LIVE_RULES: &str = "\
version: v1
resourceModifierRules:
- conditions: {groupResource: services, matches: [{path: /spec/sessionAffinity, value: ClientIP}]}
  mergePatches: [{patchData: {metadata: {labels: {restored: true}}}}]
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {velero.io/restore-name: nightly}}
spec: {clusterIP: 10.0.0.7, type: ClusterIP, ports: [{port: 81, protocol: TCP}]}
";

const LIVE_SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, uid: u, resourceVersion: '1'}
spec:
  clusterIP: 10.0.0.99
  clusterIPs: [10.0.0.99]
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  ports: [{port: 80, protocol: TCP}]
  sessionAffinity: ClientIP
  type: ClusterIP
";

const OTHER_SERVICE: &str = "\
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {clusterIP: None}
";

/// What is told of both Services, of which one is there.
fn live(policy: &str) -> Vec<Value> {
    let objects = format!("{SERVICE}{OTHER_SERVICE}");
    let folder = Folder::with(&[
        ("rules", LIVE_RULES),
        ("object", &objects),
        ("live", LIVE_SERVICE),
    ]);
    let ran = apply(
        &folder,
        &["--live", "live", "--conflict-policy", policy, "-o", "json"],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    json_of(&ran)
}

#[test]
fn what_is_in_the_cluster_is_patched_field_by_field() {
    let told = &live("Patch")[0];
    let spec = &told["object"]["spec"];
    assert_eq!(spec["clusterIP"], "10.0.0.99", "it can't be changed: {told:#}");
    assert_eq!(spec["ports"][0]["port"], 81, "{told:#}");
    let field = |path: &str| {
        let mut fields = told["fields"].as_array().unwrap().iter();
        let field = fields.find(|field| field["path"] == path);
        field.map(|field| (field["outcome"].clone(), field["reason"].clone()))
    };
    assert_eq!(field("/spec/clusterIP").unwrap().0, "Kept");
    assert_eq!(
        field("/spec/sessionAffinity"),
        Some((json!("Kept"), json!("LeftOut")))
    );
    assert_eq!(
        told["rules"][0]["applied"], true,
        "judged on the merged object: {told:#}"
    );
}

#[test]
fn a_difference_to_the_cluster_leaves_out_what_the_server_writes_itself() {
    let folder = Folder::with(&[("rules", LIVE_RULES), ("object", SERVICE), ("live", LIVE_SERVICE)]);
    let out = apply(
        &folder,
        &["--live", "live", "--conflict-policy", "Patch", "-o", "diff"],
    )
    .quietly(0);
    let expected = "\
--- services shop/web (in the cluster)
+++ services shop/web (after the restore)
@@ -1,6 +1,9 @@
 apiVersion: v1
 kind: Service
 metadata:
+  labels:
+    restored: \"true\"
+    velero.io/restore-name: nightly
   name: web
   namespace: shop
 spec:
@@ -11,7 +14,7 @@
   - IPv4
   ipFamilyPolicy: SingleStack
   ports:
-  - port: 80
+  - port: 81
     protocol: TCP
   sessionAffinity: ClientIP
   type: ClusterIP
";
    assert_eq!(out, expected);
}

#[test]
fn what_is_in_the_cluster_is_skipped() {
    let told = live("Skip");
    let stays: Value = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "1"},
        "spec": {
            "clusterIP": "10.0.0.99", "clusterIPs": ["10.0.0.99"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "ports": [{"port": 80, "protocol": "TCP"}],
            "sessionAffinity": "ClientIP", "type": "ClusterIP",
        },
    });
    assert_eq!(told[0]["object"], stays);
    assert_eq!(
        told[0]["rules"][0]["reason"],
        "the object stays as it is in the cluster"
    );
    let warning = told[0]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("conflictPolicy: Skip"), "{warning}");
    let fields = told[0]["fields"].as_array().unwrap();
    assert!(
        !fields.is_empty() && fields.iter().all(|field| field["reason"] == "Skipped"),
        "{fields:?}"
    );
    assert_eq!(told[1]["rules"][0]["matched"], false, "the other one is new");
    assert_eq!(told[1]["object"]["metadata"]["name"], "other");
}

#[test]
fn a_change_that_is_lost_to_a_field_that_stays_is_a_failure() {
    let rules = "{version: v1, resourceModifierRules: [{conditions: {groupResource: services}, mergePatches: [{patchData: {spec: {clusterIP: 10.0.0.1}}}]}]}";
    let folder = Folder::with(&[("rules", rules), ("object", SERVICE), ("live", LIVE_SERVICE)]);
    let ran = apply(
        &folder,
        &["--live", "live", "--conflict-policy", "Patch", "-o", "json"],
    );
    assert_eq!(ran.code, 3);
    let rule = &json_of(&ran)[0]["rules"][0];
    assert_eq!(
        (&rule["matched"], &rule["applied"]),
        (&json!(true), &json!(false))
    );
    assert!(rule["error"].as_str().unwrap().contains("clusterIP"), "{rule:#}");
}
