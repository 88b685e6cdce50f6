use std::os::unix::fs::PermissionsExt as _;

use clusterbackup_api::node_task::Thaw;

use super::entry::tests::entry;
use super::*;

const OUTCOME: Outcome = Outcome {
    thaw: Thaw::ByWatchdog,
    frozen_millis: Some(1500),
};

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(&folder.path().join("journal")).unwrap();
    (folder, journal)
}

#[test]
fn an_entry_is_for_root_alone_and_blocks_its_pod_until_it_is_closed() {
    let (folder, journal) = journal();
    let held = journal.begin(entry("u1")).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path().join("journal")), 0o700);
    assert_eq!(mode(folder.path().join("journal/u1.open")), 0o600);
    assert!(matches!(journal.begin(entry("u1")), Err(JournalError::Taken(_))));
    drop(journal.begin(entry("u2")).unwrap());
    assert_eq!(held.close().unwrap(), Closed::Here);
    assert_eq!(journal.open().unwrap(), ["u2"]);
    journal.begin(entry("u1")).unwrap();
}

#[test]
fn only_an_entry_without_an_owner_can_be_taken_over() {
    let (_folder, journal) = journal();
    let held = journal.begin(entry("u1")).unwrap();
    let other = journal.look("u1").unwrap().unwrap();
    assert!(!other.lock(), "its owner lives");
    drop(held);
    assert!(other.lock(), "its owner is gone");
    assert!(!journal.look("u1").unwrap().unwrap().lock(), "it was taken over");
    other.hand_over(OUTCOME).unwrap();
    assert!(journal.look("u1").unwrap().is_none(), "it is closed");
    assert_eq!(
        journal.take_thawed("u1", "another").unwrap(),
        None,
        "of another task"
    );
    assert_eq!(journal.take_thawed("u1", "1").unwrap(), Some(OUTCOME));
    assert_eq!(journal.take_thawed("u1", "1").unwrap(), None, "reported once");
}

#[test]
fn of_two_who_undo_the_first_one_counts() {
    let (_folder, journal) = journal();
    let held = journal.begin(entry("u1")).unwrap();
    journal.look("u1").unwrap().unwrap().hand_over(OUTCOME).unwrap();
    assert_eq!(held.close().unwrap(), Closed::Before(OUTCOME));

    let held = journal.begin(entry("u1")).unwrap();
    let other = journal.look("u1").unwrap().unwrap();
    assert_eq!(held.close().unwrap(), Closed::Here);
    other.hand_over(OUTCOME).unwrap();
    assert!(journal.thawed().unwrap().is_empty());
}

#[test]
fn an_old_hand_never_touches_a_later_freeze() {
    let (_folder, journal) = journal();
    let held = journal.begin(entry("u1")).unwrap();
    let late = journal.look("u1").unwrap().unwrap();
    held.close().unwrap();
    let _again = journal.begin(entry("u1")).unwrap();
    assert!(!late.is_open() && !late.lock());
    late.hand_over(OUTCOME).unwrap();
    assert!(journal.is_open("u1"));
}

#[test]
fn what_the_owner_began_is_seen_by_others() {
    let (_folder, journal) = journal();
    let held = journal.begin(entry("u1")).unwrap();
    assert_eq!(journal.look("u1").unwrap().unwrap().undoing(), None);
    held.note_undoing(Duration::from_secs(3)).unwrap();
    let seen = journal.look("u1").unwrap().unwrap();
    assert_eq!(seen.undoing(), Some(Duration::from_secs(3)));
    assert_eq!(seen.entry(), held.entry());
}

#[test]
fn an_entry_that_cant_be_read_is_set_aside_once_nobody_holds_it() {
    let (folder, journal) = journal();
    let path = folder.path().join("journal/u1.open");
    for text in ["", "{\"task\":", "[]", "\u{0}\u{0}"] {
        fs::write(&path, text).unwrap();
        assert!(
            matches!(journal.look("u1"), Err(JournalError::Corrupt { .. })),
            "{text:?}"
        );
        let owner = File::open(&path).unwrap();
        assert!(
            locked(&owner) && !journal.quarantine("u1").unwrap(),
            "its owner lives"
        );
        drop(owner);
        assert!(journal.quarantine("u1").unwrap());
        assert!(journal.look("u1").unwrap().is_none());
        assert_eq!(journal.quarantined().unwrap(), 1);
    }
    let moved = journal.begin(entry("u1")).unwrap();
    drop(moved);
    fs::rename(&path, folder.path().join("journal/u2.open")).unwrap();
    assert!(journal.look("u2").is_err(), "an entry under another pod's name");
}

#[test]
fn a_uid_never_leaves_the_folder() {
    let (_folder, journal) = journal();
    for uid in ["", "../u", "a/b", "a.b"] {
        assert!(
            matches!(journal.begin(entry(uid)), Err(JournalError::Uid(_))),
            "{uid:?}"
        );
    }
}

#[test]
fn drafts_of_the_dead_are_swept_and_those_of_the_living_stay() {
    let (folder, journal) = journal();
    let path = |name: &str| folder.path().join("journal").join(name);
    fs::write(path("dead.draft"), "{").unwrap();
    let living = File::create(path("living.draft")).unwrap();
    assert!(locked(&living));
    journal.sweep().unwrap();
    assert!(!path("dead.draft").exists() && path("living.draft").exists());
}
