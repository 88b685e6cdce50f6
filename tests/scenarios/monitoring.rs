//! What is exported, and that dashboard, alerts and documentation speak of just that.

mod alerts;
mod dashboard;
mod documented;
mod eventful;

use anyhow::{Result, ensure};
use clusterbackup_tests::metrics::Series;
use clusterbackup_tests::{Cluster, Promtool};

use crate::runner::scenarios;

scenarios! {
    OwnWatched: [what_is_exported_is_what_dashboard_alerts_and_documentation_speak_of],
    Promtool: [every_alert_fires_when_it_should_and_only_then],
}

/// What Prometheus would scrape.
struct Exported {
    /// Of a replica of the webhook.
    webhook: String,
    /// All of that, and what the API server exports about webhooks.
    series: Vec<(Series, f64)>,
}

impl Exported {
    fn new(webhook: String, api_server: &str) -> Result<Self> {
        let mut series = Series::of(&webhook, "clusterbackup_")?;
        series.extend(Series::of(api_server, "apiserver_admission_webhook_")?);
        Ok(Self { webhook, series })
    }
}

async fn what_is_exported_is_what_dashboard_alerts_and_documentation_speak_of(
    (cluster, promtool): (Cluster, Promtool),
) -> Result<()> {
    let exported = eventful::live_through(&cluster).await?;
    let scrape = cluster.folder().join("scrape.txt");
    std::fs::write(&scrape, &exported.webhook)?;
    promtool.check_metrics(&scrape).await?;
    ensure!(
        exported.webhook.lines().count() < 1000,
        "that is much for a handful of rules"
    );
    documented::agrees(&exported.webhook)?;
    alerts::are_tried_on_series_like_these(&exported)?;
    dashboard::finds_everything(&exported, &promtool).await
}

async fn every_alert_fires_when_it_should_and_only_then(promtool: Promtool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tests = alerts::extract(folder.path())?;
    promtool.check_rules(&folder.path().join(alerts::RULES)).await?;
    promtool.test_rules(&tests).await?;
    alerts::are_all_tried()?;
    alerts::have_runbooks()
}
