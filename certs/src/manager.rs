//! Keeps the certificates: the shell around [`decide`](crate::decide::decide). Every replica runs one; whichever is
//! first writes, the others see it by their watch. All knowledge of the Secret comes from the watch, so that it never
//! goes backwards; a write is guarded by the version that was seen, and whoever loses waits for the winner's.

use std::{
    convert::Infallible,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use clusterbackup_kit::{
    metrics::{MetricsError, Registry},
    readiness::Handle,
    tls::Identity,
};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::PostParams,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    authority::{AuthorityError, ServiceNames},
    decide::{Situation, decide},
    files::Files,
    injection::{Configuration, FIELD_MANAGER, Observed},
    lifetimes::Lifetimes,
    material::Material,
    metrics::Metrics,
    secret,
    step::Step,
};

/// The wall clock is looked at this often whatever is due: a machine may have slept, a clock may have been set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A due time that is almost there isn't approached in ever smaller steps.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// Between two writes: after a failure, and so that two who disagree about a `caBundle` don't fight without pause.
const PAUSE: Duration = Duration::from_secs(2);
/// For one call.
const CALL: Duration = Duration::from_secs(10);

/// Where the certificate comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// We make it, keep it in a Secret, and put the `caBundle` into the webhook configurations.
    Managed,
    /// Somebody else does; it is mounted here as `tls.crt` and `tls.key`.
    Files(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    /// `managed`, or the folder.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "managed" {
            Self::Managed
        } else {
            Self::Files(text.into())
        })
    }
}

/// What a manager has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the certificate comes from.
    pub source: Source,
    /// The namespace of the Service and the Secret.
    pub namespace: String,
    /// The name of the Service, for which the certificate is issued.
    pub service: String,
    /// The name of the Secret.
    pub secret: String,
    /// Who has to trust the certificate.
    pub configurations: Vec<Configuration>,
    /// How long certificates live.
    pub lifetimes: Lifetimes,
}

/// Keeps the certificates of one replica.
#[derive(Debug)]
pub struct Manager {
    settings: Settings,
    identity: Arc<Identity>,
    ready: Handle,
    metrics: Metrics,
}

impl Manager {
    /// A manager that feeds `identity` and says by `ready` whether it holds a certificate that can be served.
    pub fn new(
        settings: Settings,
        identity: Arc<Identity>,
        ready: Handle,
        registry: &Registry,
    ) -> Result<Self, MetricsError> {
        Ok(Self {
            settings,
            identity,
            ready,
            metrics: Metrics::new(registry)?,
        })
    }

    /// Runs until `stopped`. Nothing that goes wrong ends it: it is logged, counted and tried again.
    pub async fn run(self, client: Client, stopped: CancellationToken) {
        let Self {
            settings,
            identity,
            ready,
            metrics,
        } = self;
        match settings.source.clone() {
            Source::Files(folder) => {
                Files {
                    folder,
                    identity,
                    ready,
                    metrics,
                }
                .run(stopped)
                .await;
            }
            Source::Managed => {
                let keeper = Keeper {
                    names: ServiceNames::new(&settings.service, &settings.namespace),
                    secrets: Api::namespaced(client.clone(), &settings.namespace),
                    observed: Observed::new(&settings.configurations),
                    settings,
                    client,
                    identity,
                    ready,
                    metrics,
                    listed: false,
                    secret: None,
                    stored: None,
                    remembered: None,
                    introduced: false,
                };
                stopped.run_until_cancelled(Box::pin(keeper.keep())).await;
            }
        }
    }
}

