//! What is said of a recovery point.

use std::fmt;

use jiff::Timestamp;

use super::Rule;

/// Whether a point is kept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The rule that it falls to.
    pub rule: Rule,
    /// When the time of that rule is over.
    pub until: Timestamp,
    /// What follows.
    pub standing: Standing,
}

/// What follows from a point's rule, its age and the other points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Kept: its time is not over.
    InTime,
    /// Kept past its time: it is the newest complete point of its rule.
    Newest,
    /// Kept past its time: it is the newest point, and none is complete.
    Last,
    /// Kept past its time: this later copy builds on it.
    BaseOf(String),
    /// Not kept.
    Expired,
}

impl Verdict {
    /// Whether the point is kept.
    pub fn is_kept(&self) -> bool {
        self.standing != Standing::Expired
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            until,
            standing,
        } = self;
        match standing {
            Standing::InTime => write!(f, "kept until {until} by {rule}"),
            Standing::Newest => write!(f, "kept past {until}: the newest complete point of {rule}"),
            Standing::Last => write!(f, "kept past {until}: the newest point, and none is complete"),
            Standing::BaseOf(copy) => write!(f, "kept past {until}: {copy} builds on it"),
            Standing::Expired => write!(f, "expired at {until} by {rule}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::Period;

    #[test]
    fn each_standing_is_told_in_a_sentence() {
        for (standing, told, kept) in [
            (
                Standing::InTime,
                "kept until 1970-01-01T00:00:00Z by the rule for the first of the week",
                true,
            ),
            (
                Standing::Newest,
                "kept past 1970-01-01T00:00:00Z: the newest complete point of the rule for the first of the week",
                true,
            ),
            (
                Standing::Last,
                "kept past 1970-01-01T00:00:00Z: the newest point, and none is complete",
                true,
            ),
            (
                Standing::BaseOf("b".to_owned()),
                "kept past 1970-01-01T00:00:00Z: b builds on it",
                true,
            ),
            (
                Standing::Expired,
                "expired at 1970-01-01T00:00:00Z by the rule for the first of the week",
                false,
            ),
        ] {
            let verdict = Verdict {
                rule: Rule::FirstOf(Period::Week),
                until: Timestamp::UNIX_EPOCH,
                standing,
            };
            assert_eq!((verdict.to_string().as_str(), verdict.is_kept()), (told, kept));
        }
    }
}
