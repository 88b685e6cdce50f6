//! From the parser's events to the tree, within the limits.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{Content, Entry, Limits, Node, Position, Resolved, Scalar, YamlError, YamlErrorKind};

pub(super) fn read(text: &str, limits: &Limits) -> Result<Vec<Node>, YamlError> {
    let start = Position { line: 1, column: 1 };
    if text.len() > limits.bytes {
        return Err(YamlErrorKind::TooLong {
            bytes: text.len(),
            limit: limits.bytes,
        }
        .at(start));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let mut reader = Reader::new(limits);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax(&error, limits))?;
        reader.take(event, position(&span.start))?;
    }
    Ok(reader.documents)
}

fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn syntax(error: &ScanError, limits: &Limits) -> YamlError {
    let kind = match error.kind() {
        ErrorKind::RecursionLimitExceeded => YamlErrorKind::TooDeep(limits.depth),
        _ => YamlErrorKind::Syntax(error.info()),
    };
    kind.at(position(error.marker()))
}

/// A collection whose end has not been seen.
struct Open {
    at: Position,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<Entry>,
    /// Lines of the keys so far: a search per key would be quadratic.
    lines: HashMap<String, usize>,
    /// The key that waits for its value.
    key: Option<(String, Scalar, Position)>,
    /// What `<<` names; the mapping's own keys win, wherever they stand.
    merged: Vec<Entry>,
}

struct Reader<'l> {
    limits: &'l Limits,
    nodes: usize,
    bytes: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
}

