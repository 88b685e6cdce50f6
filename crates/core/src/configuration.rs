//! What the system is set up with in a namespace, as its vaults carry it: which objects that are, what is kept of each, and in
//! which order they are made again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The kinds of it, in the order in which they are made: what others name comes first, and what begins to work last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The namespace that the others are in.
    Namespace,
    /// Resource modifier rules.
    Rules,
    /// Where they hold.
    Interception,
    /// Where recovery points are.
    Vault,
    /// When backups are made, and for how long they are kept.
    Policy,
    /// What runs before and after a cut.
    BackupHook,
    /// What runs after a restore.
    RestoreHook,
    /// What is protected.
    Instance,
}

/// What identifies an object of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its kind.
    pub part: Part,
    /// Its namespace; none for what is in none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// A Secret whose values are kept nowhere: somebody has to make it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct NeededSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What the system is set up with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Configuration {
    /// The objects, in the order in which they are made.
    objects: Vec<Value>,
    /// What they name and can't carry.
    secrets: BTreeSet<NeededSecret>,
}

/// Annotations that are somebody else's to write.
const FOREIGN: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "clusterbackup.io/requester",
];
/// The label that the API server gives a namespace itself.
const NAMED: &str = "kubernetes.io/metadata.name";

impl Part {
    /// Every one, in their order.
    pub const ALL: [Self; 8] = [
        Self::Namespace,
        Self::Rules,
        Self::Interception,
        Self::Vault,
        Self::Policy,
        Self::BackupHook,
        Self::RestoreHook,
        Self::Instance,
    ];

    /// Its kind, and the group of that.
    pub const fn kind(self) -> (&'static str, &'static str) {
        const OWN: &str = "clusterbackup.io";
        const HOOKS: &str = "clusterbackup.dataprotection.microsoft.com";
        match self {
            Self::Namespace => ("", "Namespace"),
            Self::Rules => ("", "ConfigMap"),
            Self::Interception => (OWN, "RestoreInterception"),
            Self::Vault => (OWN, "BackupVault"),
            Self::Policy => (OWN, "BackupPolicy"),
            Self::BackupHook => (HOOKS, "BackupHook"),
            Self::RestoreHook => (HOOKS, "RestoreHook"),
            Self::Instance => (OWN, "BackupInstance"),
        }
    }

    /// Whether its objects are in namespaces.
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::Interception)
    }

    fn of(object: &Value) -> Option<Self> {
        let version = object["apiVersion"].as_str()?;
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let kind = (group, object["kind"].as_str()?);
        Self::ALL.into_iter().find(|part| part.kind() == kind)
    }
}

impl Place {
    /// Of an object; none where it is nothing that a configuration has.
    pub fn of(object: &Value) -> Option<Self> {
        let part = Part::of(object)?;
        let metadata = &object["metadata"];
        let namespace = metadata["namespace"].as_str().filter(|_| part.is_namespaced());
        if part.is_namespaced() && namespace.is_none() {
            return None;
        }
        Some(Self {
            part,
            namespace: namespace.map(str::to_owned),
            name: metadata["name"].as_str()?.to_owned(),
        })
    }
}

impl Configuration {
    /// Of these objects, as a cluster has them. What no configuration has is left out.
    pub fn of(
        objects: impl IntoIterator<Item = Value>,
        secrets: impl IntoIterator<Item = NeededSecret>,
    ) -> Self {
        let kept = objects
            .into_iter()
            .filter_map(|object| Some((Place::of(&object)?, kept(&object)?)));
        let mut kept: Vec<_> = kept.collect();
        kept.sort_by(|(one, _), (other, _)| one.cmp(other));
        kept.dedup_by(|(one, _), (other, _)| one == other);
        Self {
            objects: kept.into_iter().map(|(_, object)| object).collect(),
            secrets: secrets.into_iter().collect(),
        }
    }

    /// The objects, in the order in which they are made. Also of one that somebody has forged.
    pub fn objects(&self) -> impl Iterator<Item = (Place, Value)> {
        self.objects
            .iter()
            .filter_map(|object| Some((Place::of(object)?, kept(object)?)))
    }

    /// All of it as JSON, by which two are compared.
    pub fn text(&self) -> String {
        json!({ "objects": self.objects, "secrets": self.secrets }).to_string()
    }

    /// What has to be made by hand.
    pub fn secrets(&self) -> impl Iterator<Item = &NeededSecret> {
        self.secrets.iter()
    }
}

/// What is kept of an object: what people say in it, and nothing that a cluster has added. None of what no configuration has.
pub fn kept(object: &Value) -> Option<Value> {
    let part = Part::of(object)?;
    let mut kept = Map::new();
    for (field, value) in object.as_object()? {
        match field.as_str() {
            "metadata" => drop(kept.insert(field.clone(), metadata(part, value))),
            "status" => {}
            "spec" if part == Part::Namespace => {}
            _ => drop(kept.insert(field.clone(), value.clone())),
        }
    }
    if part == Part::Instance
        && let Some(spec) = kept.get_mut("spec").and_then(Value::as_object_mut)
    {
        // He is whoever makes it again.
        spec.remove("requester");
    }
    Some(kept.into())
}

/// Whether an object in a cluster says what a kept one does. Labels and annotations that others have added don't count.
pub fn agrees(existing: &Value, saved: &Value) -> bool {
    kept(existing).is_some_and(|kept| overlay(kept.clone(), saved) == kept)
}

