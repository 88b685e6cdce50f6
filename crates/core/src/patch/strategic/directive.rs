//! The keys of a patch that are no fields, but say what is to be done.

use serde_json::{Map, Value};

use super::Fault;

pub(super) const PATCH: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList";

/// An order that is no list.
pub(super) const NO_ORDER: Fault = Fault::BadListDirective(SET_ELEMENT_ORDER);

/// What a key of a patch is.
pub(super) enum Directive<'k> {
    /// A field.
    None,
    /// `$patch`.
    Patch,
    /// `$retainKeys`.
    RetainKeys,
    /// `$setElementOrder/<list>`.
    SetElementOrder(&'k str),
    /// `$deleteFromPrimitiveList/<list>`.
    DeleteFromPrimitiveList(&'k str),
}

/// The values of `$patch`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchDirective {
    Replace,
    Delete,
    Merge,
}

impl<'k> Directive<'k> {
    pub(super) fn of(key: &'k str) -> Result<Self, Fault> {
        let list = |prefix: &'static str| {
            let field = key.strip_prefix(prefix)?.strip_prefix('/');
            Some(field.ok_or(Fault::BadListDirective(prefix)))
        };
        match key {
            PATCH => Ok(Self::Patch),
            RETAIN_KEYS => Ok(Self::RetainKeys),
            _ => match (list(SET_ELEMENT_ORDER), list(DELETE_FROM_PRIMITIVE_LIST)) {
                (Some(field), _) => field.map(Self::SetElementOrder),
                (_, Some(field)) => field.map(Self::DeleteFromPrimitiveList),
                (None, None) => Ok(Self::None),
            },
        }
    }
}

impl PatchDirective {
    pub(super) fn of(value: &Value) -> Result<Self, Fault> {
        match value.as_str() {
            Some("replace") => Ok(Self::Replace),
            Some("delete") => Ok(Self::Delete),
            Some("merge") => Ok(Self::Merge),
            _ => Err(Fault::BadPatchDirective),
        }
    }
}

/// Whether the directives of an object in a patch can be carried out on any object.
pub fn check(patch: &Map<String, Value>) -> Result<(), Fault> {
    for (key, value) in patch {
        match Directive::of(key)? {
            Directive::Patch if PatchDirective::of(value)? == PatchDirective::Merge => {
                return Err(Fault::BadPatchDirective);
            }
            Directive::RetainKeys => drop(retained(value, patch)?),
            Directive::SetElementOrder(_) if !value.is_array() => return Err(NO_ORDER),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a key of a patch is no field.
pub fn is_directive(key: &str) -> bool {
    !matches!(Directive::of(key), Ok(Directive::None))
}

/// Whether the patch says in which order a list is to be.
pub(super) fn has_order(patch: &Map<String, Value>, field: &str) -> bool {
    patch.contains_key(&format!("{SET_ELEMENT_ORDER}/{field}"))
}

/// The names in `$retainKeys`, among which has to be every field that the patch sets.
pub(super) fn retained<'v>(names: &'v Value, patch: &Map<String, Value>) -> Result<Vec<&'v str>, Fault> {
    let names = names.as_array().ok_or(Fault::RetainKeys)?;
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    let sets = |(name, value): (&String, &Value)| !value.is_null() && !is_directive(name);
    let is_complete = patch
        .iter()
        .filter(|member| sets(*member))
        .all(|(name, _)| names.contains(&name.as_str()));
    if is_complete {
        Ok(names)
    } else {
        Err(Fault::RetainKeys)
    }
}
