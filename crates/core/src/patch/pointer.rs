//! JSON pointers (RFC 6901), split and unescaped once, and what they point at.
//!
//! One liberty of Velero's engine is kept: the array index `-1` is the last element, `-2` the one before.

use std::borrow::Cow;
use std::fmt;

use json_patch::jsonptr::{Pointer as JsonPointer, PointerBuf, Token};
use serde_json::Value;

/// A parsed pointer. `Display` is its RFC 6901 text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer {
    text: PointerBuf,
    tokens: Vec<String>,
}

/// Why a text is not a pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// The first character is missing.
    #[error("a path must start with `/`")]
    NoSlash,
    /// A `~` that is neither `~0` nor `~1`.
    #[error("`~` must be written as `~0`, and `/` inside of a key as `~1`")]
    BadEscape,
}

/// Why a pointer points at nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The parent is there, its last key is not.
    #[error("the last key does not exist")]
    MissingKey,
    /// Something before the last key does not exist, or is not a collection.
    #[error("the parent does not exist")]
    MissingParent,
    /// An array is shorter.
    #[error("the array index is out of range")]
    OutOfRange,
    /// An array is asked for something that is no index.
    #[error("an array needs a number as index")]
    NotAnIndex,
}

impl Pointer {
    /// Parses the text of a pointer; the empty text is the whole document.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(PointerError::NoSlash);
        }
        JsonPointer::parse(text)
            .map(Self::from)
            .map_err(|_| PointerError::BadEscape)
    }

    /// The pointer to a place given by unescaped keys.
    pub fn from_tokens<'t>(tokens: impl IntoIterator<Item = &'t str>) -> Self {
        let mut pointer = Self::default();
        for token in tokens {
            pointer.push(token);
        }
        pointer
    }

    /// The unescaped keys.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The RFC 6901 text.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The pointer in the form of an operation.
    pub fn to_buf(&self) -> PointerBuf {
        self.text.clone()
    }

    /// Whether the whole document is meant.
    pub fn is_root(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Goes one key deeper.
    pub fn push(&mut self, token: &str) {
        self.text.push_back(Token::new(token));
        self.tokens.push(token.to_owned());
    }

    /// Goes back up.
    pub fn pop(&mut self) {
        self.text.pop_back();
        self.tokens.pop();
    }

    /// Whether the other pointer is this one or lies below it.
    pub fn contains(&self, other: &Self) -> bool {
        other.tokens.starts_with(&self.tokens)
    }

    /// What it points at.
    pub fn lookup<'v>(&self, document: &'v Value) -> Result<&'v Value, LookupError> {
        let Some((last, parents)) = self.tokens.split_last() else {
            return Ok(document);
        };
        let mut parent = document;
        for token in parents {
            parent = child(parent, token).map_err(|_| LookupError::MissingParent)?;
        }
        child(parent, last)
    }

    /// The place of an insertion, with negative and `-` indexes replaced by what they stand for in the document.
    pub(super) fn settled_for_insertion(&self, document: &Value) -> Result<Cow<'_, Self>, LookupError> {
        self.settled(document, |token, length| {
            if token == "-" {
                Ok(length)
            } else {
                index(token, length + 1)
            }
        })
    }

    /// The same for the place of an element that is there.
    pub(super) fn settled_for_access(&self, document: &Value) -> Result<Cow<'_, Self>, LookupError> {
        self.settled(document, index)
    }

    fn settled(
        &self,
        document: &Value,
        last_index: impl Fn(&str, usize) -> Result<usize, LookupError>,
    ) -> Result<Cow<'_, Self>, LookupError> {
        let Some((last, parents)) = self.tokens.split_last() else {
            return Ok(Cow::Borrowed(self));
        };
        if !self.tokens.iter().any(|token| token.starts_with('-')) {
            return Ok(Cow::Borrowed(self));
        }
        let mut settled = Self::default();
        let mut parent = document;
        for token in parents {
            settled.push(&element(parent, token, index).map_err(|_| LookupError::MissingParent)?);
            parent = child(parent, token).map_err(|_| LookupError::MissingParent)?;
        }
        settled.push(&element(parent, last, last_index)?);
        Ok(Cow::Owned(settled))
    }
}

