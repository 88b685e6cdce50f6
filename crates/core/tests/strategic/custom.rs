//! Custom kinds, by the keys of their definitions.

use clusterbackup_core::patch::strategic::Metadata;
use clusterbackup_core::schema::Schema;
use serde_json::json;

use super::merged_by;

#[test]
fn custom_kinds_merge_by_their_list_map_keys() {
    let schema = Schema::of_crd_version(
        &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "side"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "side": {"type": "string", "default": "left"}}}},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "plain": {"type": "array", "items": {"type": "object", "properties": {}}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }}}}),
    );
    for (object, patch, expected) in [
        (
            json!({"parts": [{"name": "a", "side": "left", "n": 1}, {"name": "a", "side": "right"}]}),
            json!({"parts": [{"name": "a", "n": 2}, {"name": "a", "side": "right", "$patch": "delete"}]}),
            json!({"parts": [{"name": "a", "side": "left", "n": 2}]}),
        ),
        (
            json!({"tags": ["a"]}),
            json!({"tags": ["b", "a"]}),
            json!({"tags": ["b", "a"]}),
        ),
        (
            json!({"plain": [{"a": 1}]}),
            json!({"plain": [{"b": 1}]}),
            json!({"plain": [{"b": 1}]}),
        ),
        (
            json!({"whole": {"a": "1"}}),
            json!({"whole": {"b": "2"}}),
            json!({"whole": {"b": "2"}}),
        ),
        (
            json!({"free": {"a": {"b": 1}, "l": [1]}}),
            json!({"free": {"a": {"c": 1}, "l": [2]}}),
            json!({"free": {"a": {"b": 1, "c": 1}, "l": [2]}}),
        ),
    ] {
        let result = merged_by(
            Metadata::ListMapKeys(schema.root()),
            json!({"spec": object}),
            &json!({"spec": patch}),
        );
        assert_eq!(result, Ok(json!({"spec": expected})), "{patch} on {object}");
    }
    let object = json!({"metadata": {"finalizers": ["a"]}});
    let result = merged_by(
        Metadata::ListMapKeys(schema.root()),
        object,
        &json!({"metadata": {"finalizers": ["b"]}}),
    );
    assert_eq!(result, Ok(json!({"metadata": {"finalizers": ["b", "a"]}})));
}
