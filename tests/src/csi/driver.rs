//! The driver's process: where its data is, and what it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use super::calls::{self, Call};
use super::classes::DRIVER;
use super::knobs::Knobs;
use super::kubelet::Kubelet;
use super::medium;
use crate::process::Process;
use crate::tools::CsiTools;
use crate::{Cluster, eventually};

const START_LIMIT: Duration = Duration::from_secs(30);

/// The running driver; ends when dropped.
pub struct Driver {
    process: Process,
    folder: PathBuf,
    point_in_time: bool,
}

/// What `tests/tools/csi-driver/config.go` reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    name: &'a str,
    socket: &'a Path,
    records: &'a Path,
    data: &'a Path,
    point_in_time: bool,
    knobs: &'a Path,
    calls: &'a Path,
    nodes: &'a [Kubelet],
}

impl Driver {
    /// Starts it in a folder of the cluster's, which has to be another for each driver.
    pub async fn start(tools: &CsiTools, cluster: &Cluster, name: &str) -> Result<Self> {
        Self::start_for(&[], tools, cluster, name).await
    }

    /// The same, to serve kubelets as well.
    pub(super) async fn start_for(
        kubelets: &[Kubelet],
        tools: &CsiTools,
        cluster: &Cluster,
        name: &str,
    ) -> Result<Self> {
        let folder = cluster.folder().join(name);
        let data = folder.join("data");
        let point_in_time = {
            let data = data.clone();
            tokio::task::spawn_blocking(move || medium::prepare(&data)).await??
        };
        let config = Config {
            name: DRIVER,
            socket: &folder.join("csi.sock"),
            records: &folder.join("records"),
            data: &data,
            point_in_time,
            knobs: &folder.join("knobs"),
            calls: &folder.join("calls"),
            nodes: kubelets,
        };
        fs::create_dir_all(config.knobs)?;
        let file = folder.join("config.json");
        fs::write(&file, serde_json::to_vec(&config)?)?;
        let mut command = command(&tools.driver);
        command.arg(&file);
        let log = format!("{name}-driver");
        let driver = Self {
            process: Process::start(cluster.warden(), cluster.logs_dir(), &log, command)?,
            folder,
            point_in_time,
        };
        driver.until_it_listens().await?;
        Ok(driver)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("csi.sock")
    }

    /// Whether a cut, also of a group, is one moment for all volumes. Else it is a copy of one after the other.
    pub fn point_in_time(&self) -> bool {
        self.point_in_time
    }

    /// The folder that a volume is.
    pub fn volume_data(&self, handle: &str) -> PathBuf {
        self.folder.join("data/live").join(handle)
    }

    /// The folder with what was in the volume when the snapshot was taken.
    pub fn snapshot_data(&self, handle: &str) -> Result<PathBuf> {
        #[derive(Deserialize)]
        struct Snapshot {
            cut: String,
            volume: String,
        }
        let file = self.folder.join("records").join(format!("{handle}.json"));
        let record = fs::read(&file).with_context(|| format!("the driver has no snapshot {handle}"))?;
        let Snapshot { cut, volume } = serde_json::from_slice(&record)?;
        Ok(self.folder.join("data/cuts").join(cut).join(volume))
    }

    /// What it has of cuts of a volume, alone or in a group: its records, and calls for more that are under way.
    pub fn cuts_of(&self, volume: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Cut {
            volume: Option<String>,
            #[serde(default)]
            volumes: Vec<String>,
        }
        let mut cuts = Vec::new();
        for record in fs::read_dir(self.folder.join("records"))? {
            let name = record?.file_name().to_string_lossy().into_owned();
            let is_cut = name.starts_with("snapshot-") || name.starts_with("group-");
            // One that is being written, or that goes meanwhile, is seen at the next look.
            let text = fs::read(self.folder.join("records").join(&name));
            let cut = text
                .ok()
                .and_then(|text| serde_json::from_slice::<Cut>(&text).ok());
            let is_of = |cut: Cut| cut.volume.into_iter().chain(cut.volumes).any(|of| of == volume);
            if is_cut && cut.is_some_and(is_of) {
                cuts.push(name);
            }
        }
        let calls = self.calls()?.into_iter();
        let under_way =
            calls.filter(|call| call.ended.is_none() && call.volumes.iter().any(|of| of == volume));
        cuts.extend(under_way.map(|call| format!("{} {}", call.operation, call.subject)));
        Ok(cuts)
    }

    /// How it treats all volumes.
    pub fn knobs(&self) -> Knobs {
        Knobs::new(self.folder.join("knobs"))
    }

    /// How it treats one volume, whatever it does with others.
    pub fn knobs_of(&self, volume: &str) -> Knobs {
        Knobs::new(self.folder.join("knobs").join(volume))
    }

    /// What was asked of it until now, in the order in which it began.
    pub fn calls(&self) -> Result<Vec<Call>> {
        calls::read(&self.folder.join("calls"))
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    pub(super) async fn start_again(&mut self) -> Result<()> {
        self.process.start_again()?;
        self.until_it_listens().await
    }

    async fn until_it_listens(&self) -> Result<()> {
        let listens = eventually("the CSI driver listens", START_LIMIT, || async {
            Ok(UnixStream::connect(self.socket()).await.map(drop)?)
        });
        self.process.while_running(listens).await
    }
}

/// Who isn't root may mount in namespaces of their own, which is all that a caller without a kubelet can tell.
fn command(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(program);
    command
}
