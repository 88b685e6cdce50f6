//! The annotation that says which rules of which rule set were applied to an object. It is written whenever
//! interceptions concern an object, also when none of their rules does: its absence says "unguarded".

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::modifier::{RuleIndex, RuleSetHash};
use crate::patch::{Draft, EditError, Pointer};

/// The annotation that holds the mark.
pub const MODIFIED: &str = "clusterbackup.io/modified";

/// One entry for each interception that concerned the object, in the order in which they acted.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Mark(Vec<Entry>);

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Entry {
    interception: String,
    /// SHA-256 of the rule text.
    hash: String,
    /// Indexes in `resourceModifierRules`, of the rules whose patches hold on the object.
    rules: Vec<usize>,
}

impl Mark {
    /// Adds what one interception did.
    pub fn add(
        &mut self,
        interception: &str,
        hash: &RuleSetHash,
        rules: impl IntoIterator<Item = RuleIndex>,
    ) {
        self.0.push(Entry {
            interception: interception.to_owned(),
            hash: hash.to_string(),
            rules: rules.into_iter().map(usize::from).collect(),
        });
    }

    /// The mark in an annotation's value; of what is none, that of nobody.
    pub fn read(annotation: &str) -> Self {
        serde_json::from_str(annotation).unwrap_or_default()
    }

    /// Whether the rules of that hash were applied by the interception.
    pub fn names(&self, interception: &str, hash: &RuleSetHash) -> bool {
        let hash = hash.to_string();
        self.0
            .iter()
            .any(|entry| entry.interception == interception && entry.hash == hash)
    }

    /// Writes the mark onto the object, in the place of whatever mark it came with.
    pub(super) fn write(&self, draft: &mut Draft) -> Result<(), EditError> {
        let path = Pointer::from_tokens(["metadata", "annotations", MODIFIED]);
        draft.set(&path, Value::String(self.to_string()))
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(&self).map_err(|_| std::fmt::Error)?)
    }
}