impl<'l> Reader<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            nodes: 0,
            bytes: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain || asks_for_text(tag.as_deref(), at)?;
                let node = Node {
                    at,
                    content: Content::Scalar(Scalar::new(text.into_owned(), quoted)),
                };
                self.charge(&node)?;
                self.place(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                asks_for_text(tag.as_deref(), at)?;
                self.enter(at, anchor, Items::Sequence(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                asks_for_text(tag.as_deref(), at)?;
                self.enter(at, anchor, Items::Mapping(OpenMapping::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(anchor) => {
                // A collection gets its anchor when it ends: inside of it the anchor is still unknown.
                let mut node = self
                    .anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| YamlErrorKind::RecursiveAlias.at(at))?;
                node.at = at;
                self.charge(&node)?;
                self.place(node, 0)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, at: Position, anchor: usize, items: Items) -> Result<(), YamlError> {
        if self.open.len() >= self.limits.depth {
            return Err(YamlErrorKind::TooDeep(self.limits.depth).at(at));
        }
        self.open.push(Open { at, anchor, items });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), YamlError> {
        let Some(Open { at, anchor, items }) = self.open.pop() else {
            return Ok(());
        };
        let content = match items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping(mapping) => Content::Mapping(mapping.close()),
        };
        self.spend(1, 0, at)?;
        self.place(Node { at, content }, anchor)
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            self.charge(&node)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None if node.is_null() => {}
            None => self.documents.push(node),
            Some(Items::Sequence(items)) => items.push(node),
            Some(Items::Mapping(mapping)) => {
                if let Some(merged) = mapping.take(node)? {
                    merged.iter().try_for_each(|entry| self.charge(&entry.value))?;
                }
            }
        }
        Ok(())
    }

    fn charge(&mut self, node: &Node) -> Result<(), YamlError> {
        match &node.content {
            Content::Scalar(scalar) => self.spend(1, scalar.text().len(), node.at),
            Content::Sequence(items) => {
                self.spend(1, 0, node.at)?;
                items.iter().try_for_each(|item| self.charge(item))
            }
            Content::Mapping(entries) => {
                self.spend(1, 0, node.at)?;
                entries.iter().try_for_each(|entry| {
                    self.spend(1, entry.name.len(), entry.at)?;
                    self.charge(&entry.value)
                })
            }
        }
    }

    fn spend(&mut self, nodes: usize, bytes: usize, at: Position) -> Result<(), YamlError> {
        self.nodes += nodes;
        self.bytes += bytes;
        // The text itself fits; twice its limit leaves room for copies.
        if self.nodes > self.limits.nodes || self.bytes > 2 * self.limits.bytes {
            return Err(YamlErrorKind::TooMany.at(at));
        }
        Ok(())
    }
}

impl OpenMapping {
    /// Takes a key or the value of the waiting key; returns the entries that a merge key has brought.
    fn take(&mut self, node: Node) -> Result<Option<Vec<Entry>>, YamlError> {
        let Some((name, key, at)) = self.key.take() else {
            self.key = Some(Self::key_of(node)?);
            return Ok(None);
        };
        if key.is_merge() {
            let merged = merged_entries(node)?;
            self.merged.extend(merged.iter().cloned());
            return Ok(Some(merged));
        }
        if let Some(first) = self.lines.insert(name.clone(), at.line) {
            return Err(YamlErrorKind::DuplicateKey { key: name, first }.at(at));
        }
        self.entries.push(Entry {
            name,
            key,
            at,
            value: node,
        });
        Ok(None)
    }

    fn key_of(node: Node) -> Result<(String, Scalar, Position), YamlError> {
        match node.content {
            Content::Scalar(key) if key.resolve() != Resolved::Null => {
                Ok((key.to_field_string().into_owned(), key, node.at))
            }
            _ => Err(YamlErrorKind::UnsupportedKey.at(node.at)),
        }
    }

    fn close(mut self) -> Vec<Entry> {
        for entry in self.merged {
            if self.lines.insert(entry.name.clone(), entry.at.line).is_none() {
                self.entries.push(entry);
            }
        }
        self.entries
    }
}

fn merged_entries(node: Node) -> Result<Vec<Entry>, YamlError> {
    match node.content {
        Content::Mapping(entries) => Ok(entries),
        Content::Sequence(items)
            if items
                .iter()
                .all(|item| matches!(item.content, Content::Mapping(_))) =>
        {
            Ok(items
                .into_iter()
                .map(merged_entries)
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect())
        }
        _ => Err(YamlErrorKind::UnsupportedMerge.at(node.at)),
    }
}

/// Whether a tag makes a scalar text; tags that only repeat what JSON has anyway change nothing.
fn asks_for_text(tag: Option<&Tag>, at: Position) -> Result<bool, YamlError> {
    let Some(tag) = tag else { return Ok(false) };
    match tag.core_suffix() {
        Some("str") => Ok(true),
        Some("map" | "seq" | "null" | "bool" | "int" | "float") => Ok(false),
        _ => Err(YamlErrorKind::UnsupportedTag(tag.to_string()).at(at)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::yaml::to_json_documents;

    fn json(text: &str) -> Result<Vec<Value>, String> {
        to_json_documents(text).map_err(|error| error.to_string())
    }

    #[test]
    fn documents_become_json() {
        for (text, expected) in [
            (
                "a: 1\nb: [x, 'y', \"0\"]\n",
                vec![json!({"a": 1, "b": ["x", "y", "0"]})],
            ),
            (
                "a: 1\n---\n---\nb: 2\n...\n",
                vec![json!({"a": 1}), json!({"b": 2})],
            ),
            ("", vec![]),
            ("# only a comment\n", vec![]),
            (
                "\u{feff}a: 1\r\nb: |\r\n  x\r\n",
                vec![json!({"a": 1, "b": "x\n"})],
            ),
            (
                "on: 1\n1: x\n'n': z\n",
                vec![json!({"true": 1, "1": "x", "n": "z"})],
            ),
            (
                "a: &x {b: 1}\nc: *x\n",
                vec![json!({"a": {"b": 1}, "c": {"b": 1}})],
            ),
            (
                "d: &d {a: 1, b: 1}\ne: {b: 2, <<: *d}\n",
                vec![json!({"d": {"a": 1, "b": 1}, "e": {"a": 1, "b": 2}})],
            ),
            (
                "e: {<<: [{a: 1}, {a: 2, b: 2}]}",
                vec![json!({"e": {"a": 1, "b": 2}})],
            ),
            ("a: !!str 12\nb: !!int 7\n", vec![json!({"a": "12", "b": 7})]),
            (
                r#"{"a": "\uD834\uDD1E\/", "b": [1.0, 1e3]}"#,
                vec![json!({"a": "𝄞/", "b": [1, 1000]})],
            ),
            ("{\n\t\"a\":\t[\n\t\t1\n\t]\n}", vec![json!({"a": [1]})]),
        ] {
            assert_eq!(json(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, message) in [
            (
                "a: 1\nb: 2\na: 3\n",
                "line 3, column 1: the key `a` was already given on line 1; keep one of the two",
            ),
            (
                "a: {b: 1, b: 2}",
                "line 1, column 11: the key `b` was already given on line 1",
            ),
            (
                "yes: 1\ntrue: 2\n",
                "line 2, column 1: the key `true` was already given on line 1",
            ),
            ("? [a]\n: 1\n", "line 1, column 3: a key must be text"),
            ("a: {{ name }}\n", "line 1, column 5: a key must be text"),
            ("~: 1\n", "line 1, column 1: a key must be text"),
            ("a: .inf\n", "line 1, column 4: `.inf` has no form in JSON"),
            (
                "a: !custom x\n",
                "line 1, column 12: the tag `!custom` is not supported",
            ),
            (
                "a: &a [*a]\n",
                "line 1, column 8: an alias refers to the collection it stands in",
            ),
            ("a: *b\n", "line 1, column 4: not valid YAML"),
            ("a: {<<: 1}\n", "line 1, column 9: `<<` must name a mapping"),
            ("a: [1\n", "line 1, column 4: not valid YAML"),
        ] {
            let error = json(text).expect_err(text);
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_limit_holds() {
        let limits = Limits {
            bytes: 1000,
            nodes: 50,
            depth: 5,
        };
        let kind = |text: &str| {
            read(text, &limits)
                .map_err(|error| error.kind)
                .map(|documents| documents.len())
        };
        assert_eq!(kind("a: 1"), Ok(1));
        assert_eq!(
            kind(&" ".repeat(1001)),
            Err(YamlErrorKind::TooLong {
                bytes: 1001,
                limit: 1000
            })
        );
        assert_eq!(kind(&"- 1\n".repeat(51)), Err(YamlErrorKind::TooMany));
        assert_eq!(kind("[[[[[1]]]]]"), Ok(1));
        assert_eq!(kind("[[[[[[1]]]]]]"), Err(YamlErrorKind::TooDeep(5)));
        assert_eq!(
            kind("a:\n b:\n  c:\n   d:\n    e:\n     f: 1"),
            Err(YamlErrorKind::TooDeep(5))
        );
        let laughs = "a: &a [1,1,1,1]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n";
        assert_eq!(kind(laughs), Err(YamlErrorKind::TooMany));
        let copies = format!("a: &a {}\nb: [{}]", "x".repeat(500), "*a,".repeat(10));
        assert_eq!(kind(&copies), Err(YamlErrorKind::TooMany));
        let merges = format!(
            "a: &a {{b: {}}}\nc: [{}]",
            "x".repeat(500),
            "{<<: *a},".repeat(10)
        );
        assert_eq!(kind(&merges), Err(YamlErrorKind::TooMany));
    }
}
