//! What came of an object, written as YAML, JSON or a difference, and two states of an object beside each other. What there is to warn of goes to standard error
//! where the form has no place for it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::Error;
use crate::outcome::Outcome;

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();

/// Metadata that the API server writes itself.
const SERVERS: [&str; 5] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
];

/// One line of JSON.
pub(crate) fn json(outcome: &Outcome<'_>, out: &mut dyn Write) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, &outcome.told()).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// The object as it becomes, `behind` another one.
pub(crate) fn yaml(outcome: &Outcome<'_>, behind: bool, out: &mut dyn Write) -> Result<(), Error> {
    warn(outcome)?;
    if let Some(object) = outcome.result() {
        if behind {
            writeln!(out, "---")?;
        }
        out.write_all(text(&outcome.mask.object(object))?.as_bytes())?;
    }
    Ok(())
}

/// What changes, line by line; nothing if nothing does.
pub(crate) fn diff(outcome: &Outcome<'_>, out: &mut dyn Write) -> Result<(), Error> {
    warn(outcome)?;
    let Some(after) = outcome.result() else {
        return Ok(());
    };
    let (mut before, mut after) = outcome.mask.pair(outcome.before(), after);
    if outcome.existing.is_some() {
        for object in [&mut before, &mut after] {
            leave_to_server(object);
        }
    }
    if before == after {
        return Ok(());
    }
    let subject = outcome.mask.text(&outcome.object.subject().to_string());
    let (old, new) = if outcome.existing.is_some() {
        ("in the cluster", "after the restore")
    } else {
        ("as it came", "as the rules make it")
    };
    let sides = Sides {
        subject: &subject,
        old,
        new,
    };
    difference(&sides, &before, &after, out)
}

/// What the two states of an object are called.
pub(crate) struct Sides<'s> {
    pub(crate) subject: &'s str,
    pub(crate) old: &'s str,
    pub(crate) new: &'s str,
}

/// Two states of an object, line by line.
pub(crate) fn difference(
    sides: &Sides<'_>,
    before: &Value,
    after: &Value,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let Sides { subject, old, new } = sides;
    let (before, after) = (text(before)?, text(after)?);
    writeln!(out, "{REMOVED}--- {subject} ({old}){REMOVED:#}")?;
    writeln!(out, "{ADDED}+++ {subject} ({new}){ADDED:#}")?;
    for hunk in TextDiff::from_lines(&before, &after).unified_diff().iter_hunks() {
        writeln!(out, "{PLACE}{}{PLACE:#}", hunk.header())?;
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            match change.tag() {
                ChangeTag::Equal => writeln!(out, " {line}")?,
                ChangeTag::Insert => writeln!(out, "{ADDED}+{line}{ADDED:#}")?,
                ChangeTag::Delete => writeln!(out, "{REMOVED}-{line}{REMOVED:#}")?,
            }
        }
    }
    Ok(())
}

/// Removes what an update doesn't say, because the API server knows it.
pub(crate) fn leave_to_server(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !SERVERS.contains(&field.as_str()));
    }
}

fn warn(outcome: &Outcome<'_>) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    let subject = outcome.mask.text(&outcome.object.subject().to_string());
    for warning in outcome.warnings() {
        writeln!(err, "warning: {subject}: {warning}")?;
    }
    Ok(())
}

fn text(object: &Value) -> Result<String, Error> {
    serde_saphyr::to_string(object).map_err(|error| Error::Output(io::Error::other(error)))
}
