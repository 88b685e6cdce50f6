//! The object of a review as a tree, as far as somebody's rules may want it: building the tree is most of what a
//! review takes, and managed fields are a good part of many an object that no rule ever looks at.

use std::fmt;

use clusterbackup_core::modifier::RuleSet;
use clusterbackup_core::object::GroupResource;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::review::Metadata;

const MANAGED_FIELDS: [&str; 2] = ["metadata", "managedFields"];

/// Reads a new object for `rules`. Where none of them is for its kind, all that will happen to it is that it gets its
/// mark, for which its metadata do.
pub fn read(
    object: &RawValue,
    metadata: &Metadata<'_>,
    group_resource: &GroupResource,
    rules: &[&RuleSet],
) -> Result<Value, serde_json::Error> {
    if rules.iter().any(|rules| rules.has_rules_for(group_resource)) {
        read_whole(object, rules)
    } else {
        metadata.outline()
    }
}

/// Reads all of an object for `rules`, but for managed fields that none of them looks at.
pub fn read_whole(object: &RawValue, rules: &[&RuleSet]) -> Result<Value, serde_json::Error> {
    if rules.iter().any(|rules| rules.touches_managed_fields()) {
        serde_json::from_str(object.get())
    } else {
        without(object.get(), &MANAGED_FIELDS)
    }
}

fn without(text: &str, path: &[&str]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Without(path).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads an object without the member at this path.
struct Without<'p>(&'p [&'p str]);

impl<'de> DeserializeSeed<'de> for Without<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Without<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            match self.0 {
                [last] if key == *last => drop(members.next_value::<IgnoredAny>()?),
                [first, rest @ ..] if key == *first => {
                    object.insert(key, members.next_value_seed(Without(rest))?);
                }
                _ => {
                    object.insert(key, members.next_value()?);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    fn rules(path: &str) -> RuleSet {
        RuleSet::parse(&format!(
            "
version: v1
resourceModifierRules:
- {{conditions: {{groupResource: pods}}, patches: [{{operation: remove, path: {path}}}]}}
"
        ))
        .unwrap()
    }

    #[test]
    fn no_more_is_read_than_rules_may_want() {
        let whole = json!({
            "metadata": {"name": "web", "managedFields": [{"manager": "somebody"}], "labels": {"app": "web"}},
            "spec": {"managedFields": "of another meaning", "list": [1, -2, 3.5, null, true, {"deep": {}}]},
        });
        let mut lean = whole.clone();
        lean["metadata"].as_object_mut().unwrap().remove("managedFields");
        let outline = json!({"metadata": {"name": "web"}});
        let raw = to_raw_value(&whole).unwrap();
        let metadata = Metadata::parse(&raw).unwrap();
        for (path, resource, expected) in [
            ("/spec/list", "pods", &lean),
            ("/metadata/managedFields", "pods", &whole),
            ("/metadata/managedFields/0/manager", "pods", &whole),
            ("/metadata/managedFields", "secrets", &outline),
        ] {
            let rules = rules(path);
            let group_resource = GroupResource::new("", resource);
            let read = read(&raw, &metadata, &group_resource, &[&rules]).unwrap();
            assert_eq!(&read, expected, "{path} of {resource}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_object_without_a_part_either() {
        for (text, is_read) in [
            ("{}", true),
            ("{\"metadata\":null}", true),
            ("[]", false),
            ("{} {}", false),
            ("{\"a\":", false),
        ] {
            assert_eq!(without(text, &MANAGED_FIELDS).is_ok(), is_read, "{text}");
        }
    }
}
