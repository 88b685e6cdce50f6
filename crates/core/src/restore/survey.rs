//! What has to be known of the objects of a point together, before each of them is prepared by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{members, text};
use super::volume::Holding;
use super::{Choice, Problem, Terms, Wave};
use crate::inclusion::{Belongings, Kind, is_bound_to};
use crate::object::{GroupResource, ObjectId};
use crate::selection::Name;

/// What is taken of a point, and what of it concerns other objects.
#[derive(Debug, Default)]
pub struct Survey {
    chosen: BTreeSet<ObjectId>,
    /// Those of them that are needed and were not asked for.
    along: BTreeSet<ObjectId>,
    /// The Namespaces among them.
    namespaces: BTreeSet<String>,
    /// The namespaces that the others are in.
    filled: BTreeSet<String>,
    belongings: Belongings,
    /// Custom kinds, by group and kind.
    definitions: BTreeMap<(String, String), GroupResource>,
    /// Of them, those that a webhook converts.
    converted: BTreeSet<GroupResource>,
    /// Services that select pods, so that a controller writes their endpoints.
    selecting: BTreeSet<Name>,
    volumes: BTreeMap<String, Holding>,
}

impl Survey {
    /// Whether objects of the kind are to be read and noted.
    pub fn reads(kind: &GroupResource) -> bool {
        matches!(
            kind.as_str(),
            "persistentvolumeclaims"
                | "persistentvolumes"
                | "pods"
                | "services"
                | "clusterrolebindings.rbac.authorization.k8s.io"
                | "customresourcedefinitions.apiextensions.k8s.io"
        )
    }

    /// An object is taken.
    pub fn choose(&mut self, object: ObjectId) {
        self.belongings.note_kind(&object.kind);
        if object.kind.as_str() == "serviceaccounts" {
            self.note(&object, &Value::Null);
        }
        if object.kind == Kind::namespaces() {
            self.namespaces.insert(object.name.clone());
        }
        self.filled.extend(object.namespace.clone());
        self.chosen.insert(object);
    }

    /// What an object that is taken says of others.
    pub fn note(&mut self, object: &ObjectId, content: &Value) {
        let ObjectId {
            kind,
            namespace,
            name,
        } = object;
        self.belongings.note(kind, namespace.as_deref(), name, content);
        match (kind.as_str(), namespace) {
            ("customresourcedefinitions.apiextensions.k8s.io", _) => self.note_definition(content),
            ("persistentvolumes", _) => drop(self.volumes.insert(name.clone(), Holding::of(content))),
            ("services", Some(namespace)) if selects(content) => {
                self.selecting.insert(Name::new(namespace, name));
            }
            _ => {}
        }
    }

    /// Of objects that are taken if they are needed, with their contents where the kind is read (else anything): takes
    /// and notes those that are, and says which.
    pub fn settle(&mut self, mut pending: Vec<(ObjectId, Value)>) -> BTreeSet<ObjectId> {
        let mut settled = BTreeSet::new();
        let mut needed = BTreeSet::new();
        loop {
            needed.extend(self.belongings.take());
            let is_needed =
                |one: &mut (ObjectId, Value)| needed.contains(&one.0) || self.is_needed(&one.0, &one.1);
            let taken: Vec<_> = pending.extract_if(.., is_needed).collect();
            if taken.is_empty() {
                return settled;
            }
            for (object, content) in taken {
                settled.insert(object.clone());
                self.along.insert(object.clone());
                self.choose(object.clone());
                self.note(&object, &content);
            }
        }
    }

    /// Whether something that is taken can't be without it, beside what names it.
    fn is_needed(&self, object: &ObjectId, content: &Value) -> bool {
        if object.kind == Kind::namespaces() {
            self.filled.contains(&object.name)
        } else {
            object.kind == Kind::cluster_role_bindings() && is_bound_to(content, self.belongings.accounts())
        }
    }

    /// When a kind has its turn.
    pub fn wave(&self, kind: &GroupResource) -> Wave {
        match Wave::of(kind) {
            Wave::Rest if self.converted.contains(kind) => Wave::Converted,
            wave => wave,
        }
    }

    /// Why the restore can't be carried out as it was asked for.
    pub fn problems(&self, choice: &Choice, terms: &Terms) -> Vec<Problem> {
        if self.chosen.is_empty() {
            return vec![Problem::Nothing];
        }
        let absent = choice.objects.iter().filter(|named| !self.takes(named));
        let absent = absent.map(|named| Problem::NoSuchObject(named.clone()));
        let is_known = |source: &str| self.filled.contains(source) || self.namespaces.contains(source);
        let unknown = terms.mappings.sources().filter(|source| !is_known(source));
        absent
            .chain(unknown.map(|source| Problem::NoSuchNamespace(source.to_owned())))
            .collect()
    }

    /// Whether that object is taken.
    pub fn takes(&self, object: &ObjectId) -> bool {
        self.chosen.contains(object)
    }

    /// Whether it is taken only since others need it.
    pub fn brings_along(&self, object: &ObjectId) -> bool {
        self.along.contains(object)
    }

    /// The Namespaces that are taken.
    pub(super) const fn namespaces(&self) -> &BTreeSet<String> {
        &self.namespaces
    }

    /// Whether that Service selects pods.
    pub(super) fn selects(&self, namespace: &str, service: &str) -> bool {
        self.selecting.contains(&Name::new(namespace, service))
    }

    /// What is known of a volume.
    pub(super) fn volume(&self, name: &str) -> Option<&Holding> {
        self.volumes.get(name)
    }

    /// Which objects `kind` means in objects of a group: those of a definition, else as Kubernetes forms plurals.
    pub(super) fn resource(&self, group: &str, kind: &str) -> GroupResource {
        let custom = self.definitions.get(&(group.to_owned(), kind.to_owned()));
        custom.cloned().unwrap_or_else(|| {
            let singular = kind.to_lowercase();
            let plural = match singular.as_bytes() {
                [.., b's'] => format!("{singular}es"),
                [start @ .., b'y'] => format!("{}ies", String::from_utf8_lossy(start)),
                _ => format!("{singular}s"),
            };
            GroupResource::new(group, &plural)
        })
    }

    fn note_definition(&mut self, definition: &Value) {
        let names = ["/spec/group", "/spec/names/kind", "/spec/names/plural"];
        let [Some(group), Some(kind), Some(plural)] = names.map(|path| text(definition, path)) else {
            return;
        };
        let resource = GroupResource::new(group, plural);
        if text(definition, "/spec/conversion/strategy") == Some("Webhook") {
            self.converted.insert(resource.clone());
        }
        self.definitions
            .insert((group.to_owned(), kind.to_owned()), resource);
    }
}

fn selects(service: &Value) -> bool {
    let is_external = text(service, "/spec/type") == Some("ExternalName");
    !is_external && members(service, "/spec/selector").is_some_and(|selector| !selector.is_empty())
}

#[cfg(test)]
mod tests;
