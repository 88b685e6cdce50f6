//! Which of the backups that ended are still shown. What they made stays: the recovery point is its own record.

use jiff::Timestamp;

/// So many of an instance are kept.
const KEPT: usize = 10;

/// A backup of an instance that a schedule made and that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended<T> {
    /// Which.
    pub backup: T,
    /// For which slot.
    pub slot: Timestamp,
    /// Whether nothing is missing in it.
    pub complete: bool,
}

/// Which of an instance's backups are superfluous: all but the ten newest, and the newest complete one.
pub fn superfluous<T>(ended: impl IntoIterator<Item = Ended<T>>) -> Vec<T> {
    let mut ended: Vec<_> = ended.into_iter().collect();
    ended.sort_by_key(|ended| std::cmp::Reverse(ended.slot));
    let last_complete = ended.iter().position(|ended| ended.complete);
    let old = ended.into_iter().enumerate().skip(KEPT);
    old.filter(|(rank, _)| Some(*rank) != last_complete)
        .map(|(_, ended)| ended.backup)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many backups, number 0 the oldest, of which these are complete.
    fn history(count: i64, complete: &[i64]) -> Vec<Ended<i64>> {
        let ended = (0..count).map(|number| Ended {
            backup: number,
            slot: Timestamp::from_second(number * 3600).unwrap(),
            complete: complete.contains(&number),
        });
        ended.collect()
    }

    #[test]
    fn the_ten_newest_and_the_newest_complete_one_are_kept() {
        for (count, complete, gone) in [
            (0, &[][..], &[][..]),
            (10, &[0, 3], &[]),
            (12, &[], &[1, 0]),
            (13, &[11], &[2, 1, 0]),
            (13, &[1, 2], &[1, 0]),
            (13, &[0], &[2, 1]),
        ] {
            assert_eq!(
                superfluous(history(count, complete)),
                gone,
                "{count} {complete:?}"
            );
        }
    }
}
