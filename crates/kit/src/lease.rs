//! One leader among candidates: the thin client around what [`clusterbackup_core::lease`] decides. Every write of the
//! Lease is guarded by the version that was seen; whoever loses the race reads and waits.

mod epoch;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clusterbackup_core::lease::{Candidate, Claim, Record, Timing};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::epoch::EpochObject;

/// For one call: several fit into the time in which a leader has to renew.
const CALL: Duration = Duration::from_secs(3);
/// After a call that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// What the work of a term may take to end once it is cancelled; shorter than what is left of the lease by then.
const END: Duration = Duration::from_secs(4);

/// Where the claim stands, and who claims.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of both objects.
    pub namespace: String,
    /// The Lease.
    pub lease: String,
    /// The ConfigMap of the fencing epoch.
    pub epoch: String,
    /// Who claims; see [`identity`].
    pub identity: String,
}

/// A time in which this process leads. Clones share it.
#[derive(Clone, Debug)]
pub struct Term {
    epoch: i64,
    over: CancellationToken,
    work: TaskTracker,
}

/// Where the highest epoch of all terms stands: whoever does what can't be undone looks whether it is still his.
#[derive(Clone)]
pub struct Fence(EpochObject);

impl Fence {
    /// The highest epoch; none if nobody has led yet.
    pub async fn highest(&self) -> Result<Option<i64>, LeaseError> {
        let read = timeout(CALL, self.0.highest()).await;
        read.map_err(|_| LeaseError::Slow)?
    }
}

/// Where this process stands among the candidates.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It has not seen the Lease yet.
    Unknown,
    /// Another one leads, or nobody.
    Follows,
    /// It leads.
    Leads(Term),
}

/// A claim that could not be made good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The API server refused, or could not be asked.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It took too long.
    #[error("the API server did not answer in time")]
    Slow,
    /// Others write the object without pause.
    #[error("ConfigMap {0} is written by others all the time")]
    Contested(String),
    /// Somebody wrote something else there.
    #[error("`{text}` in ConfigMap {name} is no epoch; set data.epoch to a number that was never used there")]
    Epoch {
        /// The ConfigMap.
        name: String,
        /// What stands there.
        text: String,
    },
}

/// Who a process is among candidates: its pod, and that it is this start of it.
pub fn identity(pod: &str) -> String {
    let start = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    format!("{pod}_{start:x}-{:x}", std::process::id())
}

/// Competes for a Lease.
pub struct Election {
    leases: Api<Lease>,
    epochs: EpochObject,
    settings: Settings,
    candidate: Candidate,
    /// What was read or written last; what we don't set in it stays.
    lease: Option<Lease>,
    origin: Instant,
    /// The term, and until when it may be believed in without another write.
    term: Option<(Term, Instant)>,
    standing: watch::Sender<Standing>,
}

impl Term {
    /// The fencing epoch: higher than that of any leader before.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Works until the term is over: then the work is dropped where it stands, and only then may the claim be given
    /// up. None if that came first.
    pub async fn work<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let tracked = self.work.track_future(work);
        self.over.run_until_cancelled(tracked).await
    }
}

impl Election {
    /// A candidate that has not looked yet, and where it says how it stands.
    pub fn new(client: &Client, settings: Settings) -> (Self, watch::Receiver<Standing>) {
        let (standing, receiver) = watch::channel(Standing::Unknown);
        let election = Self {
            leases: Api::namespaced(client.clone(), &settings.namespace),
            epochs: EpochObject::new(client.clone(), &settings.namespace, &settings.epoch),
            candidate: Candidate::new(settings.identity.clone(), Timing::DEFAULT, None, Duration::ZERO),
            settings,
            lease: None,
            origin: Instant::now(),
            term: None,
            standing,
        };
        (election, receiver)
    }

    /// Where its term's epoch can be held against the highest.
    pub fn fence(&self) -> Fence {
        Fence(self.epochs.clone())
    }

    /// Competes until `stopping`; then the work of the term is ended and the claim given up, so that the next
    /// candidate need not wait. `in_use` is the highest epoch that is seen anywhere.
    pub async fn run(mut self, in_use: impl AsyncFn() -> kube::Result<i64>, stopping: CancellationToken) {
        let mut looked = false;
        while !stopping.is_cancelled() {
            let done = if looked {
                self.step(&in_use).await
            } else {
                self.look().await
            };
            if !looked && done.is_ok() {
                looked = true;
                self.standing.send_replace(Standing::Follows);
            }
            let pause = done.unwrap_or_else(|error| {
                warn!(%error, lease = self.settings.lease, "claiming the lease");
                PAUSE
            });
            let until = self.within_term(Instant::now() + pause);
            stopping.run_until_cancelled(sleep_until(until)).await;
        }
        self.give_up().await;
    }

