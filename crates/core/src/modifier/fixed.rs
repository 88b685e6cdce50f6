//! What a rule has to leave as it is: a name that can't be changed, and what can't be changed of an object that exists.

use serde_json::Value;

use super::circumstances::{Circumstances, Rename};
use super::failure::Cause;
use crate::clash::{Existing, Losses};

/// How an object was before the next rule, as far as the rule must not change it.
pub(super) struct Fixed<'a> {
    name: Option<(Option<Value>, &'static str)>,
    /// With what the object loses without the rule: that is the client's doing.
    existing: Option<(Existing<'a>, Losses)>,
}

impl<'a> Fixed<'a> {
    pub(super) fn of(object: &Value, circumstances: &Circumstances<'a>) -> Self {
        let name = match circumstances.rename {
            Rename::Allowed => None,
            Rename::Refused(reason) => Some((name(object).cloned(), reason)),
        };
        let existing = circumstances.existing;
        Self {
            name,
            existing: existing.map(|existing| (existing, existing.losses(object))),
        }
    }

    /// Where a rule went too far, if it did, and what is wrong with that. If not, the next one begins here.
    pub(super) fn check(&mut self, object: &Value) -> Result<(), (String, Cause)> {
        if let Some((old, reason)) = &self.name
            && name(object) != old.as_ref()
        {
            return Err(("/metadata/name".to_owned(), Cause::Rename(reason)));
        }
        if let Some((existing, before)) = &mut self.existing {
            let after = existing.losses(object);
            if let Some(path) = after.beyond(before) {
                return Err((path.to_owned(), Cause::NotApplicable));
            }
            *before = after;
        }
        Ok(())
    }
}

fn name(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("name")
}