/// The object in a cluster as it says what the kept one does. Labels and annotations that others have added stay.
#[must_use]
pub fn overlay(existing: Value, saved: &Value) -> Value {
    let (Value::Object(mut existing), Some(saved)) = (existing, saved.as_object()) else {
        return saved.clone();
    };
    existing.retain(|field, _| field == "metadata" || field == "status" || saved.contains_key(field));
    for (field, value) in saved.iter().filter(|(field, _)| *field != "metadata") {
        existing.insert(field.clone(), value.clone());
    }
    for texts in ["labels", "annotations"] {
        let wanted = saved["metadata"][texts].as_object().into_iter().flatten();
        for (key, value) in wanted {
            existing["metadata"][texts][key] = value.clone();
        }
    }
    existing.into()
}

fn metadata(part: Part, metadata: &Value) -> Value {
    let mut kept = Map::new();
    for field in ["name", "namespace", "labels", "annotations"] {
        let Some(mut value) = metadata.get(field).cloned() else {
            continue;
        };
        if let Some(texts) = value.as_object_mut() {
            let named = |key: &String| part == Part::Namespace && key == NAMED;
            texts.retain(|key, _| !FOREIGN.contains(&key.as_str()) && !named(key));
            if texts.is_empty() {
                continue;
            }
        }
        kept.insert(field.to_owned(), value);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Value {
        let mut metadata = json!({
            "name": name, "uid": "u", "resourceVersion": "7", "generation": 2, "managedFields": [{}],
            "creationTimestamp": "2026-11-21T01:00:00Z", "ownerReferences": [{}], "finalizers": ["a"],
        });
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "status": { "a": 1 } })
    }

    const OWN: &str = "clusterbackup.io/v1alpha1";

    #[test]
    fn objects_are_made_after_what_they_name() {
        let hooks = "clusterbackup.dataprotection.microsoft.com/v1alpha1";
        let objects = [
            object(OWN, "BackupInstance", Some("shop"), "b"),
            object(OWN, "BackupInstance", Some("shop"), "a"),
            object(hooks, "BackupHook", Some("shop"), "quiesce"),
            object(OWN, "BackupPolicy", Some("shop"), "nightly"),
            object(OWN, "BackupVault", Some("shop"), "vault"),
            object(OWN, "RestoreInterception", None, "staging"),
            object("v1", "ConfigMap", Some("shop"), "rules"),
            object("v1", "Namespace", None, "shop"),
            // Twice, and what is no configuration.
            object("v1", "Namespace", None, "shop"),
            object("v1", "Secret", Some("shop"), "key"),
            object(OWN, "Backup", Some("shop"), "one"),
            object(OWN, "BackupVault", None, "nowhere"),
        ];
        let configuration = Configuration::of(objects, []);
        let order: Vec<_> = configuration
            .objects()
            .map(|(place, _)| (place.part, place.name))
            .collect();
        let expected = [
            (Part::Namespace, "shop"),
            (Part::Rules, "rules"),
            (Part::Interception, "staging"),
            (Part::Vault, "vault"),
            (Part::Policy, "nightly"),
            (Part::BackupHook, "quiesce"),
            (Part::Instance, "a"),
            (Part::Instance, "b"),
        ];
        assert_eq!(order, expected.map(|(part, name)| (part, name.to_owned())));
    }

    #[test]
    fn what_people_say_is_kept_and_what_a_cluster_adds_is_not() {
        let mut instance = object(OWN, "BackupInstance", Some("shop"), "shop");
        instance["metadata"]["labels"] = json!({ "team": "a" });
        instance["metadata"]["annotations"] = json!({
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "clusterbackup.io/requester": "{}",
        });
        instance["spec"] = json!({ "vault": "vault", "requester": { "username": "jane" } });
        let mut namespace = object("v1", "Namespace", None, "shop");
        namespace["metadata"]["labels"] = json!({ NAMED: "shop", "level": "restricted" });
        namespace["spec"] = json!({ "finalizers": ["kubernetes"] });
        let mut rules = object("v1", "ConfigMap", Some("shop"), "rules");
        rules["data"] = json!({ "rules.yaml": "version: v1" });
        for (object, expected) in [
            (
                instance,
                json!({
                    "apiVersion": OWN, "kind": "BackupInstance", "spec": { "vault": "vault" },
                    "metadata": { "name": "shop", "namespace": "shop", "labels": { "team": "a" } },
                }),
            ),
            (
                namespace,
                json!({
                    "apiVersion": "v1", "kind": "Namespace",
                    "metadata": { "name": "shop", "labels": { "level": "restricted" } },
                }),
            ),
            (
                rules,
                json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "data": { "rules.yaml": "version: v1" },
                    "metadata": { "name": "rules", "namespace": "shop" },
                }),
            ),
        ] {
            assert_eq!(kept(&object), Some(expected.clone()));
            assert_eq!(kept(&expected), Some(expected));
        }
        assert_eq!(kept(&object("v1", "Secret", Some("shop"), "key")), None);
    }

    #[test]
    fn what_others_have_added_to_an_object_is_no_difference_and_stays() {
        let saved = json!({
            "apiVersion": OWN, "kind": "BackupPolicy",
            "metadata": { "name": "nightly", "namespace": "shop", "labels": { "team": "a" } },
            "spec": { "keep": 7 },
        });
        let existing = |team: Value, keep: Value| {
            let mut existing = object(OWN, "BackupPolicy", Some("shop"), "nightly");
            existing["metadata"]["labels"] = json!({ "team": team, "app": "shop" });
            existing["spec"] = json!({ "keep": keep });
            existing
        };
        let same = existing(json!("a"), json!(7));
        assert!(agrees(&same, &saved));
        for other in [existing(json!("b"), json!(7)), existing(json!("a"), json!(8))] {
            assert!(!agrees(&other, &saved), "{other}");
            assert_eq!(overlay(other, &saved), same);
        }
        let mut more = same.clone();
        more["data"] = json!({});
        assert!(!agrees(&more, &saved));
        assert_eq!(overlay(more, &saved), same);
    }
}
