//! Restores on the ground that leaders run on.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::restore::{RestoreCounts, RestorePhase, RestoreStatus};
use clusterbackup_api::{Requester, Restore};
use clusterbackup_tests::eventually;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::leader::stage::{Ground, LIMIT, administrator};

impl Ground {
    /// Backs the shop up with everything in it, and says what the recovery point is called.
    pub(super) async fn point(&self, name: &str) -> Result<String> {
        let instance = json!({ "vault": "vault", "snapshotVolumes": false, "includeSecrets": true });
        self.point_of(name, instance).await
    }

    async fn point_of(&self, name: &str, instance: Value) -> Result<String> {
        self.instance(name, instance).await?;
        self.taken(name).await
    }

    /// Backs an instance up, and says what the recovery point is called.
    pub(super) async fn taken(&self, instance: &str) -> Result<String> {
        self.ask(instance, instance).await?;
        let status = self.ends(instance, BackupPhase::Completed).await?;
        status.recovery_point.context("there is no point")
    }

    /// The same with everything that is outside of namespaces.
    pub(super) async fn whole_point(&self, name: &str) -> Result<String> {
        let instance = json!({
            "vault": "vault", "snapshotVolumes": false, "includeSecrets": true, "includeClusterScopeResources": true,
        });
        self.point_of(name, instance).await
    }

    /// The restores.
    pub(super) fn restores(&self) -> Api<Restore> {
        self.home.api()
    }

    /// Asks for a restore in the name of the administrator, unless the spec names somebody else.
    pub(super) async fn restore(&self, name: &str, point: &str, spec: Value) -> Result<()> {
        self.restore_as(&self.cluster.admin(), name, point, spec).await
    }

    /// The same, as somebody else.
    pub(super) async fn restore_as(
        &self,
        who: &Client,
        name: &str,
        point: &str,
        mut spec: Value,
    ) -> Result<()> {
        spec["recoveryPoint"] = json!(point);
        if spec.get("requester").is_none() {
            spec["requester"] = json!(administrator());
        }
        // No kubelet makes anything ready here.
        if spec.get("readinessTimeout").is_none() {
            spec["readinessTimeout"] = json!("0s");
        }
        let restore = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "Restore",
            "metadata": { "name": name },
            "spec": spec,
        });
        let restore: Restore = serde_json::from_value(restore)?;
        let restores = Api::<Restore>::namespaced(who.clone(), self.home.name());
        restores.create(&PostParams::default(), &restore).await?;
        Ok(())
    }

    /// Waits until the restore has ended in this phase.
    pub(super) async fn restored(&self, name: &str, phase: RestorePhase) -> Result<RestoreStatus> {
        let status = self
            .restore_sees(name, "has ended", |status| {
                status.phase.is_some_and(RestorePhase::is_end)
            })
            .await?;
        ensure!(status.phase == Some(phase), "it ended as {status:#?}");
        let RestoreCounts {
            total,
            created,
            patched,
            replaced,
            unchanged,
            skipped,
            left_out,
            failed,
            pending,
        } = status.counts;
        let sum = created + patched + replaced + unchanged + skipped + left_out + failed + pending;
        ensure!(sum == total, "the counts don't add up: {status:#?}");
        Ok(status)
    }

    /// Waits until the status of the restore is as `right` says.
    pub(super) async fn restore_sees(
        &self,
        name: &str,
        what: &str,
        right: impl Fn(&RestoreStatus) -> bool,
    ) -> Result<RestoreStatus> {
        eventually(&format!("the restore {what}"), LIMIT, || async {
            let status = self.restores().get(name).await?.status.unwrap_or_default();
            ensure!(right(&status), "{status:#?}");
            Ok(status)
        })
        .await
    }
}

/// What would be recorded of jane.
pub(super) fn jane() -> Requester {
    Requester {
        username: "jane".to_owned(),
        groups: vec!["restorers".to_owned(), "system:authenticated".to_owned()],
        ..Requester::default()
    }
}
