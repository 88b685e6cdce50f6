//! What is said of a policy, as people read it.

use serde_json::{Value, json};

use super::*;
use crate::output::plain;

const NOW: &str = "2026-11-22T12:00:00Z";

fn policy() -> BackupPolicy {
    let object = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupPolicy",
        "metadata": { "name": "nightly", "namespace": "shop" },
        "spec": {
            "schedule": { "every": "12h", "at": "02:30", "timeZone": "Europe/Berlin" },
            "retention": { "operational": { "days": 7, "firstOfWeek": 30 }, "vaultTier": { "firstOfMonth": 365 } },
        },
    });
    serde_json::from_value(object).unwrap()
}

fn instance() -> BackupInstance {
    let object = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupInstance",
        "metadata": { "name": "shop", "namespace": "shop", "uid": "0b2a7e9c-5f0e-4d0e-9a63-6a2a2c6f1a11" },
        "spec": { "vault": "offsite", "policy": "nightly" },
    });
    serde_json::from_value(object).unwrap()
}

/// A point that was begun and made at `time`.
fn point(name: &str, instance: &str, time: &str, first_of: &[&str], tiers: &[&Value]) -> RecoveryPoint {
    let object = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "RecoveryPoint",
        "metadata": { "name": name, "namespace": "shop" },
        "spec": {
            "vault": "offsite", "instance": instance, "cluster": "c1",
            "backup": { "namespace": "shop", "name": name, "uid": name },
            "startedAt": time, "finishedAt": time, "firstOf": first_of,
            "phase": if name == "partial" { "CompletedWithWarnings" } else { "Completed" },
            "objects": 1, "bytes": 1, "storedBytes": 1, "volumes": 0, "encrypted": false,
        },
        "status": { "tiers": tiers },
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn it_says_when_backups_begin_and_what_is_kept_and_why() {
    let made = json!({ "tier": "Operational", "state": "Available" });
    let copied = json!({ "tier": "Vault", "state": "Available" });
    let others =
        json!({ "tier": "Operational", "state": "Available", "keptBecause": "another cluster made it" });
    let deleted = json!({ "tier": "Operational", "state": "Deleted" });
    let points = [
        point(
            "sunday",
            "shop",
            "2026-11-22T01:40:00.000000Z",
            &["Day", "Week"],
            &[&made],
        ),
        // The week began in another policy.
        point(
            "saturday",
            "shop",
            "2026-11-21T01:40:00.000000Z",
            &["Day"],
            &[&made],
        ),
        point(
            "foreign",
            "shop",
            "2026-11-20T01:40:00.000000Z",
            &["Day"],
            &[&others],
        ),
        point(
            "unwanted",
            "shop",
            "2026-11-19T01:40:00.000000Z",
            &["Day"],
            &[&deleted],
        ),
        point("partial", "shop", "2026-11-11T01:40:00.000000Z", &[], &[&made]),
        point(
            "first",
            "shop",
            "2026-11-01T01:40:00.000000Z",
            &["Day", "Month"],
            &[&made, &copied],
        ),
        point("other", "web", "2026-11-22T01:40:00.000000Z", &["Day"], &[&made]),
    ];
    let instance = instance();
    let now = NOW.parse().unwrap();
    let explanation = Explanation::of(&policy(), &[&instance], &points, now).unwrap();
    let shown = plain(|out| explanation.print(out));
    assert_eq!(
        shown,
        "\
Policy:    shop/nightly
Schedule:  every 12h at 02:30, Europe/Berlin
Slots:     2026-11-22 14:30:00 +01:00
           2026-11-23 02:30:00 +01:00
           2026-11-23 14:30:00 +01:00
           2026-11-24 02:30:00 +01:00
           2026-11-24 14:30:00 +01:00
Keeps:     30 days by the rule for the first of the week
           7 days by the default rule
Copies:    365 days by the rule for the first of the month

Instance:  shop
Begins:    2026-11-22 14:36:13 +01:00, 373 s after its slot
POINT      TIER          FINISHED               PHASE                   WHY
sunday     operational   2026-11-22T01:40:00Z   Completed               kept until 2026-12-22T01:40:00Z by the rule for the first of the week
saturday   operational   2026-11-21T01:40:00Z   Completed               kept until 2026-11-28T01:40:00Z by the default rule
foreign    operational   2026-11-20T01:40:00Z   Completed               another cluster made it
unwanted   operational   2026-11-19T01:40:00Z   Completed               deleted
partial    operational   2026-11-11T01:40:00Z   CompletedWithWarnings   expired at 2026-11-18T01:40:00Z by the default rule
first      operational   2026-11-01T01:40:00Z   Completed               expired at 2026-11-08T01:40:00Z by the default rule
first      vault         2026-11-01T01:40:00Z   Completed               kept until 2027-11-01T01:40:00Z by the rule for the first of the month
"
    );
}

#[test]
fn a_slot_whose_beginning_lies_ahead_is_the_next() {
    let (policy, instance) = (policy(), instance());
    for (now, begins) in [
        ("2026-11-22T13:30:00Z", "2026-11-22 14:36:13 +01:00"),
        ("2026-11-22T13:36:12Z", "2026-11-22 14:36:13 +01:00"),
        ("2026-11-22T13:36:13Z", "2026-11-23 02:36:13 +01:00"),
    ] {
        let explanation = Explanation::of(&policy, &[&instance], &[], now.parse().unwrap()).unwrap();
        let shown = plain(|out| explanation.print(out));
        assert!(
            shown.contains(&format!("Begins:    {begins}")) && shown.ends_with("Points:    none\n"),
            "{shown}"
        );
    }
}
