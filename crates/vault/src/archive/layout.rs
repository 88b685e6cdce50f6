//! Where a backup's files lie in the store: `backups/<name>/…`, below the folder of its storage location.

use std::sync::LazyLock;

use crate::store::{BadKey, Key};

/// What Velero names a backup's own description. It is there if and only if the backup is.
const DESCRIPTION: &str = "velero-backup.json";

/// All backups lie below it.
pub(super) fn backups() -> Result<&'static Key, BadKey> {
    static BACKUPS: LazyLock<Result<Key, BadKey>> = LazyLock::new(|| Key::new("backups"));
    BACKUPS.as_ref().map_err(Clone::clone)
}

/// A backup's description.
pub(super) fn description(backup: &str) -> Result<Key, BadKey> {
    file(backup, DESCRIPTION)
}

/// A backup's objects.
pub(super) fn archive(backup: &str) -> Result<Key, BadKey> {
    file(backup, &format!("{backup}.tar.gz"))
}

/// What Velero counted.
pub(super) fn resource_list(backup: &str) -> Result<Key, BadKey> {
    file(backup, &format!("{backup}-resource-list.json.gz"))
}

/// The backup that a blob describes.
pub(super) fn described(key: &Key) -> Option<&str> {
    let (backup, file) = part(key)?;
    (file == DESCRIPTION).then_some(backup)
}

/// The backup that a blob holds the objects of.
pub(super) fn archived(key: &Key) -> Option<&str> {
    let (backup, file) = part(key)?;
    (file.strip_suffix(".tar.gz") == Some(backup)).then_some(backup)
}

/// The backup that a blob belongs to, and the name of the file.
fn part(key: &Key) -> Option<(&str, &str)> {
    let mut segments = key.as_str().split('/');
    let (folder, backup, file) = (segments.next()?, segments.next()?, segments.next()?);
    (folder == "backups" && segments.next().is_none()).then_some((backup, file))
}

fn file(backup: &str, file: &str) -> Result<Key, BadKey> {
    Key::new(format!("backups/{backup}/{file}"))
}
