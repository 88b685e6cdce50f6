//! What is exported, and that dashboard, alerts and documentation speak of just that.

mod alerts;
mod dashboard;
mod documented;
mod eventful;
mod nodes;

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
    /// Of each of our processes.
    scrapes: Vec<String>,
    /// All of that, and what the API server exports about webhooks.
    series: Vec<(Series, f64)>,
}

impl Exported {
    fn new(webhook: String, api_server: &str) -> Result<Self> {
        let mut series = Series::of(&webhook, "clusterbackup_")?;
        series.extend(Series::of(api_server, "apiserver_admission_webhook_")?);
        let scrapes = vec![webhook];
        Ok(Self { scrapes, series })
    }

    /// Adds what another process exports, with the labels that Prometheus adds.
    fn add(&mut self, scrape: String, labels: &[(&str, &str)]) -> Result<()> {
        for (mut series, value) in Series::of(&scrape, "clusterbackup_")? {
            for &(label, value) in labels {
                series.labels.insert(label.to_owned(), value.to_owned());
            }
            self.series.push((series, value));
        }
        self.scrapes.push(scrape);
        Ok(())
    }
}

async fn what_is_exported_is_what_dashboard_alerts_and_documentation_speak_of(
    (cluster, promtool): (Cluster, Promtool),
) -> Result<()> {
    let mut exported = eventful::live_through(&cluster).await?;
    nodes::live_through(&cluster, &mut exported).await?;
    for scrape in &exported.scrapes {
        let file = cluster.folder().join("scrape.txt");
        std::fs::write(&file, scrape)?;
        promtool.check_metrics(&file).await?;
        ensure!(
            scrape.lines().count() < 1000,
            "that is much for a handful of rules and pods"
        );
    }
    documented::agrees(&exported.scrapes.concat())?;
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
