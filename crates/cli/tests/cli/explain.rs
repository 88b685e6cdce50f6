//! `rules explain`.

use crate::running::Folder;

const RULES: &str = "\
version: v1
resourceModifierRules:
- conditions:
    groupResource: '{deployments,statefulsets}.apps'
    namespaces: [shop, 'till-*']
    resourceNameRegex: ^web-
    labelSelector: {matchLabels: {tier: front}, matchExpressions: [{key: debug, operator: DoesNotExist}]}
    matches:
    - {path: /spec/replicas, value: '3'}
    - {path: /spec/paused, value: 'null'}
  mergePatches: [{patchData: {spec: {replicas: 1}}}]
- conditions:
    groupResource: deployments.apps
    resourceNameRegex: ^api-
    matches: [{path: /spec/template/spec/containers/4, value: x}]
  mergePatches: [{patchData: {spec: {replicas: 1}}}]
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-1, namespace: staging, labels: {tier: front}}
spec:
  replicas: 3
  template: {spec: {containers: [{name: web, image: web:1}]}}
";

#[test]
fn each_condition_is_told_with_what_it_met() {
    let folder = Folder::with(&[("rules", RULES), ("object", DEPLOYMENT)]);
    let out = folder
        .run(&["rules", "explain", "rules", "object", "--namespace", "shop"])
        .quietly(0);
    let expected = "\
deployments.apps staging/web-1

rule 0 (line 3 of the rules) matches
  yes groupResource      {deployments,statefulsets}.apps
                         it is deployments.apps
  yes namespaces         shop, till-*
                         it comes from shop
  yes resourceNameRegex  ^web-
                         its name is web-1
  yes labelSelector      tier in (front)
                         it is \"front\"
  yes labelSelector      !debug
                         it has no such label
  yes matches            /spec/replicas is 3
                         it is 3
  yes matches            /spec/paused is not there
                         there is nothing

rule 1 (line 12 of the rules) doesn't match
  yes groupResource      deployments.apps
                         it is deployments.apps
  no  resourceNameRegex  ^api-
                         its name is web-1
  no  matches            /spec/template/spec/containers/4 is \"x\"
                         resourceModifierRules[1].conditions.matches[0]: /spec/template/spec/containers/4: the array index is out of range; guard the rule with a `test`, or use `-` to append
";
    assert_eq!(out, expected);
    let from_staging = folder.run(&["rules", "explain", "rules", "object"]).quietly(0);
    assert!(
        from_staging.contains("no  namespaces         shop, till-*\n"),
        "{from_staging}"
    );
    assert!(from_staging.contains("it comes from staging"), "{from_staging}");
}

#[test]
fn what_a_secret_holds_is_shown_only_when_asked_for() {
    let rules = "\
version: v1
resourceModifierRules:
- conditions: {groupResource: secrets, matches: [{path: /data/key, value: Y2FuYXJ5LXdhbnRlZA==}, {path: /data/key, value: x}]}
  mergePatches: [{patchData: {metadata: {labels: {seen: 'true'}}}}]
";
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: n}, data: {key: Y2FuYXJ5}}";
    let folder = Folder::with(&[("rules", rules), ("secret", secret)]);
    let hidden = folder.run(&["rules", "explain", "rules", "secret"]).quietly(0);
    assert!(
        hidden.contains("/data/key is \"***\"") && hidden.contains("it is \"***\""),
        "{hidden}"
    );
    assert!(!hidden.contains("Y2FuYXJ5"), "{hidden}");
    let shown = folder
        .run(&["rules", "explain", "rules", "secret", "--show-secrets"])
        .quietly(0);
    assert!(shown.contains("it is \"Y2FuYXJ5\""), "{shown}");
}

#[test]
fn what_had_to_be_guessed_is_told() {
    let objects = "\
{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
---
{apiVersion: example.com/v1, kind: Gizmo, metadata: {name: g, namespace: shop}}
";
    let folder = Folder::with(&[("rules", RULES), ("objects", objects)]);
    let out = folder.run(&["rules", "explain", "rules", "objects"]).quietly(0);
    for told in [
        "configmaps default/c\n  note: it has no namespace, and is taken to be in default\n",
        "gizmos.example.com shop/g\n  note: example.com/v1 Gizmo is taken for gizmos.example.com; name it by --resource if it is another\n",
    ] {
        assert!(out.contains(told), "{out}");
    }
    let named = folder.run(&[
        "rules",
        "explain",
        "rules",
        "objects",
        "--resource",
        "gizmoes.example.com",
    ]);
    assert!(named.quietly(0).contains("gizmoes.example.com shop/g\n\n"));
}

#[test]
fn bad_input_is_one_line_with_the_file_and_the_way_out() {
    let two =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {r: 'resourceModifierRules: []'}}";
    let folder = Folder::with(&[
        ("rules", RULES),
        ("invalid", "version: v2"),
        ("several", &format!("{two}\n---\n{two}\n")),
        ("object", DEPLOYMENT),
        ("empty", ""),
        ("scalar", "hello"),
        (
            "nameless",
            "{apiVersion: v1, kind: Secret, metadata: {}, data: {key: Y2FuYXJ5}}",
        ),
        (
            "broken",
            "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {key: Y2FuYXJ5",
        ),
        (
            "inner",
            "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: p}}, 7]}",
        ),
    ]);
    for (rules, object, complaint) in [
        (
            "nowhere",
            "object",
            "error: nowhere: it can't be read: No such file or directory (os error 2)",
        ),
        (
            "invalid",
            "object",
            "error: invalid: the rules are not valid (2 problems); see `kubectl clusterbackup rules check invalid`",
        ),
        (
            "several",
            "object",
            "error: several: there are 2 rule sets in it; give a file with the one to be tried",
        ),
        (
            "object",
            "object",
            "error: object: line 1, column 1: there are no rules in here, only objects of kind Deployment",
        ),
        (
            "rules",
            "empty",
            "error: empty: there is no object in it; give a file with Kubernetes objects",
        ),
        (
            "rules",
            "scalar",
            "error: scalar: object 1 is none of Kubernetes': it needs an apiVersion, a kind and metadata",
        ),
        (
            "rules",
            "nameless",
            "error: nameless: object 1 has no name; give it a metadata.name or a metadata.generateName",
        ),
        (
            "rules",
            "broken",
            "error: broken: line 1, column 59: not valid YAML: unclosed bracket '{'",
        ),
        (
            "rules",
            "inner",
            "error: inner: object 2 is none of Kubernetes': it needs an apiVersion, a kind and metadata",
        ),
    ] {
        assert_eq!(
            folder.run(&["rules", "explain", rules, object]).complaint(),
            complaint
        );
    }
}
