//! What can be known of a strategic patch from its text: directives that can't be carried out are refused, and
//! warned about is what the kinds' schemas show to be hardly meant. Places in a patch are told as JSON pointers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::field::{Field, Report, similar};
use super::protected;
use crate::glob::Glob;
use crate::modifier::text_fields::Holder;
use crate::modifier::value::Operand;
use crate::object::GroupResource;
use crate::patch::Pointer;
use crate::patch::strategic::{self, Fault};
use crate::schema::{self, Nature, Place};

/// The schemas of the built-in kinds that a rule is for.
pub(super) struct Kinds(Vec<Place<'static>>);

impl Kinds {
    /// Warns of a rule that is for custom kinds alone.
    pub(super) fn of(list: &Field<'_>, group_resource: Option<&Glob>, report: &mut Report) -> Self {
        let Some(glob) = group_resource else {
            return Self(Vec::new());
        };
        let matching = schema::built_in_kinds()
            .filter(|kind| glob.matches(GroupResource::new(kind.group(), kind.resource).as_str()));
        let roots: Vec<_> = matching.map(schema::Kind::root).collect();
        if roots.is_empty() {
            let message = "the rule is for none of Kubernetes' own kinds, and nobody knows the keys of other kinds' lists";
            let hint = "use mergePatches, or give the interception `customResourceStrategy: ListMapKeys`";
            report.warn(list, message, hint);
        }
        Self(roots)
    }
}

pub(super) fn check(item: &Field<'_>, patch: &Operand, kinds: &Kinds, report: &mut Report) {
    // Which of the kinds it is makes a difference to values, not to fields and directives.
    let Ok(patch) = patch.value(Holder::Other) else {
        return;
    };
    protected::check_directives(item, patch, report);
    if let Value::Object(members) = patch {
        let mut walk = Walk {
            item,
            report,
            path: Pointer::default(),
        };
        walk.object(members, &kinds.0);
    }
}

/// A walk through a patch, and through the schemas of all kinds beside it.
struct Walk<'w, 'n> {
    item: &'w Field<'n>,
    report: &'w mut Report,
    path: Pointer,
}

impl Walk<'_, '_> {
    fn object(&mut self, patch: &Map<String, Value>, places: &[Place<'static>]) {
        if let Err(fault) = strategic::check_directives(patch) {
            self.refuse(&fault);
            return;
        }
        if patch.get("$patch").is_some_and(|directive| directive == "delete") {
            self.warn(
                "`$patch: delete` leaves an empty object where it is used on one",
                "write null as the field's value to remove it",
            );
        }
        self.warn_of_strategy(patch, places);
        for (name, value) in patch {
            if strategic::is_directive(name) {
                continue;
            }
            self.path.push(name);
            let inner = inside(places, |place| place.member(name));
            if inner.is_empty() && is_closed(places) {
                let known: BTreeSet<_> = places.iter().flat_map(|place| place.fields()).collect();
                let known: Vec<_> = known.into_iter().collect();
                let hint = similar(name, &known).unwrap_or_default();
                self.warn("none of the kinds that the rule is for has this field", &hint);
            } else {
                self.value(value, &inner);
            }
            self.path.pop();
        }
    }

    fn value(&mut self, value: &Value, places: &[Place<'static>]) {
        match value {
            Value::Object(members) => self.object(members, places),
            Value::Array(items) => self.list(items, places),
            _ => {}
        }
    }

    fn list(&mut self, items: &[Value], places: &[Place<'static>]) {
        let is_replaced = !places.is_empty() && places.iter().all(|place| !place.patch().merge);
        if is_replaced && items.iter().any(|item| item.get("$patch").is_some()) {
            self.warn(
                "this list is replaced as a whole: directives in it do nothing",
                "give the list as it is to be",
            );
        }
        if is_replaced {
            return;
        }
        if let [place, rest @ ..] = places
            && let Some(key) = &place.patch().key
            && rest.iter().all(|other| other.patch().key.as_ref() == Some(key))
        {
            self.warn_of_keys(items, key);
        }
        let inner = inside(places, Place::item);
        for (index, item) in items.iter().enumerate() {
            // An element's `$patch` is about the list.
            if let Value::Object(members) = item
                && !members.contains_key("$patch")
            {
                self.path.push(&index.to_string());
                self.object(members, &inner);
                self.path.pop();
            }
        }
    }

    /// The traps of lists that are merged by one key.
    fn warn_of_keys(&mut self, items: &[Value], key: &str) {
        let mut seen = BTreeSet::new();
        for item in items.iter().filter(|item| item.get("$patch").is_none()) {
            match item.get(key) {
                None => {
                    let message = format!("an element has no `{key}`, by which the list is merged");
                    self.warn(&message, "the rule fails where the object has such a list");
                }
                Some(value) if !seen.insert(value.to_string()) => {
                    let message = format!("two elements have the same `{key}`, which makes them one");
                    self.warn(&message, "write both by the operations of `patches`");
                }
                Some(_) => {}
            }
        }
    }

    /// A Deployment keeps the settings of its former strategy, and the API server refuses both together.
    fn warn_of_strategy(&mut self, patch: &Map<String, Value>, places: &[Place<'static>]) {
        let is_strategy = |place: &Place<'_>| place.patch().retain_keys && place.nature() == Nature::Object;
        if places.iter().any(is_strategy)
            && patch.contains_key("type")
            && patch["type"] != "RollingUpdate"
            && !patch.contains_key("$retainKeys")
            && !patch.contains_key("rollingUpdate")
        {
            self.warn(
                "the settings of the former type stay, and the API server refuses both together",
                "add `$retainKeys: [type]`",
            );
        }
    }

    fn warn(&mut self, message: &str, hint: &str) {
        let message = format!("{}: {message}", self.place());
        self.report.warn(self.item, message, hint);
    }

    fn refuse(&mut self, fault: &Fault) {
        let message = format!("{}: {fault}", self.place());
        self.report.refuse(self.item, message, "");
    }

    fn place(&self) -> &str {
        if self.path.is_root() {
            "patchData"
        } else {
            self.path.as_str()
        }
    }
}

/// The places inside, as far as they are known, each of them once.
fn inside(
    places: &[Place<'static>],
    enter: impl Fn(Place<'static>) -> Place<'static>,
) -> Vec<Place<'static>> {
    let mut inner: Vec<Place<'static>> = Vec::new();
    for place in places.iter().map(|place| enter(*place)) {
        if place.nature() != Nature::Unknown && !inner.iter().any(|other| other.is_same(place)) {
            inner.push(place);
        }
    }
    inner
}

/// Whether these are objects all of whose fields are known.
fn is_closed(places: &[Place<'static>]) -> bool {
    !places.is_empty() && places.iter().all(|place| place.nature() == Nature::Object)
}
