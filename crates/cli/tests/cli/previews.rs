//! `restore preview --offline`, without a cluster.

use serde_json::{Value, json};

use crate::vaults::{MONDAY, Vault, object};

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps, namespaces: [shop]}
  patches: [{operation: replace, path: /spec/replicas, value: 0}]
- conditions: {groupResource: services}
  patches: [{operation: remove, path: /spec/none}]
";

/// A point with objects of several waves, in the order in which a backup writes them.
fn vault() -> Vault {
    let vault = Vault::new(true);
    let data = |data: Value| json!({ "data": data });
    let spec = |spec: Value| json!({ "spec": spec });
    let configmap =
        |name: &str, level: &str| object("v1", "ConfigMap", name, &data(json!({ "level": level })));
    let address = json!({ "clusterIP": "10.0.0.7", "ports": [{ "port": 80 }] });
    vault.point(
        MONDAY,
        &[
            ("configmaps", configmap("settings", "info")),
            ("configmaps", configmap("kube-root-ca.crt", "x")),
            (
                "secrets",
                object("v1", "Secret", "till", &data(json!({ "password": "Y2FuYXJ5" }))),
            ),
            ("services", object("v1", "Service", "web", &spec(address))),
            (
                "deployments.apps",
                object("apps/v1", "Deployment", "web", &spec(json!({ "replicas": 3 }))),
            ),
        ],
    );
    vault.folder.write("rules.yaml", RULES.as_bytes());
    vault
}

const PLACE: [&str; 8] = [
    "restore",
    "preview",
    MONDAY,
    "--offline",
    "--file-system",
    "vault",
    "--identity",
    "key.txt",
];

#[test]
fn what_a_restore_makes_of_each_object_is_shown_wave_by_wave() {
    let vault = vault();
    let more = ["--namespace-mapping", "shop=again"];
    let shown = vault.folder.run(&[&PLACE[..], &more].concat()).quietly(0);
    let expected = "\
Config
  create    configmaps shop/settings as again/settings
  left out  configmaps shop/kube-root-ca.crt: the control plane makes it by itself
  create    secrets shop/till as again/till
Controllers
  create    deployments.apps shop/web as again/web
Services
  create    services shop/web as again/web
            /spec/clusterIP: \"10.0.0.7\" becomes nothing

4 objects to create, 1 left out; what the cluster has already and what it refuses isn't known here
";
    assert_eq!(shown, expected);
}

#[test]
fn what_rules_would_do_is_shown_and_one_that_fails_counts() {
    let vault = vault();
    let more = [
        "--rules",
        "rules.yaml",
        "-o",
        "json",
        "--exclude-kinds",
        "secrets",
    ];
    let told = vault.folder.run(&[&PLACE[..], &more].concat()).quietly(3);
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str, name: &str| {
        lines
            .iter()
            .find(|line| line["kind"] == kind && line["name"] == name)
            .unwrap()
    };
    let web = json!({
        "wave": "Controllers", "action": "Create", "kind": "deployments.apps", "namespace": "shop", "name": "web",
        "fields": [{ "path": "/spec/replicas", "before": 3, "after": 0 }],
        "rules": [{ "file": "rules.yaml", "rule": 0, "outcome": "Applied" }],
    });
    assert_eq!(*of("deployments.apps", "web"), web);
    let failed = &of("services", "web")["rules"][0];
    assert_eq!(
        (&failed["rule"], &failed["outcome"]),
        (&json!(1), &json!("Failed"))
    );
    assert!(
        failed["message"]
            .as_str()
            .is_some_and(|message| message.contains("/spec/none")),
        "{failed}"
    );
    assert_eq!(of("configmaps", "kube-root-ca.crt")["action"], "LeftOut");
    assert_eq!(lines.len(), 4, "{told}");
}

#[test]
fn a_restore_that_would_be_refused_is_said_to_be() {
    let vault = vault();
    for (more, told) in [
        (
            &["--namespace-mapping", "shop=kube-system"][..],
            "nothing is ever restored into kube-system",
        ),
        (
            &["--namespace-mapping", "bank=again"],
            "nothing in namespace bank is restored",
        ),
        (
            &["--object", "configmaps/shop/lost"],
            "nothing of the recovery point is taken",
        ),
        (
            &["--include-namespaces", "bank"],
            "nothing of the recovery point is taken",
        ),
    ] {
        let shown = vault.folder.run(&[&PLACE[..], more].concat()).quietly(1);
        assert!(
            shown.starts_with("refused: ") && shown.contains(told),
            "{more:?}: {shown}"
        );
    }
}

#[test]
fn what_secrets_hold_is_hidden_unless_it_is_asked_for() {
    let vault = vault();
    vault.folder.write(
        "copy.yaml",
        b"
version: v1
resourceModifierRules:
- conditions: {groupResource: secrets}
  patches: [{operation: copy, from: /data/password, path: /metadata/annotations/copied}]
",
    );
    for (more, is_shown) in [(&[][..], false), (&["--show-secrets"], true)] {
        for form in ["table", "json"] {
            let words = [&PLACE[..], &["--rules", "copy.yaml", "-o", form], more].concat();
            let shown = vault.folder.run(&words).quietly(0);
            assert_eq!(shown.contains("Y2FuYXJ5"), is_shown, "{shown}");
            assert!(shown.contains("/metadata/annotations"), "{shown}");
        }
    }
}
