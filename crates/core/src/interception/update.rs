//! What comes of an update to an object that exists: what the client's object and the rules make of the one in the
//! cluster, or nothing.

use std::collections::BTreeMap;

use super::sitting::Sitting;
use super::{Concerned, ConflictPolicy, Decision, Denial, SkipAs, Subject, Verdict};
use crate::clash::{Existing, Field, Outcome, Reason};
use crate::modifier::Rename;
use crate::patch::EditError;

/// Why rules can't change the name of an object that exists.
pub(super) const NO_RENAME: Rename =
    Rename::Refused("the object exists under its name; delete it, or restore it into another namespace");

/// Decides about the object of a sitting that hasn't been held.
pub(super) fn decide(concerned: &[Concerned<'_>], existing: Existing<'_>, sitting: Sitting<'_>) -> Verdict {
    if existing.is_only_labelled(sitting.draft.value()) {
        return Verdict {
            outcome: Ok(Decision::unmarked(sitting.draft)),
            rules: Vec::new(),
            fields: Vec::new(),
        };
    }
    // Of those that say the same, the first is named.
    let strictest = concerned.iter().rev().map(|concerned| concerned.interception);
    let strictest = strictest.max_by_key(|interception| interception.conflict_policy);
    match strictest.map(|interception| (interception.conflict_policy, &interception.name)) {
        Some((ConflictPolicy::Skip(skip_as), name)) => skip(skip_as, name, existing, sitting),
        Some((ConflictPolicy::Patch, _)) | None => patch(concerned, existing, sitting),
    }
}

/// The object stays as it is in the cluster.
fn skip(skip_as: SkipAs, interception: &str, existing: Existing<'_>, sitting: Sitting<'_>) -> Verdict {
    let Sitting {
        subject, mut draft, ..
    } = sitting;
    let fields = existing.fields(draft.value(), Outcome::Kept(Reason::Skipped));
    let outcome = match skip_as {
        SkipAs::Deny => Err(Denial::Skipped {
            interception: interception.to_owned(),
            subject: subject.to_string(),
        }),
        SkipAs::Silent => existing
            .retain(&mut draft)
            .map_err(|cause| unmergeable(subject, cause))
            .map(|()| Decision::unmarked(draft)),
    };
    Verdict {
        outcome,
        rules: Vec::new(),
        fields,
    }
}

/// The client's object onto the one in the cluster, then the rules; then what can't be changed is put back.
fn patch(concerned: &[Concerned<'_>], existing: Existing<'_>, mut sitting: Sitting<'_>) -> Verdict {
    let subject = sitting.subject;
    let settled = existing
        .add_onto(&mut sitting.draft)
        .map_err(|cause| unmergeable(subject, cause))
        .and_then(|kept| sitting.hold(concerned).map(|()| kept))
        .and_then(|kept| {
            let put_back = existing.put_back(&mut sitting.draft);
            let put_back = put_back.map_err(|cause| unmergeable(subject, cause))?;
            let changed = existing.fields(sitting.draft.value(), Outcome::Changed);
            Ok(latest([kept, changed, put_back]))
        });
    let rules = sitting.take_rules();
    let (outcome, fields) = match settled {
        Ok(fields) => (sitting.close(), fields),
        Err(denial) => (Err(denial), Vec::new()),
    };
    Verdict {
        outcome,
        rules,
        fields,
    }
}

/// Each field once, with the last that was said of it.
fn latest(said: [Vec<Field>; 3]) -> Vec<Field> {
    let fields = said.into_iter().flatten();
    let latest: BTreeMap<_, _> = fields.map(|field| (field.path, field.outcome)).collect();
    latest
        .into_iter()
        .map(|(path, outcome)| Field { path, outcome })
        .collect()
}

fn unmergeable(subject: Subject<'_>, cause: EditError) -> Denial {
    Denial::Unmergeable {
        subject: subject.to_string(),
        cause,
    }
}
