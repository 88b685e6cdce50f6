//! Strategic merge patch, as the API server does it for its built-in kinds: objects are merged, lists by the keys
//! of their elements, and directives in the patch say what else is to be done.
//!
//! - `metadata`: what the schema says of a place
//! - `directive`: the keys of a patch that are no fields
//! - `list`, `order`: lists, and where their elements end up
//! - `taken`: what becomes of a value that meets nothing it could be merged with
//!
//! Where the API server takes a directive into the object and drops it as an unknown field afterwards, it is left
//! out at once. An unknown field matters only where both sides have an object or a list, since nobody knows how to
//! merge them.

mod directive;
mod list;
mod metadata;
mod order;
mod taken;

use serde_json::{Map, Value};

use self::directive::{Directive, PatchDirective};
use super::{Draft, EditError, Pointer};

pub use directive::{check as check_directives, is_directive};
pub use metadata::Metadata;

/// Why a patch can't be applied to an object, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {fault}")]
pub struct StrategicError {
    /// The place, as a JSON pointer into the object.
    pub path: Pointer,
    /// What is wrong there.
    pub fault: Fault,
}

/// What keeps a patch from being applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `$patch` has a value that isn't known here.
    #[error("`$patch` is `replace` or `delete`")]
    BadPatchDirective,
    /// A directive has a value of the wrong form.
    #[error("`{0}` has to be followed by `/` and the name of a list, and needs a list as its value")]
    BadListDirective(&'static str),
    /// `$retainKeys` is no list of names, or doesn't name what the patch sets.
    #[error("`$retainKeys` has to list every field that the patch gives here")]
    RetainKeys,
    /// `$setElementOrder` and the list disagree.
    #[error("`$setElementOrder` has to name the elements of the patch, in the same order")]
    ElementOrder,
    /// `$deleteFromPrimitiveList` is used on objects.
    #[error(
        "`$deleteFromPrimitiveList` is for lists of texts and numbers; delete objects by `$patch: delete`"
    )]
    NotPrimitive,
    /// An element can't be told from others.
    #[error("an element of the list has no `{0}`, by which it is merged")]
    MissingKey(String),
    /// A list of objects has nothing to tell them apart by.
    #[error("the elements of this list have no key; give the whole list without directives")]
    NoKey,
    /// The elements of a list differ in kind.
    #[error("the elements of both lists have to be of one kind, and no lists themselves")]
    MixedList,
    /// Kubernetes has no such field.
    #[error(
        "Kubernetes {} knows no such field, so nobody knows how to merge it",
        crate::schema::kubernetes_version()
    )]
    UnknownField,
    /// The values of a map, or something that Kubernetes doesn't look into, would have to be merged.
    #[error("what is in here can't be merged; use mergePatches")]
    Opaque,
    /// An edit isn't possible.
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Applies a patch to the object. After an error, the draft has to be rolled back by whoever called.
pub fn apply(
    patch: &Map<String, Value>,
    draft: &mut Draft,
    metadata: Metadata<'_>,
) -> Result<(), StrategicError> {
    let mut merger = Merger {
        draft,
        path: Pointer::default(),
    };
    merger.object(patch, metadata).map_err(|fault| StrategicError {
        path: merger.path,
        fault,
    })
}

/// The draft, and the place at which it is. After a fault it stays where the fault is.
struct Merger<'d> {
    draft: &'d mut Draft,
    path: Pointer,
}

impl Merger<'_> {
    /// Merges an object into the one that is here.
    fn object(&mut self, patch: &Map<String, Value>, metadata: Metadata<'_>) -> Result<(), Fault> {
        if let Some(directive) = patch.get(directive::PATCH) {
            let value = match PatchDirective::of(directive)? {
                PatchDirective::Replace => {
                    let mut patch = patch.clone();
                    patch.remove(directive::PATCH);
                    taken::verbatim(&Value::Object(patch), metadata)
                }
                PatchDirective::Delete => Value::Object(Map::new()),
                PatchDirective::Merge => return Err(Fault::BadPatchDirective),
            };
            return Ok(self.draft.replace(&self.path, value)?);
        }
        if let Some(kept) = patch.get(directive::RETAIN_KEYS) {
            self.retain(&directive::retained(kept, patch)?)?;
        }
        for (name, value) in patch {
            if let Directive::SetElementOrder(field) = Directive::of(name)? {
                let order = value.as_array().ok_or(directive::NO_ORDER)?;
                self.inside(field, |merger| {
                    merger.ordered_list(patch.get(field), order, metadata.member(field)?)
                })?;
            }
        }
        for (name, value) in patch {
            if let Directive::DeleteFromPrimitiveList(field) = Directive::of(name)? {
                self.inside(field, |merger| merger.delete_from(value, metadata, field))?;
            }
        }
        for (name, value) in patch {
            if let Directive::None = Directive::of(name)?
                && !directive::has_order(patch, name)
            {
                self.inside(name, |merger| merger.field(value, metadata, name))?;
            }
        }
        Ok(())
    }

    /// Gives the field that is here, or is to be here, its value.
    fn field(&mut self, wanted: &Value, parent: Metadata<'_>, name: &str) -> Result<(), Fault> {
        let present = self.path.lookup(self.draft.value()).ok();
        match (present, wanted) {
            (None, Value::Null) => Ok(()),
            (Some(_), Value::Null) => Ok(self.draft.remove(&self.path)?),
            (Some(Value::Object(_)), Value::Object(members)) => {
                let metadata = parent.member(name)?;
                if metadata.is_replaced() {
                    let value = taken::verbatim(wanted, metadata);
                    return Ok(self.draft.replace(&self.path, value)?);
                }
                self.object(members, metadata)
            }
            (Some(Value::Array(_)), Value::Array(items)) => self.list(items, parent.member(name)?),
            (present, _) => {
                let is_present = present.is_some();
                match taken::fresh(wanted, parent.peek(name)) {
                    Some(value) if is_present => self.draft.replace(&self.path, value)?,
                    Some(value) => self.draft.add(&self.path, value)?,
                    None if is_present => self.draft.remove(&self.path)?,
                    None => {}
                }
                Ok(())
            }
        }
    }

    /// Drops the fields that aren't listed.
    fn retain(&mut self, kept: &[&str]) -> Result<(), Fault> {
        let Ok(Value::Object(present)) = self.path.lookup(self.draft.value()) else {
            return Ok(());
        };
        let dropped = present.keys().filter(|name| !kept.contains(&name.as_str()));
        let dropped: Vec<String> = dropped.cloned().collect();
        for name in dropped {
            self.inside(&name, |merger| Ok(merger.draft.remove(&merger.path)?))?;
        }
        Ok(())
    }

    /// Goes one key deeper for a while; stays there on a fault, so that its place is known.
    fn inside(&mut self, key: &str, merge: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.path.push(key);
        merge(self)?;
        self.path.pop();
        Ok(())
    }
}
