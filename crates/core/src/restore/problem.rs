//! Why a restore is refused before anything is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use thiserror::Error;

use crate::object::ObjectId;

/// Why a restore can't be carried out as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// The filters leave nothing.
    #[error(
        "nothing of the recovery point is taken: look at the filters of the restore, and at what the point holds"
    )]
    Nothing,
    /// A single object isn't there, or the other filters leave it out.
    #[error("objects: {0} is not in the recovery point, or another filter leaves it out")]
    NoSuchObject(ObjectId),
    /// A namespace that is mapped isn't there, or the filters leave it out.
    #[error("namespaceMappings: nothing in namespace {0} is restored: correct its name, or the filters")]
    NoSuchNamespace(String),
    /// Two objects would become one.
    #[error(
        "namespaceMappings: {first} and {second} would both become {target}: leave one of them out, or map its namespace to another"
    )]
    Collision {
        /// One object.
        first: ObjectId,
        /// The other one.
        second: ObjectId,
        /// Where both would go.
        target: ObjectId,
    },
}

/// Finds objects that would become one. Only what leaves its namespace can meet another.
#[derive(Debug, Default)]
pub struct Collisions {
    /// Where objects come from, by where they go.
    origins: BTreeMap<ObjectId, ObjectId>,
}

impl Collisions {
    /// An object goes there; a problem, if another one does already.
    pub fn note(&mut self, origin: &ObjectId, target: &ObjectId) -> Option<Problem> {
        match self.origins.entry(target.clone()) {
            Entry::Vacant(free) => {
                free.insert(origin.clone());
                None
            }
            Entry::Occupied(taken) => Some(Problem::Collision {
                first: taken.get().clone(),
                second: origin.clone(),
                target: target.clone(),
            }),
        }
    }
}
