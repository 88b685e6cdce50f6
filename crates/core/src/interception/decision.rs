//! What comes of one object: the operations that change it, or why it is refused.

use json_patch::PatchOperation;
use serde_json::Value;

use super::attempt::RuleRecord;
use super::sitting::Sitting;
use super::{Case, Concerned, Denial, Mark, update};
use crate::clash::{Existing, Field};
use crate::modifier::Circumstances;
use crate::patch::{Draft, Pointer};
use crate::restore::INTERCEPT;

/// An object that is admitted.
#[derive(Debug)]
pub struct Decision {
    /// What changes it, in order (RFC 6902).
    pub operations: Vec<PatchOperation>,
    /// The object as it becomes.
    pub object: Value,
    /// What was applied; also on the object, as an annotation. None where an update is none of the rules' business,
    /// and in a preview.
    pub mark: Option<Mark>,
    /// What the client should know.
    pub warnings: Vec<String>,
}

/// The outcome of a review.
#[derive(Debug)]
pub struct Verdict {
    /// The admitted object, or why it is refused; then nothing of it is to be stored.
    pub outcome: Result<Decision, Denial>,
    /// What became of each rule whose conditions hold on the object, up to the one that refused it.
    pub rules: Vec<RuleRecord>,
    /// What becomes of the fields in which an update differs from the object in the cluster; none for a new object.
    pub fields: Vec<Field>,
}

/// Applies the rules of every interception in `concerned`, in that order, to the object.
///
/// All conditions are judged on the object as it came, of an update on what it makes of the object in the cluster;
/// patches accumulate. Where the interceptions differ in `onModifierError`, Deny wins; in `conflictPolicy`, Skip.
pub fn decide(concerned: &[Concerned<'_>], case: Case<'_>) -> Verdict {
    judge(concerned, case, Some(Mark::default()))
}

/// What [`decide`] would make of the object, but for the mark: whoever tries rules has no interception to name in it.
pub fn preview(concerned: &[Concerned<'_>], case: Case<'_>) -> Verdict {
    judge(concerned, case, None)
}

fn judge(concerned: &[Concerned<'_>], case: Case<'_>, mark: Option<Mark>) -> Verdict {
    let existing = case
        .existing
        .as_ref()
        .map(|object| Existing::new(case.subject.group_resource, object, case.custom));
    let circumstances = Circumstances {
        rename: existing.map_or(case.rename, |_| update::NO_RENAME),
        custom: case.custom,
        existing,
    };
    let mut sitting = Sitting::new(
        concerned,
        case.subject,
        circumstances,
        begin(concerned, case.object),
        mark,
    );
    if let Some(existing) = existing {
        return update::decide(concerned, existing, sitting);
    }
    let outcome = sitting.hold(concerned);
    let rules = sitting.take_rules();
    Verdict {
        outcome: outcome.and_then(|()| sitting.close()),
        rules,
        fields: Vec::new(),
    }
}

/// The draft of the object as it came. The label by which a restore of ours shows it to the webhook is for the way in: on
/// the stored object it would refuse every copy of it, once the restore is over.
fn begin(concerned: &[Concerned<'_>], object: Value) -> Draft {
    let mut draft = Draft::new(object);
    let label = Pointer::from_tokens(["metadata", "labels", INTERCEPT]);
    let is_restores = |concerned: &Concerned<'_>| concerned.interception.matches.requester.is_some();
    if concerned.iter().any(is_restores) && label.lookup(draft.value()).is_ok() {
        // One label can always be taken off.
        _ = draft.remove(&label);
    }
    draft
}

impl Decision {
    /// The object as the draft has it, and nobody's rules were asked.
    pub(super) fn unmarked(draft: Draft) -> Self {
        let (object, operations) = draft.into_parts();
        Self {
            operations,
            object,
            mark: None,
            warnings: Vec::new(),
        }
    }
}
