//! The process: its flags, and how the parts are put together.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use clusterbackup_certs::lifetimes::LifetimesError;
use clusterbackup_certs::{Configuration, Lifetimes, Manager, Settings, Source};
use clusterbackup_kit::logging::LogArgs;
use clusterbackup_kit::metrics::MetricsError;
use clusterbackup_kit::process::{Process, ProcessError, listen};
use clusterbackup_kit::server::{Limits, Server, ServerError};
use clusterbackup_kit::tls;
use jiff::SignedDuration;
use thiserror::Error;

use crate::custom_kinds::CustomKinds;
use crate::door;
use crate::identity::Identity;
use crate::intercept::Intercept;
use crate::interceptions::{Interceptions, Keeper, LiveRead};
use crate::metrics::Metrics;
use crate::service::Service;
use crate::validate::Validate;
use crate::velero::VeleroRestores;

/// What it is called in metrics.
const COMPONENT: &str = "webhook";

/// Beyond the drain: what is left then hangs.
const END: Duration = Duration::from_secs(5);

/// The Secret that holds authority and leaf.
const CERTIFICATE_SECRET: &str = "clusterbackup-webhook-tls";

/// The admission server of clusterbackup: changes restored objects by resource modifier rules.
#[derive(Debug, Parser)]
#[command(name = "clusterbackup-webhook", version, about)]
pub struct Args {
    /// The namespace it runs in; rules in it are the administrators' and reach everything
    #[arg(long, env = "POD_NAMESPACE", default_value = clusterbackup_api::namespaces::OWN)]
    namespace: String,
    /// Its ServiceAccount, which needs a RoleBinding to read rules in other namespaces
    #[arg(long, env = "SERVICE_ACCOUNT", default_value = "clusterbackup-webhook")]
    service_account: String,
    /// The name of its pod, by which it tells which rules it has in force
    #[arg(long, env = "POD_NAME", default_value = "clusterbackup-webhook")]
    pod_name: String,
    /// Where admission reviews are served, over HTTPS
    #[arg(long, default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// Where /live, /ready and /metrics are served, over HTTP
    #[arg(long, default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    /// How long to go on serving after SIGTERM, until the API server has learnt that we leave
    #[arg(long, default_value = "8s")]
    grace: SignedDuration,
    #[command(flatten)]
    certificates: CertificateArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Certificates")]
struct CertificateArgs {
    /// `managed` (made and rotated here), or the folder where somebody else's tls.crt and tls.key are mounted
    #[arg(long, default_value = "managed")]
    certificates: Source,
    /// The Service that the API server calls
    #[arg(long, default_value = "clusterbackup-webhook")]
    service_name: String,
    /// How long a managed authority lives
    #[arg(long, default_value = "8760h")]
    authority_lifetime: SignedDuration,
    /// How long a managed certificate lives; it is renewed at two thirds of that
    #[arg(long, default_value = "720h")]
    leaf_lifetime: SignedDuration,
    /// How long a new authority is trusted before anything it signed is served
    #[arg(long, default_value = "60s")]
    authority_settling: SignedDuration,
}

/// Why the process could not start, or ended badly.
#[derive(Debug, Error)]
pub enum RunError {
    /// The HTTPS server could not be made.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The lifetimes of certificates don't fit together.
    #[error("--authority-lifetime, --leaf-lifetime and --authority-settling don't fit together: {0}")]
    Lifetimes(#[from] LifetimesError),
    /// What every process needs is not to be had, or did not end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Metrics clash: a mistake of ours.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A duration below zero.
    #[error("--grace must not be negative")]
    Grace,
}

impl Args {
    /// How to log.
    pub fn log(&self) -> &LogArgs {
        &self.log
    }

    /// Runs the webhook until a signal ends it.
    pub async fn run(self) -> Result<(), RunError> {
        let process = Process::begin(COMPONENT)?;
        let metrics = Metrics::register(&process.registry)?;
        let client = process.client().await?;
        let certificates = Arc::new(tls::Identity::default());
        let limits = Limits {
            grace: Duration::try_from(self.grace).map_err(|_| RunError::Grace)?,
            ..Limits::default()
        };
        let drain = limits.grace + limits.drain + END;
        let listener = listen(self.listen).await?;
        let stopping = process.shutdown.stopping();
        let server = Server::new(listener, &certificates, limits, &process.registry, stopping)?;
        let (certified, known) = (
            process.readiness.handle("certificate"),
            process.readiness.handle("rules"),
        );
        process.open(self.admin_listen).await?;

        let settings = self.certificate_settings()?;
        let manager = Manager::new(settings, certificates, certified, &process.registry)?;
        let managing = manager.run(client.clone(), process.shutdown.stopped());
        process.shutdown.spawn("certificates", async move {
            managing.await;
            Ok::<_, Infallible>(())
        });

        let interceptions = Arc::new(Interceptions::default());
        let identity = Identity {
            namespace: self.namespace,
            service_account: self.service_account,
            pod: self.pod_name,
        };
        let keeper = Keeper::new(
            client.clone(),
            identity.clone(),
            interceptions.clone(),
            metrics.clone(),
        );
        let keeping = keeper.run(move || known.set_ready(), process.shutdown.stopped());
        process.shutdown.spawn("interceptions", async move {
            keeping.await;
            Ok::<_, Infallible>(())
        });

        let live = LiveRead::new(client.clone(), identity.clone());
        let velero = Arc::new(VeleroRestores::new(client.clone(), identity, metrics.clone()));
        let intercept = Intercept::new(
            interceptions,
            live,
            velero.clone(),
            CustomKinds::new(client.clone()),
            metrics.clone(),
        );
        let service = Service::new(intercept, Validate::new(velero, client), metrics);
        server
            .serve(move |request| {
                let service = service.clone();
                async move { service.handle(request).await }
            })
            .await;
        Ok(process.finish(drain).await?)
    }

    fn certificate_settings(&self) -> Result<Settings, LifetimesError> {
        let CertificateArgs {
            certificates,
            service_name,
            authority_lifetime,
            leaf_lifetime,
            authority_settling,
        } = &self.certificates;
        Ok(Settings {
            source: certificates.clone(),
            namespace: self.namespace.clone(),
            service: service_name.clone(),
            secret: CERTIFICATE_SECRET.to_owned(),
            configurations: configurations(),
            lifetimes: Lifetimes::new(*authority_lifetime, *leaf_lifetime, *authority_settling)?,
        })
    }
}

/// The configurations of the handler table, whether installed or not.
fn configurations() -> Vec<Configuration> {
    let configurations: BTreeSet<_> = door::ENTRIES
        .iter()
        .map(|entry| {
            let name = entry.configuration.to_owned();
            if entry.review.mutates() {
                Configuration::Mutating(name)
            } else {
                Configuration::Validating(name)
            }
        })
        .collect();
    configurations.into_iter().collect()
}
