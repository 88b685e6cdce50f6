//! The one YAML reader: text to a tree that knows where everything stands.
//!
//! Scalars mean what they mean to Kubernetes' Go tools (YAML 1.1, as `sigs.k8s.io/yaml` resolves it), because
//! the same files go through `kubectl`. Beyond that the reader is stricter: duplicate keys, foreign tags and
//! anything over the [`Limits`] are refused with their place.

mod error;
mod mend;
mod reader;
mod scalar;

use std::fmt;

use serde_json::{Map, Value};

pub use error::{YamlError, YamlErrorKind};
pub use mend::{Mended, mend_list_indentation};
pub use scalar::{Resolved, Scalar};

/// A place in the text, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What a text may cost. Copies made by aliases and merge keys count like written nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text.
    pub bytes: usize,
    /// Nodes over all documents.
    pub nodes: usize,
    /// Collections inside collections.
    pub depth: usize,
}

impl Limits {
    /// For the content of a `ConfigMap`: Kubernetes stores no more than 1 MiB.
    pub const CONFIG_MAP: Self = Self {
        bytes: 1 << 20,
        nodes: 200_000,
        depth: 64,
    };
    /// For manifests, which may hold many objects.
    pub const MANIFEST: Self = Self {
        bytes: 64 << 20,
        nodes: 8_000_000,
        depth: 128,
    };
}

/// One value and the place where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub at: Position,
    /// The value.
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text whose type depends on how it was written.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Key-value pairs in the order of the text; the keys are unique.
    Mapping(Vec<Entry>),
}

/// One pair of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as a JSON object has it: an unquoted `on` is `true`.
    pub name: String,
    /// The key as it was written.
    pub key: Scalar,
    /// Where the key begins.
    pub at: Position,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The node as JSON; fails only for numbers JSON does not have (`.inf`, `.nan`).
    pub fn to_json(&self) -> Result<Value, YamlError> {
        match &self.content {
            Content::Scalar(scalar) => scalar
                .to_json()
                .ok_or_else(|| YamlErrorKind::NotJson(scalar.text().to_owned()).at(self.at)),
            Content::Sequence(items) => items
                .iter()
                .map(Self::to_json)
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Content::Mapping(entries) => entries
                .iter()
                .map(|entry| Ok((entry.name.clone(), entry.value.to_json()?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    /// Whether the node is null: nothing, `~` or an unquoted `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.resolve() == Resolved::Null)
    }
}

/// The documents of a text within [`Limits::CONFIG_MAP`]; empty ones are left out.
pub fn documents(text: &str) -> Result<Vec<Node>, YamlError> {
    documents_within(text, &Limits::CONFIG_MAP)
}

/// The documents of a text within the given limits; empty ones are left out.
pub fn documents_within(text: &str, limits: &Limits) -> Result<Vec<Node>, YamlError> {
    reader::read(text, limits)
}

/// The documents of a manifest as JSON.
pub fn to_json_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    documents_within(text, &Limits::MANIFEST)?
        .iter()
        .map(Node::to_json)
        .collect()
}
