//! A process and what descends from it, collected over several looks.

use std::collections::BTreeSet;

use super::{Identity, Look, Process};

/// A process that was started from outside, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime) struct Tree {
    /// None if it was gone before it was seen.
    pub(super) first: Option<Identity>,
    /// Whether it was seen with the command's arguments.
    pub(super) named: bool,
    /// The pipes that its output goes to.
    pub(super) outputs: BTreeSet<u64>,
    pub(super) members: BTreeSet<Identity>,
}

impl From<Identity> for Tree {
    fn from(first: Identity) -> Self {
        Self {
            first: Some(first),
            members: BTreeSet::from([first]),
            ..Self::default()
        }
    }
}

impl Tree {
    /// Its processes that are alive.
    pub(in crate::runtime) fn living<'a>(&'a self, look: &'a Look) -> impl Iterator<Item = Identity> + 'a {
        self.members.iter().copied().filter(|id| look.alive(*id))
    }

    /// Whether the command itself is alive, and not only what it left behind.
    pub(in crate::runtime) fn leads(&self, look: &Look) -> bool {
        self.first.is_some_and(|first| look.alive(first))
    }

    /// Becomes one with `other` if both write to the same place; whether it did.
    pub(super) fn takes_in(&mut self, other: &Self) -> bool {
        let same = !self.outputs.is_disjoint(&other.outputs);
        if same {
            self.first = self.first.or(other.first);
            self.outputs.extend(&other.outputs);
            self.members.extend(&other.members);
        }
        same
    }

    /// Adds children of members, and what is in the session of the first one. A session keeps its number as long as
    /// somebody is in it, so the number means this session also after its leader has gone.
    pub(super) fn grow(&mut self, new: &[Process], look: &Look) {
        loop {
            let before = self.members.len();
            for process in new {
                let in_session = self.first.is_some_and(|first| process.session == first.pid);
                let parent = look.get(process.parent).map(|parent| parent.id);
                if in_session || parent.is_some_and(|parent| self.members.contains(&parent)) {
                    self.members.insert(process.id);
                }
            }
            if self.members.len() == before {
                return;
            }
        }
    }
}
