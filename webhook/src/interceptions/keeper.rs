//! The loop that turns what the watches see into the next generation of interceptions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clusterbackup_api::{ReplicaReport, RestoreInterception, RestoreInterceptionStatus};
use clusterbackup_core::interception::{self, Unusable};
use clusterbackup_core::modifier::RuleSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::Interceptions;
use super::assembly::{Assembled, Load, assemble, status};
use super::contents::{ConfigMapName, Contents};
use super::status::{StatusWriter, Wanted};
use super::watch::{self, Seen};
use crate::identity::Identity;
use crate::metrics::Metrics;

/// What the watches may be ahead of the loop.
const QUEUE: usize = 64;

/// Keeps [`Interceptions`] up to date.
pub struct Keeper {
    client: Client,
    identity: Identity,
    shared: Arc<Interceptions>,
    metrics: Arc<Metrics>,
    status: StatusWriter,
    seen: mpsc::Sender<Seen>,
    news: mpsc::Receiver<Seen>,
    /// `None` until they were listed once.
    objects: Option<BTreeMap<String, RestoreInterception>>,
    config_maps: BTreeMap<ConfigMapName, Watched>,
    /// The rules in force, by interception, and where they came from.
    in_force: BTreeMap<String, (ConfigMapName, Arc<RuleSet>)>,
    /// What came of loading the rules, by interception.
    loads: BTreeMap<String, Load>,
}

/// A ConfigMap under watch, for as long as an interception names it.
#[derive(Debug)]
struct Watched {
    /// `None` until the first look.
    contents: Option<Contents>,
    _watch: AbortOnDropHandle<()>,
}

impl Keeper {
    /// Keeps `shared`, reading as `identity`.
    pub fn new(
        client: Client,
        identity: Identity,
        shared: Arc<Interceptions>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (seen, news) = mpsc::channel(QUEUE);
        Self {
            status: StatusWriter::start(client.clone(), &identity.pod),
            client,
            identity,
            shared,
            metrics,
            seen,
            news,
            objects: None,
            config_maps: BTreeMap::new(),
            in_force: BTreeMap::new(),
            loads: BTreeMap::new(),
        }
    }

    /// Runs until `stopped`; calls `synced` when everything has been seen once.
    pub async fn run(mut self, synced: impl FnOnce(), stopped: CancellationToken) {
        let watch = tokio::spawn(watch::interceptions(self.client.clone(), self.seen.clone()));
        let _watch = AbortOnDropHandle::new(watch);
        let mut synced = Some(synced);
        while let Some(Some(first)) = stopped.run_until_cancelled(self.news.recv()).await {
            self.absorb(first);
            while let Ok(more) = self.news.try_recv() {
                self.absorb(more);
            }
            self.follow_references();
            self.publish();
            if self.is_complete()
                && let Some(synced) = synced.take()
            {
                synced();
            }
        }
    }

    fn absorb(&mut self, seen: Seen) {
        match seen {
            Seen::Interceptions(objects) => self.objects = Some(objects),
            Seen::Interception(object) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                self.objects.get_or_insert_default().insert(name, *object);
            }
            Seen::Gone(name) => {
                self.objects.get_or_insert_default().remove(&name);
            }
            Seen::Contents(name, contents) => {
                if let Some(watched) = self.config_maps.get_mut(&name) {
                    watched.contents = Some(contents);
                }
            }
        }
    }

    /// Watches just the ConfigMaps that interceptions name.
    fn follow_references(&mut self) {
        let named: BTreeSet<_> = self
            .objects
            .iter()
            .flatten()
            .map(|(_, object)| config_map_of(object))
            .collect();
        self.config_maps.retain(|name, _| named.contains(name));
        for name in named {
            self.config_maps.entry(name).or_insert_with_key(|name| {
                let (client, identity, seen) =
                    (self.client.clone(), self.identity.clone(), self.seen.clone());
                let watch = tokio::spawn(watch::config_map(client, name.clone(), identity, seen));
                Watched {
                    contents: None,
                    _watch: AbortOnDropHandle::new(watch),
                }
            });
        }
    }

    fn publish(&mut self) {
        let now = Time(Timestamp::now());
        let (mut statuses, mut reports) = (BTreeMap::new(), BTreeMap::new());
        let (mut interceptions, mut states) = (Vec::new(), Vec::new());
        let (mut in_force, mut loads) = (BTreeMap::new(), BTreeMap::new());
        for (name, object) in self.objects.iter().flatten() {
            let assembled = self.assemble(name, object);
            states.push(assembled.state());
            let Assembled { interception, report } = assembled;
            if let Some(load) = report.load() {
                loads.insert(name.clone(), load);
            }
            if let Some(status) = status(object, &report, now.clone())
                && is_news(&status, object)
            {
                statuses.insert(name.clone(), status);
            }
            if let Ok(rules) = &interception.rules {
                in_force.insert(name.clone(), (config_map_of(object), rules.clone()));
                reports.extend(self.report(object, rules).map(|report| (name.clone(), report)));
            }
            interceptions.push(interception);
        }
        self.in_force = in_force;
        self.count(loads);
        interception::order(&mut interceptions);
        self.metrics.interceptions(&interceptions, &states);
        info!(interceptions = interceptions.len(), "interceptions assembled");
        self.shared.publish(interceptions);
        self.status.want(Wanted { statuses, reports });
    }

    /// What this replica has to say for itself, where somebody waits for it and it hasn't said so.
    fn report(&self, object: &RestoreInterception, rules: &RuleSet) -> Option<ReplicaReport> {
        object.spec.matches.requester.as_ref()?;
        let report = ReplicaReport {
            name: self.identity.pod.clone(),
            rules_hash: rules.hash().to_string(),
        };
        let mut said = object.status.iter().flat_map(|status| &status.replicas);
        (!said.any(|said| *said == report)).then_some(report)
    }

    /// Counts the loads that are not those of the last time.
    fn count(&mut self, loads: BTreeMap<String, Load>) {
        for (name, load) in &loads {
            if self.loads.get(name) != Some(load) {
                self.metrics.load(load.reason());
            }
        }
        self.loads = loads;
    }

    fn assemble(&self, name: &str, object: &RestoreInterception) -> Assembled {
        let config_map = config_map_of(object);
        let unread = || {
            Err(Unusable::Unread(format!(
                "ConfigMap {config_map} was not looked at yet"
            )))
        };
        let contents = self
            .config_maps
            .get(&config_map)
            .and_then(|watched| watched.contents.clone())
            .unwrap_or_else(unread);
        let previous = self
            .in_force
            .get(name)
            .filter(|(from, _)| *from == config_map)
            .map(|(_, rules)| rules);
        assemble(object, &contents, previous, &self.identity.namespace)
    }

    fn is_complete(&self) -> bool {
        self.objects.is_some()
            && self
                .config_maps
                .values()
                .all(|watched| watched.contents.is_some())
    }
}

/// Whether a status says anything new; what replicas say is theirs.
fn is_news(status: &RestoreInterceptionStatus, object: &RestoreInterception) -> bool {
    object.status.as_ref().is_none_or(|known| {
        let replicas = known.replicas.clone();
        *known
            != RestoreInterceptionStatus {
                replicas,
                ..status.clone()
            }
    })
}

fn config_map_of(object: &RestoreInterception) -> ConfigMapName {
    ConfigMapName::from(&object.spec.resource_modifier_reference)
}
