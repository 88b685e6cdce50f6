//! Archives that somebody forged, or that were damaged: each is refused with one error, and takes neither memory nor time.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use tar::EntryType;

use super::limits::Limits;
use super::sample::{self, File, compress, file, object, pack, version};
use super::{Archive, ArchiveError};
use crate::store::Store;

async fn open(archive: Vec<u8>, limits: Limits) -> Archive {
    let store = sample::store();
    sample::write_archive(&store, "a", archive).await;
    Archive::open(store, "a").await.unwrap().within(limits)
}

/// What reading an archive says, to whoever asks for whatever.
async fn refusal_within(archive: Vec<u8>, limits: Limits) -> String {
    let archive = open(archive, limits).await;
    let mut results: Vec<_> = archive.objects().collect().await;
    let last = results.pop().unwrap().unwrap_err();
    assert!(matches!(last, ArchiveError::Refused { .. }), "{last:?}");
    assert!(results.iter().all(Result::is_ok), "more than one error");
    assert_eq!(archive.get("pods", Some("shop"), "web").await, Err(last.clone()));
    assert_eq!(archive.count().await, Err(last.clone()));
    last.to_string()
}

async fn refusal(files: &[File]) -> String {
    refusal_within(compress(&pack(files)), Limits::DEFAULT).await
}

fn pod(name: &str) -> File {
    object("v1", "Pod", "pods", Some("shop"), name)
}

fn at(path: &str) -> File {
    File {
        path: path.to_owned(),
        ..pod("web")
    }
}

fn of_kind(kind: u8) -> File {
    File {
        kind: EntryType::new(kind),
        content: Vec::new(),
        ..pod("web")
    }
}

#[tokio::test]
async fn a_whole_archive_is_read() {
    let archive = open(compress(&pack(&sample::files())), Limits::DEFAULT).await;
    let objects: Vec<_> = archive.objects().try_collect().await.unwrap();
    let names: Vec<_> = objects.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["web", "shop", &"b".repeat(253)]);
    for entry in objects {
        let found = archive
            .get(&entry.group_resource, entry.namespace.as_deref(), &entry.name)
            .await;
        assert_eq!(found, Ok(Some(entry.json)));
    }
    assert_eq!(
        archive.get("deployments.apps", Some("shop"), "old").await,
        Ok(None)
    );
    let counts = |counts: [(&str, u64); 3]| {
        let counts = counts.map(|(kind, count)| (kind.to_owned(), count));
        Ok(BTreeMap::from(counts))
    };
    assert_eq!(
        archive.count().await,
        counts([("deployments.apps", 1), ("namespaces", 1), ("pods", 1)])
    );
    assert_eq!(
        archive.resource_list().await,
        counts([("apps/v1/Deployment", 0), ("v1/Namespace", 2), ("v1/Pod", 1)])
    );
}

#[tokio::test]
async fn an_archive_that_was_packed_again_is_read() {
    let folders = ["./", "./metadata/", "./resources/pods/"].map(|path| File {
        path: path.to_owned(),
        ..of_kind(b'5')
    });
    let mut files = folders.to_vec();
    files.extend([at("./resources/pods/namespaces/shop/web.json"), version()]);
    // Tar fills its last record, and gzip's files can be joined.
    let packed = [pack(&files), vec![0; 20 << 10]].concat();
    let (first, second) = packed.split_at(700);
    let archive = open([compress(first), compress(second)].concat(), Limits::DEFAULT).await;
    assert_eq!(archive.count().await, Ok([("pods".to_owned(), 1)].into()));
}

