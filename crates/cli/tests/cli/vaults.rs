//! `vault verify` and `vault create`, and vaults in a folder for the tests of `rp`.

use std::path::PathBuf;
use std::sync::Arc;

use clusterbackup_vault::location::Location;
use clusterbackup_vault::point::{
    Attempt, BackupName, Begin, Entry, PointId, PointPhase, PointResult, PointWriter,
};
use clusterbackup_vault::seal::{Identity, Seal};
use clusterbackup_vault::store::{FileStore, Store};
use serde_json::{Value, json};

use crate::running::Folder;

pub(crate) const MONDAY: &str = "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e50";
pub(crate) const TUESDAY: &str = "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e51";

/// What is below the folder `vault`, without any cluster.
pub(crate) struct Vault {
    pub(crate) folder: Folder,
    seal: Seal,
}

impl Vault {
    /// One whose points are encrypted for the key in `key.txt`, or not.
    pub(crate) fn new(sealed: bool) -> Self {
        let folder = Folder::with(&[]);
        std::fs::create_dir(folder.path().join("vault")).unwrap();
        let identity = Identity::generate();
        let secret = identity.reveal();
        folder.write(
            "key.txt",
            age::secrecy::ExposeSecret::expose_secret(&secret).as_bytes(),
        );
        let recipients = if sealed {
            vec![identity.recipient()]
        } else {
            Vec::new()
        };
        Self {
            folder,
            seal: Seal::to(recipients),
        }
    }

    /// Writes a point of these objects: what each is called, and what it is.
    pub(crate) fn point(&self, id: &str, objects: &[(&str, Value)]) {
        let work = async {
            let store: Store = Arc::new(FileStore::new(self.folder.path().join("vault")));
            let location = Location::open(&store, None).await.unwrap();
            let begin = Begin {
                started: "2026-11-21T01:00:00Z".parse().unwrap(),
                id: PointId::new(id).unwrap(),
                attempt: Attempt::new("a").unwrap(),
                cluster: "one".to_owned(),
                instance: "shop".to_owned(),
                backup: BackupName {
                    name: "nightly".to_owned(),
                    namespace: "shop".to_owned(),
                },
            };
            let store = Arc::clone(location.store());
            let mut writer = PointWriter::begin(store, begin, self.seal.clone()).await.unwrap();
            for (kind, object) in objects {
                writer.add(entry(kind, object)).await.unwrap();
            }
            writer.commit(result()).await.unwrap();
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work);
    }

    /// The part of a point whose file is called so.
    pub(crate) fn part(&self, id: &str, file: &str) -> PathBuf {
        let parts = self.folder.path().join("vault/data").join(id).join("a");
        parts.join(file)
    }

    /// Changes a byte of it.
    pub(crate) fn damage(&self, id: &str, file: &str) {
        let part = self.part(id, file);
        let mut bytes = std::fs::read(&part).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&part, bytes).unwrap();
    }
}

/// An object in the namespace `shop`, with these fields.
pub(crate) fn object(api_version: &str, kind: &str, name: &str, fields: &Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": { "name": name, "namespace": "shop", "resourceVersion": "1" },
    });
    let own = object.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    object
}

fn entry(kind: &str, object: &Value) -> Entry {
    let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
    Entry {
        group_resource: kind.to_owned(),
        namespace: text("namespace"),
        name: text("name").unwrap(),
        labels: [].into(),
        json: object.to_string().into(),
    }
}

fn result() -> PointResult {
    PointResult {
        finished: "2026-11-21T01:05:00Z".parse().unwrap(),
        phase: PointPhase::Completed,
        unread: [].into(),
        inconsistent: [].into(),
        first_of: [].into(),
        volumes: Vec::new(),
    }
}

fn settings(level: &str) -> Vec<(&'static str, Value)> {
    let data = json!({ "data": { "level": level } });
    vec![("configmaps", object("v1", "ConfigMap", "settings", &data))]
}

#[test]
fn every_damaged_point_of_a_vault_is_named() {
    let vault = Vault::new(true);
    vault.point(MONDAY, &settings("info"));
    vault.point(TUESDAY, &settings("debug"));
    let verify = ["vault", "verify", "--file-system", "vault"];
    let said = vault.folder.run(&verify).quietly(0);
    assert!(
        said.contains("not opened") && said.ends_with("2 recovery points, 0 damaged\n"),
        "{said}"
    );
    let opened = [&verify[..], &["--identity", "key.txt", "-o", "json"]].concat();
    let told: Value = serde_json::from_str(&vault.folder.run(&opened).quietly(0)).unwrap();
    assert_eq!(
        (&told["good"], &told["points"][1]["objects"]),
        (&json!(true), &json!(1))
    );

    vault.damage(TUESDAY, "index.ndjson.zst.age");
    let said = vault.folder.run(&verify).quietly(1);
    for part in [
        &format!("{MONDAY}: good"),
        &format!("{TUESDAY}: damaged\n  data/{TUESDAY}/a/index.ndjson.zst.age is damaged"),
        "2 recovery points, 1 damaged",
    ] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    std::fs::write(
        vault
            .folder
            .path()
            .join("vault/catalogue")
            .join(format!("{MONDAY}.json")),
        "{}",
    )
    .unwrap();
    let said = vault.folder.run(&verify).quietly(1);
    assert!(said.ends_with("2 recovery points, 2 damaged\n"), "{said}");
}

#[test]
fn a_place_that_is_no_vault_is_not_called_good() {
    let folder = Folder::with(&[]);
    for (place, said) in [
        (".", "error: there is no vault.json"),
        ("nowhere", "error: the location is not there"),
    ] {
        let complaint = folder
            .run(&["vault", "verify", "--file-system", place])
            .complaint();
        assert!(complaint.starts_with(said), "{complaint}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_vault_that_is_to_be_created_is_shown() {
    let folder = Folder::with(&[]);
    let recipient = Identity::generate().recipient().to_string();
    let place = ["--azure", "shopbackups/vault", "--prefix", "a/b"];
    let given = [
        "--credentials",
        "keys",
        "--recipient",
        &recipient,
        "--dry-run",
        "-o",
        "json",
        "-n",
        "shop",
    ];
    let shown = folder
        .run(&[&["vault", "create", "main"], &place[..], &given].concat())
        .quietly(0);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let expected = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupVault",
        "metadata": { "name": "main", "namespace": "shop" },
        "spec": {
            "operational": { "azure": {
                "account": "shopbackups", "container": "vault", "prefix": "a/b", "credentials": { "name": "keys" },
            } },
            "encryption": { "recipients": [recipient] },
            "softDelete": { "days": 14 },
            "immutability": "Disabled",
            "access": "ReadWrite",
            "format": "Native",
        },
    });
    assert_eq!(shown, expected);
    let of_velero = ["--s3", "velero", "--format", "velero", "--dry-run", "-o", "json"];
    let shown = folder
        .run(&[&["vault", "create", "old"], &of_velero[..]].concat())
        .quietly(0);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["spec"]["format"], "Velero");
    assert_eq!(shown["spec"]["access"], "ReadOnly");

    for (place, said) in [
        (&[][..], "say where the vault is to be"),
        (
            &["--file-system", "/vaults/a", "--recipient", "age1x"],
            "is no recipient of age",
        ),
    ] {
        let complaint = folder
            .run(&[&["vault", "create", "main", "--dry-run"], place].concat())
            .complaint();
        assert!(complaint.contains(said), "{complaint}");
    }
}
