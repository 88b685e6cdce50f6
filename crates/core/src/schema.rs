//! The shapes of kinds, as far as merging has to know them: which fields there are, which lists have keys, what
//! is replaced as a whole. Built-in kinds are in a table that `cargo xtask schemas` writes; custom kinds are read
//! from their CustomResourceDefinitions.
//!
//! - `shape`: the form both have in memory
//! - `openapi`: from an OpenAPI v3 schema to shapes
//! - `table`: the table of built-in kinds as text
//!
//! Strategic merge patch and server-side apply have marks of their own, and they disagree about keys (a Service's
//! ports have `port` for the one, `port` and `protocol` for the other). Neither is derived from the other.

mod openapi;
mod shape;
mod table;

use std::sync::LazyLock;

use serde_json::Value;

pub use shape::{ListType, MapKey, PatchStrategy};
use shape::{Marks, Shape, Types};
pub use table::{GenerateError, Kind, generate};

use table::Table;

static BUILT_IN: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("schema/kubernetes.txt")));

/// The shape of one custom kind.
#[derive(Debug)]
pub struct Schema {
    types: Types,
    root: Shape,
}

/// A position in a schema. What isn't known has a place too, which knows nothing of what is in it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'s> {
    types: &'s Types,
    shape: &'s Shape,
    marks: &'s Marks,
}

/// What kind of value belongs at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Text, a number, a boolean.
    Scalar,
    /// An object with fields of its own.
    Object,
    /// An object with free keys.
    Map,
    /// A list.
    List,
    /// Any JSON, which Kubernetes takes as a whole.
    Opaque,
    /// The schema has no such place.
    Unknown,
}

/// The version of Kubernetes that the table of built-in kinds was taken from, as in `v1.36.3`.
pub fn kubernetes_version() -> &'static str {
    BUILT_IN.kubernetes
}

/// All built-in kinds, in every version they are served in.
pub fn built_in_kinds() -> impl Iterator<Item = &'static Kind> {
    BUILT_IN.kinds.iter()
}

/// The shape of a built-in kind; `None` if there is none of that name.
pub fn built_in(api_version: &str, kind: &str) -> Option<Place<'static>> {
    built_in_kinds()
        .find(|known| known.kind == kind && known.api_version == api_version)
        .map(Kind::root)
}

impl Kind {
    /// The shape of its objects.
    pub fn root(&'static self) -> Place<'static> {
        BUILT_IN.types.place(&self.shape, Marks::none())
    }
}

/// What all objects have in common.
fn object_meta() -> Place<'static> {
    let kind = built_in_kinds().next();
    kind.map_or_else(
        || BUILT_IN.types.place(&Shape::Unknown, Marks::none()),
        |kind| kind.root().member("metadata"),
    )
}

impl Schema {
    /// Of the `openAPIV3Schema` of a version in a CustomResourceDefinition.
    pub fn of_crd_version(schema: &Value) -> Self {
        let mut types = Types::default();
        let root = openapi::custom(schema, &mut types);
        Self { types, root }
    }

    /// The shape of its objects.
    pub fn root(&self) -> Place<'_> {
        self.types.place(&self.root, Marks::none())
    }
}

impl<'s> Place<'s> {
    /// The field of an object, or the value of a map.
    #[must_use]
    pub fn member(self, name: &str) -> Self {
        match self.shape {
            Shape::Object(number) => {
                let field = self.types.get(*number).and_then(|object| object.field(name));
                field.map_or_else(
                    || self.unknown(),
                    |field| self.types.place(&field.shape, field.marks()),
                )
            }
            Shape::Map(value) => self.types.place(value, Marks::none()),
            Shape::ObjectMeta => object_meta().member(name),
            Shape::Scalar | Shape::List(_) | Shape::Opaque | Shape::Unknown => self.unknown(),
        }
    }

    /// The element of a list.
    #[must_use]
    pub fn item(self) -> Self {
        match self.shape {
            Shape::List(item) => self.types.place(item, Marks::none()),
            _ => self.unknown(),
        }
    }

    /// What kind of value belongs here.
    pub const fn nature(self) -> Nature {
        match self.shape {
            Shape::Scalar => Nature::Scalar,
            Shape::Object(_) | Shape::ObjectMeta => Nature::Object,
            Shape::Map(_) => Nature::Map,
            Shape::List(_) => Nature::List,
            Shape::Opaque => Nature::Opaque,
            Shape::Unknown => Nature::Unknown,
        }
    }

    /// Whether it is the same place of the same schema.
    pub fn is_same(self, other: Place<'_>) -> bool {
        std::ptr::eq(self.shape, other.shape) && std::ptr::eq(self.marks, other.marks)
    }

