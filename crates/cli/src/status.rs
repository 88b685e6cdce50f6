//! `intercept status`: how the interceptions of a cluster stand, whether the webhook is up, and what it did.
//!
//! `report` is what is told, as a table or as JSON.
//!
//! What can't be read is told, and doesn't keep the rest from being shown.

mod report;

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::RestoreInterception;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::Error;
use crate::arguments::{Status, StatusOutput};
use crate::cluster::{self, answer};
use crate::metrics::Counts;
use crate::output;
use report::{Interception, Replicas, Report};

const WEBHOOK: &str = "clusterbackup-webhook";
const PODS: &str = "app.kubernetes.io/name=clusterbackup,app.kubernetes.io/component=webhook";
const METRICS_PORT: u16 = 9090;

/// More interceptions than anybody has; a page of them.
const PAGE: u32 = 500;

pub(crate) fn run(arguments: &Status, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let namespace = &arguments.namespace;
    let report = cluster::run(async |client| Cluster { client, namespace }.report().await)?;
    match arguments.output {
        StatusOutput::Json => output::json(&report, out)?,
        StatusOutput::Text => report.print(false, out)?,
        StatusOutput::Wide => report.print(true, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The cluster that is asked.
struct Cluster<'a> {
    client: Client,
    /// Where the webhook is.
    namespace: &'a str,
}

impl Cluster<'_> {
    /// Fails only if not even the interceptions can be told.
    async fn report(&self) -> Result<Report, Error> {
        let interceptions = self.interceptions().await.map_err(Error::Cluster)?;
        let mut notes = Vec::new();
        let replicas = self.replicas().await.unwrap_or_else(|reason| {
            notes.push(reason);
            None
        });
        let counts = match self.counts().await {
            Ok((counts, mut unread)) => {
                notes.append(&mut unread);
                counts
            }
            Err(reason) => {
                notes.push(reason);
                None
            }
        };
        let interceptions = interceptions
            .iter()
            .map(|object| Interception::of(object, counts.as_ref()))
            .collect();
        Ok(Report::new(interceptions, replicas, counts.as_ref(), notes))
    }

    async fn interceptions(&self) -> Result<Vec<RestoreInterception>, String> {
        let api = Api::<RestoreInterception>::all(self.client.clone());
        let mut found = Vec::new();
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = answer("list restoreinterceptions.clusterbackup.io", "", api.list(&page)).await?;
            found.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    async fn replicas(&self) -> Result<Option<Replicas>, String> {
        let api = Api::<Deployment>::namespaced(self.client.clone(), self.namespace);
        let deployment = answer("get deployments.apps", self.namespace, api.get_opt(WEBHOOK)).await?;
        Ok(deployment.map(|deployment| Replicas {
            ready: deployment
                .status
                .and_then(|status| status.ready_replicas)
                .unwrap_or_default(),
            wanted: deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1),
        }))
    }

    /// What all replicas counted together, none if there is no replica that answers; and who doesn't.
    async fn counts(&self) -> Result<(Option<Counts>, Vec<String>), String> {
        let api = Api::<Pod>::namespaced(self.client.clone(), self.namespace);
        let pods = answer(
            "list pods",
            self.namespace,
            api.list(&ListParams::default().labels(PODS)),
        )
        .await?;
        let mut counts: Option<Counts> = None;
        let mut unread = Vec::new();
        for pod in pods.iter().map(ResourceExt::name_any) {
            match self.exported(&pod).await {
                Ok(text) => counts.get_or_insert_default().add(&text),
                Err(reason) => unread.push(reason),
            }
        }
        Ok((counts, unread))
    }

    async fn exported(&self, pod: &str) -> Result<String, String> {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{pod}:{METRICS_PORT}/proxy/metrics",
            self.namespace
        );
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        answer(
            &format!("get pods/proxy of {pod}"),
            self.namespace,
            self.client.request_text(request),
        )
        .await
    }
}
