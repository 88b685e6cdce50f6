//! What was asked of the driver and when, by the lines that `calls.go` writes.

use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method, as in `CreateSnapshot`.
    pub operation: String,
    /// The name or handle that it is about; a snapshot's is `snapshot-<uid>`.
    pub subject: String,
    /// The volumes of which a snapshot is wanted.
    pub volumes: Vec<String>,
    /// When it arrived.
    pub began: Timestamp,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// The end of a call.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When it was answered.
    pub at: Timestamp,
    /// The status, as in `OK`.
    pub code: String,
}

#[derive(Deserialize)]
struct Event {
    time: Timestamp,
    call: i64,
    operation: String,
    subject: String,
    #[serde(default)]
    volumes: Vec<String>,
    code: Option<String>,
}

pub(super) fn read(file: &Path) -> Result<Vec<Call>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    let mut calls: Vec<(i64, Call)> = Vec::new();
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).with_context(|| format!("the driver noted {line}"))?;
        let Some(code) = event.code else {
            let call = Call {
                operation: event.operation,
                subject: event.subject,
                volumes: event.volumes,
                began: event.time,
                ended: None,
            };
            calls.push((event.call, call));
            continue;
        };
        let begun = calls.iter_mut().rev().find(|(number, _)| *number == event.call);
        let (_, call) = begun.with_context(|| format!("the driver has noted no beginning of {line}"))?;
        call.ended = Some(Ended { at: event.time, code });
    }
    Ok(calls.into_iter().map(|(_, call)| call).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_belongs_to_its_beginning_and_may_be_missing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let at = |second: u8| format!(r#""time":"2026-11-21T18:00:0{second}Z","operation":"CreateSnapshot""#);
        let lines = [
            format!(r#"{{{},"call":1,"subject":"a","volumes":["v"]}}"#, at(1)),
            format!(r#"{{{},"call":2,"subject":"b"}}"#, at(2)),
            format!(
                r#"{{{},"call":1,"subject":"a","volumes":["v"],"code":"OK"}}"#,
                at(3)
            ),
        ];
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        let calls = read(file.path()).unwrap();
        let ends: Vec<_> = calls
            .iter()
            .map(|call| (&*call.subject, call.ended.as_ref().map(|ended| &*ended.code)))
            .collect();
        assert_eq!(ends, [("a", Some("OK")), ("b", None)]);
        assert_eq!(calls[0].volumes, ["v"]);

        std::fs::write(file.path(), &lines[2]).unwrap();
        assert!(read(file.path()).is_err(), "an end without a beginning");
    }
}