    /// The names of an object's fields, if they are known.
    pub fn fields(self) -> impl Iterator<Item = &'s str> {
        let fields = match self.shape {
            Shape::Object(number) => self.types.get(*number).map(|object| object.fields.as_slice()),
            _ => None,
        };
        fields.unwrap_or_default().iter().map(|field| &*field.name)
    }

    /// How strategic merge patches treat what is here; no kind of its own has any of it.
    pub const fn patch(self) -> &'s PatchStrategy {
        &self.marks.patch
    }

    /// How server-side apply treats a list.
    pub const fn list(self) -> &'s ListType {
        &self.marks.list
    }

    /// Whether server-side apply takes an object or map as a whole.
    pub fn is_atomic_map(self) -> bool {
        let is_atomic = |number| self.types.get(number).is_some_and(|object| object.is_atomic);
        self.marks.atomic_map || matches!(self.shape, Shape::Object(number) if is_atomic(*number))
    }

    fn unknown(self) -> Self {
        Self {
            types: self.types,
            shape: &Shape::Unknown,
            marks: Marks::none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at<'s>(root: Place<'s>, path: &str) -> Place<'s> {
        path.split('/').fold(root, |place, name| match name {
            "" => place,
            "-" => place.item(),
            name => place.member(name),
        })
    }

    fn pod(path: &str) -> Place<'static> {
        at(built_in("v1", "Pod").unwrap(), path)
    }

    fn names(list: &ListType) -> Vec<&str> {
        match list {
            ListType::Map(keys) => keys.iter().map(|key| &*key.name).collect(),
            ListType::Atomic | ListType::Set => Vec::new(),
        }
    }

    #[test]
    fn the_table_is_whole() {
        assert!(kubernetes_version().starts_with("v1."));
        assert!(built_in_kinds().count() > 80);
        for kind in built_in_kinds() {
            let root = kind.root();
            assert_eq!(root.nature(), Nature::Object, "{kind:?}");
            assert_eq!(root.member("metadata").nature(), Nature::Object, "{kind:?}");
        }
        let unknown = BUILT_IN.types.unknown_places();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn built_in_kinds_are_found_by_version_and_kind() {
        for (api_version, kind, expected) in [
            ("apps/v1", "Deployment", Some("deployments")),
            ("v1", "Endpoints", Some("endpoints")),
            ("resource.k8s.io/v1beta1", "DeviceTaintRule", None),
            ("apps/v2", "Deployment", None),
            ("example.com/v1", "Widget", None),
        ] {
            let found = built_in_kinds().find(|known| known.api_version == api_version && known.kind == kind);
            assert_eq!(
                found.map(|known| known.resource),
                expected,
                "{api_version} {kind}"
            );
            assert_eq!(built_in(api_version, kind).is_some(), expected.is_some());
        }
    }

    #[test]
    fn places_know_both_sets_of_marks() {
        let ports = pod("spec/containers/-/ports");
        assert!(ports.patch().merge);
        assert_eq!(ports.patch().key.as_deref(), Some("containerPort"));
        assert_eq!(names(ports.list()), ["containerPort", "protocol"]);
        let ListType::Map(keys) = ports.list() else {
            panic!()
        };
        assert_eq!(keys[1].default, Some(json!("TCP")));

        let finalizers = pod("metadata/finalizers");
        assert!(finalizers.patch().merge && finalizers.patch().key.is_none());
        assert_eq!(finalizers.list(), &ListType::Set);

        assert!(pod("spec/volumes").patch().retain_keys);
        assert!(!pod("spec/tolerations").patch().merge);
        assert!(pod("spec/nodeSelector").is_atomic_map());
        let selector = at(
            built_in("policy/v1", "PodDisruptionBudget").unwrap(),
            "spec/selector",
        );
        assert!(selector.patch().replace && selector.is_atomic_map());
        assert!(!at(selector, "matchLabels").is_atomic_map());
    }

    #[test]
    fn places_know_what_belongs_there() {
        for (path, expected) in [
            ("spec", Nature::Object),
            ("spec/nodeName", Nature::Scalar),
            ("spec/containers", Nature::List),
            ("spec/containers/-", Nature::Object),
            ("spec/containers/-/resources/limits", Nature::Map),
            ("spec/containers/-/resources/limits/cpu", Nature::Scalar),
            ("spec/containers/name", Nature::Unknown),
            ("spec/contaniers", Nature::Unknown),
            ("spec/contaniers/-/name", Nature::Unknown),
            ("metadata/managedFields/-/fieldsV1", Nature::Opaque),
        ] {
            assert_eq!(pod(path).nature(), expected, "{path}");
        }
        assert!(pod("spec").fields().any(|name| name == "nodeName"));
    }

    #[test]
    fn custom_kinds_are_read_from_their_definitions() {
        let schema = Schema::of_crd_version(&json!({
            "type": "object",
            "properties": {
                "metadata": {"type": "object"},
                "spec": {
                    "type": "object",
                    "properties": {
                        "parts": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"name": {"type": "string"}, "side": {"type": "string", "default": "left"}}
                            },
                            "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["name", "side"]
                        },
                        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                        "size": {"x-kubernetes-int-or-string": true},
                        "either": {"type": "object", "additionalProperties": {"type": "string"},
                            "x-kubernetes-map-type": "atomic"}
                    }
                }
            }
        }));
        let at = |path| at(schema.root(), path);
        let ListType::Map(keys) = at("spec/parts").list() else {
            panic!()
        };
        assert_eq!((&*keys[1].name, &keys[1].default), ("side", &Some(json!("left"))));
        assert_eq!(at("spec/tags").list(), &ListType::Set);
        assert_eq!(at("spec/free").nature(), Nature::Opaque);
        assert_eq!(at("spec/size").nature(), Nature::Scalar);
        assert!(at("spec/either").is_atomic_map());
        assert_eq!(at("spec/parts").patch(), &Marks::none().patch);
        assert_eq!(at("metadata/ownerReferences").patch().key.as_deref(), Some("uid"));
        assert_eq!(at("metadata/finalizers").list(), &ListType::Set);
    }
}
