//! `cargo xtask schemas`: writes the table of built-in kinds that `core::schema` reads, or checks that it is
//! current. Every API is switched on for it: a server says nothing of what it doesn't serve.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::schema;
use clusterbackup_tests::{Cluster, openapi, workspace};

const TABLE: &str = "crates/core/src/schema/kubernetes.txt";

pub(crate) fn run(check: bool) -> Result<()> {
    let generated = tokio::runtime::Runtime::new()?.block_on(generate())?;
    let file = workspace::root().join(TABLE);
    if check {
        let committed = fs::read_to_string(&file).unwrap_or_default();
        ensure!(
            committed == generated,
            "{TABLE} is not what the API server says; run `cargo xtask schemas` and commit the result"
        );
        return Ok(());
    }
    fs::write(&file, generated).with_context(|| format!("failed to write {}", file.display()))
}

async fn generate() -> Result<String> {
    clusterbackup_kit::crypto::install();
    let cluster = Cluster::start_with_every_api().await?;
    let admin = cluster.admin();
    let version = admin.apiserver_version().await?.git_version;
    let documents = openapi::documents(&admin).await?;
    Ok(schema::generate(&version, &documents)?)
}
