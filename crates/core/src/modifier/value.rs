//! Values as rules write them, and what they become.
//!
//! Velero takes the `value` of a JSON patch as a string and guesses its type from the text; rules are written
//! for these guesses, so they are kept:
//!
//! | text | becomes |
//! |---|---|
//! | empty | the empty string |
//! | in double quotes of its own | the text inside |
//! | `null`, `true`, `false`, a JSON number | that |
//! | starting with `{` or `[` | the JSON it holds |
//! | anything else | itself, JSON escapes resolved |
//!
//! Differences, all of them where Velero fails or destroys something: what looks like JSON but is not
//! (`TRUE`, `007`, `{{ x }}`) is refused when the rules are read; quotes and line breaks inside of a text are
//! allowed; lists and maps may be written as such, unquoted; and in a text field (see
//! [`super::text_fields`]) a value stays the text it was written as.

use serde_json::{Map, Value};

use super::text_fields::{Holder, is_text};
use crate::patch::Pointer;
use crate::patch::strategic::is_directive;
use crate::yaml::{self, Content, Node, Resolved, Scalar};

/// A value whose type may depend on the place it is put.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    /// The same everywhere.
    Fixed(Value),
    /// Text in a text field, something else in any other.
    Either {
        text: String,
        typed: Result<Box<Self>, NotJson>,
    },
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Why a text that looks like JSON is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotJson {
    /// `TRUE`, `False`.
    #[error("a boolean is written `true` or `false`")]
    Boolean,
    /// `007`, `+5`, `.inf`.
    #[error("the value looks like a number, but JSON has no such number")]
    Number,
    /// Starts with `{` or `[`.
    #[error("the value starts like a JSON object or array, but is none")]
    Collection,
    /// Starts and ends with `"`.
    #[error("the value stands in quotes of its own, but what is inside is no JSON string")]
    Quotes,
}

impl NotJson {
    /// How to write it instead.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Boolean => {
                r#"write "true" or "false" for a boolean, or "\"...\"" with the text inside for a string"#
            }
            Self::Number => r#"write "\"...\"" with the text inside for a string"#,
            Self::Collection => r#"correct the JSON, or write "\"...\"" with the text inside for a string"#,
            Self::Quotes => r#"escape quotes inside as \\\" and backslashes as \\\\"#,
        }
    }
}

impl Literal {
    /// The `value` of a JSON patch or a match.
    pub(super) fn of_value(node: &Node) -> Self {
        let Content::Scalar(scalar) = &node.content else {
            return Self::of_data(node);
        };
        match (
            Self::of_field_string(&scalar.to_field_string()),
            scalar.is_quoted(),
        ) {
            (Self::Either { typed, .. }, false) => Self::Either {
                text: scalar.text().to_owned(),
                typed,
            },
            (literal, _) => literal,
        }
    }

    /// A value inside of JSON or YAML data, where quotes say what is text.
    pub(super) fn of_data(node: &Node) -> Self {
        match &node.content {
            Content::Scalar(scalar) => Self::of_data_scalar(scalar),
            Content::Sequence(items) => Self::List(items.iter().map(Self::of_data).collect()),
            Content::Mapping(entries) => Self::Map(
                entries
                    .iter()
                    .map(|entry| (entry.name.clone(), Self::of_data(&entry.value)))
                    .collect(),
            ),
        }
    }

    fn of_data_scalar(scalar: &Scalar) -> Self {
        match scalar.resolve() {
            Resolved::Null => Self::Fixed(Value::Null),
            Resolved::Text(text) => Self::Fixed(text.into()),
            _ => Self::Either {
                text: scalar.text().to_owned(),
                typed: scalar
                    .to_json()
                    .map(|value| Box::new(Self::Fixed(value)))
                    .ok_or(NotJson::Number),
            },
        }
    }

    /// The guess from the text of a string field.
    fn of_field_string(text: &str) -> Self {
        let typed = if let Some(inner) = own_quotes(text) {
            match unescape(inner) {
                Some(inner) => return Self::Fixed(inner.into()),
                None => Err(NotJson::Quotes),
            }
        } else if text == "null" {
            Ok(Self::Fixed(Value::Null))
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            text.parse()
                .map(|value: bool| Self::Fixed(value.into()))
                .map_err(|_| NotJson::Boolean)
        } else if text.starts_with(['{', '[']) {
            json(text).ok_or(NotJson::Collection)
        } else if super::go_number::parses_as_float(text) {
            json(text).ok_or(NotJson::Number)
        } else {
            return Self::Fixed(unescape(text).unwrap_or_else(|| text.to_owned()).into());
        };
        Self::Either {
            text: text.to_owned(),
            typed: typed.map(Box::new),
        }
    }

