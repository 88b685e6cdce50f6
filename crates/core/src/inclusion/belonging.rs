//! Objects that go in since another one needs them: the claims of a pod and its priority class, the volume of a claim,
//! the cluster roles of a service account, the definition of a custom resource.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Kind;
use crate::object::{GroupResource, ObjectId};
use crate::selection::Name;

/// What objects that go in need, gathered while they are read.
#[derive(Debug, Default)]
pub struct Belongings {
    wanted: BTreeSet<ObjectId>,
    /// Objects of such kinds that went in by themselves.
    there: BTreeSet<ObjectId>,
    accounts: BTreeSet<Name>,
}

/// Whether others need objects of the kind.
fn is_needed(kind: &GroupResource) -> bool {
    matches!(
        kind.as_str(),
        "persistentvolumeclaims"
            | "persistentvolumes"
            | "priorityclasses.scheduling.k8s.io"
            | "clusterroles.rbac.authorization.k8s.io"
            | "clusterrolebindings.rbac.authorization.k8s.io"
            | "customresourcedefinitions.apiextensions.k8s.io"
    )
}

impl Belongings {
    /// Whether an object of the kind has to be looked into.
    pub fn concern(kind: &GroupResource) -> bool {
        is_needed(kind) || matches!(kind.as_str(), "pods" | "serviceaccounts")
    }

    /// An object goes in.
    pub fn note(&mut self, kind: &GroupResource, namespace: Option<&str>, name: &str, object: &Value) {
        if is_needed(kind) {
            self.there.insert(ObjectId {
                kind: kind.clone(),
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
            });
        }
        match (kind.as_str(), namespace) {
            ("pods", Some(namespace)) => self.pod(namespace, name, object),
            ("persistentvolumeclaims", _) => {
                self.want("", "persistentvolumes", text(object, "/spec/volumeName"));
            }
            ("serviceaccounts", Some(namespace)) => drop(self.accounts.insert(Name::new(namespace, name))),
            ("clusterrolebindings.rbac.authorization.k8s.io", _) => {
                let role = text(object, "/roleRef/name");
                self.want("rbac.authorization.k8s.io", "clusterroles", role);
            }
            _ => {}
        }
    }

    /// Objects of the kind went in: its definition is needed, if it has one.
    pub fn note_kind(&mut self, kind: &GroupResource) {
        if !kind.group().is_empty() {
            let definition = Kind::definitions();
            self.want(definition.group(), definition.resource(), Some(kind.as_str()));
        }
    }

    /// The service accounts that went in.
    pub fn accounts(&self) -> &BTreeSet<Name> {
        &self.accounts
    }

    /// Takes out what is needed and did not go in yet.
    pub fn take(&mut self) -> BTreeSet<ObjectId> {
        let wanted = std::mem::take(&mut self.wanted);
        wanted
            .into_iter()
            .filter(|one| !self.there.contains(one))
            .collect()
    }

    fn pod(&mut self, namespace: &str, name: &str, object: &Value) {
        let class = text(object, "/spec/priorityClassName");
        self.want("scheduling.k8s.io", "priorityclasses", class);
        let volumes = object.pointer("/spec/volumes").and_then(Value::as_array);
        for volume in volumes.into_iter().flatten() {
            let named = text(volume, "/persistentVolumeClaim/claimName").map(str::to_owned);
            // The name that the controller of ephemeral volumes gives their claims.
            let made = text(volume, "/name").filter(|_| volume.get("ephemeral").is_some());
            let claim = named.or_else(|| made.map(|volume| format!("{name}-{volume}")));
            if let Some(claim) = claim {
                self.wanted.insert(ObjectId {
                    kind: Kind::claims(),
                    namespace: Some(namespace.to_owned()),
                    name: claim,
                });
            }
        }
    }

    fn want(&mut self, group: &str, resource: &str, name: Option<&str>) {
        if let Some(name) = name {
            self.wanted.insert(ObjectId {
                kind: GroupResource::new(group, resource),
                namespace: None,
                name: name.to_owned(),
            });
        }
    }
}

/// Whether a binding gives one of these service accounts its role.
pub fn is_bound_to(binding: &Value, accounts: &BTreeSet<Name>) -> bool {
    let subjects = binding.get("subjects").and_then(Value::as_array);
    subjects.into_iter().flatten().any(|subject| {
        let names = (text(subject, "/namespace"), text(subject, "/name"));
        let (Some(namespace), Some(name)) = names else {
            return false;
        };
        text(subject, "/kind") == Some("ServiceAccount") && accounts.contains(&Name::new(namespace, name))
    })
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}
