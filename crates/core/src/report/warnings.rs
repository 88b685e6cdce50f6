//! The warnings of a backup: each once, the gravest first, and not more than a status can hold.

use std::collections::BTreeSet;

/// The most warnings of a backup.
pub const MAX_WARNINGS: usize = 100;

/// What a warning is about; the graver ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Applications that don't run freely, or were not thawed as they should have been.
    Thaw,
    /// Cuts that are not from one moment.
    Barrier,
    /// Commands that failed, or can't run.
    Hook,
    /// Claims without a snapshot, or with a lesser one.
    Volume,
    /// What was asked for and isn't there.
    Selection,
}

/// Warnings, in an order that doesn't depend on when each was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Warnings(BTreeSet<(About, String)>);

impl Warnings {
    /// Adds one, unless it is there.
    pub(super) fn add(&mut self, about: About, text: String) {
        self.0.insert((about, text));
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most [`MAX_WARNINGS`] texts; if there are more, the last one says how many.
    pub(super) fn into_list(self) -> Vec<String> {
        let count = self.0.len();
        let shown = if count > MAX_WARNINGS {
            MAX_WARNINGS - 1
        } else {
            count
        };
        let mut list: Vec<String> = self.0.into_iter().take(shown).map(|(_, text)| text).collect();
        if count > shown {
            list.push(format!("and {} more warnings", count - shown));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_come_once_and_the_gravest_first_whatever_their_order_was() {
        let all = [
            (About::Volume, "b"),
            (About::Thaw, "z"),
            (About::Volume, "a"),
            (About::Volume, "b"),
            (About::Hook, "c"),
        ];
        let mut forwards = Warnings::default();
        let mut backwards = Warnings::default();
        for (about, text) in all {
            forwards.add(about, text.to_owned());
        }
        for (about, text) in all.into_iter().rev() {
            backwards.add(about, text.to_owned());
        }
        assert_eq!(forwards.into_list(), ["z", "c", "a", "b"]);
        assert_eq!(backwards.into_list(), ["z", "c", "a", "b"]);
    }

    #[test]
    fn there_are_never_more_than_fit_and_the_rest_is_counted() {
        for (count, shown, last) in [
            (100, 100, "099"),
            (101, 100, "and 2 more warnings"),
            (500, 100, "and 401 more warnings"),
        ] {
            let mut warnings = Warnings::default();
            for number in 0..count {
                warnings.add(About::Hook, format!("{number:03}"));
            }
            let list = warnings.into_list();
            assert_eq!(list.len(), shown);
            assert_eq!(list.last().unwrap(), last);
        }
    }
}
