//! The shipped manifests, put into a cluster by kubectl.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::{Cluster, steps, workspace};

/// Applies a folder of `manifests`, with those of the `components` named (folders of `manifests/components`): by an
/// overlay where there are some; a plain install is exactly the command of the README. Waits for the kinds.
pub async fn apply(cluster: &Cluster, folder: &str, components: &[&str]) -> Result<()> {
    let manifests = workspace::root().join("manifests");
    let applied = if components.is_empty() {
        manifests.join(folder)
    } else {
        overlay(cluster, folder, components)?
    };
    cluster
        .kubectl(&["apply".as_ref(), "-k".as_ref(), applied.as_os_str()])
        .await?
        .success()?;
    steps::until_established(cluster).await
}

fn overlay(cluster: &Cluster, folder: &str, components: &[&str]) -> Result<PathBuf> {
    let manifests = workspace::root().join("manifests");
    let overlay = cluster.folder().join("overlay");
    std::fs::create_dir_all(&overlay)?;
    // kustomize takes relative paths only.
    let up = "../".repeat(std::fs::canonicalize(&overlay)?.components().count() - 1);
    let relative = |path: PathBuf| format!("{up}{}", path.display().to_string().trim_start_matches('/'));
    let kustomization = json!({
        "resources": [relative(manifests.join(folder))],
        "components": components
            .iter()
            .map(|name| relative(manifests.join("components").join(name)))
            .collect::<Vec<_>>(),
    });
    std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string())?;
    Ok(overlay)
}
