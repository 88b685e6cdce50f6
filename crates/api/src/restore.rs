//! `Restore`: a recovery point, or a part of it, brought back into the cluster.

mod decided;
mod status;

use std::collections::BTreeMap;

use clusterbackup_core::duration::Span;
pub use clusterbackup_core::restore::{Mode, Outcome, RestorePhase};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use self::status::{
    CertaintyCounts, HookCounts, ObjectProblem, ReportStatus, RestoreCounts, RestoreReadiness, RestoreStatus,
};
pub use crate::backup_instance::HookReference;
pub use crate::requester::Requester;
use crate::schema;

/// That an optional field is as it was.
macro_rules! same {
    ($field:literal) => {
        concat!(
            "has(self.spec.", $field, ") == has(oldSelf.spec.", $field, ") && (!has(self.spec.", $field,
            ") || self.spec.", $field, " == oldSelf.spec.", $field, ")"
        )
    };
    ($field:literal: $($part:expr),+) => {
        concat!(
            "has(self.spec.", $field, ") == has(oldSelf.spec.", $field, ") && (!has(self.spec.", $field, ") || (",
            $($part, " && ",)+ "true))"
        )
    };
}

/// That nothing but `cancel` changes: field by field, since the API server wants to know beforehand how much there may be to
/// compare.
const UNCHANGED: &str = concat!(
    "self.spec.recoveryPoint == oldSelf.spec.recoveryPoint",
    " && self.spec.mode == oldSelf.spec.mode",
    " && self.spec.conflictPolicy == oldSelf.spec.conflictPolicy",
    " && self.spec.persistentVolumeRestoreMode == oldSelf.spec.persistentVolumeRestoreMode",
    " && self.spec.readinessTimeout == oldSelf.spec.readinessTimeout && ",
    same!("includedNamespaces"),
    " && ",
    same!("excludedNamespaces"),
    " && ",
    same!("labelSelector": same!("labelSelector.matchLabels"), same!("labelSelector.matchExpressions")),
    " && ",
    same!("includedResourceTypes"),
    " && ",
    same!("excludedResourceTypes"),
    " && ",
    same!("includeClusterScopeResources"),
    " && ",
    same!("objects"),
    " && ",
    same!("namespaceMappings"),
    " && ",
    same!("replacedResourceTypes"),
    " && ",
    same!("identity"),
    " && ",
    same!("resourceModifierReference"),
    " && ",
    same!("restoreHooks"),
    " && ",
    same!("requester":
        "self.spec.requester.username == oldSelf.spec.requester.username",
        same!("requester.uid"), same!("requester.groups"), same!("requester.extra")),
);

