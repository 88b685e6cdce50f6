//! `rp diff`: what is different between two recovery points.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use clusterbackup_vault::point::{Digest, IndexEntry, PointReader};
use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::backup::Output;
use crate::arguments::points::Diff;
use crate::fields::{self, Field};
use crate::mask::Mask;
use crate::print::{Sides, difference, leave_to_server};
use crate::store::{self, told};
use crate::{Error, output};

/// What an object is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Named {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

/// What is different.
#[derive(Debug, Default, Serialize)]
struct Told {
    added: Vec<Named>,
    removed: Vec<Named>,
    changed: Vec<Changed>,
    /// How many objects are the same.
    same: usize,
}

#[derive(Debug, Serialize)]
struct Changed {
    #[serde(flatten)]
    object: Named,
    fields: Vec<Field>,
    #[serde(skip)]
    before: Value,
    #[serde(skip)]
    after: Value,
}

pub(super) fn run(arguments: &Diff, out: &mut dyn Write) -> Result<(), Error> {
    let namespace = arguments.reading.place.namespace.as_deref();
    let identity = store::identity(arguments.reading.identity.as_deref())?;
    let told = store::run(&arguments.reading.store, namespace, async |vaults| {
        let before = vaults.point(&arguments.before, identity.clone()).await?;
        let after = vaults.point(&arguments.after, identity).await?;
        compare(&before, &after, arguments.show_secrets).await
    })?;
    match arguments.output {
        Output::Text => print(&told, arguments, out),
        Output::Json => output::json(&told, out),
        Output::Yaml => output::yaml(&told, out),
    }
}

/// Reads the two indexes, and of the objects only those whose hashes differ.
async fn compare(before: &PointReader, after: &PointReader, show_secrets: bool) -> Result<Told, Error> {
    let (mut old, new) = (index(before).await?, index(after).await?);
    let mut found = Told::default();
    let mut differ = Vec::new();
    for (object, hash) in new {
        match old.remove(&object) {
            None => found.added.push(object),
            Some(was) if was == hash => found.same += 1,
            Some(_) => differ.push(object),
        }
    }
    found.removed = old.into_keys().collect();
    let mut old = objects(before, &differ).await?;
    let mut new = objects(after, &differ).await?;
    for object in differ {
        let (Some(before), Some(after)) = (old.remove(&object), new.remove(&object)) else {
            continue;
        };
        match changed(object, &before, &after, show_secrets)? {
            Some(changed) => found.changed.push(changed),
            None => found.same += 1,
        }
    }
    Ok(found)
}

async fn index(point: &PointReader) -> Result<BTreeMap<Named, Digest>, Error> {
    let lines = point.entries().map_ok(|line| (Named::of(&line), line.sha256));
    lines.try_collect().await.map_err(|error| told(&error))
}

async fn objects(point: &PointReader, wanted: &[Named]) -> Result<BTreeMap<Named, Bytes>, Error> {
    // They are in order: the keys of a map were walked.
    let objects = point.objects(|line| wanted.binary_search(&Named::of(line)).is_ok());
    let named = objects.map_ok(|entry| {
        let object = Named {
            kind: entry.group_resource,
            namespace: entry.namespace,
            name: entry.name,
        };
        (object, entry.json)
    });
    named.try_collect().await.map_err(|error| told(&error))
}

/// What is different in an object; nothing where only the API server's own counters are.
fn changed(
    object: Named,
    before: &Bytes,
    after: &Bytes,
    show_secrets: bool,
) -> Result<Option<Changed>, Error> {
    let mut before: Value = serde_json::from_slice(before).map_err(|error| told(&error))?;
    let mut after: Value = serde_json::from_slice(after).map_err(|error| told(&error))?;
    if !show_secrets {
        (before, after) = Mask::of([&before, &after]).pair(&before, &after);
    }
    leave_to_server(&mut before);
    leave_to_server(&mut after);
    let fields = fields::compare(&before, &after);
    Ok((!fields.is_empty()).then_some(Changed {
        object,
        fields,
        before,
        after,
    }))
}

fn print(told: &Told, arguments: &Diff, out: &mut dyn Write) -> Result<(), Error> {
    for object in &told.added {
        writeln!(out, "+ {object}")?;
    }
    for object in &told.removed {
        writeln!(out, "- {object}")?;
    }
    for Changed {
        object,
        before,
        after,
        ..
    } in &told.changed
    {
        let sides = Sides {
            subject: &object.to_string(),
            old: &format!("in {}", arguments.before),
            new: &format!("in {}", arguments.after),
        };
        difference(&sides, before, after, out)?;
    }
    let (added, removed, changed) = (told.added.len(), told.removed.len(), told.changed.len());
    let same = told.same;
    Ok(writeln!(
        out,
        "{added} added, {removed} removed, {changed} changed, {same} the same"
    )?)
}

impl Named {
    fn of(line: &IndexEntry) -> Self {
        Self {
            kind: line.group_resource.clone(),
            namespace: line.namespace.clone(),
            name: line.name.clone(),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}
