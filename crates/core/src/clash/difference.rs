//! The places in which two objects differ, each as small as it can be: fields, members of maps, items that can be
//! told apart, and as a whole what is taken as a whole.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::items::{Item, matched};
use super::spot::Spot;
use crate::patch::Pointer;

/// Where two values at a spot differ, below it; what the API server takes for itself doesn't count. The indexes of
/// items are those of the new list, of items that are gone those of the old one.
pub(super) fn differing(old: Option<&Value>, new: Option<&Value>, spot: Spot<'_>) -> Vec<Pointer> {
    let mut places = Vec::new();
    compare(old, new, spot, &mut Pointer::default(), &mut places);
    places
}

fn compare(
    old: Option<&Value>,
    new: Option<&Value>,
    spot: Spot<'_>,
    place: &mut Pointer,
    places: &mut Vec<Pointer>,
) {
    let given = |value: &&Value| !value.is_null();
    let (old, new) = (old.filter(given), new.filter(given));
    if old == new || spot.is_servers() {
        return;
    }
    let none = Value::Object(Map::new());
    let (old, new) = if is_metadata_map(place) {
        (old.or(Some(&none)), new.or(Some(&none)))
    } else {
        (old, new)
    };
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if !spot.is_whole() => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                place.push(key);
                compare(old.get(key), new.get(key), spot.member(key), place, places);
                place.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let before = places.len();
            for item in matched(old, new, &spot.identity()).unwrap_or_default() {
                let (at, old, new) = match item {
                    Item::Old(at) => (at, old.get(at), None),
                    Item::New(at) => (at, None, new.get(at)),
                    Item::Both(old_at, at) => (at, old.get(old_at), new.get(at)),
                };
                place.push(&at.to_string());
                compare(old, new, spot.item(), place, places);
                place.pop();
            }
            if places.len() == before {
                // Taken as a whole, or only in another order.
                places.push(place.clone());
            }
        }
        _ => places.push(place.clone()),
    }
}

/// Labels and annotations count one by one, also where there were none.
pub(super) fn is_metadata_map(place: &Pointer) -> bool {
    matches!(place.as_str(), "/metadata/labels" | "/metadata/annotations")
}
