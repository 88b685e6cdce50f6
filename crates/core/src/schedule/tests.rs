//! Slots where the clock is put forward and back, and what is due.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(text: &str, zone: &str) -> Schedule {
    Schedule::cron(text, zone.parse().unwrap()).unwrap()
}

fn every(interval: Interval, start: &str, zone: &str) -> Schedule {
    Schedule::every(interval, start.parse().unwrap(), zone.parse().unwrap())
}

/// The first slots after a moment, as the zone's clock shows them.
fn slots(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let zone = schedule.zone.rules();
    let slots = schedule.slots(at(after)).take(count);
    let shown = slots.map(|slot| slot.to_zoned(zone.clone()).strftime("%d %H:%M%:z").to_string());
    shown.collect()
}

#[test]
fn a_slot_is_after_the_moment_asked_about() {
    let daily = cron("0 2 * * *", "UTC");
    for (after, next, latest) in [
        (
            "2026-11-21T01:59:59.999Z",
            "2026-11-21T02:00:00Z",
            "2026-11-20T02:00:00Z",
        ),
        (
            "2026-11-21T02:00:00Z",
            "2026-11-22T02:00:00Z",
            "2026-11-21T02:00:00Z",
        ),
        (
            "2026-11-21T02:00:00.001Z",
            "2026-11-22T02:00:00Z",
            "2026-11-21T02:00:00Z",
        ),
        (
            "1969-12-31T23:59:59.5Z",
            "1970-01-01T02:00:00Z",
            "1969-12-31T02:00:00Z",
        ),
    ] {
        assert_eq!(daily.next(at(after)), Some(at(next)), "{after}");
        assert_eq!(daily.latest(at(after)), Some(at(latest)), "{after}");
    }
    assert_eq!(daily.next(Timestamp::MAX), None);
    assert_eq!(every(Interval::Hours4, "00:00", "UTC").next(Timestamp::MAX), None);
}

/// Berlin's clock goes from 02:00 to 03:00 on 2027-03-28.
#[test]
fn a_time_that_is_leapt_over_has_its_slot_at_the_end_of_the_leap() {
    for (schedule, found) in [
        (
            every(Interval::Hours24, "02:30", "Europe/Berlin"),
            ["27 02:30+01:00", "28 03:00+02:00", "29 02:30+02:00"],
        ),
        (
            every(Interval::Hours12, "02:30", "Europe/Berlin"),
            ["27 02:30+01:00", "27 14:30+01:00", "28 03:00+02:00"],
        ),
        (
            cron("30 2 * * *", "Europe/Berlin"),
            ["27 02:30+01:00", "28 03:00+02:00", "29 02:30+02:00"],
        ),
        (
            cron("15 2,14 * * *", "Europe/Berlin"),
            ["27 02:15+01:00", "27 14:15+01:00", "28 03:00+02:00"],
        ),
        (
            cron("0,30 2-3 28 3 *", "Europe/Berlin"),
            ["28 03:00+02:00", "28 03:30+02:00", "28 02:00+02:00"],
        ),
    ] {
        assert_eq!(slots(&schedule, "2027-03-26T18:00:00Z", 3), found, "{schedule:?}");
    }
}

/// Berlin's clock goes from 03:00 back to 02:00 on 2026-10-25.
#[test]
fn a_time_that_comes_twice_has_its_slot_at_the_first() {
    for schedule in [
        every(Interval::Hours12, "02:30", "Europe/Berlin"),
        cron("30 2,14 * * *", "Europe/Berlin"),
    ] {
        let first = schedule.next(at("2026-10-24T22:00:00Z")).unwrap();
        let rest = slots(&schedule, "2026-10-24T20:00:00Z", 4);
        let days: Vec<&str> = rest.iter().map(|slot| &slot[..2]).collect();
        assert!(days == ["25", "25", "26", "26"], "{rest:?}");
        for second_round in [
            "2026-10-25T00:59:59Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:45:00Z",
        ] {
            assert_eq!(schedule.latest(at(second_round)), Some(first), "{second_round}");
            assert!(schedule.next(at(second_round)) > Some(at("2026-10-25T06:00:00Z")));
        }
    }
}

#[test]
fn a_star_for_the_hour_follows_the_hours_as_they_pass() {
    let hourly = cron("30 * * * *", "Europe/Berlin");
    assert_eq!(
        slots(&hourly, "2027-03-28T00:00:00Z", 3),
        ["28 01:30+01:00", "28 03:30+02:00", "28 04:30+02:00"]
    );
    assert_eq!(
        slots(&hourly, "2026-10-25T00:00:00Z", 3),
        ["25 02:30+02:00", "25 02:30+01:00", "25 03:30+01:00"]
    );
}