    /// Whether it is null anywhere but in a text field.
    pub(super) fn is_null(&self) -> bool {
        match self {
            Self::Fixed(value) => value.is_null(),
            Self::Either { typed: Ok(typed), .. } => typed.is_null(),
            _ => false,
        }
    }

    fn render(&self, holder: Holder, place: &mut Vec<String>) -> Result<Value, NotJson> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Either { text, .. } if is_text(holder, place) => Ok(text.clone().into()),
            Self::Either { typed, .. } => typed.as_ref().map_err(|error| *error)?.render(holder, place),
            Self::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| inside(place, index.to_string(), |place| item.render(holder, place)))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Self::Map(members) => members
                .iter()
                .map(|(key, member)| {
                    let value = inside(place, key.clone(), |place| member.render(holder, place))?;
                    Ok((key.clone(), value))
                })
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }
}

fn inside<T>(place: &mut Vec<String>, key: String, render: impl FnOnce(&mut Vec<String>) -> T) -> T {
    place.push(key);
    let result = render(place);
    place.pop();
    result
}

/// A literal at its place, worked out for every kind of object that makes a difference.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Same(Result<Value, NotJson>),
    ByHolder {
        config_map: Result<Value, NotJson>,
        secret: Result<Value, NotJson>,
        other: Result<Value, NotJson>,
    },
}

impl Operand {
    pub(super) fn new(literal: &Literal, place: &[String]) -> Self {
        let [config_map, secret, other] =
            Holder::ALL.map(|holder| literal.render(holder, &mut place.to_vec()));
        if config_map == other && secret == other {
            Self::Same(other)
        } else {
            Self::ByHolder {
                config_map,
                secret,
                other,
            }
        }
    }

    /// Whether, as a merge or strategic patch, it has something at the place, or replaces what holds it.
    pub(super) fn reaches(&self, place: &Pointer) -> bool {
        let reaches = |patch: &Value| {
            let mut patch = patch;
            for token in place.tokens() {
                let Some(members) = patch.as_object() else {
                    return true;
                };
                match members.get(token) {
                    Some(member) => patch = member,
                    // A directive may be about anything beside it.
                    None => return members.keys().any(|name| is_directive(name)),
                }
            }
            true
        };
        Holder::ALL
            .iter()
            .any(|holder| self.value(*holder).map_or(true, reaches))
    }

    /// The value for an object.
    pub(super) fn value(&self, holder: Holder) -> Result<&Value, NotJson> {
        let value = match (self, holder) {
            (Self::Same(value), _) => value,
            (Self::ByHolder { config_map, .. }, Holder::ConfigMap) => config_map,
            (Self::ByHolder { secret, .. }, Holder::Secret) => secret,
            (Self::ByHolder { other, .. }, Holder::Other) => other,
        };
        value.as_ref().map_err(|error| *error)
    }
}

/// What stands between quotes that are part of the text. A lone quote counts as an empty pair, as in Velero.
fn own_quotes(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    if inner.is_empty() {
        Some(inner)
    } else {
        inner.strip_suffix('"')
    }
}