impl From<&JsonPointer> for Pointer {
    fn from(text: &JsonPointer) -> Self {
        let tokens = text.tokens().map(|token| token.decoded().into_owned()).collect();
        Self {
            text: text.to_buf(),
            tokens,
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn child<'v>(parent: &'v Value, token: &str) -> Result<&'v Value, LookupError> {
    match parent {
        Value::Object(members) => members.get(token).ok_or(LookupError::MissingKey),
        Value::Array(items) => items
            .get(index(token, items.len())?)
            .ok_or(LookupError::OutOfRange),
        _ => Err(LookupError::MissingParent),
    }
}

/// A token with the index it stands for, if its parent is an array.
fn element<'t>(
    parent: &Value,
    token: &'t str,
    index: impl Fn(&str, usize) -> Result<usize, LookupError>,
) -> Result<Cow<'t, str>, LookupError> {
    match parent {
        Value::Array(items) => index(token, items.len()).map(|index| index.to_string().into()),
        _ => Ok(token.into()),
    }
}

/// The index below `length` that a token means; negative ones count from the end.
pub(super) fn index(token: &str, length: usize) -> Result<usize, LookupError> {
    let (digits, negative) = token
        .strip_prefix('-')
        .map_or((token, false), |digits| (digits, true));
    let canonical = match digits.as_bytes() {
        [b'0'] => !negative,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return Err(LookupError::NotAnIndex);
    }
    let number: usize = digits.parse().map_err(|_| LookupError::OutOfRange)?;
    let index = if negative {
        length.checked_sub(number)
    } else {
        Some(number)
    };
    index
        .filter(|index| *index < length)
        .ok_or(LookupError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_are_read_strictly_and_written_back() {
        for text in ["", "/", "/a/b", "/a~1b/c~0d", "/a//b", "/é/0/-"] {
            assert_eq!(
                Pointer::parse(text).map(|pointer| pointer.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!(
            Pointer::parse("/a~1b~0").map(|pointer| pointer.tokens().to_vec()),
            Ok(vec!["a/b~".to_owned()])
        );
        assert_eq!(Pointer::parse("a").err(), Some(PointerError::NoSlash));
        assert_eq!(Pointer::parse("/a~2").err(), Some(PointerError::BadEscape));
        assert_eq!(Pointer::parse("/a~").err(), Some(PointerError::BadEscape));
    }

    #[test]
    fn a_miss_says_how_it_misses() {
        let document = json!({"a": {"b": 1, "n": null}, "list": [1, 2]});
        for (text, expected) in [
            ("/a/b", Ok(json!(1))),
            ("/a/n", Ok(json!(null))),
            ("/list/-1", Ok(json!(2))),
            ("/list/-2", Ok(json!(1))),
            ("/a/x", Err(LookupError::MissingKey)),
            ("/x/b", Err(LookupError::MissingParent)),
            ("/a/b/c", Err(LookupError::MissingParent)),
            ("/a/n/c", Err(LookupError::MissingParent)),
            ("/list/2", Err(LookupError::OutOfRange)),
            ("/list/-3", Err(LookupError::OutOfRange)),
            ("/list/99999999999999999999", Err(LookupError::OutOfRange)),
            ("/list/2/a", Err(LookupError::MissingParent)),
            ("/list/x/a", Err(LookupError::MissingParent)),
            ("/list/x", Err(LookupError::NotAnIndex)),
            ("/list/-", Err(LookupError::NotAnIndex)),
            ("/list/-0", Err(LookupError::NotAnIndex)),
            ("/list/00", Err(LookupError::NotAnIndex)),
            ("/list/", Err(LookupError::NotAnIndex)),
        ] {
            let pointer = Pointer::parse(text).expect(text);
            assert_eq!(pointer.lookup(&document).cloned(), expected, "{text}");
        }
    }
}
