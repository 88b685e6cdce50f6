//! The table of what may change, row by row against the API server: what it says can't be changed is refused when it
//! is sent as it is, and what is put back makes of it an update that is accepted. What may change is accepted and left
//! alone.

mod custom;
mod others;
mod row;
mod services;
mod storage;
mod workloads;

use anyhow::Result;
use clusterbackup_tests::Cluster;

use crate::runner::scenarios;

scenarios! {
    Cluster: [
        workloads_change_as_the_table_says,
        services_change_as_the_table_says,
        storage_changes_as_the_table_says,
        other_kinds_change_as_the_table_says,
        custom_kinds_change_as_their_schema_says,
    ],
}

async fn workloads_change_as_the_table_says(cluster: &Cluster) -> Result<()> {
    row::check(cluster, "workloads", &workloads::rows()).await
}

async fn services_change_as_the_table_says(cluster: &Cluster) -> Result<()> {
    row::check(cluster, "services", &services::rows()).await
}

async fn storage_changes_as_the_table_says(cluster: &Cluster) -> Result<()> {
    row::check(cluster, "storage", &storage::rows()).await
}

async fn other_kinds_change_as_the_table_says(cluster: &Cluster) -> Result<()> {
    row::check(cluster, "others", &others::rows()?).await
}

async fn custom_kinds_change_as_their_schema_says(cluster: &Cluster) -> Result<()> {
    custom::check(cluster).await
}
