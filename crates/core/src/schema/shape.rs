//! Shapes in memory: object types in a row, which refer to each other by their number, since some hold themselves.

use std::borrow::Cow;

use serde_json::Value;

use super::Place;

/// What a value looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    /// The object type of that number.
    Object(usize),
    /// The metadata of a custom object: the same as that of every other.
    ObjectMeta,
    Map(Box<Self>),
    List(Box<Self>),
    Opaque,
    Unknown,
}

/// The object types that shapes refer to.
#[derive(Debug, Default)]
pub(super) struct Types(Vec<ObjectType>);

/// An object with fields of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ObjectType {
    pub(super) fields: Vec<Field>,
    pub(super) is_atomic: bool,
}

/// A field. The names of built-in ones are borrowed from the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Cow<'static, str>,
    pub(super) shape: Shape,
    /// Most fields have none.
    pub(super) marks: Option<Box<Marks>>,
}

/// How a field is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) patch: PatchStrategy,
    pub(super) list: ListType,
    pub(super) atomic_map: bool,
}

/// How strategic merge patches treat a field: `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged: by their key, or as sets of scalars where there is none.
    pub merge: bool,
    /// Clients that compute patches send `$retainKeys` here.
    pub retain_keys: bool,
    /// An object is replaced as a whole.
    pub replace: bool,
    /// The field that tells the elements of a list apart.
    pub key: Option<Cow<'static, str>>,
}

/// How server-side apply treats a list: `x-kubernetes-list-type` and `x-kubernetes-list-map-keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListType {
    /// As a whole.
    Atomic,
    /// A set of values.
    Set,
    /// Its elements are told apart by these fields.
    Map(Vec<MapKey>),
}

/// One of the fields that tell the elements of a list apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapKey {
    /// The name of the field.
    pub name: Cow<'static, str>,
    /// What an element has that doesn't say.
    pub default: Option<Value>,
}

/// Of a field without any.
static NO_MARKS: Marks = Marks {
    patch: PatchStrategy {
        merge: false,
        retain_keys: false,
        replace: false,
        key: None,
    },
    list: ListType::Atomic,
    atomic_map: false,
};

impl Marks {
    pub(super) fn none() -> &'static Self {
        &NO_MARKS
    }

    /// To be kept at a field.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        (self != NO_MARKS).then(|| Box::new(self))
    }
}

impl Types {
    /// Adds an object type, and gives its number.
    pub(super) fn add(&mut self, object: ObjectType) -> usize {
        self.0.push(object);
        self.0.len() - 1
    }

    pub(super) fn get(&self, number: usize) -> Option<&ObjectType> {
        self.0.get(number)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut ObjectType> {
        self.0.get_mut(number)
    }

    pub(super) fn extend(&mut self, object: Option<ObjectType>) {
        self.0.extend(object);
    }

    #[cfg(test)]
    pub(super) fn unknown_places(&self) -> Vec<&str> {
        fn is_known(shape: &Shape) -> bool {
            match shape {
                Shape::Unknown => false,
                Shape::List(inner) | Shape::Map(inner) => is_known(inner),
                _ => true,
            }
        }
        let fields = self.0.iter().flat_map(|object| &object.fields);
        fields
            .filter(|field| !is_known(&field.shape))
            .map(|field| &*field.name)
            .collect()
    }

    pub(super) const fn place<'s>(&'s self, shape: &'s Shape, marks: &'s Marks) -> Place<'s> {
        Place {
            types: self,
            shape,
            marks,
        }
    }
}

impl ObjectType {
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    pub(super) fn marks(&self) -> &Marks {
        self.marks.as_deref().unwrap_or_else(|| Marks::none())
    }
}
