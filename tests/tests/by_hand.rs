//! A person reads a recovery point without us: the commands that `docs/vault.md` gives, run as they stand there.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use clusterbackup_tests::packages::FOR_READING_BY_HAND;
use clusterbackup_vault::point::{
    Attempt, BackupName, Begin, Entry, IndexEntry, LogLevel, LogLine, PointId, PointPhase, PointResult,
    PointWriter,
};
use clusterbackup_vault::seal::{Identity, Seal};
use clusterbackup_vault::store::{FileStore, Store};
use serde_json::json;

const ID: &str = "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f";

/// Stands in the objects' names and bodies, and nowhere in the store.
const CANARY: &str = "canary-6f1d";

fn entry(group_resource: &str, namespace: Option<&str>, name: &str, filling: usize) -> Entry {
    let object = json!({"metadata": {"name": name, "namespace": namespace}, "data": CANARY.repeat(filling)});
    Entry {
        group_resource: group_resource.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        labels: BTreeMap::from([("app".to_owned(), CANARY.to_owned())]),
        json: object.to_string().into_bytes().into(),
    }
}

/// Names as they come: long ones, and with a colon; bodies enough for a second segment.
fn entries() -> Vec<Entry> {
    let namespace = "n".repeat(63);
    let large = (0..3).map(|number| entry("secrets", Some("shop"), &format!("{CANARY}-{number}"), 300_000));
    let others = [
        entry("namespaces", None, "shop", 1),
        entry(
            "clusterroles.rbac.authorization.k8s.io",
            None,
            "system:controller:shop",
            1,
        ),
        entry("deployments.apps", Some(&namespace), &"d".repeat(250), 1),
    ];
    others.into_iter().chain(large).collect()
}

async fn write(store: Store, seal: Seal) {
    let time = "2026-11-21T01:00:00Z".parse().unwrap();
    let begin = Begin {
        id: PointId::new(ID).unwrap(),
        attempt: Attempt::new("first").unwrap(),
        cluster: "3f2a7c1e-0000-4000-8000-00000000c1a5".to_owned(),
        backup: BackupName {
            namespace: "shop".to_owned(),
            name: "nightly".to_owned(),
        },
        instance: "shop".to_owned(),
        started: time,
    };
    let mut writer = PointWriter::begin(store, begin, seal).await.unwrap();
    for entry in entries() {
        writer.add(entry).await.unwrap();
    }
    let message = format!("{CANARY} was slow");
    writer
        .log(&LogLine {
            time,
            level: LogLevel::Warning,
            message,
        })
        .unwrap();
    let result = PointResult {
        finished: time,
        phase: PointPhase::Completed,
        unread: [].into(),
        inconsistent: [].into(),
        first_of: [].into(),
        volumes: Vec::new(),
    };
    writer.commit(result).await.unwrap();
}

/// The commands of the section of the documentation.
fn commands() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vault.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## By hand\n").unwrap();
    let (_, commands) = section.split_once("```sh\n").unwrap();
    commands.split_once("```").unwrap().0.to_owned()
}

/// Runs them, and gives back what they complain of; nothing if they succeed.
fn by_hand(vault: &Path, key: &Path, out: &Path) -> Option<String> {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands()])
        .envs([("VAULT", vault), ("KEY", key), ("OUT", out)])
        .env("ID", ID)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(complaint)
}

fn holds(file: &Path, needle: &str) -> bool {
    let content = fs::read(file).unwrap();
    content
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_a_sealed_point_with_age_zstd_and_tar() {
    FOR_READING_BY_HAND.install().unwrap();
    let [vault, out, again] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let identity = Identity::generate();
    let seal = Seal::to(vec![identity.recipient()]);
    write(Arc::new(FileStore::new(vault.path())), seal).await;
    let key = out.path().join("key");
    fs::write(&key, key_file(&identity)).unwrap();

    assert_eq!(by_hand(vault.path(), &key, out.path()), None);
    let index = fs::read_to_string(out.path().join("index.ndjson")).unwrap();
    let lines: Vec<IndexEntry> = index
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), entries().len());
    assert_eq!(lines.last().unwrap().segment, 1);
    for Entry {
        group_resource,
        namespace,
        name,
        json,
        ..
    } in entries()
    {
        let scope = namespace.map_or_else(
            || "cluster".to_owned(),
            |namespace| format!("namespaces/{namespace}"),
        );
        let file = out
            .path()
            .join(format!("resources/{group_resource}/{scope}/{name}.json"));
        assert!(fs::read(&file).unwrap() == json, "{}", file.display());
    }
    assert!(holds(&out.path().join("log.ndjson"), CANARY));

    let data = vault.path().join("data").join(ID).join("first");
    let parts: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|part| part.unwrap().path())
        .collect();
    assert_eq!(parts.len(), 6);
    let manifest = vault.path().join("catalogue").join(format!("{ID}.json"));
    for file in parts.iter().chain([&manifest]) {
        assert!(!holds(file, CANARY), "{}", file.display());
        let sealed = holds(file, "age-encryption.org/v1");
        assert_eq!(
            sealed,
            file.extension().is_some_and(|ending| ending == "age"),
            "{}",
            file.display()
        );
    }

    let segment = data.join("segment-00001.tar.zst.age");
    let mut damaged = fs::read(&segment).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&segment, damaged).unwrap();
    let refused = by_hand(vault.path(), &key, again.path()).unwrap();
    assert!(refused.contains("1 computed checksum did NOT match"), "{refused}");
}

fn key_file(identity: &Identity) -> String {
    use age::secrecy::ExposeSecret as _;

    let recipient = identity.recipient();
    format!(
        "# public key: {recipient}\n{}\n",
        identity.reveal().expose_secret()
    )
}
