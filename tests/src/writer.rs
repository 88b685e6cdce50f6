//! An application whose data is only right as a whole: it writes the same numbers into several folders in lock-step,
//! and can be made to pause where they agree.
//!
//! It is a shell script, run by whatever shell is there: in pods that of busybox. Its control folder shows what it
//! does: `frozen` is there while it pauses, and `history` says when it froze and thawed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupStatus, VolumeReport};

use crate::csi::Driver;
use crate::process::Process;
use crate::{Cluster, eventually};

/// The application; its arguments are the control folder and the folders that it writes to. Without `/proc/uptime` to
/// tell the time by, it could not say when it thawed.
pub const SCRIPT: &str = r#"
control=$1
shift
mkdir -p "$control"
told() { read -r now _ < /proc/uptime; echo "$1 $now" >> "$control/history"; }
number=0
while :; do
  number=$((number + 1))
  for folder; do echo "$number" >> "$folder/records"; done
  if [ -e "$control/freeze" ]; then
    told frozen
    : > "$control/frozen"
    while [ -e "$control/freeze" ]; do sleep 0.01; done
    told thawed
    rm "$control/frozen"
  fi
  sleep 0.005
done
"#;

const LIMIT: Duration = Duration::from_secs(30);

/// The command of a hook that freezes the application, and returns when it pauses.
pub fn freeze(control: &str) -> Vec<String> {
    hook(&format!(
        ": > {control}/freeze; until [ -e {control}/frozen ]; do sleep 0.01; done"
    ))
}

/// The command of a hook that lets it go on, and returns when it does. Once more does no harm.
pub fn thaw(control: &str) -> Vec<String> {
    hook(&format!(
        "rm -f {control}/freeze; while [ -e {control}/frozen ]; do sleep 0.01; done"
    ))
}

fn hook(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

/// The number of the last record that a folder holds: all of them are there, in order, or it is an error.
pub fn last_record(folder: &Path) -> Result<u64> {
    let file = folder.join("records");
    let text = fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    let mut last = 0;
    for line in text.lines() {
        let number: u64 = line
            .parse()
            .with_context(|| format!("{line:?} after {last} in {}", file.display()))?;
        ensure!(number == last + 1, "{number} after {last} in {}", file.display());
        last = number;
    }
    Ok(last)
}

/// The last record in the snapshot of each claim that a backup has cut, in the order of claims.
pub fn last_records(driver: &Driver, status: &BackupStatus) -> Result<Vec<u64>> {
    let record = |volume: &VolumeReport| {
        let handle = volume
            .handle
            .as_deref()
            .with_context(|| format!("no handle: {volume:#?}"))?;
        last_record(&driver.snapshot_data(handle)?)
    };
    status.volumes.iter().map(record).collect()
}

/// What the application says of its pauses: when it froze and when it thawed, in seconds since boot; the last one may
/// still last.
pub fn pauses(control: &Path) -> Result<Vec<(f64, Option<f64>)>> {
    let file = control.join("history");
    if !file.exists() {
        return Ok(Vec::new());
    }
    pauses_in(&fs::read_to_string(file)?)
}

/// The same, by the text of its `history`.
pub fn pauses_in(history: &str) -> Result<Vec<(f64, Option<f64>)>> {
    let mut pauses: Vec<(f64, Option<f64>)> = Vec::new();
    for line in history.lines() {
        match line.split_once(' ').context("a line of two words")? {
            ("frozen", at) => pauses.push((at.parse()?, None)),
            (_, at) => pauses.last_mut().context("thawed before frozen")?.1 = Some(at.parse()?),
        }
    }
    Ok(pauses)
}

/// The application as a process of this machine; ends when dropped.
pub struct Writer {
    process: Process,
    control: PathBuf,
    folders: Vec<PathBuf>,
}

impl Writer {
    /// Starts it and waits until it has written. Its name is one that no other writer of this cluster has.
    pub async fn start(cluster: &Cluster, name: &str, folders: &[&Path]) -> Result<Self> {
        let control = cluster.folder().join(name);
        fs::create_dir(&control)?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, name]).arg(&control).args(folders);
        let writer = Self {
            process: Process::start(cluster.warden(), cluster.logs_dir(), name, command)?,
            control,
            folders: folders.iter().map(|folder| folder.to_path_buf()).collect(),
        };
        writer.goes_on().await?;
        Ok(writer)
    }

    /// Its control folder.
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// Whether it pauses.
    pub fn is_frozen(&self) -> bool {
        self.control.join("frozen").exists()
    }

    /// Freezes it, as a hook would.
    pub async fn freeze(&self) -> Result<()> {
        self.run(freeze).await
    }

    /// Lets it go on, as a hook would.
    pub async fn thaw(&self) -> Result<()> {
        self.run(thaw).await
    }

    /// The number of the record that all its folders have last, while it doesn't write.
    pub fn last_record(&self) -> Result<u64> {
        last_record(self.folders.first().context("it writes nowhere")?)
    }

    /// Waits until it has written more than there was.
    pub async fn goes_on(&self) -> Result<()> {
        let last = self.folders.last().context("it writes nowhere")?.join("records");
        let size = || fs::metadata(&last).map_or(0, |file| file.len());
        let before = size();
        let written = eventually("the writer goes on", LIMIT, || async {
            ensure!(size() > before, "nothing new in {}", last.display());
            Ok(())
        });
        self.process.while_running(written).await
    }

    async fn run(&self, hook: impl Fn(&str) -> Vec<String>) -> Result<()> {
        let control = self.control.to_str().context("the folder is not text")?;
        let words = hook(control);
        let mut command = tokio::process::Command::new(&words[0]);
        command.args(&words[1..]).kill_on_drop(true);
        let status = command.status().await?;
        ensure!(status.success(), "{words:?}: {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_is_that_of_an_unbroken_row() {
        let folder = tempfile::tempdir().unwrap();
        for (records, last) in [
            ("", Some(0)),
            ("1\n2\n3\n", Some(3)),
            ("1\n3\n", None),
            ("2\n", None),
            ("1\n\n2\n", None),
            ("1\n2\nx", None),
        ] {
            fs::write(folder.path().join("records"), records).unwrap();
            assert_eq!(last_record(folder.path()).ok(), last, "{records:?}");
        }
    }

    #[test]
    fn a_pause_may_still_last() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(pauses(folder.path()).unwrap(), []);
        let told = pauses_in("frozen 1.50\nthawed 2.25\nfrozen 3.00\n").unwrap();
        assert_eq!(told, [(1.5, Some(2.25)), (3.0, None)]);
        assert!(pauses_in("thawed 2.25\n").is_err());
    }
}
