//! Real volumes and snapshots in a cluster, with nodes or without: a CSI driver and the CSI project's sidecars beside it.
//!
//! The driver's volumes are folders, which tests read and write as they are. What it is told by its [`Knobs`] holds
//! from the next call on, and its [`Call`]s say when it was asked and when it was done.

mod calls;
mod classes;
mod driver;
mod knobs;
mod kubelet;
mod medium;
mod sidecars;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clusterbackup_api::snapshots::{VolumeSnapshot, VolumeSnapshotContent};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

pub use self::calls::{Call, Ended};
pub use self::classes::{CLASS, DRIVER, GROUP_CLASS, LATE_CLASS, RETAINING_SNAPSHOT_CLASS, SNAPSHOT_CLASS};
pub use self::driver::Driver;
pub use self::knobs::{Knobs, Operation};
use self::kubelet::Kubelet;
pub use self::medium::attached_below;
use self::sidecars::Sidecars;
use crate::tools::CsiTools;
use crate::{Cluster, Nodes, TestNamespace, eventually};

const LIMIT: Duration = Duration::from_mins(1);

/// The driver and its sidecars; they end when dropped.
pub struct Csi {
    sidecars: Sidecars,
    driver: Driver,
    admin: Client,
}

/// One of the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The driver.
    Driver,
    /// Makes volumes for claims.
    Provisioner,
    /// Has the driver make the cuts that contents ask for.
    Snapshotter,
    /// Makes contents for snapshots.
    SnapshotController,
}

/// A claim that has its volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The claim's name.
    pub claim: String,
    /// The driver's name for the volume.
    pub handle: String,
    /// The folder that it is.
    pub data: PathBuf,
}

/// A snapshot that is taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The name of its content.
    pub content: String,
    /// The driver's name for it.
    pub handle: String,
    /// The folder with what was in the volume then.
    pub data: PathBuf,
}

impl Csi {
    /// Installs it in a cluster, with its classes. Blocks the first time on a machine, when it is built.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        Self::start_for(&[], cluster).await
    }

    /// The same in a cluster with nodes, whose pods can mount its volumes.
    pub async fn start_on(nodes: &Nodes) -> Result<Self> {
        let kubelets: Vec<Kubelet> = nodes.all().iter().map(Kubelet::of).collect();
        let csi = Self::start_for(&kubelets, nodes.cluster()).await?;
        let registered = eventually("every kubelet knows the driver", LIMIT, || {
            kubelet::all_know(&csi.admin, nodes.all())
        });
        csi.driver.process().while_running(registered).await?;
        Ok(csi)
    }

    async fn start_for(kubelets: &[Kubelet], cluster: &Cluster) -> Result<Self> {
        let tools = tokio::task::spawn_blocking(CsiTools::locate).await??;
        classes::create(cluster, &tools.kinds).await?;
        let driver = Driver::start_for(kubelets, &tools, cluster, "csi").await?;
        let sidecars = Sidecars::start(&tools, cluster, &driver.socket())?;
        Ok(Self {
            sidecars,
            driver,
            admin: cluster.admin(),
        })
    }

    /// The driver: its data, knobs and calls.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Kills one of the processes.
    pub fn stop(&self, part: Part) -> Result<()> {
        match part {
            Part::Driver => self.driver.process().end(),
            Part::Provisioner => self.sidecars.provisioner.end(),
            Part::Snapshotter => self.sidecars.snapshotter.end(),
            Part::SnapshotController => self.sidecars.snapshot_controller.end(),
        }
    }

    /// Starts one of the processes again. With the driver, those that end when they lose it: a kubelet would do so.
    pub async fn start_again(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Driver => {
                self.driver.start_again().await?;
                self.sidecars.provisioner.start_again()?;
                self.sidecars.snapshotter.start_again()
            }
            Part::Provisioner => self.sidecars.provisioner.start_again(),
            Part::Snapshotter => self.sidecars.snapshotter.start_again(),
            Part::SnapshotController => self.sidecars.snapshot_controller.start_again(),
        }
    }

    /// Makes a claim of 1 MiB and waits until it has its volume.
    pub async fn claim(&self, namespace: &TestNamespace, name: &str) -> Result<Volume> {
        self.claim_in(CLASS, namespace, name).await?;
        let what = format!("claim {name} has a volume");
        let bound = eventually(&what, LIMIT, || self.volume_of(namespace.name(), name));
        self.sidecars.provisioner.while_running(bound).await
    }

    /// Makes a claim of 1 MiB in a class, whose volume may have to wait for a pod.
    pub async fn claim_in(&self, class: &str, namespace: &TestNamespace, name: &str) -> Result<()> {
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "storageClassName": class,
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "1Mi" } },
            },
        }))?;
        namespace.api().create(&PostParams::default(), &claim).await?;
        Ok(())
    }

    /// The volume of a claim that has one.
    pub async fn volume_of(&self, namespace: &str, claim: &str) -> Result<Volume> {
        let claims = Api::<PersistentVolumeClaim>::namespaced(self.admin.clone(), namespace);
        let found = claims.get(claim).await?;
        let status = found.status.unwrap_or_default();
        let name = found
            .spec
            .and_then(|spec| spec.volume_name)
            .filter(|_| status.phase.as_deref() == Some("Bound"))
            .with_context(|| format!("claim {claim} is {:?}", status.phase))?;
        let volume = Api::<PersistentVolume>::all(self.admin.clone())
            .get(&name)
            .await?;
        let source = volume.spec.and_then(|spec| spec.csi);
        let handle = source.context("its volume is not of a CSI driver")?.volume_handle;
        Ok(Volume {
            claim: claim.to_owned(),
            data: self.driver.volume_data(&handle),
            handle,
        })
    }

    /// Asks for a snapshot of a claim in a class; it has the claim's name.
    pub async fn ask(&self, namespace: &TestNamespace, class: &str, volume: &Volume) -> Result<()> {
        let snapshot: VolumeSnapshot = serde_json::from_value(json!({
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshot",
            "metadata": { "name": volume.claim },
            "spec": {
                "source": { "persistentVolumeClaimName": volume.claim },
                "volumeSnapshotClassName": class,
            },
        }))?;
        namespace.api().create(&PostParams::default(), &snapshot).await?;
        Ok(())
    }

    /// Waits until a snapshot is taken.
    pub async fn taken(&self, namespace: &str, snapshot: &str) -> Result<Taken> {
        let snapshots = Api::<VolumeSnapshot>::namespaced(self.admin.clone(), namespace);
        let contents = Api::<VolumeSnapshotContent>::all(self.admin.clone());
        eventually(&format!("snapshot {snapshot} is taken"), LIMIT, || async {
            let status = snapshots.get(snapshot).await?.status.unwrap_or_default();
            let content = status
                .bound_volume_snapshot_content_name
                .clone()
                .with_context(|| format!("no content; {status:?}"))?;
            let handle = contents
                .get(&content)
                .await?
                .status
                .and_then(|status| status.snapshot_handle)
                .with_context(|| format!("the content has no handle; {status:?}"))?;
            let data = self.driver.snapshot_data(&handle)?;
            Ok(Taken {
                content,
                handle,
                data,
            })
        })
        .await
    }
}