/// The state of a manager that makes certificates itself.
struct Keeper {
    settings: Settings,
    names: ServiceNames,
    client: Client,
    secrets: Api<Secret>,
    identity: Arc<Identity>,
    ready: Handle,
    metrics: Metrics,
    /// Whether the watch has said anything about the Secret yet.
    listed: bool,
    secret: Option<Secret>,
    stored: Option<Material>,
    remembered: Option<Material>,
    observed: Observed,
    /// Whether the API servers have once been told whom to trust. From then on readiness is the certificate's alone:
    /// somebody who keeps removing the `caBundle` must not take down what still serves others.
    introduced: bool,
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Make(#[from] AuthorityError),
    #[error(transparent)]
    Call(#[from] kube::Error),
    #[error("the API server didn't answer within {CALL:?}")]
    TimedOut,
}

impl WriteError {
    /// Another replica was faster.
    fn is_lost_race(&self) -> bool {
        matches!(self, Self::Call(kube::Error::Api(status)) if status.code == 409)
    }
}

impl Keeper {
    async fn keep(mut self) {
        let mut secrets = watcher::watch_object(self.secrets.clone(), &self.settings.secret)
            .default_backoff()
            .boxed();
        let mut configurations = self.observed.watch(&self.client);
        let mut wait = LONGEST_WAIT;
        loop {
            tokio::select! {
                Some(change) = secrets.next() => match change {
                    Ok(secret) => self.note_secret(secret),
                    Err(error) => {
                        self.metrics.failures.inc();
                        warn!(secret = self.settings.secret, %error, "failed to watch the certificate's Secret");
                    }
                },
                Some((index, change)) = configurations.next() => match change {
                    Ok(entries) => self.observed.note(index, entries),
                    Err(error) => {
                        self.metrics.injection_failures.inc();
                        let configuration = self.observed.configuration(index);
                        warn!(?configuration, %error, "failed to watch a webhook configuration");
                    }
                },
                () = sleep(wait) => {}
            }
            wait = self.turn().await;
        }
    }

    fn note_secret(&mut self, secret: Option<Secret>) {
        self.listed = true;
        self.stored = secret.as_ref().and_then(|secret| match secret::read(secret, &self.names) {
            Ok(material) => Some(material),
            Err(reason) => {
                self.metrics.failures.inc();
                warn!(secret = self.settings.secret, %reason, "the certificate's Secret is of no use, replacing it");
                None
            }
        });
        self.secret = secret;
        if let Some(stored) = &self.stored {
            self.remembered = Some(stored.clone());
            self.serve(stored);
        }
    }

    fn serve(&self, stored: &Material) {
        self.metrics
            .authority_expires(stored.issuer.certificate().not_after());
        let Some(leaf) = &stored.leaf else { return };
        match self.identity.replace(
            leaf.certificate().pem().as_bytes(),
            leaf.key().expose().as_bytes(),
        ) {
            Ok(not_after) => {
                self.metrics.leaf_expires(not_after);
                debug!(%not_after, "serving the stored certificate");
            }
            Err(error) => {
                self.metrics.failures.inc();
                warn!(%error, "failed to serve the stored certificate");
            }
        }
    }

    /// One round: what is due is done. Returns how long to wait if nothing happens before.
    async fn turn(&mut self) -> Duration {
        if !self.listed {
            return LONGEST_WAIT;
        }
        let now = Timestamp::now();
        let bundle = self.stored.as_ref().map(Material::bundle);
        let carried_since = bundle
            .as_deref()
            .and_then(|bundle| self.observed.carried_since(bundle, now));
        self.introduced |= carried_since.is_some();
        self.tell(now);
        if let Some(bundle) = bundle.filter(|_| carried_since.is_none()) {
            self.inject(&bundle).await;
        }
        let situation = Situation {
            stored: self.stored.as_ref(),
            remembered: self.remembered.as_ref(),
            carried_since,
            lifetimes: &self.settings.lifetimes,
        };
        match decide(now, &situation) {
            Step::Wait { .. } if carried_since.is_none() => PAUSE,
            Step::Wait { until } => Duration::try_from(until.duration_since(now))
                .unwrap_or_default()
                .clamp(SHORTEST_WAIT, LONGEST_WAIT),
            step => {
                let written = self.write(step, now).await;
                self.report(step, written);
                // The watch brings what was written, by us or by a faster one; the pause is for when it doesn't.
                PAUSE
            }
        }
    }

    fn tell(&self, now: Timestamp) {
        let valid = self.identity.not_after().is_some_and(|not_after| now < not_after);
        if valid && self.introduced {
            self.ready.set_ready();
        } else {
            self.ready.set_unready();
        }
    }

    async fn write(&self, step: Step, now: Timestamp) -> Result<(), WriteError> {
        let (lifetimes, names) = (&self.settings.lifetimes, &self.names);
        let base = self.stored.clone().or_else(|| self.remembered.clone());
        let material = match base {
            Some(base) => base.after(step, now, lifetimes, names)?,
            None => Some(Material::begin(now, lifetimes, names)?),
        };
        let Some(material) = material else { return Ok(()) };
        let secret = secret::write(&self.settings.secret, self.secret.as_ref(), &material);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let call = async {
            match &self.secret {
                None => self.secrets.create(&params, &secret).await,
                Some(_) => {
                    self.secrets
                        .replace(&self.settings.secret, &params, &secret)
                        .await
                }
            }
        };
        timeout(CALL, call).await.map_err(|_| WriteError::TimedOut)??;
        Ok(())
    }

    fn report(&self, step: Step, written: Result<(), WriteError>) {
        let (step, secret) = (step.name(), &self.settings.secret);
        match written {
            Ok(()) => {
                self.metrics.rotations.with_label_values(&[step]).inc();
                info!(step, secret, "changed the stored certificates");
            }
            Err(error) if error.is_lost_race() => debug!(step, secret, "another replica was faster"),
            Err(error) => {
                self.metrics.failures.inc();
                warn!(step, secret, %error, "failed to change the stored certificates, trying again");
            }
        }
    }

    /// Puts the bundle where it is missing.
    async fn inject(&mut self, bundle: &str) {
        let corrections = self.observed.corrections(bundle, Instant::now(), PAUSE);
        if corrections.is_empty() || !self.is_current(bundle).await {
            return;
        }
        for (configuration, patch) in corrections {
            let call = timeout(CALL, configuration.patch(&self.client, patch)).await;
            match call
                .map_err(|_| WriteError::TimedOut)
                .and_then(|call| call.map_err(WriteError::Call))
            {
                Ok(()) => {
                    self.metrics.injections.inc();
                    info!(configuration = configuration.name(), "set the caBundle");
                }
                Err(error) => {
                    self.metrics.injection_failures.inc();
                    warn!(configuration = configuration.name(), %error, "failed to set the caBundle, trying again");
                }
            }
        }
    }

    /// Whether the Secret still holds this bundle. A replica whose watch lags must not take an authority out again
    /// that another one has published.
    async fn is_current(&self, bundle: &str) -> bool {
        let call = timeout(CALL, self.secrets.get_opt(&self.settings.secret)).await;
        match call
            .map_err(|_| WriteError::TimedOut)
            .and_then(|call| call.map_err(WriteError::Call))
        {
            Ok(secret) => secret
                .and_then(|secret| secret::read(&secret, &self.names).ok())
                .is_some_and(|stored| stored.bundle() == bundle),
            Err(error) => {
                self.metrics.injection_failures.inc();
                warn!(%error, "failed to read the certificate's Secret before setting the caBundle");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_managed_or_a_folder() {
        assert_eq!("managed".parse(), Ok(Source::Managed));
        assert_eq!("/certs".parse(), Ok(Source::Files("/certs".into())));
    }
}
