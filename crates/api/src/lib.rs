//! The kinds: their types, schema, defaults and validation.
//!
//! The CRD YAML under `manifests/crds` is generated from here, and its descriptions are the doc comments of
//! the types: they are written for somebody who reads `kubectl explain`.

pub mod conditions;
pub mod labels;
pub mod namespaces;
pub mod restore_interception;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use restore_interception::{
    Match, OnModifierError, Problem, ResourceModifierReference, RestoreInterception, RestoreInterceptionSpec,
    RestoreInterceptionStatus,
};

/// The API group of our own kinds.
pub const GROUP: &str = "clusterbackup.io";

/// The definition of every kind, in the order in which they are installed.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![RestoreInterception::crd()]
}
