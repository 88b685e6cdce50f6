//! The kinds: their types, schema, defaults and validation.
//!
//! The CRD YAML under `manifests/crds` is generated from here, and its descriptions are the doc comments of
//! the types: they are written for somebody who reads `kubectl explain`, which shows them as plain text.

#![expect(
    unreachable_pub,
    reason = "KubeSchema declares a copy of the struct inside of a function"
)]
#![expect(clippy::duplicated_attributes, reason = "each printed column says its type")]

pub mod access;
pub mod backup;
pub mod backup_hook;
pub mod backup_instance;
pub mod backup_policy;
pub mod backup_vault;
pub mod conditions;
pub mod coverage;
mod decided;
pub mod labels;
mod misplaced;
pub mod namespaces;
pub mod node_task;
mod problem;
pub mod recovery_point;
pub mod requester;
pub mod restore;
pub mod restore_hook;
pub mod restore_interception;
pub mod rule_config_map;
pub mod schema;
pub mod snapshots;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

pub use backup::{Backup, BackupSpec, BackupStatus};
pub use backup_hook::{BackupHook, BackupHookSpec};
pub use backup_instance::{BackupInstance, BackupInstanceSpec};
pub use backup_policy::{BackupPolicy, BackupPolicySpec};
pub use backup_vault::{BackupVault, BackupVaultSpec};
pub use misplaced::is_misplaced;
pub use node_task::{NodeTask, NodeTaskSpec, NodeTaskStatus};
pub use problem::Problem;
pub use recovery_point::{RecoveryPoint, RecoveryPointSpec};
pub use requester::Requester;
pub use restore::{Restore, RestoreSpec, RestoreStatus};
pub use restore_hook::{RestoreHook, RestoreHookSpec};
pub use restore_interception::{
    ConflictPolicy, CustomResourceStrategy, Match, OnModifierError, ReplicaReport, ResourceModifierReference,
    RestoreInterception, RestoreInterceptionSpec, RestoreInterceptionStatus, SkipAs,
};

/// The API group of our own kinds.
pub const GROUP: &str = "clusterbackup.io";

/// The API group of the hooks: that of AKS Backup, whose clusters have these kinds already.
pub const HOOK_GROUP: &str = "clusterbackup.dataprotection.microsoft.com";

/// The definition of every kind of our own group, in the order in which they are installed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    readable(vec![
        RestoreInterception::crd(),
        BackupVault::crd(),
        BackupPolicy::crd(),
        BackupInstance::crd(),
        Backup::crd(),
        RecoveryPoint::crd(),
        Restore::crd(),
        NodeTask::crd(),
    ])
}

/// The definitions of the hooks.
pub fn hook_crds() -> Vec<CustomResourceDefinition> {
    readable(vec![BackupHook::crd(), RestoreHook::crd()])
}

fn readable(mut definitions: Vec<CustomResourceDefinition>) -> Vec<CustomResourceDefinition> {
    let versions = definitions
        .iter_mut()
        .flat_map(|definition| &mut definition.spec.versions);
    for schema in versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        polish(schema);
    }
    definitions
}

/// Makes one line of every paragraph of a description: a doc comment is wrapped for the source, and what
/// shows it wraps again. Drops the formats that the API server doesn't know and warns of.
fn polish(schema: &mut JSONSchemaProps) {
    schema.format.take_if(|format| format.starts_with("uint"));
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
        .for_each(polish);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        polish(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        polish(values);
    }
}
