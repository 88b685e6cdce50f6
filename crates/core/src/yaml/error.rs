//! What can be wrong with a YAML text.

use super::Position;

/// Why a text could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {kind}")]
pub struct YamlError {
    /// Where it is wrong.
    pub at: Position,
    /// What is wrong.
    pub kind: YamlErrorKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlErrorKind {
    /// The text is not YAML.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// A key stands twice in one mapping.
    #[error("the key `{key}` was already given on line {first}; keep one of the two")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Line of its first occurrence.
        first: usize,
    },
    /// A key that is null or a collection.
    #[error("a key must be text; put a value that starts with `{{` or `[` in quotes if text is meant")]
    UnsupportedKey,
    /// A tag that asks for something JSON does not have.
    #[error("the tag `{0}` is not supported; remove it")]
    UnsupportedTag(String),
    /// The value of `<<` is neither a mapping nor a list of mappings.
    #[error("`<<` must name a mapping or a list of mappings")]
    UnsupportedMerge,
    /// An anchor is used inside of what it names.
    #[error("an alias refers to the collection it stands in")]
    RecursiveAlias,
    /// A number that JSON does not have.
    #[error("`{0}` has no form in JSON; put it in quotes if text is meant")]
    NotJson(String),
    /// The text is longer than the limit.
    #[error("the text has {bytes} bytes, {limit} are allowed")]
    TooLong {
        /// Length of the text.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More values than the limit, copies by aliases included.
    #[error("too many values (copies by aliases count as well)")]
    TooMany,
    /// Collections are nested deeper than the limit.
    #[error("nested more than {0} levels deep")]
    TooDeep(usize),
}

impl YamlErrorKind {
    pub(super) const fn at(self, at: Position) -> YamlError {
        YamlError { at, kind: self }
    }
}
