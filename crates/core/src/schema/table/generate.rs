//! Writing the table from what an API server says of its kinds under `/openapi/v3`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::schema::openapi::{self, Node};
use crate::schema::shape::{ListType, MapKey, Marks};

/// Why the table can't be written from these documents.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A reference leads nowhere.
    #[error("no document has the schema {0}")]
    NoSchema(String),
    /// A schema says something for which the table has no words.
    #[error("{schema}: {what}; the form of the table has to learn it")]
    Unheard {
        /// The schema.
        schema: String,
        /// What it says.
        what: &'static str,
    },
}

/// The text of the table, from the documents of all groups and versions.
pub fn generate(kubernetes: &str, documents: &[Value]) -> Result<String, GenerateError> {
    let schemas = Schemas::of(documents);
    let kinds = schemas.kinds(documents);
    let mut lines = vec![format!("kubernetes {kubernetes}")];
    for (kind, schema) in &kinds {
        lines.push(format!("kind {kind} {}", short(schema)));
    }
    let mut waiting: Vec<&str> = kinds.values().copied().collect();
    let mut types = BTreeMap::new();
    while let Some(name) = waiting.pop() {
        if !types.contains_key(name) {
            let mut object = ObjectText::new(name, &schemas);
            types.insert(name, object.lines()?);
            waiting.extend(object.mentioned);
        }
    }
    lines.extend(types.into_values().flatten());
    Ok(lines.join("\n") + "\n")
}

/// All schemas by their names.
struct Schemas<'v>(BTreeMap<&'v str, &'v Value>);

impl<'v> Schemas<'v> {
    fn of(documents: &'v [Value]) -> Self {
        let schemas = documents
            .iter()
            .filter_map(|document| document["components"]["schemas"].as_object())
            .flatten();
        Self(schemas.map(|(name, schema)| (name.as_str(), schema)).collect())
    }

    fn get(&self, name: &str) -> Result<&'v Value, GenerateError> {
        let found = self.0.get(name).copied();
        found.ok_or_else(|| GenerateError::NoSchema(name.to_owned()))
    }

    /// What can be patched, which is what can be stored: its line and its schema.
    fn kinds(&self, documents: &'v [Value]) -> BTreeMap<String, &'v str> {
        let roots: BTreeMap<_, _> = self
            .0
            .iter()
            .flat_map(|(name, schema)| {
                let kinds = schema["x-kubernetes-group-version-kind"].as_array();
                kinds
                    .into_iter()
                    .flatten()
                    .map(move |kind| (kind_name(kind), *name))
            })
            .collect();
        let paths = documents
            .iter()
            .filter_map(|document| document["paths"].as_object())
            .flatten();
        paths
            .filter_map(|(path, operations)| {
                let resource = path.strip_suffix("/{name}")?.rsplit('/').next()?;
                let kind = kind_name(operations.get("patch")?.get("x-kubernetes-group-version-kind")?);
                let schema = roots.get(&kind)?;
                Some((format!("{kind} {resource}"), *schema))
            })
            .collect()
    }
}

/// `apps/v1 Deployment`.
fn kind_name(kind: &Value) -> String {
    let text = |name: &str| kind[name].as_str().unwrap_or_default();
    let separator = if text("group").is_empty() { "" } else { "/" };
    format!("{}{separator}{} {}", text("group"), text("version"), text("kind"))
}

/// The name of a schema without what all have in common.
fn short(schema: &str) -> &str {
    let packages = [
        "api.",
        "apimachinery.pkg.",
        "apiextensions-apiserver.pkg.",
        "kube-aggregator.pkg.",
    ];
    let name = schema.strip_prefix("io.k8s.").unwrap_or(schema);
    let stripped = packages.iter().find_map(|package| name.strip_prefix(package));
    let name = stripped.unwrap_or(name);
    name.strip_prefix("apis.").unwrap_or(name)
}

/// The lines of one object type, and which others they mention.
struct ObjectText<'v> {
    name: &'v str,
    schemas: &'v Schemas<'v>,
    mentioned: BTreeSet<&'v str>,
}

impl<'v> ObjectText<'v> {
    const fn new(name: &'v str, schemas: &'v Schemas<'v>) -> Self {
        Self {
            name,
            schemas,
            mentioned: BTreeSet::new(),
        }
    }

    fn lines(&mut self) -> Result<Vec<String>, GenerateError> {
        let schema = self.schemas.get(self.name)?;
        let atomic = if openapi::is_atomic(schema) { " atomic" } else { "" };
        let mut lines = vec![format!("type {}{atomic}", short(self.name))];
        let fields = schema["properties"].as_object().into_iter().flatten();
        let mut fields: Vec<_> = fields.collect();
        fields.sort_by_key(|(name, _)| *name);
        for (name, field) in fields {
            let shape = self.shape(field)?;
            let marks = self.marks(field)?;
            lines.push(format!(" {name} {shape} {marks}").trim_end().to_owned());
        }
        Ok(lines)
    }

    fn shape(&mut self, schema: &'v Value) -> Result<String, GenerateError> {
        Ok(match Node::of(schema) {
            Node::Reference(name) => match Node::of(self.schemas.get(name)?) {
                Node::Object(_) => {
                    self.mentioned.insert(name);
                    short(name).to_owned()
                }
                Node::Opaque => "*".to_owned(),
                Node::Scalar => String::new(),
                _ => return Err(self.unheard("a type that is a list or a map")),
            },
            Node::Map(value) => format!("{{}}{}", self.shape(value)?),
            Node::List(item) => format!("[]{}", self.shape(item)?),
            Node::Opaque => "*".to_owned(),
            Node::Scalar => String::new(),
            Node::Object(_) => return Err(self.unheard("an object without a name")),
        })
    }

    fn marks(&self, schema: &'v Value) -> Result<String, GenerateError> {
        let item = match schema.get("items").map(Node::of) {
            Some(Node::Reference(name)) => Some(self.schemas.get(name)?),
            _ => None,
        };
        let Marks {
            patch,
            list,
            atomic_map,
        } = openapi::marks(schema, item);
        let mut words = Vec::new();
        if patch.merge {
            words.push(
                patch
                    .key
                    .map_or_else(|| "merge".to_owned(), |key| format!("merge:{key}")),
            );
        }
        words.extend(patch.retain_keys.then(|| "retainKeys".to_owned()));
        words.extend(patch.replace.then(|| "replace".to_owned()));
        words.extend(atomic_map.then(|| "atomic".to_owned()));
        match list {
            ListType::Atomic => {}
            ListType::Set => words.push("set".to_owned()),
            ListType::Map(keys) => {
                let keys: Result<Vec<_>, _> = keys.iter().map(|key| self.map_key(key)).collect();
                words.push(format!("map:{}", keys?.join(",")));
            }
        }
        Ok(words.join(" "))
    }

    fn map_key(&self, key: &MapKey) -> Result<String, GenerateError> {
        // Kubernetes' generators give every required field the zero value of Go as its default.
        match key
            .default
            .as_ref()
            .filter(|default| **default != "" && **default != 0)
        {
            None => Ok(key.name.to_string()),
            Some(Value::String(default)) => Ok(format!("{}={default}", key.name)),
            Some(_) => Err(self.unheard("a key of a list with a default that is no text")),
        }
    }

    fn unheard(&self, what: &'static str) -> GenerateError {
        GenerateError::Unheard {
            schema: self.name.to_owned(),
            what,
        }
    }
}
