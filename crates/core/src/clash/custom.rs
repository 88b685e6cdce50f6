//! Which fields of a custom kind may change: the transition rules that its schema states plainly. Kubernetes has no
//! other mark for it; what a rule says in another way is left to the API server.

use serde_json::{Map, Value};

use super::aspect::Aspect;
use super::mutability::Mutability;
use super::transition::{self, Restriction};

impl Mutability {
    /// Of a custom kind, by the `openAPIV3Schema` of one of its versions.
    pub fn of_schema(schema: &Value) -> Self {
        let mut mutability = Self::of_objects();
        if let Some(schema) = schema.as_object() {
            read(schema, &mut Vec::new(), &mut mutability);
        }
        mutability
    }
}

fn read(schema: &Map<String, Value>, path: &mut Vec<String>, mutability: &mut Mutability) {
    for Restriction { below, change } in schema.get(VALIDATIONS).map(restrictions).unwrap_or_default() {
        mutability.add(&[path.as_slice(), &below].concat(), Aspect::May(change));
    }
    let members = schema.get("properties").and_then(Value::as_object);
    for (name, member) in members.into_iter().flatten() {
        descend(member, name, path, mutability);
    }
    if let Some(values) = schema.get("additionalProperties") {
        descend(values, "*", path, mutability);
    }
    // Items that can't be told apart have no former value that a rule could speak of.
    if schema.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("map")
        && let Some(items) = schema.get("items")
    {
        descend(items, "*", path, mutability);
    }
}

fn descend(schema: &Value, token: &str, path: &mut Vec<String>, mutability: &mut Mutability) {
    if let Some(schema) = schema.as_object() {
        path.push(token.to_owned());
        read(schema, path, mutability);
        path.pop();
    }
}

const VALIDATIONS: &str = "x-kubernetes-validations";

fn restrictions(validations: &Value) -> Vec<Restriction> {
    let rules = validations.as_array().into_iter().flatten();
    // With `optionalOldSelf` a rule is also judged where there was no value, and says something else.
    let plain = rules.filter(|rule| rule.get("optionalOldSelf") != Some(&Value::Bool(true)));
    let texts = plain.filter_map(|rule| rule.get("rule").and_then(Value::as_str));
    texts.flat_map(transition::restrictions).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::clash::Existing;
    use crate::custom_kind::CustomKind;
    use crate::object::GroupResource;
    use crate::patch::Draft;

    #[test]
    fn rules_are_found_wherever_a_former_value_can_be() {
        let fixed = json!([{"rule": "self == oldSelf"}]);
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object",
            "x-kubernetes-validations": [{"rule": "!has(oldSelf.size) || has(self.size)"}],
            "properties": {
                "engine": {"type": "string", "x-kubernetes-validations": fixed},
                "size": {"type": "string"},
                "late": {"type": "string", "x-kubernetes-validations": [
                    {"rule": "self == oldSelf", "optionalOldSelf": true}
                ]},
                "tags": {"type": "object", "additionalProperties": {"type": "string", "x-kubernetes-validations": fixed}},
                "disks": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "properties": {
                        "name": {"type": "string"},
                        "class": {"type": "string", "x-kubernetes-validations": fixed},
                        "size": {"type": "string"},
                    }}},
                "users": {"type": "array", "items": {"type": "string", "x-kubernetes-validations": fixed}},
            },
        }}});
        let definition =
            json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
        let kind = CustomKind::read(&definition, "v1").unwrap();
        let old = json!({"spec": {
            "engine": "a", "size": "1", "late": "a", "tags": {"x": "1"}, "users": ["a"],
            "disks": [{"name": "data", "class": "slow", "size": "1"}],
        }});
        let new = json!({"spec": {
            "engine": "b", "late": "b", "tags": {"x": "2", "y": "3"}, "users": ["b"],
            "disks": [{"name": "logs", "class": "fast"}, {"name": "data", "class": "fast", "size": "2"}],
        }});
        let group_resource = GroupResource::new("example.com", "databases");
        let mut draft = Draft::new(new);
        let put_back = Existing::new(&group_resource, &old, Some(&kind))
            .put_back(&mut draft)
            .unwrap();
        let paths: Vec<_> = put_back.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/spec/disks/1/class",
                "/spec/engine",
                "/spec/size",
                "/spec/tags/x"
            ]
        );
        assert_eq!(
            draft.value(),
            &json!({"spec": {
                "engine": "a", "size": "1", "late": "b", "tags": {"x": "1", "y": "3"}, "users": ["b"],
                "disks": [{"name": "logs", "class": "fast"}, {"name": "data", "class": "slow", "size": "2"}],
            }})
        );
    }
}