/// The objects of a recovery point, brought back into the cluster in the name of who asks for it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "Restore",
    namespaced,
    derive = "PartialEq",
    status = "RestoreStatus",
    shortname = "crs",
    category = "clusterbackup",
    doc = "The objects of a recovery point, brought back into the cluster in the name of who asks for it.",
    validation = Rule::new("(self.spec.conflictPolicy == 'Replace') == has(self.spec.replacedResourceTypes)")
        .message("conflictPolicy Replace and replacedResourceTypes go together: name the kinds whose objects may be deleted"),
    validation = Rule::new(UNCHANGED)
        .message("a restore stays as it was asked for, only spec.cancel can be set: make another Restore"),
    printcolumn(name = "Point", type_ = "string", json_path = ".spec.recoveryPoint"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Objects", type_ = "integer", json_path = ".status.counts.total"),
    printcolumn(name = "Created", type_ = "integer", json_path = ".status.counts.created"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.counts.failed"),
    printcolumn(name = "Requester", type_ = "string", json_path = ".spec.requester.username"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct RestoreSpec {
    /// The RecoveryPoint in the same namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub recovery_point: String,
    /// The namespaces, by the names that they had, as names or globs (`*`, `?`, `[a-c]`, `{a,b}`). At most 800. Default:
    /// all of the recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub included_namespaces: Option<Vec<String>>,
    /// Namespaces left out, as names or globs; they win over includedNamespaces. At most 800. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespaces")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// Which objects among them. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub label_selector: Option<LabelSelector>,
    /// The kinds that are restored, as plural names with or without their group, or globs: configmaps, deployments.apps,
    /// *.example.com. At most 200. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resource_types")]
    pub included_resource_types: Option<Vec<String>>,
    /// Kinds that are not restored, in the same words; they win over includedResourceTypes. At most 200. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resource_types")]
    pub excluded_resource_types: Option<Vec<String>>,
    /// Whether objects outside of namespaces are restored. true: all that the recovery point has. false: none but the
    /// Namespaces. Default: all where every namespace is restored, else those that belong to what is restored: the volumes
    /// of claims, the priority classes of pods, the cluster roles of service accounts, the definitions of custom resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_cluster_scope_resources: Option<bool>,
    /// Single objects: of what the fields above take, these and no others. At most 1,000. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub objects: Vec<ObjectReference>,
    /// Into which namespaces, where not into those of the same name: from the name that a namespace had to the one that
    /// its objects get. At most 800. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "mappings")]
    pub namespace_mappings: BTreeMap<String, String>,
    /// What becomes of an object that is in the cluster already and is different there. Skip: it stays as it is, and the
    /// others are restored. Fail: nothing is restored at all. Patch: it gets what the recovery point says of it, field by
    /// field; what cannot be changed stays, and nothing is removed that the recovery point does not know. Replace: objects of
    /// replacedResourceTypes are deleted and created anew, and the others are patched. Default: Skip.
    #[serde(default)]
    pub conflict_policy: ConflictPolicy,
    /// With conflictPolicy Replace: the kinds whose objects may be deleted, as plural names with their group: jobs.batch,
    /// configmaps. Never namespaces, claims, volumes, snapshots and definitions of custom resources: data would go with them.
    /// At most 100. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "replaced")]
    pub replaced_resource_types: Vec<String>,
    /// What becomes of volumes. RestoreWithVolumeData: claims come back with what their snapshots hold; one whose data
    /// isn't there is not created, unless its data was left out of the backup by the instance or a label: then it comes
    /// back empty. RestoreWithoutVolumeData: claims are made anew, and get empty volumes of their storage class. Default:
    /// RestoreWithVolumeData.
    #[serde(default)]
    pub persistent_volume_restore_mode: PersistentVolumeRestoreMode,
    /// How long is waited at the end until what was created is ready: workloads, pods, claims, Jobs, APIServices; and before
    /// pods are created, for volumes that are made at once. What isn't ready by then is told, with the reason, and the restore
    /// has warnings. At most 24h. 0s: nothing is waited for. Default: 5m.
    #[serde(default = "readiness_timeout")]
    pub readiness_timeout: Span,
    /// The Secret in the same namespace whose entry `identity` is the private key (AGE-SECRET-KEY-1...) of an encrypted
    /// recovery point. The requester has to be allowed to get it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_object_name")]
    pub identity: Option<String>,
    /// The ConfigMap whose rules change objects on their way into the cluster. The requester has to be allowed to get it.
    /// The rules are taken as they are when the restore begins. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_modifier_reference: Option<ModifierReference>,
    /// The RestoreHooks whose commands run in new pods, by name and namespace: in pods that the restore creates, and in
    /// those of controllers that it creates. The requester has to be allowed to get them, and to create pods/exec where
    /// they are to run. At most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub restore_hooks: Vec<HookReference>,
    /// Apply: objects are restored. Preview: it is found out what a restore would do, by dry runs in the name of the
    /// requester, and nothing is written; the report says what becomes of each object, and how sure that is. Default: Apply.
    #[serde(default)]
    pub mode: Mode,
    /// Whether it is to be stopped: nothing more is created. What is created stays. Default: false.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self || !oldSelf").message("a cancelled restore stays cancelled: make another Restore"))]
    pub cancel: bool,
    /// In whose name objects are read and created: who made the Restore. Written at admission, whatever a client sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
}

/// One object of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// Its kind, as plural name and group: configmaps, deployments.apps.
    #[schemars(length(min = 1, max = 317))]
    pub group_resource: String,
    /// The namespace that it had; none for an object outside of namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A ConfigMap that holds resource modifier rules, in exactly one data key of any name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModifierReference {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its namespace. Default: that of the Restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// What becomes of an object that is in the cluster already and is different there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ConflictPolicy {
    /// It stays as it is, and the others are restored.
    #[default]
    Skip,
    /// Nothing is restored at all.
    Fail,
    /// It gets what the recovery point says of it, field by field.
    Patch,
    /// Objects of the kinds that are named are deleted and created anew; the others are patched.
    Replace,
}

/// What becomes of volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum PersistentVolumeRestoreMode {
    /// Claims come back with what their snapshots hold.
    #[default]
    RestoreWithVolumeData,
    /// Claims are made anew, and get empty volumes of their storage class.
    RestoreWithoutVolumeData,
}

impl Restore {
    /// How it stands.
    pub fn phase(&self) -> Option<RestorePhase> {
        self.status.as_ref().and_then(|status| status.phase)
    }
}

/// Kinds, by their names and no patterns.
fn replaced(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "items": { "type": "string", "minLength": 1, "maxLength": 317, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" },
    })
}

/// As long as `helm --wait` waits.
const fn readiness_timeout() -> Span {
    Span::seconds(300)
}

/// Names of namespaces by names of namespaces.
fn mappings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 800,
        "additionalProperties": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        },
    })
}
