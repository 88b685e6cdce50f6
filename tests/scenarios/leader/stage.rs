//! The stage: the ground with a CSI driver on it, applications with volumes, and what their snapshots hold.

mod ground;
mod midway;

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::{BackupStatus, VolumeReport};
use clusterbackup_api::labels;
use clusterbackup_api::snapshots::{
    VolumeGroupSnapshotClass, VolumeSnapshot, VolumeSnapshotClass, VolumeSnapshotContent,
};
use clusterbackup_tests::{Cluster, Csi, csi, eventually, writer};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

pub(super) use self::ground::{Ground, Node, administrator, exec};
pub(super) use self::midway::filling;
pub(super) use clusterbackup_tests::stage::App;
use clusterbackup_tests::stage::shell;

/// Longer than any backup here takes.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// Everything that a scenario plays with.
pub(super) struct Stage {
    pub(super) csi: Csi,
    pub(super) ground: Ground,
}

/// What a hook waits for.
pub(super) struct Word(PathBuf);

impl Word {
    /// Has it go on.
    pub(super) fn give(&self) -> Result<()> {
        Ok(std::fs::write(&self.0, "")?)
    }
}

impl Deref for Stage {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl Stage {
    /// Sets it up; no leader runs yet.
    pub(super) async fn set_up(cluster: Cluster) -> Result<Self> {
        Self::on(Ground::set_up(cluster).await?).await
    }

    /// Adds volumes to what there is.
    pub(super) async fn on(ground: Ground) -> Result<Self> {
        let csi = Csi::start(&ground.cluster).await?;
        Ok(Self { csi, ground })
    }

    /// Runs an application on a node that writes to so many volumes, and makes the hook that freezes it.
    pub(super) async fn app(&self, node: &Node, name: &str, volumes: usize) -> Result<App> {
        let control = self.cluster.folder().join(format!("{name}-control"));
        std::fs::create_dir_all(&control)?;
        let mut bound = Vec::with_capacity(volumes);
        for number in 0..volumes {
            bound.push(self.csi.claim(&self.shop, &format!("{name}-{number}")).await?);
        }
        let claims: Vec<_> = bound.iter().map(|volume| volume.claim.as_str()).collect();
        let app = App {
            target: self.pod(node, name, &claims).await?,
            control,
            volumes: bound,
        };
        node.cri.run(app.container()?)?;
        app.goes_on().await?;
        let control = app.control.to_str().context("the folder is not text")?;
        let (pre, post) = (exec(&writer::freeze(control)), exec(&writer::thaw(control)));
        self.hook(name, &json!([pre]), &json!([post])).await?;
        Ok(app)
    }

    /// Gives an application a hook that freezes it when the word is given.
    pub(super) async fn freeze_on_a_word(&self, app: &App) -> Result<Word> {
        let control = app.control.to_str().context("the folder is not text")?;
        let word = Word(app.control.join("word"));
        let wait = shell(&format!("until [ -e {control}/word ]; do sleep 0.01; done"));
        let mut waits = exec(&wait);
        waits["exec"]["timeout"] = "50s".into();
        let pre = json!([waits, exec(&writer::freeze(control))]);
        let post = json!([exec(&writer::thaw(control))]);
        self.change_hook(&app.target.pod, &pre, &post).await?;
        Ok(word)
    }

    /// The last record in the snapshot of each claim.
    pub(super) fn records(&self, status: &BackupStatus) -> Result<Vec<u64>> {
        writer::last_records(self.csi.driver(), status)
    }

    /// Leaves a driver with this one snapshot class, and with none for groups.
    pub(super) async fn only_class(&self, class: &str) -> Result<()> {
        let all = Api::<VolumeSnapshotClass>::all(self.cluster.admin());
        for known in all.list(&ListParams::default()).await? {
            if known.name_any() != class {
                all.delete(&known.name_any(), &DeleteParams::default()).await?;
            }
        }
        let groups = Api::<VolumeGroupSnapshotClass>::all(self.cluster.admin());
        groups.delete(csi::GROUP_CLASS, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until only so many snapshots, and as many contents, are left of what anybody made.
    pub(super) async fn only_is_left(&self, count: usize) -> Result<()> {
        let contents = Api::<VolumeSnapshotContent>::all(self.cluster.admin());
        let snapshots = Api::<VolumeSnapshot>::all(self.cluster.admin());
        eventually("nothing else is left of snapshots", LIMIT, || async {
            let all = ListParams::default();
            let snapshots = snapshots.list(&all).await?.items;
            let contents = contents.list(&all).await?.items;
            let left = (snapshots.len(), contents.len());
            ensure!(left == (count, count), "{snapshots:#?} {contents:#?}");
            Ok(())
        })
        .await
    }

    /// The claims with a temporary label of a group, and its value.
    pub(super) async fn labels(&self) -> Result<Vec<(String, String)>> {
        let claims = self.shop.api::<PersistentVolumeClaim>();
        let labelled = claims.list(&ListParams::default().labels(labels::GROUP)).await?;
        let value = |claim: &PersistentVolumeClaim| claim.labels().get(labels::GROUP).cloned();
        Ok(labelled
            .iter()
            .filter_map(|claim| Some((claim.name_any(), value(claim)?)))
            .collect())
    }

    /// Waits until no claim has such a label.
    pub(super) async fn no_labels(&self) -> Result<()> {
        eventually("the temporary labels are gone", LIMIT, || async {
            let labels = self.labels().await?;
            ensure!(labels.is_empty(), "{labels:?}");
            Ok(())
        })
        .await
    }

    /// The content of a claim that is kept.
    pub(super) async fn content(&self, volume: &VolumeReport) -> Result<VolumeSnapshotContent> {
        let name = volume.content.as_deref().context("no content")?;
        let contents = Api::<VolumeSnapshotContent>::all(self.cluster.admin());
        Ok(contents.get(name).await?)
    }
}

/// The claim of that name in a report.
pub(super) fn volume<'a>(status: &'a BackupStatus, claim: &str) -> Result<&'a VolumeReport> {
    let mut volumes = status.volumes.iter();
    volumes
        .find(|volume| volume.claim == claim)
        .with_context(|| format!("nothing of {claim}: {status:#?}"))
}
