//! Whether other rules would keep a recovery point for shorter.

use std::fmt;

use super::{Period, Rule, Rules};

/// A point that other rules keep for shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortening {
    /// The rule that it falls to, where both have the rule.
    pub rule: Rule,
    /// For how many days it is kept.
    pub from: u32,
    /// For how many days the others keep it.
    pub to: u32,
}

impl fmt::Display for Shortening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, from, to } = self;
        write!(
            f,
            "what falls to {rule} would be kept for {to} days instead of {from}"
        )
    }
}

impl Rules {
    /// The first rule whose points `others` keep for shorter. A rule that is left out shortens what falls to it, unless
    /// what is left keeps as long.
    pub fn shortened_by(&self, others: &Self) -> Option<Shortening> {
        let rules = std::iter::once(Rule::Default).chain(Period::ALL.map(Rule::FirstOf));
        rules
            .map(|rule| Shortening {
                rule,
                from: self.surely(rule),
                to: others.surely(rule),
            })
            .find(|found| found.to < found.from)
    }

    /// For how many days a point is kept of which no more is known than that it would fall to this rule.
    fn surely(&self, rule: Rule) -> u32 {
        let Rule::FirstOf(period) = rule else {
            return self.days(rule);
        };
        // The first of a month is no first of a week.
        let within: &[Period] = match period {
            Period::Day => &[],
            Period::Week | Period::Month => &[Period::Day],
            Period::Year => &[Period::Month, Period::Day],
        };
        let rules = std::iter::once(&period).chain(within);
        // No rule keeps for shorter than one that it comes before.
        rules
            .map(|period| self.days(Rule::FirstOf(*period)))
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::{Limits, Tier};

    use Period::{Day, Month, Week, Year};

    fn rules(default: u32, first_of: &[(Period, u32)]) -> Rules {
        let first_of = first_of.iter().copied().collect();
        Rules::new(Tier::Vault, default, first_of, Limits::default()).unwrap()
    }

    #[test]
    fn rules_are_shortened_where_some_point_would_go_sooner() {
        for (before, after, shortened) in [
            (rules(7, &[]), rules(7, &[]), None),
            (rules(7, &[]), rules(30, &[]), None),
            (rules(7, &[]), rules(7, &[(Week, 30)]), None),
            (
                rules(7, &[]),
                rules(6, &[(Year, 3650)]),
                Some((Rule::Default, 7, 6)),
            ),
            (rules(7, &[(Week, 30)]), rules(30, &[]), None),
            (
                rules(7, &[(Week, 30)]),
                rules(7, &[]),
                Some((Rule::FirstOf(Week), 30, 7)),
            ),
            // The first of a day is the first of a week as well, only the other way round it isn't.
            (rules(7, &[(Week, 30)]), rules(7, &[(Day, 30)]), None),
            (
                rules(7, &[(Day, 30)]),
                rules(7, &[(Week, 30)]),
                Some((Rule::FirstOf(Day), 30, 7)),
            ),
            (
                rules(7, &[(Month, 30)]),
                rules(7, &[(Week, 30)]),
                Some((Rule::FirstOf(Month), 30, 7)),
            ),
            (rules(7, &[(Year, 60)]), rules(7, &[(Month, 60)]), None),
        ] {
            let found = before.shortened_by(&after);
            let found = found.map(|found| (found.rule, found.from, found.to));
            assert_eq!(found, shortened, "{before:?} {after:?}");
        }
    }

    #[test]
    fn it_is_said_what_would_go_sooner() {
        let found = rules(30, &[]).shortened_by(&rules(7, &[])).unwrap();
        assert_eq!(
            found.to_string(),
            "what falls to the default rule would be kept for 7 days instead of 30"
        );
    }
}
