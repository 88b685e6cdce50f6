//! Strategic patches by chance, for an object and with what another of its kind has. They go along the schema, so
//! that most of them do something; some are wrong on purpose.

use clusterbackup_core::schema::{Nature, Place};
use serde_json::{Map, Value, json};

use super::chance::Chance;

/// A patch of an object (or of an object in it). What says what the object is stays as it is.
pub(super) fn patch(chance: &mut Chance, place: Place<'_>, object: &Value, donor: &Value) -> Value {
    let mut patch = Map::new();
    for field in [
        "metadata",
        "spec",
        "data",
        "template",
        "rules",
        "webhooks",
        "imagePullSecrets",
        "secrets",
    ] {
        if object.get(field).is_some() && chance.percent(60) {
            patch.insert(
                field.to_owned(),
                value(chance, place.member(field), &object[field], &donor[field]),
            );
        }
    }
    if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
        *metadata = metadata_patch(chance, place.member("metadata"), object, donor);
    }
    patch.into()
}

fn metadata_patch(
    chance: &mut Chance,
    place: Place<'_>,
    object: &Value,
    donor: &Value,
) -> Map<String, Value> {
    let mut patch = Map::new();
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        if chance.percent(40) {
            let (present, other) = (&object["metadata"][field], &donor["metadata"][field]);
            field_patch(chance, place, field, present, other, &mut patch);
        }
    }
    patch
}

/// A patch for what is there, or what the donor has where there is nothing.
fn value(chance: &mut Chance, place: Place<'_>, present: &Value, donor: &Value) -> Value {
    match present {
        _ if chance.percent(1) => json!({"odd": []}),
        _ if chance.percent(6) => Value::Null,
        Value::Object(members) => object_patch(chance, place, members, donor),
        Value::Array(items) => list_patch(chance, place, items, donor),
        _ if donor.is_null() => present.clone(),
        _ => donor.clone(),
    }
}

fn object_patch(chance: &mut Chance, place: Place<'_>, present: &Map<String, Value>, donor: &Value) -> Value {
    let mut patch = Map::new();
    let none = Map::new();
    let donor = donor.as_object().unwrap_or(&none);
    let known = present
        .keys()
        .chain(donor.keys().filter(|name| !present.contains_key(*name)));
    for field in chance.some(known, 35) {
        let (present, other) = (present.get(field), donor.get(field).unwrap_or(&Value::Null));
        match present {
            None => drop(patch.insert(field.clone(), other.clone())),
            Some(present) => field_patch(chance, place, field, present, other, &mut patch),
        }
    }
    if chance.percent(2) {
        patch.insert("unheardOf".to_owned(), json!({"a": [1]}));
    }
    if chance.percent(4) {
        let directive = chance.one(&["replace", "delete", "merge"]);
        patch.insert("$patch".to_owned(), json!(directive));
    }
    if place.patch().replace || patch.contains_key("$patch") {
        patch
            .iter_mut()
            .for_each(|(field, value)| spare_maps(place.member(field), value));
    }
    if !patch.contains_key("$patch") && chance.percent(8) {
        let forgotten = chance.percent(15);
        let mut kept: Vec<&String> = patch
            .keys()
            .filter(|name| !name.starts_with('$') && !forgotten)
            .collect();
        kept.extend(chance.some(present.keys(), 60));
        let kept = json!(kept);
        patch.insert("$retainKeys".to_owned(), kept);
    }
    patch.into()
}

/// Takes directives out of maps of texts in a value that is taken as a whole: we leave them out of the object, the API
/// server takes them for texts and refuses.
fn spare_maps(place: Place<'_>, value: &mut Value) {
    match value {
        Value::Object(members) => {
            if place.nature() == Nature::Map {
                members.retain(|name, _| !name.starts_with('$'));
            }
            members
                .iter_mut()
                .for_each(|(name, value)| spare_maps(place.member(name), value));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spare_maps(place.item(), item)),
        _ => {}
    }
}

/// A field, and the directives beside it where it is a list.
fn field_patch(
    chance: &mut Chance,
    parent: Place<'_>,
    field: &str,
    present: &Value,
    donor: &Value,
    patch: &mut Map<String, Value>,
) {
    let place = parent.member(field);
    let wanted = value(chance, place, present, donor);
    if let (Value::Array(present), Value::Array(wanted)) = (present, &wanted) {
        if chance.percent(25)
            && let Some(order) = order(chance, place, present, wanted)
        {
            patch.insert(format!("$setElementOrder/{field}"), order);
        }
        let is_of_scalars = present.iter().all(|item| !item.is_object());
        if is_of_scalars && chance.percent(40) {
            // One after the other, else the API server's result is by chance as well.
            patch.insert(
                format!("$deleteFromPrimitiveList/{field}"),
                json!(chance.some(present, 50)),
            );
            return;
        }
    }
    patch.insert(field.to_owned(), wanted);
}

fn list_patch(chance: &mut Chance, place: Place<'_>, present: &[Value], donor: &Value) -> Value {
    let none = Vec::new();
    let donor = donor.as_array().unwrap_or(&none);
    let Some(key) = place.patch().key.as_deref() else {
        return chance
            .some(present.iter().chain(donor), 50)
            .into_iter()
            .cloned()
            .collect();
    };
    let mut patch = Vec::new();
    for item in chance.some(present, 45) {
        if chance.percent(20) {
            patch.push(json!({key: item[key], "$patch": "delete"}));
            continue;
        }
        let members = item.as_object().cloned().unwrap_or_default();
        let mut inner = object_patch(
            chance,
            place.item(),
            &members,
            donor.first().unwrap_or(&Value::Null),
        );
        if !chance.percent(3) {
            inner[key] = item[key].clone();
        }
        if let Some(kept) = inner.get_mut("$retainKeys").and_then(Value::as_array_mut) {
            kept.push(json!(key));
        }
        patch.push(inner);
    }
    for item in chance.some(donor, 40) {
        let place_in_patch = if chance.percent(50) { 0 } else { patch.len() };
        patch.insert(place_in_patch, item.clone());
    }
    for (directive, share) in [("replace", 4), ("merge", 1), ("odd", 1)] {
        if chance.percent(share) {
            patch.insert(0, json!({"$patch": directive}));
        }
    }
    if chance.percent(3) {
        patch.extend(patch.first().cloned());
    }
    patch.into()
}

/// An order that names what the patch gives and some of what is there; sometimes not quite.
fn order(chance: &mut Chance, place: Place<'_>, present: &[Value], wanted: &[Value]) -> Option<Value> {
    let key = place.patch().key.as_deref();
    if wanted
        .iter()
        .any(|item| item.get("$patch").is_some_and(|directive| directive != "delete"))
    {
        return None;
    }
    let named = wanted.iter().filter(|item| item.get("$patch").is_none());
    let mut order: Vec<&Value> = named.collect();
    for item in chance.some(present, 40) {
        let is_same = |other: &&Value| match key {
            Some(key) => other[key] == item[key],
            None => *other == item,
        };
        if !order.iter().any(is_same) {
            let at = if chance.percent(50) { 0 } else { order.len() };
            order.insert(at, item);
        }
    }
    if chance.percent(5) {
        order.reverse();
    }
    let is_possible = !order.is_empty() && (key.is_some() || order.iter().all(|item| !item.is_object()));
    let named = order.into_iter().map(|item| match key {
        Some(key) => json!({key: item[key]}),
        None => item.clone(),
    });
    let named: Vec<_> = named.collect();
    (is_possible && place.nature() == Nature::List).then(|| named.into())
}
