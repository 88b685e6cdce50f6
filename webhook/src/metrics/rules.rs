//! What each rule of each interception did, and which rules these are. The number of series is bounded, and none is
//! made while an object waits: all of an interception appear at zero when its rules come into force, and go with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clusterbackup_core::interception::{Fate, RuleRecord};
use clusterbackup_core::modifier::{PatchKind, RuleSet, RuleSetHash};
use clusterbackup_kit::metrics::{MetricsError, Registry};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

/// How many series the interceptions may have, in the order in which they act; all others are counted together.
const SERIES: usize = 5000;

/// Stands for the interceptions that have no series of their own. None can have this name.
const OTHER: &str = "_other";

const PATCHES: [PatchKind; 3] = [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic];

const FATES: [Fate; 6] = [
    Fate::Applied,
    Fate::Unchanged,
    Fate::TestFailed,
    Fate::Failed,
    Fate::NotApplicable,
    Fate::OutOfScope,
];

/// The metrics of rules.
#[derive(Debug)]
pub(super) struct Rules {
    results: IntCounterVec,
    info: IntGaugeVec,
    /// By name of the interception.
    shown: ArcSwap<BTreeMap<String, Arc<Shown>>>,
}

/// An interception that has series.
#[derive(Debug)]
struct Shown {
    hash: RuleSetHash,
    rules: Vec<RuleCounters>,
}

/// The series of one rule.
#[derive(Debug)]
struct RuleCounters {
    patch: PatchKind,
    results: [(Fate, IntCounter); FATES.len()],
}

impl Rules {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let rules = Self {
            results: registry.counters(
                "clusterbackup_rule_results_total",
                "What rules did to objects on which their conditions hold.",
                &["interception", "rule", "patch", "outcome"],
            )?,
            info: registry.int_gauges(
                "clusterbackup_interception_rules_info",
                "The rules in force in this replica, by the SHA-256 of their text.",
                &["interception", "hash"],
            )?,
            shown: ArcSwap::default(),
        };
        for patch in PATCHES {
            rules.counters(OTHER, OTHER, patch);
        }
        Ok(rules)
    }

    /// Counts what a rule of the rule set with this hash did to one object.
    pub(super) fn count(&self, interception: &str, rules: &RuleSetHash, record: &RuleRecord) {
        let shown = self.shown.load();
        let counters = shown
            .get(interception)
            // A review may still be at work with rules that were replaced meanwhile.
            .filter(|shown| shown.hash == *rules)
            .and_then(|shown| shown.rules.get(usize::from(record.rule)));
        match counters {
            Some(counters) => counters.count(record.fate),
            None => self.counters(OTHER, OTHER, record.patch).count(record.fate),
        }
    }

    /// Shows the rules that are in force, of as many interceptions as there may be, and no others.
    pub(super) fn show<'a>(&self, in_force: impl IntoIterator<Item = (&'a str, &'a RuleSet)>) {
        let before = self.shown.load_full();
        let wanted = within_bound(in_force);
        for (name, shown) in before.iter() {
            if wanted
                .get(name.as_str())
                .is_none_or(|rules| *rules.hash() != shown.hash)
            {
                self.remove(name, shown);
            }
        }
        let shown = wanted.into_iter().map(|(name, rules)| {
            let shown = match before.get(name) {
                Some(shown) if shown.hash == *rules.hash() => shown.clone(),
                _ => Arc::new(self.add(name, rules)),
            };
            (name.to_owned(), shown)
        });
        self.shown.store(Arc::new(shown.collect()));
    }

    fn add(&self, interception: &str, rules: &RuleSet) -> Shown {
        let hash = *rules.hash();
        self.info
            .with_label_values(&[interception, &hash.to_string()])
            .set(1);
        let rules = rules.rules().map(|(index, rule)| {
            self.counters(interception, &usize::from(index).to_string(), rule.patch_kind())
        });
        Shown {
            hash,
            rules: rules.collect(),
        }
    }

    fn remove(&self, interception: &str, shown: &Shown) {
        // What is gone already is as it should be.
        drop(
            self.info
                .remove_label_values(&[interception, &shown.hash.to_string()]),
        );
        for (index, rule) in shown.rules.iter().enumerate() {
            for fate in FATES {
                let labels = [
                    interception,
                    &index.to_string(),
                    patch_label(rule.patch),
                    fate_label(fate),
                ];
                drop(self.results.remove_label_values(&labels));
            }
        }
    }

    fn counters(&self, interception: &str, rule: &str, patch: PatchKind) -> RuleCounters {
        let counter = |fate| {
            let labels = [interception, rule, patch_label(patch), fate_label(fate)];
            (fate, self.results.with_label_values(&labels))
        };
        RuleCounters {
            patch,
            results: FATES.map(counter),
        }
    }
}

