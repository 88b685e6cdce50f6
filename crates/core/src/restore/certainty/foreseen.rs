//! What a restore is to create, as its preview learns it wave by wave; and what that makes of a dry run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{Outcome, Ready, Wave};
use super::{Certainty, Doubt, Refusal};
use crate::inclusion::Kind;
use crate::object::{GroupResource, ObjectId};

/// What a preview knows about the objects that a restore creates before the one that is judged, and about where it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreseen {
    created: BTreeSet<ObjectId>,
    /// Namespaces that limits are created in.
    limited: BTreeSet<String>,
    /// What quotas count, by the namespaces that they are in.
    counted: BTreeMap<String, BTreeSet<String>>,
    rights: bool,
}

/// A dry run that is judged.
#[derive(Debug, Clone, Copy)]
pub struct DryRun<'a> {
    /// What was sent.
    pub ready: &'a Ready,
    /// When it has its turn.
    pub wave: Wave,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
}

const LIMITS: &str = "limitranges";
const BINDINGS: [&str; 2] = [
    "rolebindings.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
];
/// What others name, and are refused without.
const NAMED: [&str; 6] = [
    "serviceaccounts",
    "priorityclasses.scheduling.k8s.io",
    "runtimeclasses.node.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
];

impl Foreseen {
    /// The restore is to create this object.
    pub fn create(&mut self, target: &ObjectId) {
        let kind = target.kind.as_str();
        if kind == LIMITS {
            self.limited.extend(target.namespace.clone());
        }
        self.rights |= BINDINGS.contains(&kind);
        let matters =
            [Kind::namespaces(), Kind::definitions()].contains(&target.kind) || NAMED.contains(&kind);
        if matters {
            self.created.insert(target.clone());
        }
    }

    /// The restore is to create the namespace, which no object of the point stands for.
    pub fn create_namespace(&mut self, name: &str) {
        self.create(&id(Kind::namespaces(), name));
    }

    /// This namespace can't be created.
    pub fn close(&mut self, namespace: &str) {
        self.created.remove(&id(Kind::namespaces(), namespace));
    }

    /// A quota that is in force, as its `spec.hard` says.
    pub fn count(&mut self, namespace: &str, resources: impl IntoIterator<Item = String>) {
        let counted = self.counted.entry(namespace.to_owned()).or_default();
        counted.extend(resources);
    }

    /// What a restore does with an object, and how sure that is. What a dry run is refused for since something is missing
    /// that the restore creates first is created all the same.
    pub fn judge(&self, run: DryRun<'_>) -> (Outcome, Certainty) {
        use Certainty::{Certain, Likely, Unknown};
        if !matches!(
            run.outcome,
            Outcome::Failed | Outcome::Created | Outcome::Replaced
        ) {
            return (run.outcome, Certain);
        }
        if run.outcome == Outcome::Failed {
            return match (run.refusal, self.awaited(run.ready)) {
                (Some(Refusal::Missing | Refusal::Other | Refusal::Forbidden), Some(doubt)) => {
                    (Outcome::Created, Unknown(doubt))
                }
                (Some(Refusal::NoDryRun), _) => (Outcome::Created, Unknown(Doubt::NoDryRun)),
                (Some(Refusal::Webhook), _) => (Outcome::Failed, Likely(Doubt::Webhook)),
                (Some(Refusal::Forbidden), None) if self.rights => (Outcome::Failed, Likely(Doubt::Rights)),
                _ => (Outcome::Failed, Certain),
            };
        }
        let certainty = self.doubt(run).map_or(Certain, Likely);
        (run.outcome, certainty)
    }

    /// What an object that was refused waits for, that the restore creates before it.
    fn awaited(&self, ready: &Ready) -> Option<Doubt> {
        let ObjectId { kind, namespace, .. } = &ready.target;
        let has = |id| self.created.contains(&id);
        if namespace
            .as_ref()
            .is_some_and(|name| has(id(Kind::namespaces(), name)))
        {
            return Some(Doubt::Namespace);
        }
        if has(id(Kind::definitions(), kind.as_str())) {
            return Some(Doubt::Definition);
        }
        let named = names(&ready.object, namespace.as_deref());
        named.into_iter().any(has).then_some(Doubt::Prerequisite)
    }

    /// Why an object that a dry run creates may not be created.
    fn doubt(&self, run: DryRun<'_>) -> Option<Doubt> {
        let DryRun {
            ready, wave, outcome, ..
        } = run;
        let ObjectId { kind, namespace, .. } = &ready.target;
        let namespace = namespace.as_deref().unwrap_or_default();
        let runs = matches!(kind.as_str(), "pods" | "persistentvolumeclaims");
        [
            (outcome == Outcome::Replaced, Doubt::Replacement),
            (ready.source.is_some(), Doubt::Data),
            (self.is_counted(kind, namespace), Doubt::Quota),
            (runs && self.limited.contains(namespace), Doubt::Limits),
            (has_node_port(&ready.object), Doubt::NodePort),
            (!ready.owners.is_empty(), Doubt::Owner),
            (wave == Wave::Guards, Doubt::Guards),
        ]
        .into_iter()
        .find_map(|(doubtful, doubt)| doubtful.then_some(doubt))
    }

