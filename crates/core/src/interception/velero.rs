//! How Velero names its Restores in the label `velero.io/restore-name`: by their names, or by what of a longer name
//! goes into a label.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// What a label takes.
const LIMIT: usize = 63;

/// How many hexadecimal digits of its digest end a shortened name.
const DIGITS: usize = 6;

/// A value of the label `velero.io/restore-name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreLabel<'a>(&'a str);

impl<'a> RestoreLabel<'a> {
    /// The label of this value.
    pub const fn new(value: &'a str) -> Self {
        Self(value)
    }

    /// Its value, which is a Restore's name unless that is too long.
    pub const fn value(self) -> &'a str {
        self.0
    }

    /// Whether it may stand for a name that is too long: such a name can't be read from it.
    pub fn may_be_shortened(self) -> bool {
        let digits = self.0.as_bytes().get(LIMIT - DIGITS..);
        self.0.len() == LIMIT
            && digits.is_some_and(|digits| {
                digits
                    .iter()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
            })
    }

    /// Whether Velero gives it to what the Restore of this name restores.
    pub fn stands_for(self, name: &str) -> bool {
        Self::value_for(name) == self.0
    }

    /// The value of the label on what the Restore of this name restores. Restores of ours are named in their label the
    /// same way.
    pub fn value_for(name: &str) -> Cow<'_, str> {
        if name.len() <= LIMIT {
            return Cow::Borrowed(name);
        }
        let mut value: String = name.chars().take(LIMIT - DIGITS).collect();
        let digest = format!("{:x}", Sha256::digest(name));
        value.extend(digest.chars().take(DIGITS));
        Cow::Owned(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character too long for a label.
    const LONG: &str = "a-very-long-name-of-a-restore-that-somebody-gave-it-on-a-monday-";

    #[test]
    fn a_label_stands_for_the_name_it_holds_or_was_shortened_from() {
        let digest = format!("{:x}", Sha256::digest(LONG));
        let shortened = format!("{}{}", &LONG[..57], &digest[..6]);
        let just_fits = &LONG[..63];
        for (label, name, stands) in [
            ("shop", "shop", true),
            ("shop", "shop-2", false),
            (just_fits, just_fits, true),
            (just_fits, LONG, false),
            (&shortened, LONG, true),
            (&shortened, &shortened, true),
            (&shortened, &format!("{LONG}x"), false),
            (LONG, LONG, false),
        ] {
            assert_eq!(
                RestoreLabel::new(label).stands_for(name),
                stands,
                "{label} for {name}"
            );
        }
    }

    #[test]
    fn only_a_full_label_that_ends_in_digits_may_be_shortened() {
        for (label, may) in [
            ("shop".to_owned(), false),
            (format!("{}0123ef", "a".repeat(57)), true),
            (format!("{}0123eg", "a".repeat(57)), false),
            (format!("{}0123EF", "a".repeat(57)), false),
            (format!("{}0123ef", "a".repeat(56)), false),
        ] {
            assert_eq!(RestoreLabel::new(&label).may_be_shortened(), may, "{label}");
        }
    }
}
