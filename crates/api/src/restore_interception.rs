//! `RestoreInterception`: whose restored objects the webhook changes, and how.

mod policy;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::{Problem, check_globs};
use crate::{conditions, namespaces};

pub use policy::{ConflictPolicy, CustomResourceStrategy, OnModifierError, SkipAs};

/// Which restored objects are changed on their way into the cluster, by which resource modifier rules.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "RestoreInterception",
    derive = "PartialEq",
    status = "RestoreInterceptionStatus",
    shortname = "ri",
    category = "clusterbackup",
    doc = "Whose restored objects the webhook changes on their way into the cluster, and how.",
    validation = Rule::new("size(self.metadata.name) <= 63 || size(self.spec.match.interceptLabels) > 0")
        .message("a name over 63 characters can't be a label value: shorten it, or list spec.match.interceptLabels"),
    validation = Rule::new("self.spec.conflictPolicy == 'Skip' || self.spec.skipAs == 'Deny'")
        .message("spec.skipAs says how conflictPolicy Skip answers: remove it, or set conflictPolicy: Skip"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Rules", type_ = "integer", json_path = ".status.ruleCount"),
    printcolumn(name = "Conflicts", type_ = "string", json_path = ".spec.conflictPolicy"),
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct RestoreInterceptionSpec {
    /// Which opted-in objects the interception is for. An object is matched when any entry of any of the
    /// lists matches it. Default: objects whose label clusterbackup.io/intercept has this interception's
    /// name.
    #[serde(default, rename = "match")]
    pub matches: Match,

    /// The order among interceptions that match the same object: the lower number first, equal numbers by
    /// name. All conditions are judged on the object as it came; the patches of a later one act on what the
    /// earlier ones made of it. Default: 0.
    #[serde(default)]
    pub priority: i32,

    /// The ConfigMap that holds the rules.
    pub resource_modifier_reference: ResourceModifierReference,

    /// What happens to an object when one of its rules fails (a failing `test` operation is no failure, it
    /// skips its rule). Deny: the object is refused, so nothing gets in half changed. Warn: the object gets
    /// in without that rule's changes, and the client is warned. Where several interceptions match, one
    /// Deny is enough. Default: Deny.
    #[serde(default)]
    pub on_modifier_error: OnModifierError,

    /// What a restore may do to an object that exists already; asked when Velero updates one (its
    /// existingResourcePolicy is update) and the Velero door is installed. Skip: the object in the cluster
    /// stays as it is, but for the restore's labels. Patch: it takes what the restored object says, field by
    /// field: what the restored object leaves out stays, the rules are applied, and what can't change on an
    /// existing object keeps its value, with a warning. Where several interceptions match, one Skip is
    /// enough. Default: Skip.
    #[serde(default)]
    pub conflict_policy: ConflictPolicy,

    /// How an update is answered that conflictPolicy Skip keeps out. Deny: it is refused as "already
    /// exists", which Velero records as a warning of its restore. Silent: it is accepted and changes nothing
    /// but the restore's labels; the client believes that it updated the object. Where several
    /// interceptions match, one Deny is enough. Default: Deny.
    #[serde(default)]
    pub skip_as: SkipAs,

    /// What strategicPatches do to custom resources, whose lists have no merge keys in Kubernetes. Refuse: the
    /// rule fails; mergePatches work. ListMapKeys: lists are merged by the keys that the
    /// CustomResourceDefinition gives for server-side apply (x-kubernetes-list-type,
    /// x-kubernetes-list-map-keys), an extension of Kubernetes' strategic merge; lists without them are
    /// replaced. Default: Refuse.
    #[serde(default)]
    pub custom_resource_strategy: CustomResourceStrategy,

    /// For restores into other namespaces: original namespace → the namespace it is restored into. The
    /// `namespaces` conditions of rules speak of original namespaces; an object created in a namespace that
    /// is a target here comes from the original one, from any of them when several share the target.
    /// Namespaces that are no target are their own original. At most 256. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "namespace_mappings_schema")]
    #[x_kube(
        validation = Rule::new("self.all(original, original.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'))")
            .message("every original namespace must be a namespace name: at most 63 of a-z, 0-9 and -, no - at either end"),
        validation = Rule::new("self.all(original, !(self[original] in ['clusterbackup-system', 'clusterbackup-agents', 'kube-system', 'kube-node-lease']))")
            .message("nothing is intercepted in clusterbackup-system, clusterbackup-agents, kube-system and kube-node-lease: map to another namespace")
    )]
    pub namespace_mappings: BTreeMap<String, String>,

    /// The namespaces in which Velero keeps its Restores, for example velero, or dataprotection-microsoft where AKS
    /// Backup does it. An object with the label velero.io/restore-name then comes from where the namespaceMapping of
    /// that Restore says, and namespaceMappings here don't count for it; it is refused if there is no such Restore, or
    /// more than one. The webhook needs a RoleBinding in each of the namespaces; a refusal says which. At most 16.
    /// Default: none, Velero's Restores are not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    pub velero_namespaces: Vec<String>,

    /// Further namespaces whose objects the rules may change, as globs (`*`, `?`, `[a-c]`, `{a,b}`). Rules
    /// in a ConfigMap of namespace N act on objects of N alone; whoever may edit that ConfigMap gains, by
    /// an entry here, a say over the objects created in these namespaces. Rules of the webhook's own
    /// namespace need no entry: they are the administrators' and act everywhere. At most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub target_namespaces: Vec<String>,

    /// Whether rules from outside of the webhook's own namespace may change cluster-scoped objects.
    /// Default: false.
    #[serde(default)]
    pub allow_cluster_scoped: bool,

    /// Whether rules from outside of the webhook's own namespace may change what grants power, or extends or guards
    /// the API: ServiceAccount token Secrets and everything in the groups rbac.authorization.k8s.io,
    /// apiextensions.k8s.io, apiregistration.k8s.io, admissionregistration.k8s.io, certificates.k8s.io and
    /// clusterbackup.io. Cluster-scoped ones need allowClusterScoped too. Default: false.
    #[serde(default)]
    pub allow_privileged_kinds: bool,
}

