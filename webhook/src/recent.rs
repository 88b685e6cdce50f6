//! What was read of the API server a moment ago, so that a restore of many objects isn't as many reads.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Long beside the time between two objects of a restore, short beside what it takes to change what was read and to
/// restore anew.
const KEPT: Duration = Duration::from_secs(3);

/// A restore asks for little at a time; several may be under way.
const CAPACITY: usize = 64;

/// Answers to the questions `Q`, the oldest first.
#[derive(Debug)]
pub struct Recent<Q, A>(Mutex<VecDeque<Entry<Q, A>>>);

#[derive(Debug)]
struct Entry<Q, A> {
    question: Q,
    answer: A,
    read: Instant,
}

impl<Q, A> Default for Recent<Q, A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Q: PartialEq, A: Clone> Recent<Q, A> {
    /// What was found not long before `now`, when the same was asked.
    pub fn get(&self, is_same: impl Fn(&Q) -> bool, now: Instant) -> Option<A> {
        let mut entries = self.entries();
        entries.retain(|entry| now.saturating_duration_since(entry.read) < KEPT);
        let found = entries.iter().find(|entry| is_same(&entry.question));
        found.map(|entry| entry.answer.clone())
    }

    /// Keeps what was found by a look that began at `read`.
    pub fn put(&self, question: Q, answer: A, read: Instant) {
        let mut entries = self.entries();
        // Everybody who shared a read brings what it found.
        entries.retain(|entry| entry.question != question);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(Entry {
            question,
            answer,
            read,
        });
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry<Q, A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_counts_for_the_same_question_and_not_for_long() {
        let (recent, read) = (Recent::default(), Instant::now());
        recent.put("nightly", 1, read);
        for (question, age, expected) in [
            ("nightly", Duration::ZERO, Some(1)),
            ("nightly", KEPT / 2, Some(1)),
            ("weekly", Duration::ZERO, None),
            ("nightly", KEPT, None),
        ] {
            let found = recent.get(|known| *known == question, read + age);
            assert_eq!(found, expected, "{question} after {age:?}");
        }
    }

    #[test]
    fn the_newest_answer_counts_and_the_oldest_makes_room() {
        let (recent, read) = (Recent::default(), Instant::now());
        for question in 0..=CAPACITY {
            recent.put(question, "old", read);
        }
        recent.put(CAPACITY, "new", read);
        let get = |question| recent.get(|known| *known == question, read);
        assert_eq!((get(0), get(1), get(CAPACITY)), (None, Some("old"), Some("new")));
    }
}
