//! How many backups may be asked for within a day.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// A day, from whenever one looks back.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// No more for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// How many a day may be asked for.
    pub limit: u32,
    /// When one may again.
    pub until: Timestamp,
}

/// Whether one more may be asked for, after these.
pub fn admit(
    limit: u32,
    earlier: impl IntoIterator<Item = Timestamp>,
    now: Timestamp,
) -> Result<(), Exhausted> {
    let mut within = within_a_day(earlier, now);
    within.sort_unstable();
    let limit_size = usize::try_from(limit).unwrap_or(usize::MAX);
    let Some(surplus) = within.len().checked_sub(limit_size) else {
        return Ok(());
    };
    // Once this one is a day old, there are fewer than the limit. With a limit of 0 there is none.
    let until = within.get(surplus).and_then(|time| time.checked_add(DAY).ok());
    Err(Exhausted {
        limit,
        until: until.unwrap_or(Timestamp::MAX),
    })
}

/// Whether a fifth of the limit is left, or less.
pub fn is_near(limit: u32, earlier: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> bool {
    let count = u32::try_from(within_a_day(earlier, now).len()).unwrap_or(u32::MAX);
    u64::from(count) * 5 >= u64::from(limit) * 4
}

fn within_a_day(earlier: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Vec<Timestamp> {
    let begin = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
    earlier.into_iter().filter(|time| *time > begin).collect()
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, until } = self;
        write!(
            f,
            "{limit} backups on demand within 24 hours are all that it allows of an instance: ask again "
        )?;
        write!(
            f,
            "after {until:.0}, or raise its spec.limits.onDemandBackupsPerDay"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    #[test]
    fn as_many_as_the_limit_may_be_asked_for_within_any_day() {
        for (limit, earlier, until) in [
            (1, &[][..], None),
            (1, &["22T11:59"], Some("23T11:59")),
            (1, &["21T12:00"], None),
            (1, &["21T12:01"], Some("22T12:01")),
            (3, &["22T01:00", "22T02:00"], None),
            (3, &["22T03:00", "22T01:00", "22T02:00"], Some("23T01:00")),
            // The limit was lowered meanwhile.
            (2, &["22T03:00", "22T01:00", "22T02:00"], Some("23T02:00")),
        ] {
            let times = earlier.iter().map(|time| at(time));
            let found = admit(limit, times, at("22T12:00"));
            let expected = until.map_or(Ok(()), |until| {
                Err(Exhausted {
                    limit,
                    until: at(until),
                })
            });
            assert_eq!(found, expected, "{limit} {earlier:?}");
        }
    }

    #[test]
    fn a_limit_is_near_when_a_fifth_of_it_is_left() {
        for (limit, count, near) in [
            (10, 7, false),
            (10, 8, true),
            (10, 11, true),
            (1, 0, false),
            (1, 1, true),
        ] {
            let earlier = (0..count).map(|_| at("22T11:00"));
            assert_eq!(
                is_near(limit, earlier, at("22T12:00")),
                near,
                "{count} of {limit}"
            );
        }
    }

    #[test]
    fn the_message_says_when_to_ask_again() {
        let told = Exhausted {
            limit: 10,
            until: at("23T01:00"),
        };
        assert_eq!(
            told.to_string(),
            "10 backups on demand within 24 hours are all that it allows of an instance: ask again after \
             2026-11-23T01:00:00Z, or raise its spec.limits.onDemandBackupsPerDay"
        );
    }
}
