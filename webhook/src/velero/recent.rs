//! The mappings that were found a moment ago, so that a restore of many objects isn't as many reads. Never that
//! something was not found.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clusterbackup_core::interception::{NamespaceMappings, RestoreLabel};

use super::Question;

/// Long beside the time between two objects of a restore, short beside what it takes to restore anew under a name
/// that was used already.
const KEPT: Duration = Duration::from_secs(3);

/// Velero restores one after the other; each of its installations may have one under way.
const CAPACITY: usize = 64;

/// Mappings of Restores, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    question: Question,
    mappings: Arc<NamespaceMappings>,
    read: Instant,
}

impl Recent {
    /// What was found not long before `now`, when the same was looked for.
    pub(super) fn get(
        &self,
        namespaces: &BTreeSet<String>,
        label: RestoreLabel<'_>,
        now: Instant,
    ) -> Option<Arc<NamespaceMappings>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| now.saturating_duration_since(entry.read) < KEPT);
        let found = entries
            .iter()
            .find(|entry| entry.question.label == label.value() && entry.question.namespaces == *namespaces);
        found.map(|entry| entry.mappings.clone())
    }

    /// Keeps what was found by a look that began at `read`.
    pub(super) fn put(&self, question: Question, mappings: Arc<NamespaceMappings>, read: Instant) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Everybody who shared a read brings what it found.
        entries.retain(|entry| entry.question != question);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(Entry {
            question,
            mappings,
            read,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(namespace: &str, label: &str) -> Question {
        Question {
            namespaces: BTreeSet::from([namespace.to_owned()]),
            label: label.to_owned(),
        }
    }

    fn get(recent: &Recent, namespace: &str, label: &str, now: Instant) -> Option<Arc<NamespaceMappings>> {
        let namespaces = BTreeSet::from([namespace.to_owned()]);
        recent.get(&namespaces, RestoreLabel::new(label), now)
    }

    #[test]
    fn what_was_found_counts_for_the_same_question_and_not_for_long() {
        let (recent, read) = (Recent::default(), Instant::now());
        let mappings = Arc::new(NamespaceMappings::invert([("shop", "staging")]));
        recent.put(question("velero", "restore"), mappings.clone(), read);
        for (namespace, label, age, expected) in [
            ("velero", "restore", Duration::ZERO, Some(&mappings)),
            ("velero", "restore", KEPT / 2, Some(&mappings)),
            ("velero", "another", Duration::ZERO, None),
            ("elsewhere", "restore", Duration::ZERO, None),
            ("velero", "restore", KEPT, None),
        ] {
            let found = get(&recent, namespace, label, read + age);
            assert_eq!(found.as_ref(), expected, "{label} in {namespace} after {age:?}");
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let (recent, read) = (Recent::default(), Instant::now());
        let labels: Vec<_> = (0..=CAPACITY).map(|number| number.to_string()).collect();
        for label in &labels {
            recent.put(question("velero", label), Arc::default(), read);
        }
        let is_there = |label: &String| get(&recent, "velero", label, read).is_some();
        assert!(!is_there(&labels[0]) && is_there(&labels[1]) && is_there(&labels[CAPACITY]));
    }
}