#[test]
fn odd_turns_of_clocks_are_no_trap() {
    // Half an hour; midnight leapt over; a whole day left out.
    for (zone, after, found) in [
        (
            "Australia/Lord_Howe",
            "2026-10-03T10:00:00Z",
            ["04 02:30+11:00", "05 02:15+11:00"],
        ),
        (
            "America/Santiago",
            "2026-09-05T12:00:00Z",
            ["06 02:15-03:00", "07 02:15-03:00"],
        ),
        (
            "Pacific/Apia",
            "2011-12-29T22:00:00Z",
            ["31 00:00+14:00", "31 02:15+14:00"],
        ),
    ] {
        assert_eq!(slots(&cron("15 2 * * *", zone), after, 2), found, "{zone}");
        assert_eq!(
            slots(&every(Interval::Hours24, "02:15", zone), after, 2),
            found,
            "{zone}"
        );
    }
    let midnight = every(Interval::Hours24, "00:00", "America/Santiago");
    assert_eq!(
        slots(&midnight, "2026-09-05T12:00:00Z", 2),
        ["06 01:00-03:00", "07 00:00-03:00"]
    );
}

const NOON: &str = "2026-11-21T12:00:00Z";

fn due(schedule: &Schedule, settled: &str, runs: bool, now: &str) -> Due {
    schedule.due(at(settled), runs, Jitter::NONE, at(now))
}

#[test]
fn each_slot_starts_one_backup() {
    let schedule = every(Interval::Hours4, "00:00", "UTC");
    let wait = Due::Wait(at(NOON));
    assert_eq!(
        due(&schedule, "2026-11-21T08:00:00Z", false, "2026-11-21T11:59:59Z"),
        wait
    );
    let start = Due::Start {
        slot: at(NOON),
        missed: 0,
    };
    assert_eq!(due(&schedule, "2026-11-21T08:00:00Z", false, NOON), start);
    let wait = Due::Wait(at("2026-11-21T16:00:00Z"));
    assert_eq!(due(&schedule, NOON, false, NOON), wait);
    assert_eq!(due(&schedule, NOON, true, "2026-11-21T15:00:00Z"), wait);
    assert_eq!(
        due(&schedule, "2026-11-21T12:30:00Z", false, "2026-11-21T12:30:00Z"),
        wait
    );
    assert_eq!(
        due(&schedule, NOON, false, "2026-11-21T03:00:00Z"),
        wait,
        "the clock went back"
    );
}

#[test]
fn missed_slots_collapse_into_one_backup() {
    let schedule = every(Interval::Hours4, "00:00", "UTC");
    let start = Due::Start {
        slot: at(NOON),
        missed: 6,
    };
    assert_eq!(
        due(&schedule, "2026-11-20T08:30:00Z", false, "2026-11-21T13:00:00Z"),
        start
    );
}

#[test]
fn slots_that_come_while_a_backup_runs_have_one_backup_after_it() {
    let schedule = every(Interval::Hours4, "00:00", "UTC");
    for (now, slot, missed) in [
        (NOON, NOON, 0),
        ("2026-11-21T17:00:00Z", "2026-11-21T16:00:00Z", 1),
    ] {
        assert_eq!(due(&schedule, "2026-11-21T08:00:00Z", true, now), Due::Hold);
        let start = Due::Start {
            slot: at(slot),
            missed,
        };
        assert_eq!(due(&schedule, "2026-11-21T08:00:00Z", false, now), start);
        assert!(matches!(due(&schedule, slot, false, now), Due::Wait(_)), "once");
    }
}

#[test]
fn a_success_is_late_two_hours_after_the_slot_behind_the_last() {
    let schedule = every(Interval::Hours4, "00:00", "UTC");
    for (last, now, late) in [
        ("2026-11-21T12:10:00Z", "2026-11-21T18:00:00Z", false),
        ("2026-11-21T12:10:00Z", "2026-11-21T18:00:01Z", true),
        // It took longer than to the next slot.
        ("2026-11-21T16:10:00Z", "2026-11-21T18:00:01Z", false),
        ("2026-11-21T12:10:00Z", "2026-11-21T11:00:00Z", false),
    ] {
        assert_eq!(schedule.is_late(at(last), at(now)), late, "{last} {now}");
    }
}

#[test]
fn a_schedule_holds_from_when_it_is_first_seen() {
    let daily = every(Interval::Hours24, "02:30", "Europe/Berlin");
    let noted = at("2026-11-19T01:30:00Z");
    for (text, settled) in [
        (None, NOON),
        (Some("every 24h at 02:30, Europe/Berlin"), "2026-11-19T01:30:00Z"),
        (Some("every 24h at 02:30, UTC"), NOON),
        (Some("every 12h at 02:30, Europe/Berlin"), NOON),
    ] {
        let noted = text.map(|text| (text, noted));
        assert_eq!(
            daily.settled(noted, at("2026-11-21T12:00:00.7Z")),
            at(settled),
            "{text:?}"
        );
    }
}

