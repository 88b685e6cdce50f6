//! The objects of a segment against their lines of the index: the same ones, in the same order, nothing between and after.

use tar::{Archive, EntryType};

use crate::point::segment::{self, Segment};
use crate::point::{IndexEntry, PointError};

/// More objects than this don't fit into a segment.
pub(super) const MOST: usize = Segment::LARGEST / BLOCK;

const BLOCK: usize = 512;

pub(super) fn check(segment: &Segment, lines: &[IndexEntry]) -> Result<(), PointError> {
    let damaged = |what: String| PointError::unreadable(segment.key(), what);
    let mut archive = Archive::new(segment.archive());
    let mut lines = lines.iter();
    let mut end = 0;
    for file in archive.entries().map_err(|error| damaged(error.to_string()))? {
        let file = file.map_err(|error| damaged(error.to_string()))?;
        let path = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        let line = lines
            .next()
            .ok_or_else(|| damaged(format!("{path:?} is not in the index")))?;
        let expected = segment::path(&line.group_resource, line.namespace.as_deref(), &line.name);
        let place = (file.raw_file_position(), file.size());
        if path != expected
            || place != (line.offset, line.size)
            || file.header().entry_type() != EntryType::Regular
        {
            return Err(damaged(format!(
                "{path:?} is not where the index has {expected:?}"
            )));
        }
        segment.object(line)?;
        end = line.offset + line.size;
    }
    if let Some(line) = lines.next() {
        return Err(damaged(format!("it lacks {:?} of the index", line.name)));
    }
    let rest = usize::try_from(end)
        .ok()
        .and_then(|end| segment.archive().get(end..));
    let ended = rest.is_some_and(|rest| rest.len() < 3 * BLOCK && rest.iter().all(|byte| *byte == 0));
    ended
        .then_some(())
        .ok_or_else(|| damaged("something follows its last object".to_owned()))
}
