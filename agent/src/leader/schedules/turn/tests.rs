//! What is decided about an instance, from what is known of it.

use clusterbackup_api::labels;
use clusterbackup_core::zone::Zone;
use serde_json::{Value, json};

use super::*;

/// The jitter of this one is 373 s of 600 s; its daily slots are at midnight in UTC.
const UID: &str = "0b2a7e9c-5f0e-4d0e-9a63-6a2a2c6f1a11";
const DAILY: &str = "every 24h at 00:00, UTC";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn instance(status: &Value) -> BackupInstance {
    let object = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupInstance",
        "metadata": { "name": "shop", "namespace": "home", "uid": UID },
        "spec": { "vault": "vault", "policy": "daily" },
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}

fn backup(name: &str, slot: Option<&str>, phase: &str, finished: Option<&str>) -> Backup {
    let annotations = slot.map(|slot| json!({ labels::SCHEDULED_FOR: slot }));
    let object = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "Backup",
        "metadata": { "name": name, "namespace": "home", "annotations": annotations.unwrap_or_default() },
        "spec": { "instance": "shop" },
        "status": { "phase": phase, "finishedAt": finished },
    });
    serde_json::from_value(object).unwrap()
}

fn follows() -> Course {
    let schedule = Schedule::every(
        clusterbackup_core::schedule::Interval::Hours24,
        "00:00".parse().unwrap(),
        Zone::UTC,
    );
    Course::Follows(schedule)
}

fn turn(status: &Value, course: &Course, backups: &[Backup], now: &str) -> Turn {
    Turn::of(
        &instance(status),
        course,
        &backups.iter().collect::<Vec<_>>(),
        at(now),
    )
}

/// The note, as it is written.
fn note(turn: &Turn) -> Value {
    serde_json::to_value(&turn.note).unwrap()
}

#[test]
fn a_new_instance_waits_for_its_first_slot() {
    for status in [
        json!({}),
        // It followed another schedule before.
        json!({
            "schedule": "every 4h at 00:00, UTC",
            "scheduledSince": "2026-10-01T00:00:00Z",
            "lastScheduled": "2026-11-01T00:00:00Z",
        }),
    ] {
        let turn = turn(&status, &follows(), &[], "2026-11-21T12:00:00Z");
        assert_eq!(turn.start, None);
        let noted = json!({
            "schedule": DAILY,
            "scheduledSince": "2026-11-21T12:00:00Z",
            "lastScheduled": "2026-11-21T12:00:00Z",
            "nextBackup": "2026-11-22T00:06:13Z",
            "lastSuccessful": null,
        });
        assert_eq!(note(&turn), noted);
        assert_eq!(turn.wake, Some(at("2026-11-22T00:06:13Z")));
    }
}

#[test]
fn a_slot_is_settled_with_the_backup_that_is_made_for_it() {
    let status = json!({ "schedule": DAILY, "lastScheduled": "2026-11-21T00:00:00Z" });
    for (now, backups, start, settled, next) in [
        (
            "2026-11-22T00:06:12Z",
            vec![],
            None,
            "2026-11-21T00:00:00Z",
            json!("2026-11-22T00:06:13Z"),
        ),
        (
            "2026-11-22T00:06:13Z",
            vec![],
            Some(("2026-11-22T00:00:00Z", 0)),
            "2026-11-22T00:00:00Z",
            json!("2026-11-23T00:06:13Z"),
        ),
        (
            "2026-11-24T12:00:00Z",
            vec![],
            Some(("2026-11-24T00:00:00Z", 2)),
            "2026-11-24T00:00:00Z",
            json!("2026-11-25T00:06:13Z"),
        ),
        // Whoever asked for the one that runs.
        (
            "2026-11-24T12:00:00Z",
            vec![backup("by-hand", None, "Running", None)],
            None,
            "2026-11-21T00:00:00Z",
            Value::Null,
        ),
    ] {
        let turn = turn(&status, &follows(), &backups, now);
        let expected = start.map(|(slot, missed)| (at(slot), missed));
        assert_eq!(turn.start, expected, "{now}");
        let note = note(&turn);
        assert_eq!(
            (&note["lastScheduled"], &note["nextBackup"]),
            (&json!(settled), &next),
            "{now}"
        );
    }
}

#[test]
fn without_a_policy_nothing_is_due_and_what_was_noted_of_one_that_is_away_stays() {
    let status = json!({
        "schedule": DAILY,
        "lastScheduled": "2026-11-01T00:00:00Z",
        "nextBackup": "2026-11-02T00:06:13Z",
    });
    for (course, settled) in [
        (Course::Free, Value::Null),
        (Course::Unknown, json!("2026-11-01T00:00:00Z")),
    ] {
        let turn = turn(&status, &course, &[], "2026-11-21T12:00:00Z");
        assert!(turn.start.is_none() && turn.wake.is_none());
        let note = note(&turn);
        assert_eq!(note["lastScheduled"], settled, "{course:?}");
        assert_eq!(note["nextBackup"], Value::Null);
    }
}

#[test]
fn the_last_success_is_remembered_longer_than_its_backup() {
    let status = json!({ "lastSuccessful": "2026-11-10T00:07:00Z" });
    for (phase, finished, last) in [
        ("Completed", "2026-11-20T00:07:00.5Z", "2026-11-20T00:07:00Z"),
        ("Completed", "2026-11-02T00:07:00Z", "2026-11-10T00:07:00Z"),
        (
            "CompletedWithWarnings",
            "2026-11-20T00:07:00Z",
            "2026-11-10T00:07:00Z",
        ),
        ("Failed", "2026-11-20T00:07:00Z", "2026-11-10T00:07:00Z"),
    ] {
        let backups = [backup("by-hand", None, phase, Some(finished))];
        let turn = turn(&status, &Course::Free, &backups, "2026-11-21T12:00:00Z");
        assert_eq!(note(&turn)["lastSuccessful"], json!(last), "{phase} {finished}");
    }
}

#[test]
fn only_old_backups_by_schedule_that_have_ended_go() {
    let days = 1..=12;
    let mut backups: Vec<Backup> = days
        .map(|day| {
            let slot = format!("2026-11-{day:02}T00:00:00Z");
            let phase = if day == 1 { "Running" } else { "Failed" };
            backup(&format!("shop-202611{day:02}0000"), Some(&slot), phase, None)
        })
        .collect();
    backups.push(backup("by-hand", None, "Completed", Some("2026-10-01T00:00:00Z")));
    // Somebody wrote the annotation himself.
    let forged = Some("2026-10-01T00:00:00Z");
    backups.push(backup("forged", forged, "Completed", None));
    let turn = turn(&json!({}), &Course::Free, &backups, "2026-11-21T12:00:00Z");
    assert_eq!(turn.superfluous, ["shop-202611020000"]);
}
