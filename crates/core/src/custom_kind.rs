//! What a CustomResourceDefinition says of its kind, as far as rules and updates need it.

use serde_json::Value;

use crate::clash::Mutability;
use crate::schema::Schema;

/// A custom kind in one of its versions.
#[derive(Debug)]
pub struct CustomKind {
    /// The shape of its objects.
    pub schema: Schema,
    /// Which of their fields may change.
    pub mutability: Mutability,
}

impl CustomKind {
    /// Reads a CustomResourceDefinition; `None` if it has no such version.
    pub fn read(definition: &Value, version: &str) -> Option<Self> {
        let versions = definition.pointer("/spec/versions")?.as_array()?;
        let version = versions.iter().find(|candidate| candidate["name"] == version)?;
        let schema = version.pointer("/schema/openAPIV3Schema").unwrap_or(&Value::Null);
        Some(Self {
            schema: Schema::of_crd_version(schema),
            mutability: Mutability::of_schema(schema),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_read_in_the_version_that_is_asked_for() {
        let definition = json!({"spec": {"versions": [
            {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}},
            {"name": "v2"},
        ]}});
        for (version, is_there) in [("v1", true), ("v2", true), ("v3", false)] {
            assert_eq!(
                CustomKind::read(&definition, version).is_some(),
                is_there,
                "{version}"
            );
        }
        assert!(CustomKind::read(&json!({}), "v1").is_none());
    }
}
