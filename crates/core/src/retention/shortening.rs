//! Whether other rules would keep a recovery point for shorter.

use std::fmt;

use super::{Period, Rule, Rules, Tier};

/// A point that other rules keep for shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortening {
    /// Where it is kept.
    pub tier: Tier,
    /// The rule that it falls to, where both have the rule.
    pub rule: Rule,
    /// For how many days it is kept.
    pub from: u32,
    /// For how many days the others keep it.
    pub to: u32,
}

impl fmt::Display for Shortening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tier, rule, from, to } = self;
        write!(
            f,
            "what falls to {rule} would be kept in the {tier} tier for {to} days instead of {from}"
        )
    }
}

impl Rules {
    /// The first rule whose points `others` keep for shorter. A rule that is left out shortens what falls to it, unless
    /// what is left keeps as long. In the vault tier is only what a rule but the default one was for.
    pub fn shortened_by(&self, others: &Self, tier: Tier) -> Option<Shortening> {
        let rules = std::iter::once(Rule::Default).chain(Period::ALL.map(Rule::FirstOf));
        rules
            .filter(|rule| tier == Tier::Operational || self.names(*rule))
            .map(|rule| Shortening {
                tier,
                rule,
                from: self.surely(rule),
                to: others.surely(rule),
            })
            .find(|found| found.to < found.from)
    }

    /// Whether this is one of the rules, beside the default one.
    fn names(&self, rule: Rule) -> bool {
        self.all()
            .any(|(named, _)| named == rule && rule != Rule::Default)
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
    use crate::retention::Limits;

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
            let found = before.shortened_by(&after, Tier::Operational);
            let found = found.map(|found| (found.rule, found.from, found.to));
            assert_eq!(found, shortened, "{before:?} {after:?}");
        }
    }

    #[test]
    fn copies_are_only_of_what_a_rule_names() {
        for (before, after, shortened) in [
            (rules(30, &[(Week, 30)]), rules(7, &[(Day, 7), (Week, 30)]), None),
            (
                rules(30, &[(Week, 30), (Year, 360)]),
                rules(30, &[(Week, 30), (Year, 300)]),
                Some((Rule::FirstOf(Year), 360, 300)),
            ),
            // The copies of the years fall to the shortest of the others.
            (
                rules(30, &[(Week, 30), (Year, 360)]),
                rules(30, &[(Week, 30)]),
                Some((Rule::FirstOf(Year), 360, 30)),
            ),
        ] {
            let found = before.shortened_by(&after, Tier::Vault);
            let found = found.map(|found| (found.rule, found.from, found.to));
            assert_eq!(found, shortened, "{before:?} {after:?}");
        }
    }

    #[test]
    fn it_is_said_what_would_go_sooner() {
        let found = rules(30, &[])
            .shortened_by(&rules(7, &[]), Tier::Operational)
            .unwrap();
        assert_eq!(
            found.to_string(),
            "what falls to the default rule would be kept in the operational tier for 7 days instead of 30"
        );
    }
}