/// The text with its JSON escapes resolved; `None` if it could not stand in a JSON string.
fn unescape(text: &str) -> Option<String> {
    if !text.contains(['\\', '"', '\n', '\r', '\t']) {
        return Some(text.to_owned());
    }
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

/// Valid JSON, read so that its numbers keep their text for text fields.
fn json(text: &str) -> Option<Literal> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    yaml::documents(text).ok()?.first().map(Literal::of_data)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn literal(yaml: &str) -> Literal {
        Literal::of_value(&yaml::documents(&format!("[{yaml}]")).map_or_else(
            |error| panic!("{yaml}: {error}"),
            |documents| match documents.into_iter().next().map(|node| node.content) {
                Some(Content::Sequence(mut items)) if items.len() == 1 => items.remove(0),
                other => panic!("{yaml}: {other:?}"),
            },
        ))
    }

    fn at(yaml: &str, place: &[&str], holder: Holder) -> Result<Value, NotJson> {
        let place: Vec<_> = place.iter().map(ToString::to_string).collect();
        Operand::new(&literal(yaml), &place).value(holder).cloned()
    }

    #[test]
    fn the_type_is_guessed_from_the_text() {
        for (yaml, expected) in [
            (r#""""#, Ok(json!(""))),
            (r#""\"12\"""#, Ok(json!("12"))),
            (r#"'"true"'"#, Ok(json!("true"))),
            (r#"'""'"#, Ok(json!(""))),
            (r#"'"'"#, Ok(json!(""))),
            (r#"'"a" and "b"'"#, Err(NotJson::Quotes)),
            ("'null'", Ok(json!(null))),
            ("'NULL'", Ok(json!("NULL"))),
            ("'Null'", Ok(json!("Null"))),
            ("'true'", Ok(json!(true))),
            ("'false'", Ok(json!(false))),
            ("'TRUE'", Err(NotJson::Boolean)),
            ("'True'", Err(NotJson::Boolean)),
            ("'False'", Err(NotJson::Boolean)),
            ("'t'", Ok(json!("t"))),
            (r#"'{"a": [1, "2", null]}'"#, Ok(json!({"a": [1, "2", null]}))),
            ("'[]'", Ok(json!([]))),
            ("'{{ tpl }}'", Err(NotJson::Collection)),
            ("'[::1]:80'", Err(NotJson::Collection)),
            ("'12'", Ok(json!(12))),
            ("'-1'", Ok(json!(-1))),
            ("'1.5'", Ok(json!(1.5))),
            ("'1e3'", Ok(json!(1000))),
            ("'1.0'", Ok(json!(1))),
            ("'007'", Err(NotJson::Number)),
            ("'+5'", Err(NotJson::Number)),
            ("'.5'", Err(NotJson::Number)),
            ("'1.'", Err(NotJson::Number)),
            ("'1_000'", Err(NotJson::Number)),
            ("'NaN'", Err(NotJson::Number)),
            ("'Infinity'", Err(NotJson::Number)),
            ("'0x1p-2'", Err(NotJson::Number)),
            ("'0x10'", Ok(json!("0x10"))),
            ("'0b1'", Ok(json!("0b1"))),
            ("'1e400'", Ok(json!("1e400"))),
            ("' 12'", Ok(json!(" 12"))),
            ("'12Gi'", Ok(json!("12Gi"))),
            ("'premium'", Ok(json!("premium"))),
            (r"'a\\b'", Ok(json!("a\\b"))),
            (r"'a\nb'", Ok(json!("a\nb"))),
            // Velero fails on these.
            (r"'a\d'", Ok(json!("a\\d"))),
            (r#"'say "hi" there'"#, Ok(json!("say \"hi\" there"))),
            (r#""two\nlines""#, Ok(json!("two\nlines"))),
        ] {
            assert_eq!(at(yaml, &["spec", "x"], Holder::Other), expected, "{yaml}");
        }
    }

    #[test]
    fn unquoted_values_go_through_yaml_first() {
        for (yaml, expected) in [
            ("12", Ok(json!(12))),
            ("yes", Ok(json!(true))),
            ("TRUE", Ok(json!(true))),
            ("0777", Ok(json!(511))),
            ("0x10", Ok(json!(16))),
            ("1_000", Ok(json!(1000))),
            ("1.0", Ok(json!(1))),
            ("null", Ok(json!(""))),
            ("~", Ok(json!(""))),
            ("12345678901234567890", Ok(json!(12_345_678_901_234_567_890_u64))),
            ("2001-01-01", Ok(json!("2001-01-01"))),
            (".inf", Err(NotJson::Number)),
            // Not possible in Velero.
            ("{a: 1, b: [yes, '2']}", Ok(json!({"a": 1, "b": [true, "2"]}))),
        ] {
            assert_eq!(at(yaml, &["spec", "x"], Holder::Other), expected, "{yaml}");
        }
    }

    #[test]
    fn text_fields_keep_the_text() {
        let label = ["spec", "template", "metadata", "labels", "x"];
        for (yaml, expected) in [
            ("'true'", "true"),
            ("'TRUE'", "TRUE"),
            ("'007'", "007"),
            ("'{{ tpl }}'", "{{ tpl }}"),
            ("'null'", "null"),
            ("yes", "yes"),
            ("1e3", "1e3"),
            ("1.10", "1.10"),
            ("0777", "0777"),
            (r#""\"12\"""#, "12"),
            (r#"'{"a": 1}'"#, r#"{"a": 1}"#),
        ] {
            assert_eq!(at(yaml, &label, Holder::Other), Ok(json!(expected)), "{yaml}");
        }
    }

    #[test]
    fn text_fields_inside_of_a_value_are_text_as_well() {
        for (yaml, place, expected) in [
            (
                "{a: 1e3, b: yes, c: x}",
                &["metadata", "labels"][..],
                json!({"a": "1e3", "b": "yes", "c": "x"}),
            ),
            (
                r#"'{"a": 1.10, "b": true}'"#,
                &["metadata", "annotations"],
                json!({"a": "1.10", "b": "true"}),
            ),
            (
                "{name: A, value: 08}",
                &["spec", "env", "-"],
                json!({"name": "A", "value": "08"}),
            ),
            (
                "[{name: A, value: on}]",
                &["spec", "env"],
                json!([{"name": "A", "value": "on"}]),
            ),
            (
                "{labels: {a: 1}, generation: 1}",
                &["metadata"],
                json!({"labels": {"a": "1"}, "generation": 1}),
            ),
        ] {
            assert_eq!(at(yaml, place, Holder::Other), Ok(expected), "{yaml}");
        }
    }
}
