//! Files that a crash left before they had their keys. Whoever writes one holds it for minutes; so an old one is nobody's. What
//! has another name than these have is somebody else's.

use std::fs::{self, DirEntry};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::super::{Key, StoreError};
use super::disk::{self, Disk};

/// Removes those that are so old, wherever keys lead, and says how many.
pub(super) fn remove(disk: &Disk, age: Duration) -> Result<u64, StoreError> {
    disk.is_there()?;
    let mut removed: u64 = 0;
    let mut folders = vec![disk.root().to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if disk::is_absence(&error) => continue,
            other => other.map_err(|error| disk::told(&folder, &error))?,
        };
        let before = removed;
        for entry in entries {
            let found = entry.and_then(|entry| look(&entry, age));
            match found.map_err(|error| disk::told(&folder, &error))? {
                Found::Folder(below) => folders.push(below),
                Found::Removed => removed += 1,
                Found::Other => {}
            }
        }
        if removed > before {
            disk.remove_empty(&folder);
        }
    }
    Ok(removed)
}

enum Found {
    Folder(PathBuf),
    Removed,
    Other,
}

/// Removes what is to go; links are not followed.
fn look(entry: &DirEntry, age: Duration) -> io::Result<Found> {
    let Ok(name) = entry.file_name().into_string() else {
        return Ok(Found::Other);
    };
    let found = match entry.metadata() {
        Err(error) if disk::is_absence(&error) => return Ok(Found::Other),
        other => other?,
    };
    if found.is_dir() && Key::new(name.as_str()).is_ok() {
        return Ok(Found::Folder(entry.path()));
    }
    let old = || Ok::<_, io::Error>(found.modified()?.elapsed().is_ok_and(|since| since >= age));
    if !found.is_file() || !disk::is_unfinished(&name) || !old()? {
        return Ok(Found::Other);
    }
    match fs::remove_file(entry.path()) {
        Err(error) if disk::is_absence(&error) => Ok(Found::Other),
        removed => removed.map(|()| Found::Removed),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn write(path: &Path, age: Duration) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        let times = FileTimes::new().set_modified(SystemTime::now() - age);
        file.set_times(times).unwrap();
    }

    #[test]
    fn old_files_of_our_own_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("vault"), folder.path().join("outside"));
        let of_others = outside.join("~abc123");
        write(&of_others, 2 * DAY);
        let table = [
            ("data/1/2/~abc123", 2, false),
            ("~ABC123", 2, false),
            ("data/1/2/~young1", 0, true),
            ("data/1/3/part.json", 2, true),
            ("data/1/3/~abc12", 2, true),
            ("data/1/3/~abc.23", 2, true),
            ("data/1/3/~$otes1", 2, true),
            ("data/1/3/a~bc123", 2, true),
            ("lost+found/~abc123", 2, true),
            ("data/9/~abc123", 2, false),
        ];
        for (name, days, _) in table {
            write(&root.join(name), days * DAY);
        }
        symlink(&outside, root.join("data/link")).unwrap();
        symlink(&of_others, root.join("data/~link12")).unwrap();
        let removed = remove(&Disk::new(root.clone()), DAY).unwrap();
        assert_eq!(removed, 3);
        for (name, _, stays) in table {
            assert_eq!(root.join(name).exists(), stays, "{name}");
        }
        assert!(of_others.exists() && root.join("data/~link12").is_symlink());
        // Nor is anything left of a folder that had nothing else.
        assert!(!root.join("data/9").exists() && root.join("data").exists());
        let missing = remove(&Disk::new(folder.path().join("away")), DAY);
        assert!(
            matches!(missing, Err(StoreError::NoLocation { .. })),
            "{missing:?}"
        );
    }
}