/// Which opted-in objects an interception is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Values of the label clusterbackup.io/intercept, as globs (`*`, `?`, `[a-c]`, `{a,b}`). At most 64.
    /// Default: the name of the interception.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub intercept_labels: Vec<String>,

    /// Values of the label velero.io/restore-name, as globs (`*`, `?`, `[a-c]`, `{a,b}`): the names of
    /// Velero Restores, which Velero shortens when they exceed 63 characters. Such objects reach the
    /// webhook only where the Velero door is installed. At most 64. Default: none.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub velero_restores: Vec<String>,

    /// The user who creates the objects: what others create is not matched, whatever its labels. A restore of ours sets
    /// it in the interception that it makes for itself: its rules reach what is created in the name of its requester, and
    /// nothing else. Objects then come from the namespace that their annotation clusterbackup.io/original-namespace
    /// names, and lose the label clusterbackup.io/intercept on their way in. Default: whoever creates them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub requester: Option<String>,
}

/// The ConfigMap that holds resource modifier rules, in exactly one data key of any name.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceModifierReference {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
            .message("must be the name of a ConfigMap: a-z, 0-9, - and ., beginning and ending with a letter or digit")
    )]
    pub name: String,

    /// Namespace of the ConfigMap. Outside of its own namespace the webhook needs a RoleBinding to read it;
    /// the Ready condition then says which.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
            .message("must be the name of a namespace: a-z, 0-9 and -, beginning and ending with a letter or digit")
    )]
    pub namespace: String,

    /// Pins the rules: the SHA-256 digest, as 64 lower-case hexadecimal digits, of the text under the
    /// ConfigMap's data key. Rules with another digest are refused. status.rulesHash shows the digest of
    /// what is loaded. Default: not pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[0-9a-f]{64}$')")
            .message("must be a SHA-256 digest: 64 lower-case hexadecimal digits")
    )]
    pub sha256: Option<String>,
}

/// What the webhook makes of the interception.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreInterceptionStatus {
    /// The generation of the spec that the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Number of rules in force. After a broken edit of the ConfigMap these are still the last good ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_count: Option<i32>,

    /// SHA-256 digest, in lower-case hexadecimal digits, of the text of the rules in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rules_hash: Option<String>,

    /// Which replicas of the webhook have which rules in force, by the name of their pod. Told of the interceptions of
    /// restores alone, which wait for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "replicas_schema")]
    pub replicas: Vec<ReplicaReport>,

    /// Ready: whether the rules are in force as written. Reasons: Ready, InterceptionInvalid, RulesInvalid,
    /// RulesMissing, RulesForbidden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// What one replica of the webhook has in force.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaReport {
    /// The name of its pod.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// SHA-256 digest, in lower-case hexadecimal digits, of the text of the rules.
    #[schemars(length(max = 64))]
    pub rules_hash: String,
}

