//! The shipped manifests on real nodes, unchanged, with the images of the programs under test.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Nodes;
use crate::image::{self, Build};
use crate::{manifests, webhook};

const LIMIT: Duration = Duration::from_mins(2);

impl Nodes {
    /// Applies a folder of `manifests`, with those of the `components` named, and waits until all its pods are ready, and
    /// the API server asks the webhook.
    pub async fn install(&self, folder: &str, components: &[&str]) -> Result<()> {
        let images = tokio::task::spawn_blocking(|| image::of_programs(Build::Quick)).await??;
        self.load(&images).await?;
        manifests::apply(self.cluster(), folder, components).await?;
        self.until_rolled_out().await?;
        webhook::until_in_force(&self.cluster().admin()).await
    }

    /// Waits until each Deployment and DaemonSet of ours has all its pods ready.
    pub async fn until_rolled_out(&self) -> Result<()> {
        let list = [
            "get",
            "deployments,daemonsets",
            "--all-namespaces",
            "--no-headers",
        ];
        let fields = [
            "--output",
            "custom-columns=:metadata.namespace,:kind,:metadata.name",
        ];
        let found = self
            .cluster()
            .kubectl(&[list.as_slice(), &fields].concat())
            .await?
            .success()?;
        for line in found.lines() {
            let [namespace, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                continue;
            };
            let limit = format!("--timeout={}s", LIMIT.as_secs());
            self.cluster()
                .kubectl(&["rollout", "status", "--namespace", namespace, &limit, kind, name])
                .await?
                .success()
                .with_context(|| format!("{kind} {namespace}/{name}"))?;
        }
        Ok(())
    }
}