#[tokio::test]
async fn files_that_velero_would_not_write_are_refused() {
    let long = "a/../".repeat(50);
    for (file, reason) in [
        (at("../../etc/cron.d/web"), "its path leads elsewhere"),
        (at("/etc/cron.d/web"), "its path leads elsewhere"),
        (
            at("resources/pods/namespaces/shop/../../../x.json"),
            "its path leads elsewhere",
        ),
        (at(&long), "its path leads elsewhere"),
        (at("etc/cron.d/web"), "Velero writes no file with such a path"),
        (of_kind(b'1'), "neither a file nor a folder"),
        (of_kind(b'2'), "neither a file nor a folder"),
        (of_kind(b'3'), "neither a file nor a folder"),
        (of_kind(b'4'), "neither a file nor a folder"),
        (of_kind(b'6'), "neither a file nor a folder"),
        (of_kind(b'S'), "neither a file nor a folder"),
        (of_kind(b'K'), "neither a file nor a folder"),
        (of_kind(b'g'), "neither a file nor a folder"),
        (
            at("resources/pods/namespaces/other/web.json"),
            r#"namespace is "shop" and not "other""#,
        ),
        (
            at("resources/pods/cluster/web.json"),
            r#"namespace is "shop" and not """#,
        ),
        (
            at("resources/pods/namespaces/shop/db.json"),
            r#"name is "web" and not "db""#,
        ),
        (
            at("resources/pods.apps/namespaces/shop/web.json"),
            r#"API group is "" and not "apps""#,
        ),
        (
            object("v1", "Secret", "pods", Some("shop"), "db"),
            r#"kind is "Secret" and not "Pod""#,
        ),
        (pod("first"), "it is there twice"),
        (version(), "it is there twice"),
        (file("metadata/version", "2.0.0"), r#"its format is "2.0.0""#),
        (
            file("resources/pods/namespaces/shop/web.json", "{\"a\":"),
            "it is not the JSON of an object: line 1",
        ),
    ] {
        let text = refusal(&[version(), pod("first"), file.clone()]).await;
        assert!(text.contains(reason), "{:?}: {text}", file.path);
        let path: String = file.path.chars().take(100).collect();
        assert!(text.contains(&path), "{:?}: {text}", file.path);
        assert!(text.starts_with("backups/a/a.tar.gz is refused: "), "{text}");
    }
}

#[tokio::test]
async fn headers_that_show_other_readers_other_files_are_refused() {
    let header = |kind: u8, content: &[u8]| File {
        content: content.to_vec(),
        ..of_kind(kind)
    };
    for headers in [
        vec![header(b'x', b"13 size=9999\n")],
        vec![header(b'x', b"22 GNU.sparse.major=1\n")],
        vec![header(b'x', b"10 path=a\n10 path=b\n")],
        vec![header(b'x', b"nonsense")],
        vec![header(b'x', b"10 path=a\n"), header(b'L', b"b\0")],
        vec![header(b'L', &[b'a'; 65 << 10])],
    ] {
        let text = refusal(&[vec![version()], headers, vec![pod("web")]].concat()).await;
        assert!(text.contains("the header before it can't be read"), "{text}");
    }
    let nothing_follows = refusal(&[version(), header(b'L', b"b\0")]).await;
    assert!(nothing_follows.contains("the header before"), "{nothing_follows}");
}

#[tokio::test]
async fn an_archive_without_its_format_is_refused() {
    let text = refusal(&[pod("web")]).await;
    assert!(text.contains("it has no metadata/version"), "{text}");
    let store: Store = sample::store();
    sample::write(&store, "a", &sample::files()).await;
    let key = super::layout::description("a").unwrap();
    let newer = r#"{"kind":"Backup","metadata":{"name":"a"},"status":{"formatVersion":"2.0.0"}}"#;
    store.put(&key, newer.into()).await.unwrap();
    let text = Archive::open(store, "a").await.unwrap_err().to_string();
    assert!(
        text.contains(r#"velero-backup.json is refused: its format is "2.0.0""#),
        "{text}"
    );
}

#[tokio::test]
async fn an_archive_that_was_cut_or_goes_on_is_refused() {
    let whole = pack(&sample::files());
    let compressed = compress(&whole);
    for left in [
        0,
        1,
        10,
        compressed.len() / 2,
        compressed.len() - 8,
        compressed.len() - 1,
    ] {
        let text = refusal_within(compressed[..left].to_vec(), Limits::DEFAULT).await;
        assert!(text.contains("its end is missing"), "{left}: {text}");
    }
    for (archive, reason) in [
        (compress(&whole[..whole.len() - 1024]), "its end is missing"),
        (compress(&whole[..whole.len() - 512]), "its end is missing"),
        (compress(&whole[..whole.len() - 1536]), "its end is missing"),
        (
            compress(&[&whole[..], b"more"].concat()),
            "something follows its end",
        ),
        (
            compress(&[&whole[..], &whole].concat()),
            "something follows its end",
        ),
        (
            [compressed.as_slice(), b"more than a header"].concat(),
            "it is damaged, or not what Velero writes",
        ),
        (whole.clone(), "it is damaged, or not what Velero writes"),
        (compress(b""), "its end is missing"),
    ] {
        let text = refusal_within(archive, Limits::DEFAULT).await;
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

#[tokio::test]
async fn what_is_cited_of_a_damaged_archive_is_not_an_objects_content() {
    let secret = File {
        content: "canary".repeat(200).into_bytes(),
        ..object("v1", "Secret", "secrets", Some("shop"), "login")
    };
    let mut packed = pack(&[version(), secret]);
    // Without the secret's own header, its content stands where one is expected.
    packed.drain(1024..1536);
    let text = refusal_within(compress(&packed), Limits::DEFAULT).await;
    assert!(
        text.contains("it is damaged") && !text.contains("canary"),
        "{text}"
    );
}

#[tokio::test]
async fn a_backup_without_its_archive_says_so() {
    let store = sample::store();
    sample::write(&store, "a", &sample::files()).await;
    let archive = Archive::open(store.clone(), "a").await.unwrap();
    let key = super::layout::archive("a").unwrap();
    store.delete(&key).await.unwrap();
    assert_eq!(archive.count().await, Err(ArchiveError::Missing { key }));
    let none = Archive::open(sample::store(), "a").await.unwrap_err();
    assert_eq!(none, ArchiveError::NoSuchBackup("a".to_owned()));
}

#[tokio::test]
async fn an_archive_that_swells_is_refused() {
    let zeros = |mebibytes: usize| [pack(&[version()]), vec![0; mebibytes << 20]].concat();
    let swells = refusal_within(compress(&zeros(200)), Limits::DEFAULT).await;
    assert!(swells.contains("more than 500 times larger"), "{swells}");
    let small = Limits {
        opened: 1 << 20,
        ..Limits::DEFAULT
    };
    let large = refusal_within(compress(&zeros(2)), small).await;
    assert!(large.contains("larger than 1048576 bytes without"), "{large}");
}

#[tokio::test]
async fn a_file_that_says_it_is_huge_is_refused_before_it_is_read() {
    let mut packed = pack(&[version(), pod("web")]);
    let mut header = tar::Header::from_byte_slice(&packed[1024..1536]).clone();
    header.set_size(1 << 50);
    header.set_cksum();
    packed[1024..1536].copy_from_slice(header.as_bytes());
    let text = refusal_within(compress(&packed), Limits::DEFAULT).await;
    assert!(text.contains("it has 1125899906842624 bytes"), "{text}");
}

#[tokio::test]
async fn too_many_objects_or_kinds_are_refused() {
    let files: Vec<_> = (0..9)
        .map(|number| object("v1", "Thing", &format!("things{number}"), None, "a"))
        .collect();
    let files = [&[version()], files.as_slice()].concat();
    for (objects, kinds, reason) in [
        (8, 99, "more than 8 objects"),
        (99, 8, "more than 8 kinds of objects"),
    ] {
        let limits = Limits {
            objects,
            kinds,
            ..Limits::DEFAULT
        };
        let text = refusal_within(compress(&pack(&files)), limits).await;
        assert!(text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn a_resource_list_that_is_none_is_refused() {
    let store = sample::store();
    sample::write(&store, "a", &sample::files()).await;
    let archive = Archive::open(store.clone(), "a").await.unwrap();
    let key = super::layout::resource_list("a").unwrap();
    let many: Vec<_> = (0..10_001).map(|number| format!(r#""{number}":null"#)).collect();
    for (list, reason) in [
        (
            compress(b"[]"),
            "it is not the JSON of a list of objects by their kinds",
        ),
        (compress(br#"{"v1/Pod":7}"#), "it is not the JSON of"),
        (compress(br#"{"v1/Pod":[],"v1/Pod":[]}"#), "it is not the JSON of"),
        (compress(br#"{"v1/Pod":[]"#), "it is not the JSON of"),
        (
            compress(format!("{{{}}}", many.join(",")).as_bytes()),
            "it is not the JSON of",
        ),
        (
            compress(&vec![b' '; 65 << 20]),
            "it is larger than 67108864 bytes",
        ),
        (
            br#"{"v1/Pod":["shop/web"]}"#.to_vec(),
            "it is damaged, or not what Velero writes",
        ),
    ] {
        store.put(&key, list.into()).await.unwrap();
        let text = archive.resource_list().await.unwrap_err().to_string();
        assert!(text.contains(reason), "{reason}: {text}");
    }
    store.delete(&key).await.unwrap();
    assert_eq!(archive.resource_list().await, Err(ArchiveError::Missing { key }));
}
