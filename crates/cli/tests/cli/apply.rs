//! `rules apply` on new objects.

use serde_json::{Value, json};

use crate::running::{Folder, Ran};

const RULES: &str = "\
version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    namespaces: [shop]
  patches:
  - {operation: replace, path: /spec/storageClassName, value: premium}
- conditions: {groupResource: persistentvolumeclaims, resourceNameRegex: ^other}
  mergePatches: [{patchData: {metadata: {labels: {x: y}}}}]
- conditions: {groupResource: persistentvolumeclaims}
  patches:
  - {operation: test, path: /spec/storageClassName, value: gold}
  - {operation: remove, path: /spec/volumeName}
- conditions: {groupResource: persistentvolumeclaims}
  mergePatches: [{patchData: {metadata: {name: data}}}]
";

const FAILING: &str = "\
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  patches: [{operation: remove, path: /spec/nothing}]
- conditions: {groupResource: persistentvolumeclaims}
  mergePatches: [{patchData: {metadata: {labels: {restored: true}}}}]
";

const CLAIM: &str = "\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec:
  storageClassName: standard
  volumeName: pv-1
";

const APPLY: [&str; 6] = ["rules", "apply", "--rules", "rules", "--object", "object"];

pub(crate) fn apply(folder: &Folder, more: &[&str]) -> Ran {
    folder.run(&[&APPLY, more].concat())
}

pub(crate) fn json_of(ran: &Ran) -> Vec<Value> {
    ran.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_object_is_shown_as_it_becomes() {
    let folder = Folder::with(&[("rules", RULES), ("object", CLAIM)]);
    let expected = "\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: shop
spec:
  storageClassName: premium
  volumeName: pv-1
";
    assert_eq!(apply(&folder, &[]).quietly(0), expected);
}

#[test]
fn a_difference_shows_only_what_changes() {
    let folder = Folder::with(&[("rules", RULES), ("object", CLAIM)]);
    let expected = "\
--- persistentvolumeclaims shop/data (as it came)
+++ persistentvolumeclaims shop/data (as the rules make it)
@@ -4,5 +4,5 @@
   name: data
   namespace: shop
 spec:
-  storageClassName: standard
+  storageClassName: premium
   volumeName: pv-1
";
    assert_eq!(apply(&folder, &["-o", "diff"]).quietly(0), expected);
    assert_eq!(
        apply(&folder, &["-o", "diff", "--namespace", "till"]).quietly(0),
        ""
    );
}

#[test]
fn programs_see_what_each_rule_did_and_why_not() {
    let folder = Folder::with(&[("rules", RULES), ("object", CLAIM)]);
    let ran = apply(&folder, &["-o", "json"]);
    let expected = json!({
        "object": {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "shop"},
            "spec": {"storageClassName": "premium", "volumeName": "pv-1"},
        },
        "rules": [
            {
                "index": 0, "matched": true, "applied": true, "reason": null, "error": null,
                "operations": [{"op": "replace", "path": "/spec/storageClassName", "value": "premium"}],
            },
            {
                "index": 1, "matched": false, "applied": false,
                "reason": "resourceNameRegex ^other: its name is data", "error": null, "operations": [],
            },
            {
                "index": 2, "matched": true, "applied": false, "reason": "a test doesn't hold", "error": null,
                "operations": [],
            },
            {
                "index": 3, "matched": true, "applied": false,
                "reason": "the object is already as the rule wants it", "error": null, "operations": [],
            },
        ],
        "fields": [],
        "warnings": [],
    });
    assert_eq!(json_of(&ran), [expected]);
    ran.quietly(0);
}

