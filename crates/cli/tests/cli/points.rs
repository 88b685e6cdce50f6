//! `rp get`, `diff`, `verify` and `export`, without a cluster.

use serde_json::{Value, json};

use crate::vaults::{MONDAY, TUESDAY, Vault, object};

fn settings(level: &str) -> (&'static str, Value) {
    let data = json!({ "data": { "level": level } });
    ("configmaps", object("v1", "ConfigMap", "settings", &data))
}

fn till(password: &str) -> (&'static str, Value) {
    let data = json!({ "data": { "password": password } });
    ("secrets", object("v1", "Secret", "till", &data))
}

fn web(version: &str) -> (&'static str, Value) {
    let mut web = object(
        "apps/v1",
        "Deployment",
        "web",
        &json!({ "spec": { "replicas": 1 } }),
    );
    web["metadata"]["resourceVersion"] = json!(version);
    ("deployments.apps", web)
}

fn named(name: &str) -> (&'static str, Value) {
    ("configmaps", object("v1", "ConfigMap", name, &json!({})))
}

#[test]
fn an_object_is_read_with_the_key_and_its_secrets_stay_hidden() {
    let vault = Vault::new(true);
    vault.point(MONDAY, &[settings("info"), till("Y2FuYXJ5")]);
    let get = |object: &str, more: &[&str]| {
        let place = ["-n", "shop", "--file-system", "vault", "-o", "json"];
        vault
            .folder
            .run(&[&["rp", "get", MONDAY, object], &place[..], more].concat())
    };
    let complaint = get("secrets/till", &[]).complaint();
    assert!(complaint.contains("is sealed"), "{complaint}");
    let key = ["--identity", "key.txt"];
    let shown: Value = serde_json::from_str(&get("configmaps/settings", &key).quietly(0)).unwrap();
    assert_eq!(shown, settings("info").1);
    let hidden = get("secrets/till", &key).quietly(0);
    assert!(hidden.contains("***") && !hidden.contains("Y2FuYXJ5"), "{hidden}");
    let complaint = get("secrets/other", &key).complaint();
    assert!(
        complaint.contains("has no secrets/other of the namespace shop"),
        "{complaint}"
    );
}

#[test]
fn what_is_different_between_two_points_is_shown() {
    let vault = Vault::new(false);
    vault.point(
        MONDAY,
        &[settings("info"), till("Y2FuYXJ5"), named("old"), web("1")],
    );
    vault.point(
        TUESDAY,
        &[settings("debug"), till("b3RoZXI="), named("new"), web("2")],
    );
    let diff = ["rp", "diff", MONDAY, TUESDAY, "--file-system", "vault"];
    let shown = vault.folder.run(&diff).quietly(0);
    for part in [
        "+ configmaps shop/new\n- configmaps shop/old\n",
        &format!("--- configmaps shop/settings (in {MONDAY})\n+++ configmaps shop/settings (in {TUESDAY})\n"),
        "-  level: info\n+  level: debug\n",
        "1 added, 1 removed, 2 changed, 1 the same\n",
    ] {
        assert!(shown.contains(part), "{part:?} is missing in {shown}");
    }
    assert!(
        !shown.contains("Y2FuYXJ5") && !shown.contains("b3RoZXI="),
        "{shown}"
    );
    let told = vault
        .folder
        .run(&[&diff[..], &["-o", "json"]].concat())
        .quietly(0);
    let told: Value = serde_json::from_str(&told).unwrap();
    let object = |kind: &str, name: &str| json!({ "kind": kind, "namespace": "shop", "name": name });
    let changed = |kind: &str, name: &str, field: Value| {
        let mut changed = object(kind, name);
        changed["fields"] = json!([field]);
        changed
    };
    let expected = json!({
        "added": [object("configmaps", "new")],
        "removed": [object("configmaps", "old")],
        "changed": [
            changed("configmaps", "settings", json!({ "path": "/data/level", "before": "info", "after": "debug" })),
            changed("secrets", "till", json!({ "path": "/data/password", "before": "*** (before)", "after": "*** (after)" })),
        ],
        "same": 1,
    });
    assert_eq!(told, expected);
}

#[test]
fn a_damaged_point_is_told_from_a_good_one() {
    let vault = Vault::new(true);
    vault.point(MONDAY, &[settings("info")]);
    let verify = ["rp", "verify", MONDAY, "--file-system", "vault"];
    let said = vault.folder.run(&verify).quietly(0);
    assert!(said.starts_with(&format!("{MONDAY}: good: 5 parts, ")), "{said}");
    vault.damage(MONDAY, "segment-00000.tar.zst.age");
    let said = vault
        .folder
        .run(&[&verify[..], &["--identity", "key.txt"]].concat())
        .quietly(1);
    assert!(said.contains("segment-00000.tar.zst.age is damaged"), "{said}");
    std::fs::remove_file(vault.part(MONDAY, "log.ndjson.zst.age")).unwrap();
    let told = vault
        .folder
        .run(&[&verify[..], &["-o", "json"]].concat())
        .quietly(1);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["damages"].as_array().map(Vec::len), Some(2), "{told:#}");
    let missing = ["rp", "verify", TUESDAY, "--file-system", "vault"];
    let complaint = vault.folder.run(&missing).complaint();
    assert!(complaint.contains("there is no recovery point"), "{complaint}");
}

#[test]
fn a_point_is_exported_once_and_never_over_another() {
    let vault = Vault::new(true);
    vault.point(MONDAY, &[settings("info"), till("Y2FuYXJ5")]);
    let export = [
        "rp",
        "export",
        MONDAY,
        "--velero",
        ".",
        "--file-system",
        "vault",
        "--identity",
        "key.txt",
    ];
    let said = vault.folder.run(&export).quietly(0);
    assert!(
        said.starts_with("backup nightly of Velero written to ./backups/nightly: 2 objects"),
        "{said}"
    );
    let description = vault.folder.path().join("backups/nightly/velero-backup.json");
    let description: Value = serde_json::from_slice(&std::fs::read(description).unwrap()).unwrap();
    assert_eq!(description["spec"]["includedNamespaces"], json!(["shop"]));
    let complaint = vault.folder.run(&export).complaint();
    assert!(complaint.contains("exists already"), "{complaint}");
}