#[test]
fn a_schedule_says_its_times_and_its_zone() {
    for (schedule, text) in [
        (
            every(Interval::Hours24, "02:30", "Europe/Berlin"),
            "every 24h at 02:30, Europe/Berlin",
        ),
        (every(Interval::Hours4, "18:15", "UTC"), "every 4h at 02:15, UTC"),
        (
            cron(" 30 2\t* * mon ", "america/new_york"),
            "cron 30 2 * * 1, America/New_York",
        ),
    ] {
        assert_eq!(schedule.to_string(), text);
    }
}

#[test]
fn jitter_delays_a_start_and_takes_no_slot_away() {
    let schedule = every(Interval::Hours4, "00:00", "UTC");
    let jitter = Jitter::of("0b2a7e9c-5f0e-4d0e-9a63-6a2a2c6f1a11");
    let begin = at(NOON) + SignedDuration::from_secs(373);
    assert_eq!(schedule.start(at(NOON), jitter), begin);
    let settled = at("2026-11-21T08:00:00Z");
    assert_eq!(schedule.due(settled, false, jitter, at(NOON)), Due::Wait(begin));
    let start = Due::Start {
        slot: at(NOON),
        missed: 0,
    };
    assert_eq!(schedule.due(settled, false, jitter, begin), start);
    let minutely = cron("* * * * *", "UTC");
    let delay = minutely.start(at(NOON), jitter).duration_since(at(NOON));
    assert!(delay < SignedDuration::from_secs(6), "at most a tenth: {delay}");
}

#[test]
fn years_of_missed_minutes_are_counted_up_to_a_bound() {
    let minutely = cron("* * * * *", "Europe/Berlin");
    let start = Due::Start {
        slot: at(NOON),
        missed: MAX_COUNTED,
    };
    assert_eq!(due(&minutely, "1970-01-01T00:00:00Z", false, NOON), start);
    let rare = cron("0 0 29 2 +MON", "Europe/Berlin");
    assert!(matches!(
        due(&rare, "1970-01-01T00:00:00Z", false, NOON),
        Due::Start { missed: 0..3, .. }
    ));
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
    ];
    let zone = prop::sample::select(zones.to_vec());
    let intervals = [Interval::Hours4, Interval::Hours8, Interval::Hours24];
    let preset = (
        prop::sample::select(intervals.to_vec()),
        0..24,
        0..60,
        zone.clone(),
    );
    let preset = preset
        .prop_map(|(interval, hour, minute, zone)| every(interval, &format!("{hour:02}:{minute:02}"), zone));
    let texts = [
        "*/15 * * * *",
        "7,37 0-4 * * *",
        "0 */3 * * *",
        "30 1 * * SUN",
        "59 23 L * *",
        "0 0-3 1-7,25-31 * *",
    ];
    let text = (prop::sample::select(texts.to_vec()), zone).prop_map(|(text, zone)| cron(text, zone));
    prop_oneof![preset, text]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_latest_slot_is_the_one_before_the_next(schedule in any_schedule(), hours in 0_i64..17_520, seconds in 0_i64..3600) {
        // Two years from 2026 on, with all their turns of clocks.
        let now = at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(3600 * hours + seconds);
        let next = schedule.next(now).unwrap();
        let latest = schedule.latest(now).unwrap();
        prop_assert!(latest <= now && now < next);
        prop_assert_eq!(schedule.next(latest), Some(next));
        prop_assert_eq!(schedule.latest(next), Some(next));
        prop_assert_eq!(schedule.latest(next - SignedDuration::from_secs(1)), Some(latest));
    }

    #[test]
    fn a_leader_that_looks_at_any_times_settles_each_slot_once(
        schedule in any_schedule(),
        uid in "[a-f0-9]{8}",
        looks in prop::collection::vec((0_i64..20_000, any::<bool>()), 1..40),
    ) {
        let jitter = Jitter::of(&uid);
        let begin = at("2026-10-24T00:00:00Z");
        let (mut now, mut settled, mut count) = (begin, begin, 0);
        for (pause, runs) in looks {
            now += SignedDuration::from_secs(pause);
            match schedule.due(settled, runs, jitter, now) {
                Due::Wait(until) => prop_assert!(until > now),
                Due::Start { slot, missed } => {
                    prop_assert!(!runs && slot > settled && slot <= now);
                    (settled, count) = (slot, count + missed + 1);
                }
                Due::Hold => prop_assert!(runs),
            }
        }
        let slots = schedule.slots(begin).take_while(|slot| *slot <= settled).count();
        prop_assert_eq!(count, slots);
    }

    #[test]
    fn no_text_makes_the_reader_panic_or_hang(text in "[-0-9*/,LW#?+a-zA-Z @é\\x00]{0,40}|([-0-9*/,LW#?+]{1,6} ){4}[-0-9*/,L#?+A-Z]{1,6}") {
        if let Ok(schedule) = Schedule::cron(&text, Zone::UTC) {
            prop_assert!(schedule.next(at(NOON)) > Some(at(NOON)));
            prop_assert!(schedule.latest(at(NOON)) <= Some(at(NOON)));
        }
    }
}
