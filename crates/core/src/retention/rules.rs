//! For how long each rule keeps, and which rule a point falls to.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, Period};

/// Where points are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Tier {
    /// Near the cluster: snapshots, and objects in the first store.
    Operational,
    /// In a second store, with credentials of its own.
    Vault,
}

/// A rule; the later ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// What no other rule keeps.
    Default,
    /// The first complete point of a period.
    FirstOf(Period),
}

/// The rules of one tier. There is always a default rule, and none keeps for shorter than one that it comes before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    default: u32,
    first_of: BTreeMap<Period, u32>,
}

/// The most days that a rule may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In the operational tier.
    pub operational: u32,
    /// In the vault tier.
    pub vault: u32,
}

/// Why rules are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongRules {
    /// No days at all.
    #[error("{rule} keeps for 0 days: write at least 1")]
    Nothing {
        /// The rule.
        rule: Rule,
    },
    /// More than the tier allows.
    #[error("{rule} keeps for {days} days, and the {tier} tier for at most {most}: write fewer days")]
    TooLong {
        /// The rule.
        rule: Rule,
        /// Its days.
        days: u32,
        /// The tier.
        tier: Tier,
        /// The most days of the tier.
        most: u32,
    },
    /// A point would be kept for shorter because it is the first of a longer period.
    #[error(
        "{rule} keeps for {days} days and comes before {before}, which keeps for {longer}: \
         write at least {longer} days, or leave the rule out"
    )]
    Shorter {
        /// The rule.
        rule: Rule,
        /// Its days.
        days: u32,
        /// The rule that it comes before.
        before: Rule,
        /// The days of that one.
        longer: u32,
    },
}

impl Default for Limits {
    /// 360 days in the operational tier; a hundred years in the vault.
    fn default() -> Self {
        Self {
            operational: 360,
            vault: 36_500,
        }
    }
}

impl Rules {
    /// The rules of a tier, in days.
    pub fn new(
        tier: Tier,
        default: u32,
        first_of: BTreeMap<Period, u32>,
        limits: Limits,
    ) -> Result<Self, WrongRules> {
        let rules = Self { default, first_of };
        let most = match tier {
            Tier::Operational => limits.operational,
            Tier::Vault => limits.vault,
        };
        let mut before = (Rule::Default, default);
        for (rule, days) in rules.all() {
            if days == 0 {
                return Err(WrongRules::Nothing { rule });
            }
            if days > most {
                return Err(WrongRules::TooLong {
                    rule,
                    days,
                    tier,
                    most,
                });
            }
            let (before, longer) = std::mem::replace(&mut before, (rule, days));
            if days < longer {
                return Err(WrongRules::Shorter {
                    rule,
                    days,
                    before,
                    longer,
                });
            }
        }
        Ok(rules)
    }

    /// All rules with their days; the later ones come first where a point falls to several.
    pub fn all(&self) -> impl Iterator<Item = (Rule, u32)> {
        let first_of = self.first_of.iter();
        let first_of = first_of.map(|(period, days)| (Rule::FirstOf(*period), *days));
        std::iter::once((Rule::Default, self.default)).chain(first_of)
    }

    /// The rule that a point falls to.
    pub(super) fn of(&self, outcome: &Outcome) -> Rule {
        let Outcome::Completed(periods) = outcome else {
            return Rule::Default;
        };
        let longest = periods.iter().rfind(|period| self.first_of.contains_key(period));
        longest.map_or(Rule::Default, |period| Rule::FirstOf(*period))
    }

    /// The days of a rule.
    pub(super) fn days(&self, rule: Rule) -> u32 {
        match rule {
            Rule::Default => self.default,
            Rule::FirstOf(period) => self.first_of.get(&period).copied().unwrap_or(self.default),
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operational => "operational",
            Self::Vault => "vault",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "the default rule",
            Self::FirstOf(Period::Day) => "the rule for the first of the day",
            Self::FirstOf(Period::Week) => "the rule for the first of the week",
            Self::FirstOf(Period::Month) => "the rule for the first of the month",
            Self::FirstOf(Period::Year) => "the rule for the first of the year",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Period::{Day, Month, Week, Year};

    fn made(tier: Tier, default: u32, first_of: &[(Period, u32)]) -> Result<Rules, String> {
        let first_of = first_of.iter().copied().collect();
        Rules::new(tier, default, first_of, Limits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_within_the_limits_are_accepted() {
        for (tier, default, first_of) in [
            (Tier::Operational, 1, &[][..]),
            (Tier::Operational, 360, &[(Year, 360)]),
            (Tier::Operational, 7, &[(Day, 7), (Week, 30), (Month, 360)]),
            (Tier::Vault, 30, &[(Month, 365), (Year, 3650)]),
            (Tier::Vault, 36_500, &[]),
        ] {
            assert!(
                made(tier, default, first_of).is_ok(),
                "{tier} {default} {first_of:?}"
            );
        }
    }

    #[test]
    fn others_are_refused_with_the_rule_and_the_remedy() {
        for (tier, default, first_of, told) in [
            (
                Tier::Operational,
                0,
                &[][..],
                "the default rule keeps for 0 days: write at least 1",
            ),
            (
                Tier::Operational,
                7,
                &[(Day, 0)],
                "the first of the day keeps for 0 days",
            ),
            (
                Tier::Operational,
                361,
                &[],
                "361 days, and the operational tier for at most 360",
            ),
            (
                Tier::Operational,
                7,
                &[(Year, 3650)],
                "3650 days, and the operational tier for at most 360",
            ),
            (
                Tier::Vault,
                7,
                &[(Year, u32::MAX)],
                "the vault tier for at most 36500",
            ),
            (
                Tier::Vault,
                30,
                &[(Week, 7)],
                "comes before the default rule, which keeps for 30: write at least 30",
            ),
            (
                Tier::Vault,
                7,
                &[(Week, 70), (Year, 60)],
                "the first of the year keeps for 60 days and comes before the rule for the first of the week",
            ),
        ] {
            let error = made(tier, default, first_of).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn another_limit_is_kept() {
        let limits = Limits {
            operational: 400,
            ..Limits::default()
        };
        assert!(Rules::new(Tier::Operational, 400, BTreeMap::new(), limits).is_ok());
        assert!(Rules::new(Tier::Operational, 401, BTreeMap::new(), limits).is_err());
    }
}
