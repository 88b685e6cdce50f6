//! Where the parts of a point lie: the one place that knows the keys.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::PointId;
use crate::store::{BadKey, Key};

/// Tells two runs that write the same point apart: a fresh random text for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attempt(String);

/// A text that can't name an attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no attempt: it must be 1 to 63 of a-z, 0-9 and '-'")]
pub struct BadAttempt(String);

/// A part of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Who began the attempt. Always in clear text.
    Begin,
    /// The objects, from this segment on.
    Segment(u32),
    /// A line for each object.
    Index,
    /// What became of each volume.
    Volumes,
    /// What the run had to say.
    Log,
}

/// A part as it is stored: its name says whether it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartFile {
    /// Which part.
    pub part: Part,
    /// Whether it is encrypted.
    pub sealed: bool,
}

/// A text that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no part of a recovery point")]
pub struct BadPartFile(String);

/// All parts of all attempts lie below it.
pub(crate) fn data() -> Result<&'static Key, BadKey> {
    static DATA: LazyLock<Result<Key, BadKey>> = LazyLock::new(|| Key::new("data"));
    DATA.as_ref().map_err(Clone::clone)
}

/// All manifests lie below it, and nothing else.
pub(crate) fn catalogue() -> Result<&'static Key, BadKey> {
    static CATALOGUE: LazyLock<Result<Key, BadKey>> = LazyLock::new(|| Key::new("catalogue"));
    CATALOGUE.as_ref().map_err(Clone::clone)
}

/// The manifest of a point.
pub(crate) fn manifest(id: &PointId) -> Result<Key, BadKey> {
    Key::new(format!("catalogue/{id}.json"))
}

/// Whose manifest this is.
pub(crate) fn point_of_manifest(key: &Key) -> Option<PointId> {
    let name = key.as_str().strip_prefix("catalogue/")?.strip_suffix(".json")?;
    PointId::new(name).ok()
}

/// All records of all points lie below it.
pub(crate) fn lifecycles() -> Result<&'static Key, BadKey> {
    static LIFECYCLE: LazyLock<Result<Key, BadKey>> = LazyLock::new(|| Key::new("lifecycle"));
    LIFECYCLE.as_ref().map_err(Clone::clone)
}

/// Whose record this is, and which.
pub(crate) fn point_of_record(key: &Key) -> Option<(PointId, NonZeroU32)> {
    let id = key.as_str().strip_prefix("lifecycle/")?.split('/').next()?;
    let id = PointId::new(id).ok()?;
    let number = number_of_record(&id, key)?;
    Some((id, number))
}

/// All records of a point's life lie below it.
pub(crate) fn lifecycle(id: &PointId) -> Result<Key, BadKey> {
    Key::new(format!("lifecycle/{id}"))
}

/// One record of a point's life.
pub(crate) fn record(id: &PointId, number: NonZeroU32) -> Result<Key, BadKey> {
    Key::new(format!("lifecycle/{id}/{number}.json"))
}

/// Which record of this point it is.
pub(crate) fn number_of_record(id: &PointId, key: &Key) -> Option<NonZeroU32> {
    let name = key.as_str().strip_suffix(".json")?;
    let number = name.rsplit('/').next()?.parse().ok()?;
    // Back to text: a number has many spellings, a record only one.
    record(id, number)
        .is_ok_and(|record| record == *key)
        .then_some(number)
}

/// All parts of one attempt lie below it.
pub(crate) fn attempt(id: &PointId, attempt: &Attempt) -> Result<Key, BadKey> {
    Key::new(format!("data/{id}/{attempt}"))
}

/// Which part of which attempt this is.
pub(crate) fn attempt_of_part(key: &Key) -> Option<(PointId, Attempt, PartFile)> {
    let mut segments = key.as_str().strip_prefix("data/")?.splitn(3, '/');
    let (id, attempt, file) = (segments.next()?, segments.next()?, segments.next()?);
    Some((
        PointId::new(id).ok()?,
        Attempt::new(attempt).ok()?,
        file.parse().ok()?,
    ))
}

