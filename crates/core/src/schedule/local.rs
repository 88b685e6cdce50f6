//! Which moment a time on the zone's clock is, where the clock is put forward and back.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The moment at which the clock shows this time first; of a time that it leaps over, the end of the leap. A later time
/// is never at an earlier moment.
pub(super) fn moment(zone: &TimeZone, clock: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(clock);
    let leaps = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().ok()?;
    if leaps {
        let leap = zone.following(earlier).next()?;
        return Some(leap.timestamp());
    }
    Some(earlier)
}

/// The latest time that the clock has shown up to a moment; in a repeated hour, the end of its first round.
pub(super) fn latest_shown(zone: &TimeZone, at: Timestamp) -> DateTime {
    let shown = zone.to_datetime(at);
    let turn = at
        .checked_add(SECOND)
        .ok()
        .and_then(|next| zone.preceding(next).next());
    let before = turn.and_then(|turn| turn.timestamp().checked_sub(SECOND).ok());
    before.map_or(shown, |before| shown.max(zone.to_datetime(before)))
}

/// The moment without its fraction of a second.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    let floor = at.as_nanosecond().div_euclid(1_000_000_000);
    i64::try_from(floor)
        .ok()
        .and_then(|floor| Timestamp::from_second(floor).ok())
        .unwrap_or(at)
}