impl RuleCounters {
    fn count(&self, fate: Fate) {
        if let Some((_, counter)) = self.results.iter().find(|(of, _)| *of == fate) {
            counter.inc();
        }
    }
}

/// Those that get series of their own: one for the rule set, and one for each rule and fate.
fn within_bound<'a>(
    in_force: impl IntoIterator<Item = (&'a str, &'a RuleSet)>,
) -> BTreeMap<&'a str, &'a RuleSet> {
    let mut left = SERIES;
    let fits = |(_, rules): &(&str, &RuleSet)| {
        let rest = left.checked_sub(1 + rules.len() * FATES.len());
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    in_force.into_iter().filter(fits).collect()
}

const fn patch_label(patch: PatchKind) -> &'static str {
    match patch {
        PatchKind::Json => "json",
        PatchKind::Merge => "merge",
        PatchKind::Strategic => "strategic",
    }
}

const fn fate_label(fate: Fate) -> &'static str {
    match fate {
        Fate::Applied => "applied",
        Fate::Unchanged => "unchanged",
        Fate::TestFailed => "test_failed",
        Fate::Failed => "failed",
        Fate::NotApplicable => "not_applicable",
        Fate::OutOfScope => "out_of_scope",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many rules as asked for, all alike.
    fn rule_set(rules: usize) -> RuleSet {
        let rule = "- {conditions: {groupResource: pods}, patches: [{operation: remove, path: /a}]}\n";
        RuleSet::parse(&format!(
            "version: v1\nresourceModifierRules:\n{}",
            rule.repeat(rules)
        ))
        .unwrap()
    }

    fn failed(rules: &RuleSet, rule: usize) -> RuleRecord {
        let (rule, _) = rules.rules().nth(rule).unwrap();
        RuleRecord {
            interception: 0,
            rule,
            patch: PatchKind::Json,
            fate: Fate::Failed,
            operations: 0..0,
            error: None,
        }
    }

    /// What a scrape says of failures.
    fn failures(registry: &Registry) -> Vec<String> {
        let scrape = String::from_utf8(registry.encode().unwrap()).unwrap();
        let of_failures = |line: &&str| line.contains(r#"outcome="failed",patch="json""#);
        scrape
            .lines()
            .filter(of_failures)
            .map(|line| line.replace(r#"outcome="failed",patch="json","#, ""))
            .collect()
    }

    fn failure(interception: &str, rule: &str, count: u64) -> String {
        format!(r#"clusterbackup_rule_results_total{{interception="{interception}",rule="{rule}"}} {count}"#)
    }

    #[test]
    fn series_come_and_go_with_the_rules_in_force() {
        let registry = Registry::new("test", "0").unwrap();
        let rules = Rules::register(&registry).unwrap();
        let (old, new) = (rule_set(2), rule_set(1));
        rules.show([("shop", &old)]);
        rules.count("shop", old.hash(), &failed(&old, 1));
        let others = failure(OTHER, OTHER, 0);
        assert_eq!(
            failures(&registry),
            [others, failure("shop", "0", 0), failure("shop", "1", 1)]
        );

        rules.show([("shop", &new)]);
        rules.count("shop", old.hash(), &failed(&old, 0));
        let others = failure(OTHER, OTHER, 1);
        assert_eq!(
            failures(&registry),
            [others.clone(), failure("shop", "0", 0)],
            "replaced rules are others"
        );

        rules.show([]);
        assert_eq!(failures(&registry), [others]);
    }

    #[test]
    fn the_hash_in_force_is_the_only_one_shown() {
        let registry = Registry::new("test", "0").unwrap();
        let rules = Rules::register(&registry).unwrap();
        let (old, new) = (rule_set(2), rule_set(1));
        rules.show([("shop", &old)]);
        rules.show([("shop", &new)]);
        let scrape = String::from_utf8(registry.encode().unwrap()).unwrap();
        assert!(scrape.contains(&new.hash().to_string()), "{scrape}");
        assert!(!scrape.contains(&old.hash().to_string()), "{scrape}");
    }

    #[test]
    fn beyond_the_bound_interceptions_are_counted_together() {
        let registry = Registry::new("test", "0").unwrap();
        let rules = Rules::register(&registry).unwrap();
        let many = rule_set(400);
        rules.show(["a", "b", "c", "d"].map(|name| (name, &many)));
        let series = failures(&registry).len();
        assert_eq!(
            series,
            2 * many.len() + 1,
            "of two interceptions, and of all others"
        );
        for name in ["a", "d"] {
            rules.count(name, many.hash(), &failed(&many, 0));
        }
        let failures = failures(&registry);
        assert!(failures.contains(&failure("a", "0", 1)), "{:?}", &failures[..9]);
        assert!(
            failures.contains(&failure(OTHER, OTHER, 1)),
            "{:?}",
            &failures[..9]
        );
    }
}