    /// Whether a quota of the namespace may count objects of the kind.
    fn is_counted(&self, kind: &GroupResource, namespace: &str) -> bool {
        let Some(counted) = self.counted.get(namespace) else {
            return false;
        };
        counted.iter().any(|resource| match kind.as_str() {
            // Compute resources, and whatever else a pod may ask for.
            "pods" => !resource.starts_with("count/") || resource == "count/pods",
            "persistentvolumeclaims" => resource.contains("storage") || names_kind(resource, kind),
            "services" => resource.starts_with("services") || names_kind(resource, kind),
            _ => names_kind(resource, kind),
        })
    }
}

fn names_kind(resource: &str, kind: &GroupResource) -> bool {
    resource.strip_prefix("count/").unwrap_or(resource) == kind.as_str()
}

fn id(kind: GroupResource, name: &str) -> ObjectId {
    ObjectId {
        kind,
        namespace: None,
        name: name.to_owned(),
    }
}

/// What an object names that it is refused without.
fn names(object: &Value, namespace: Option<&str>) -> Vec<ObjectId> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let inside = |kind: &str, name: &str| ObjectId {
        kind: kind.into(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let mut named = Vec::new();
    if object["kind"] == "Pod" {
        named.push(inside(
            "serviceaccounts",
            text("/spec/serviceAccountName").unwrap_or("default"),
        ));
        let classes = [
            ("priorityclasses.scheduling.k8s.io", "/spec/priorityClassName"),
            ("runtimeclasses.node.k8s.io", "/spec/runtimeClassName"),
        ];
        named.extend(
            classes
                .iter()
                .filter_map(|(kind, field)| Some(id((*kind).into(), text(field)?))),
        );
    }
    named.extend(match (text("/roleRef/kind"), text("/roleRef/name")) {
        (Some("Role"), Some(name)) => Some(inside("roles.rbac.authorization.k8s.io", name)),
        (Some("ClusterRole"), Some(name)) => Some(id("clusterroles.rbac.authorization.k8s.io".into(), name)),
        _ => None,
    });
    if object["kind"] == "Secret" {
        let account = text("/metadata/annotations/kubernetes.io~1service-account.name");
        named.extend(account.map(|name| inside("serviceaccounts", name)));
    }
    named.extend(text("/spec/policyName").map(|name| {
        id(
            "validatingadmissionpolicies.admissionregistration.k8s.io".into(),
            name,
        )
    }));
    named
}

fn has_node_port(object: &Value) -> bool {
    let ports = object.pointer("/spec/ports").and_then(Value::as_array);
    object["kind"] == "Service"
        && ports.is_some_and(|ports| ports.iter().any(|port| port["nodePort"].is_number()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::sample::{prepared, ready};
    use super::Certainty::{Certain, Likely, Unknown};
    use super::*;

    /// Namespace `shop` and its account, a kind, a binding and limits are to be created; quotas count what is in `full`.
    fn foreseen() -> Foreseen {
        let mut foreseen = Foreseen::default();
        foreseen.create_namespace("fresh");
        foreseen.count(
            "full",
            ["requests.cpu", "services.nodeports", "count/widgets.example.com"].map(String::from),
        );
        for (kind, namespace, name) in [
            (
                "customresourcedefinitions.apiextensions.k8s.io",
                None,
                "gadgets.example.com",
            ),
            ("serviceaccounts", Some("shop"), "web"),
            ("priorityclasses.scheduling.k8s.io", None, "high"),
            ("roles.rbac.authorization.k8s.io", Some("shop"), "reader"),
            ("rolebindings.rbac.authorization.k8s.io", Some("shop"), "reads"),
            ("limitranges", Some("shop"), "limits"),
            ("configmaps", Some("shop"), "settings"),
        ] {
            foreseen.create(&ObjectId {
                kind: kind.into(),
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
            });
        }
        foreseen
    }

    fn object(kind: &str, namespace: Option<&str>, rest: &Value) -> (String, Value) {
        let (plural, kind) = kind.split_once(' ').unwrap();
        let mut object =
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "it", "namespace": namespace}});
        for (field, value) in rest.as_object().unwrap() {
            object[field] = value.clone();
        }
        (plural.to_owned(), object)
    }

    fn judged(
        (plural, object): (String, Value),
        outcome: Outcome,
        refusal: Option<Refusal>,
    ) -> (Outcome, Certainty) {
        let ready = ready(prepared(&plural, object, &[]));
        let wave = Wave::of(&plural.as_str().into());
        foreseen().judge(DryRun {
            ready: &ready,
            wave,
            outcome,
            refusal,
        })
    }

    #[test]
    fn what_needs_something_that_the_restore_creates_first_is_never_certain() {
        let pod = |spec: Value| object("pods Pod", Some("other"), &json!({"spec": spec}));
        for (object, refusal, expected) in [
            (
                object("configmaps ConfigMap", Some("fresh"), &json!({})),
                Refusal::Missing,
                Doubt::Namespace,
            ),
            (
                object("gadgets.example.com Gadget", Some("shop"), &json!({})),
                Refusal::Missing,
                Doubt::Definition,
            ),
            (
                object(
                    "pods Pod",
                    Some("shop"),
                    &json!({"spec": {"serviceAccountName": "web"}}),
                ),
                Refusal::Forbidden,
                Doubt::Prerequisite,
            ),
            (
                pod(json!({"priorityClassName": "high"})),
                Refusal::Forbidden,
                Doubt::Prerequisite,
            ),
            (
                object(
                    "rolebindings.rbac.authorization.k8s.io RoleBinding",
                    Some("shop"),
                    &json!({"roleRef": {"kind": "Role", "name": "reader"}}),
                ),
                Refusal::Missing,
                Doubt::Prerequisite,
            ),
            (
                object(
                    "secrets Secret",
                    Some("shop"),
                    &json!({"metadata": {"name": "it", "namespace": "shop", "annotations": {"kubernetes.io/service-account.name": "web"}}}),
                ),
                Refusal::Other,
                Doubt::Prerequisite,
            ),
            (
                object("configmaps ConfigMap", Some("other"), &json!({})),
                Refusal::NoDryRun,
                Doubt::NoDryRun,
            ),
        ] {
            let (_, what) = &object;
            let told = what.to_string();
            assert_eq!(
                judged(object, Outcome::Failed, Some(refusal)),
                (Outcome::Created, Unknown(expected)),
                "{told}"
            );
        }
    }

    #[test]
    fn a_refusal_is_certain_unless_the_restore_itself_may_change_it() {
        for (refusal, expected) in [
            (Some(Refusal::Other), Certain),
            (Some(Refusal::Missing), Certain),
            (None, Certain),
            (Some(Refusal::Webhook), Likely(Doubt::Webhook)),
            (Some(Refusal::Forbidden), Likely(Doubt::Rights)),
        ] {
            let object = object("configmaps ConfigMap", Some("other"), &json!({}));
            assert_eq!(
                judged(object, Outcome::Failed, refusal),
                (Outcome::Failed, expected),
                "{refusal:?}"
            );
        }
        let ready = ready(prepared(
            "configmaps",
            object("configmaps ConfigMap", None, &json!({})).1,
            &[],
        ));
        let run = DryRun {
            ready: &ready,
            wave: Wave::Config,
            outcome: Outcome::Failed,
            refusal: Some(Refusal::Forbidden),
        };
        assert_eq!(Foreseen::default().judge(run), (Outcome::Failed, Certain));
    }

    #[test]
    fn what_a_dry_run_creates_is_certain_unless_others_may_come_first() {
        let port = json!({"spec": {"ports": [{"port": 80, "nodePort": 30080}]}, "metadata": {"name": "it", "namespace": "shop", "managedFields": [
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:nodePort": {}}}}}},
        ]}});
        for (object, expected) in [
            (object("configmaps ConfigMap", Some("shop"), &json!({})), Certain),
            (object("configmaps ConfigMap", Some("full"), &json!({})), Certain),
            (object("pods Pod", Some("other"), &json!({"spec": {}})), Certain),
            (
                object("pods Pod", Some("shop"), &json!({"spec": {}})),
                Likely(Doubt::Limits),
            ),
            (
                object("pods Pod", Some("full"), &json!({"spec": {}})),
                Likely(Doubt::Quota),
            ),
            (
                object("services Service", Some("full"), &json!({"spec": {}})),
                Likely(Doubt::Quota),
            ),
            (
                object("widgets.example.com Widget", Some("full"), &json!({})),
                Likely(Doubt::Quota),
            ),
            (
                object("services Service", Some("shop"), &port),
                Likely(Doubt::NodePort),
            ),
            (
                object("apiservices.apiregistration.k8s.io APIService", None, &json!({})),
                Likely(Doubt::Guards),
            ),
        ] {
            let told = object.1.to_string();
            assert_eq!(
                judged(object, Outcome::Created, None),
                (Outcome::Created, expected),
                "{told}"
            );
        }
    }

    #[test]
    fn what_is_there_already_is_certain_and_what_replaces_it_is_not() {
        for (outcome, expected) in [
            (Outcome::Unchanged, Certain),
            (Outcome::Skipped, Certain),
            (Outcome::Patched, Certain),
            (Outcome::Replaced, Likely(Doubt::Replacement)),
        ] {
            let pod = object("pods Pod", Some("full"), &json!({"spec": {}}));
            let expected = if outcome == Outcome::Replaced {
                Likely(Doubt::Replacement)
            } else {
                expected
            };
            assert_eq!(judged(pod, outcome, None), (outcome, expected));
        }
    }
}