#[test]
fn a_rule_that_fails_ends_it_with_3_and_keeps_no_other_from_acting() {
    let folder = Folder::with(&[("rules", FAILING), ("object", CLAIM)]);
    let ran = apply(&folder, &["-o", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (3, ""));
    let [told] = &json_of(&ran)[..] else {
        panic!("{ran:?}")
    };
    let error = "resourceModifierRules[0].patches[0]: /spec/nothing: the last key does not exist; guard the rule with a \
                 `test`, or use mergePatches, which create and remove as needed";
    assert_eq!(told["rules"][0]["error"], error);
    assert_eq!(told["rules"][1]["applied"], true);
    assert_eq!(told["object"]["metadata"]["labels"], json!({"restored": "true"}));
    assert!(told["warnings"][0].as_str().unwrap().ends_with(error), "{told:#}");
    let shown = apply(&folder, &[]);
    assert_eq!(shown.code, 3);
    let warning = "warning: persistentvolumeclaims shop/data: interception rules could not change";
    assert!(shown.err.starts_with(warning), "{}", shown.err);
}

#[test]
fn several_documents_and_lists_give_a_result_each() {
    let objects = format!(
        "{CLAIM}---\n{{apiVersion: v1, kind: List, items: [{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c, namespace: shop}}}}]}}\n"
    );
    let folder = Folder::with(&[("rules", RULES), ("object", &objects)]);
    let out = apply(&folder, &[]).quietly(0);
    let kinds: Vec<_> = out
        .lines()
        .filter(|line| line.starts_with("kind") || *line == "---")
        .collect();
    assert_eq!(kinds, ["kind: PersistentVolumeClaim", "---", "kind: ConfigMap"]);
    assert_eq!(json_of(&apply(&folder, &["-o", "json"])).len(), 2);
    let piped = folder.run_with(&objects, &["rules", "apply", "--rules", "rules", "--object", "-"]);
    assert_eq!(piped.quietly(0), out);
}

#[test]
fn custom_resources_are_called_what_they_are_said_to_be() {
    let rules = "{version: v1, resourceModifierRules: [{conditions: {groupResource: gizmoes.example.com}, mergePatches: [{patchData: {spec: {x: 1}}}]}]}";
    let gizmo = "{apiVersion: example.com/v1, kind: Gizmo, metadata: {name: g, namespace: n}}";
    let folder = Folder::with(&[("rules", rules), ("object", gizmo)]);
    let guessed = &json_of(&apply(&folder, &["-o", "json"]))[0];
    assert_eq!(guessed["rules"][0]["matched"], false);
    let note = "example.com/v1 Gizmo is taken for gizmos.example.com; name it by --resource if it is another";
    assert_eq!(guessed["warnings"], json!([note]));
    let named = &json_of(&apply(
        &folder,
        &["-o", "json", "--resource", "gizmoes.example.com"],
    ))[0];
    assert_eq!(
        (&named["object"]["spec"]["x"], &named["warnings"]),
        (&json!(1), &json!([]))
    );
    let unfit = apply(&folder, &["--resource", "deployments.apps"]).complaint();
    assert_eq!(
        unfit,
        "error: object: --resource deployments.apps fits none of the objects, which are example.com/v1 Gizmo"
    );
}

/// The canary in a Secret is at every place a value can get to.
#[test]
fn what_secrets_hold_is_shown_only_when_asked_for() {
    let rules = "\
version: v1
resourceModifierRules:
- conditions: {groupResource: secrets, matches: [{path: /data/key, value: Y2FuYXJ5}]}
  patches:
  - {operation: copy, from: /data/key, path: /metadata/labels/copied}
  - {operation: replace, path: /data/key, value: Y2FuYXJ5LWFmdGVy}
  - {operation: add, path: /data/canary, value: bmV3LWNhbmFyeQ==}
- conditions: {groupResource: secrets, matches: [{path: /data/key, value: Y2FuYXJ5LXdhbnRlZA==}]}
  mergePatches: [{patchData: {stringData: {other: plain-canary}}}]
- conditions: {groupResource: secrets}
  mergePatches: [{patchData: {stringData: {other: plain-canary}, metadata: {annotations: {same: plain-canary}}}}]
- conditions: {groupResource: secrets}
  patches: [{operation: remove, path: /data/key/x}]
";
    let secret = "\
apiVersion: v1
kind: Secret
metadata:
  name: s
  namespace: n
  labels: {}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{\"data\":{\"key\":\"Y2FuYXJ5\"}}'
data: {key: Y2FuYXJ5}
";
    let folder = Folder::with(&[("rules", rules), ("object", secret)]);
    for format in ["yaml", "json", "diff"] {
        let hidden = apply(&folder, &["-o", format]);
        assert_eq!(hidden.code, 3, "the last rule fails: {}", hidden.err);
        let everything = hidden.out + &hidden.err;
        for canary in ["Y2FuYXJ5", "bmV3LWNhbmFyeQ", "plain-canary"] {
            assert!(
                !everything.contains(canary),
                "{format} shows {canary}: {everything}"
            );
        }
        assert!(everything.contains("***"), "{everything}");
        let shown = apply(&folder, &["-o", format, "--show-secrets"]);
        assert!(shown.out.contains("Y2FuYXJ5LWFmdGVy"), "{}", shown.out);
    }
    let diff = apply(&folder, &["-o", "diff"]).out;
    assert!(
        diff.contains("-  key: \"*** (before)\"") || diff.contains("-  key: '*** (before)'"),
        "{diff}"
    );
}

#[test]
fn standard_input_is_good_for_one_file() {
    let folder = Folder::with(&[("rules", RULES), ("object", CLAIM)]);
    for files in [
        ["--rules", "-", "--object", "-"].as_slice(),
        &[
            "--rules",
            "rules",
            "--object",
            "-",
            "--live",
            "-",
            "--conflict-policy",
            "Patch",
        ],
    ] {
        let ran = folder.run_with(CLAIM, &[&["rules", "apply"], files].concat());
        assert_eq!(
            ran.complaint(),
            "error: standard input is read once: give `-` only for one of --rules, --object and --live"
        );
    }
}

#[test]
fn what_is_typed_wrongly_ends_it_with_2() {
    let folder = Folder::with(&[("rules", RULES), ("object", CLAIM)]);
    for (more, said) in [
        (&["--conflict-policy", "Patch"][..], "--live <FILE>"),
        (&["-o", "toml"], "[possible values: yaml, json, diff]"),
        (
            &["--resource", "Deployments"],
            "write the plural and its group, as in deployments.apps or configmaps",
        ),
    ] {
        let ran = apply(&folder, more);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}