/// One part of one attempt.
pub(crate) fn part(id: &PointId, attempt: &Attempt, file: PartFile) -> Result<Key, BadKey> {
    Key::new(format!("data/{id}/{attempt}/{file}"))
}

impl Attempt {
    const LONGEST: usize = 63;

    /// From a fresh random text.
    pub fn new(text: impl Into<String>) -> Result<Self, BadAttempt> {
        let text = text.into();
        let letter = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-');
        let good = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(letter);
        if good {
            Ok(Self(text))
        } else {
            Err(BadAttempt(text))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Attempt {
    type Error = BadAttempt;

    fn try_from(text: String) -> Result<Self, BadAttempt> {
        Self::new(text)
    }
}

impl From<Attempt> for String {
    fn from(attempt: Attempt) -> Self {
        attempt.0
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => formatter.write_str("begin.json"),
            Self::Segment(number) => write!(formatter, "segment-{number:05}.tar.zst"),
            Self::Index => formatter.write_str("index.ndjson.zst"),
            Self::Volumes => formatter.write_str("volumes.json"),
            Self::Log => formatter.write_str("log.ndjson.zst"),
        }
    }
}

impl fmt::Display for PartFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.sealed { ".age" } else { "" };
        write!(formatter, "{}{ending}", self.part)
    }
}

impl FromStr for PartFile {
    type Err = BadPartFile;

    fn from_str(text: &str) -> Result<Self, BadPartFile> {
        let (name, sealed) = match text.strip_suffix(".age") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let part = match name {
            "begin.json" => Some(Part::Begin),
            "index.ndjson.zst" => Some(Part::Index),
            "volumes.json" => Some(Part::Volumes),
            "log.ndjson.zst" => Some(Part::Log),
            _ => name
                .strip_prefix("segment-")
                .and_then(|rest| rest.strip_suffix(".tar.zst"))
                .and_then(|number| number.parse().ok())
                .map(Part::Segment),
        };
        let file = part.map(|part| Self { part, sealed });
        // Back to text: a number has many spellings, a part only one.
        file.filter(|file| file.to_string() == text)
            .ok_or_else(|| BadPartFile(text.to_owned()))
    }
}

impl TryFrom<String> for PartFile {
    type Error = BadPartFile;

    fn try_from(text: String) -> Result<Self, BadPartFile> {
        text.parse()
    }
}

impl From<PartFile> for String {
    fn from(file: PartFile) -> Self {
        file.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_name() {
        for (part, name) in [
            (Part::Begin, "begin.json"),
            (Part::Segment(7), "segment-00007.tar.zst"),
            (Part::Segment(123_456), "segment-123456.tar.zst"),
            (Part::Index, "index.ndjson.zst"),
            (Part::Volumes, "volumes.json"),
            (Part::Log, "log.ndjson.zst"),
        ] {
            for (sealed, name) in [(false, name.to_owned()), (true, format!("{name}.age"))] {
                let file = PartFile { part, sealed };
                assert_eq!((file.to_string(), name.parse()), (name, Ok(file)));
            }
        }
        for bad in [
            "",
            ".age",
            "begin.json.age.age",
            "segment-7.tar.zst",
            "segment-+0007.tar.zst",
            "segment-99999999999.tar.zst",
            "../begin.json",
            "vault.json",
        ] {
            assert_eq!(bad.parse::<PartFile>(), Err(BadPartFile(bad.to_owned())));
        }
    }

    #[test]
    fn an_attempt_leads_nowhere_else() {
        assert_eq!(Attempt::new("0a-z").unwrap().as_str(), "0a-z");
        for bad in ["", "A", "a/b", "..", "a b", &"a".repeat(64)] {
            assert_eq!(Attempt::new(bad), Err(BadAttempt(bad.to_owned())));
        }
    }
}