impl RestoreInterceptionSpec {
    /// Everything that is wrong with the spec beyond what its schema says, in the order of its fields.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        check_globs(
            "spec.match.interceptLabels",
            &self.matches.intercept_labels,
            &mut problems,
        );
        check_globs(
            "spec.match.veleroRestores",
            &self.matches.velero_restores,
            &mut problems,
        );
        check_globs("spec.targetNamespaces", &self.target_namespaces, &mut problems);
        for (index, namespace) in self.target_namespaces.iter().enumerate() {
            if namespaces::EXCLUDED.contains(&namespace.as_str()) {
                problems.push(Problem {
                    field: format!("spec.targetNamespaces[{index}]"),
                    message: format!("nothing is intercepted in {namespace}: remove the entry"),
                });
            }
        }
        problems
    }
}

/// A map by name, so that each replica writes its own entry.
fn replicas_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": generator.subschema_for::<ReplicaReport>(),
    })
}

/// A map can bound its keys by CEL alone, and the cost of that by the number of keys.
fn namespace_mappings_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 256,
        "additionalProperties": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(changes: &Value) -> RestoreInterceptionSpec {
        let mut spec = json!({"resourceModifierReference": {"name": "rules", "namespace": "team-a"}});
        json_merge(&mut spec, changes);
        serde_json::from_value(spec).unwrap()
    }

    fn json_merge(into: &mut Value, changes: &Value) {
        into.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
    }

    #[test]
    fn a_reference_is_all_that_must_be_said() {
        let spec = spec(&json!({}));
        assert_eq!(spec.on_modifier_error, OnModifierError::Deny);
        assert_eq!(
            (spec.conflict_policy, spec.skip_as),
            (ConflictPolicy::Skip, SkipAs::Deny)
        );
        assert_eq!(
            (
                spec.priority,
                spec.allow_cluster_scoped,
                spec.allow_privileged_kinds
            ),
            (0, false, false)
        );
        assert_eq!(spec.matches, Match::default());
        assert_eq!(spec.problems(), []);
    }

    #[test]
    fn every_glob_that_does_not_parse_is_listed_with_its_place() {
        let spec = spec(&json!({
            "match": {"interceptLabels": ["fine-*", "["], "veleroRestores": ["["]},
            "targetNamespaces": ["team-?", "["],
        }));
        let fields: Vec<_> = spec.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(
            fields,
            [
                "spec.match.interceptLabels[1]",
                "spec.match.veleroRestores[0]",
                "spec.targetNamespaces[1]"
            ]
        );
    }

    #[test]
    fn a_target_where_nothing_is_intercepted_is_a_problem() {
        for namespace in namespaces::EXCLUDED {
            let problems = spec(&json!({"targetNamespaces": [namespace]})).problems();
            let [problem] = problems.as_slice() else {
                panic!("{namespace}: {problems:?}")
            };
            assert_eq!(
                problem.to_string(),
                format!("spec.targetNamespaces[0]: nothing is intercepted in {namespace}: remove the entry")
            );
        }
    }

    #[test]
    fn the_rule_on_namespace_mappings_names_every_excluded_namespace() {
        let definition = serde_json::to_string(&crate::crds()).unwrap();
        let quoted = namespaces::EXCLUDED.map(|namespace| format!("'{namespace}'"));
        assert!(
            definition.contains(&format!("in [{}]", quoted.join(", "))),
            "{definition}"
        );
    }

    #[test]
    fn every_list_map_and_string_is_bounded() {
        for definition in [crate::crds(), crate::hook_crds()].concat() {
            let definition = serde_json::to_value(definition).unwrap();
            let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
            for part in ["spec", "status"] {
                check_bounds(part, &schema[part]);
            }
        }
    }

    fn check_bounds(path: &str, schema: &Value) {
        let bounded = match schema["type"].as_str() {
            Some("array") => schema["maxItems"].is_u64(),
            Some("string") => {
                schema["maxLength"].is_i64() || schema["enum"].is_array() || schema["format"] == "date-time"
            }
            Some("object") => schema["properties"].is_object() || schema["maxProperties"].is_i64(),
            _ => true,
        };
        assert!(bounded, "{path} has no bound: {schema}");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                property["description"].is_string(),
                "{path}.{name} has no description"
            );
            check_bounds(&format!("{path}.{name}"), property);
        }
        for inner in ["items", "additionalProperties"] {
            if schema[inner].is_object() {
                check_bounds(&format!("{path}[]"), &schema[inner]);
            }
        }
    }
}
