//! What of an object's metadata decides whether anything concerns it, read without the rest of the object.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What of an object's metadata decides whether anything concerns it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Missing where the API server is to make the name.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    /// What it makes the name from.
    #[serde(borrow, default)]
    pub generate_name: Option<Cow<'a, str>>,
    /// Its labels.
    #[serde(borrow, default)]
    pub labels: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
    /// Who owns its fields, the author of the request included.
    #[serde(borrow, default)]
    managed_fields: Option<Vec<Ownership<'a>>>,
}

/// An object that it goes with.
#[derive(Debug, Deserialize)]
struct Owner {
    #[serde(default)]
    controller: Option<bool>,
}

/// One owner of some fields.
#[derive(Debug, Deserialize)]
struct Ownership<'a> {
    /// `Apply` or `Update`.
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
}

/// Goes through the members of an object as far as its metadata.
struct Search<'s, 'a>(&'s mut Option<Metadata<'a>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Member {
    Metadata,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Visitor<'de> for Search<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_key()? {
            match member {
                Member::Metadata => {
                    *self.0 = Some(members.next_value()?);
                    return Ok(());
                }
                Member::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'a> Metadata<'a> {
    /// Reads the metadata of `object` and nothing behind it: the API server writes what is large behind it.
    pub fn parse(object: &'a RawValue) -> Result<Self, serde_json::Error> {
        let mut found = None;
        let end = serde_json::Deserializer::from_str(object.get()).deserialize_map(Search(&mut found));
        // That the rest was not read is an error only where it was needed.
        found.map_or_else(|| end.map(|()| Self::default()), Ok)
    }

    /// Whether it is a server-side apply that creates the object. The API server has noted the author's ownership by
    /// now: as `Apply` alone, since an apply may bring none along, and otherwise as `Update`, whatever the object brings
    /// from a former life. (The request's options don't tell: they are `CreateOptions` either way.)
    pub fn is_server_side_apply(&self) -> bool {
        let owners = self.managed_fields.as_deref().unwrap_or_default();
        !owners.is_empty() && owners.iter().all(|owner| owner.operation == "Apply")
    }

    /// The object as far as it bears its name and what is noted on it.
    pub fn outline(&self) -> Result<Value, serde_json::Error> {
        let mut metadata = Map::new();
        if let Some(name) = &self.name {
            metadata.insert("name".to_owned(), name.as_ref().into());
        }
        if let Some(annotations) = self.annotations {
            metadata.insert("annotations".to_owned(), serde_json::from_str(annotations.get())?);
        }
        Ok(Value::Object(Map::from_iter([(
            "metadata".to_owned(),
            metadata.into(),
        )])))
    }

    /// Whether a controller owns the object.
    pub fn has_controller(&self) -> bool {
        let owners = self.owner_references.as_deref().unwrap_or_default();
        owners.iter().any(|owner| owner.controller == Some(true))
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(AsRef::as_ref)
    }
}
