//! How many objects of which kind Velero says it wrote: `<name>-resource-list.json.gz`, counted as it is read.

use std::collections::BTreeMap;
use std::io::BufReader;

use serde::de::IgnoredAny;

use super::at_most::AtMost;
use super::error::Refusal;
use super::limits::Limits;
use super::opened::{Fault, Opened};
use super::source::Source;

/// The largest list, decompressed: of a million objects.
const LARGEST: u64 = 64 << 20;

/// The names of objects are counted and not kept: what stands for each of them has no size.
type Names = Option<Vec<IgnoredAny>>;

/// Counts by `group/version/Kind`, as Velero names them.
pub(super) fn read(source: Source) -> Result<BTreeMap<String, u64>, Fault> {
    let limits = Limits {
        opened: LARGEST,
        ..Limits::DEFAULT
    };
    let mut opened = Opened::new(source, limits);
    let lists = serde_json::from_reader(BufReader::new(&mut opened));
    let lists: AtMost<Names, { Limits::DEFAULT.kinds }> = match lists {
        Ok(lists) => lists,
        Err(error) if error.is_io() => return Err(opened.fault(&error.into())),
        Err(error) => return Err(Refusal::json("a list of objects by their kinds", &error).into()),
    };
    let count = |names: Names| names.map_or(0, |names| names.len() as u64);
    Ok(lists
        .0
        .into_iter()
        .map(|(kind, names)| (kind, count(names)))
        .collect())
}
