//! The kinds: their types, schema, defaults and validation.
//!
//! The CRD YAML under `manifests/crds` is generated from here, and its descriptions are the doc comments of
//! the types: they are written for somebody who reads `kubectl explain`.

pub mod backup;
pub mod backup_hook;
pub mod backup_instance;
pub mod conditions;
pub mod labels;
pub mod namespaces;
pub mod node_task;
pub mod restore_hook;
pub mod restore_interception;
pub mod rule_config_map;
pub mod snapshots;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

pub use backup::{Backup, BackupSpec, BackupStatus};
pub use backup_hook::{BackupHook, BackupHookSpec};
pub use backup_instance::{BackupInstance, BackupInstanceSpec};
pub use node_task::{NodeTask, NodeTaskSpec, NodeTaskStatus};
pub use restore_hook::{RestoreHook, RestoreHookSpec};
pub use restore_interception::{
    ConflictPolicy, CustomResourceStrategy, Match, OnModifierError, Problem, ResourceModifierReference,
    RestoreInterception, RestoreInterceptionSpec, RestoreInterceptionStatus, SkipAs,
};

/// The API group of our own kinds.
pub const GROUP: &str = "clusterbackup.io";

/// The definition of every kind, in the order in which they are installed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![RestoreInterception::crd()];
    let versions = definitions
        .iter_mut()
        .flat_map(|definition| &mut definition.spec.versions);
    for schema in versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        unwrap_descriptions(schema);
    }
    definitions
}

/// Makes one line of every paragraph of a description: a doc comment is wrapped for the source, and what
/// shows it wraps again.
fn unwrap_descriptions(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs: Vec<_> = description
            .split("\n\n")
            .map(|text| text.replace('\n', " "))
            .collect();
        *description = paragraphs.join("\n\n");
    }
    schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
        .for_each(unwrap_descriptions);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        unwrap_descriptions(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        unwrap_descriptions(values);
    }
}