    /// Does what is to be done now, and says when to look again.
    async fn step(&mut self, in_use: &impl AsyncFn() -> kube::Result<i64>) -> Result<Duration, LeaseError> {
        match self.candidate.decide(self.now()) {
            Claim::Hold(pause) => Ok(pause),
            Claim::Wait(pause) => {
                self.look().await?;
                Ok(pause)
            }
            Claim::Renew => self.write().await.map(|_| Duration::ZERO),
            Claim::Acquire => self.acquire(in_use).await.map(|()| Duration::ZERO),
            Claim::Lost => {
                warn!(lease = self.settings.lease, "the lease is lost");
                self.candidate.resign();
                self.end_term().await;
                Ok(Duration::ZERO)
            }
        }
    }

    async fn acquire(&mut self, in_use: &impl AsyncFn() -> kube::Result<i64>) -> Result<(), LeaseError> {
        let sent = Instant::now();
        if !self.write().await? {
            return Ok(());
        }
        let believed = sent + Timing::DEFAULT.renew;
        let raised = timeout_at(believed, async { self.epochs.raise(in_use().await?).await }).await;
        let epoch = match raised.unwrap_or(Err(LeaseError::Slow)) {
            Ok(epoch) => epoch,
            Err(error) => {
                // The lease is ours, and nothing was done under it: the next step acquires it again.
                self.candidate.resign();
                return Err(error);
            }
        };
        info!(lease = self.settings.lease, epoch, "leading");
        let term = Term {
            epoch,
            over: CancellationToken::new(),
            work: TaskTracker::new(),
        };
        self.term = Some((term.clone(), believed));
        self.standing.send_replace(Standing::Leads(term));
        Ok(())
    }

    /// Reads the lease.
    async fn look(&mut self) -> Result<Duration, LeaseError> {
        let lease = bounded(self.leases.get_opt(&self.settings.lease)).await?;
        self.candidate.observe(lease.as_ref().map(record), self.now());
        self.lease = lease;
        Ok(Duration::ZERO)
    }

    /// Writes ourselves into it, on the version that was seen; whether that was still the newest.
    async fn write(&mut self) -> Result<bool, LeaseError> {
        let (wanted, sent) = (self.claimed(), Instant::now());
        let deadline = self.within_term(sent + CALL);
        let params = PostParams::default();
        let writing = async {
            match &self.lease {
                Some(_) => self.leases.replace(&self.settings.lease, &params, &wanted).await,
                None => self.leases.create(&params, &wanted).await,
            }
        };
        match timeout_at(deadline, writing).await {
            Ok(Ok(lease)) => {
                let now = self.now();
                self.candidate
                    .wrote(record(&lease), sent.duration_since(self.origin), now);
                self.lease = Some(lease);
                if let Some((_, believed)) = &mut self.term {
                    *believed = sent + Timing::DEFAULT.renew;
                }
                Ok(true)
            }
            // Somebody was faster; what they wrote decides what is done next.
            Ok(Err(kube::Error::Api(answer))) if answer.code == 409 => self.look().await.map(|_| false),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(LeaseError::Slow),
        }
    }

    /// The lease with us as its holder.
    fn claimed(&self) -> Lease {
        let now = MicroTime(Timestamp::now());
        let mut lease = self.lease.clone().unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.lease.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.settings.identity) {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
            spec.holder_identity = Some(self.settings.identity.clone());
        }
        spec.lease_duration_seconds = i32::try_from(Timing::DEFAULT.lease.as_secs()).ok();
        spec.renew_time = Some(now);
        lease
    }

    /// Ends the work of the term.
    async fn end_term(&mut self) {
        let Some((term, _)) = self.term.take() else {
            return;
        };
        term.over.cancel();
        self.standing.send_replace(Standing::Follows);
        term.work.close();
        if timeout(END, term.work.wait()).await.is_err() {
            warn!(tasks = term.work.len(), "work of the leader does not end");
        }
    }

    /// Ends the term and empties the lease, if it is still ours.
    async fn give_up(mut self) {
        let leads = self.candidate.leads(self.now());
        self.end_term().await;
        let Some(mut lease) = self.lease.take().filter(|_| leads) else {
            return;
        };
        lease.spec = Some(LeaseSpec {
            holder_identity: None,
            renew_time: Some(MicroTime(Timestamp::now())),
            // What a candidate of client-go's kind waits for.
            lease_duration_seconds: Some(1),
            ..lease.spec.unwrap_or_default()
        });
        let name = &self.settings.lease;
        match bounded(self.leases.replace(name, &PostParams::default(), &lease)).await {
            Ok(_) => info!(lease = name, "lease released"),
            Err(error) => warn!(%error, lease = name, "releasing the lease"),
        }
    }

    /// A moment, or the end of the belief in the term if that is earlier.
    fn within_term(&self, moment: Instant) -> Instant {
        self.term
            .as_ref()
            .map_or(moment, |(_, believed)| moment.min(*believed))
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, LeaseError> {
    let answer = timeout(CALL, call).await.map_err(|_| LeaseError::Slow)?;
    Ok(answer?)
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        duration: Duration::from_secs(seconds.try_into().unwrap_or_default()),
    }
}
