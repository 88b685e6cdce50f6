//! The `caBundle` of webhook configurations: ours alone, and nothing else in them.
//!
//! A JSON patch guarded by the entry's name, not server-side apply: by applying we would co-own the entries
//! themselves, and the API server would then refuse the apply by which their owner drops one (what is left of the
//! entry, a name and a `caBundle`, is invalid). A patch owns the field alone. It also never creates a configuration,
//! so a component that isn't installed stays away.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use k8s_openapi::{
    ByteString, ClusterResourceScope,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Who owns the `caBundle` fields, and the Secret.
pub(crate) const FIELD_MANAGER: &str = "clusterbackup-certs";

/// A webhook configuration that trusts the webhook by its `caBundle`. It may be absent.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Configuration {
    /// A `MutatingWebhookConfiguration` of that name.
    Mutating(String),
    /// A `ValidatingWebhookConfiguration` of that name.
    Validating(String),
}

impl Configuration {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Mutating(name) | Self::Validating(name) => name,
        }
    }

    /// What the entries of the configuration carry, whenever it changes; `None` while it is absent.
    pub(crate) fn watch(&self, client: &Client) -> BoxStream<'static, watcher::Result<Option<Vec<Entry>>>> {
        match self {
            Self::Mutating(name) => MutatingWebhookConfiguration::watch(client, name),
            Self::Validating(name) => ValidatingWebhookConfiguration::watch(client, name),
        }
    }

    pub(crate) async fn patch(&self, client: &Client, patch: json_patch::Patch) -> kube::Result<()> {
        let patch = Patch::Json(patch);
        match self {
            Self::Mutating(name) => MutatingWebhookConfiguration::patch(client, name, &patch).await,
            Self::Validating(name) => ValidatingWebhookConfiguration::patch(client, name, &patch).await,
        }
    }
}

/// The two kinds of webhook configuration, as far as they are alike.
trait Kind: Resource<DynamicType = (), Scope = ClusterResourceScope> + DeserializeOwned
where
    Self: Clone + Debug + Send + 'static,
{
    fn entries(self) -> Vec<Entry>;

    fn watch(client: &Client, name: &str) -> BoxStream<'static, watcher::Result<Option<Vec<Entry>>>> {
        let changes = watcher::watch_object(Api::<Self>::all(client.clone()), name).default_backoff();
        changes
            .map(|change| change.map(|found| found.map(Self::entries)))
            .boxed()
    }

    async fn patch(client: &Client, name: &str, patch: &Patch<()>) -> kube::Result<()> {
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = Api::<Self>::all(client.clone());
        api.patch_metadata(name, &params, patch).await.map(drop)
    }
}

/// Their entries are of two types with the same fields.
macro_rules! kinds {
    ($($kind:ty),*) => {$(
        impl Kind for $kind {
            fn entries(self) -> Vec<Entry> {
                let webhooks = self.webhooks.into_iter().flatten();
                webhooks
                    .map(|webhook| Entry::new(webhook.name, webhook.client_config))
                    .collect()
            }
        }
    )*};
}
kinds!(MutatingWebhookConfiguration, ValidatingWebhookConfiguration);

/// One webhook of a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    name: String,
    ca_bundle: Vec<u8>,
}

impl Entry {
    fn new(name: String, client: WebhookClientConfig) -> Self {
        Self {
            name,
            ca_bundle: client.ca_bundle.unwrap_or_default().0,
        }
    }
}

/// What is known of the configurations.
#[derive(Debug)]
pub(crate) struct Observed {
    configurations: Vec<Tracked>,
    carried: Option<(String, Timestamp)>,
}

#[derive(Debug)]
struct Tracked {
    configuration: Configuration,
    seen: Seen,
    /// Not to be patched before: somebody may disagree with us about the `caBundle`.
    rests_until: Option<Instant>,
}

#[derive(Debug)]
enum Seen {
    /// The watch hasn't said yet.
    Unknown,
    /// It isn't installed.
    Absent,
    Present(Vec<Entry>),
}

impl Observed {
    pub(crate) fn new(configurations: &[Configuration]) -> Self {
        let tracked = configurations.iter().cloned().map(|configuration| Tracked {
            configuration,
            seen: Seen::Unknown,
            rests_until: None,
        });
        Self {
            configurations: tracked.collect(),
            carried: None,
        }
    }

    /// The changes of all configurations, each with its index for [`Observed::note`].
    pub(crate) fn watch(
        &self,
        client: &Client,
    ) -> BoxStream<'static, (usize, watcher::Result<Option<Vec<Entry>>>)> {
        let streams = self.configurations.iter().enumerate().map(|(index, tracked)| {
            tracked
                .configuration
                .watch(client)
                .map(move |change| (index, change))
                .boxed()
        });
        stream::select_all(streams).boxed()
    }

    pub(crate) fn note(&mut self, index: usize, entries: Option<Vec<Entry>>) {
        if let Some(tracked) = self.configurations.get_mut(index) {
            tracked.seen = entries.map_or(Seen::Absent, Seen::Present);
        }
    }

    pub(crate) fn configuration(&self, index: usize) -> Option<&Configuration> {
        self.configurations
            .get(index)
            .map(|tracked| &tracked.configuration)
    }

    /// Since when every configuration that is there has carried exactly this bundle, as far as is known.
    pub(crate) fn carried_since(&mut self, bundle: &str, now: Timestamp) -> Option<Timestamp> {
        let is_right = |seen: &Seen| match seen {
            Seen::Unknown => false,
            Seen::Absent => true,
            Seen::Present(entries) => entries.iter().all(|entry| entry.ca_bundle == bundle.as_bytes()),
        };
        let all = self.configurations.iter().all(|tracked| is_right(&tracked.seen));
        self.carried = match self.carried.take() {
            _ if !all => None,
            // A clock that was set back starts the count anew.
            Some((carried, since)) if carried == bundle && since <= now => Some((carried, since)),
            _ => Some((bundle.to_owned(), now)),
        };
        self.carried.as_ref().map(|(_, since)| *since)
    }

    /// The configurations that don't carry the bundle, and what would make them. Each then rests for a while.
    pub(crate) fn corrections(
        &mut self,
        bundle: &str,
        now: Instant,
        rest: Duration,
    ) -> Vec<(Configuration, json_patch::Patch)> {
        let awake = self
            .configurations
            .iter_mut()
            .filter(|tracked| tracked.rests_until.is_none_or(|end| end <= now));
        let wrong = awake.filter_map(|tracked| {
            let Seen::Present(entries) = &tracked.seen else {
                return None;
            };
            let patch = correction(entries, bundle)?;
            tracked.rests_until = now.checked_add(rest);
            Some((tracked.configuration.clone(), patch))
        });
        wrong.collect()
    }
}

fn correction(entries: &[Entry], bundle: &str) -> Option<json_patch::Patch> {
    let wanted = ByteString(bundle.as_bytes().to_vec());
    let wrong = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.ca_bundle != wanted.0);
    let operations: Vec<_> = wrong
        .flat_map(|(index, entry)| {
            [
                json!({"op": "test", "path": format!("/webhooks/{index}/name"), "value": entry.name}),
                json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": wanted}),
            ]
        })
        .collect();
    if operations.is_empty() {
        None
    } else {
        serde_json::from_value(operations.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn entry(name: &str, ca_bundle: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            ca_bundle: ca_bundle.as_bytes().to_vec(),
        }
    }

    fn observed() -> Observed {
        Observed::new(&[
            Configuration::Mutating("a".to_owned()),
            Configuration::Validating("b".to_owned()),
        ])
    }

    #[test]
    fn only_entries_that_are_wrong_are_patched_and_only_their_bundle() {
        let entries = [entry("right", "CA"), entry("empty", ""), entry("old", "OLD")];
        let patch = serde_json::to_value(correction(&entries, "CA").unwrap()).unwrap();
        assert_eq!(
            patch,
            json!([
                {"op": "test", "path": "/webhooks/1/name", "value": "empty"},
                {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Q0E="},
                {"op": "test", "path": "/webhooks/2/name", "value": "old"},
                {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "Q0E="},
            ])
        );
    }

    #[test]
    fn what_is_right_already_is_not_written() {
        assert_eq!(correction(&[entry("right", "CA")], "CA"), None);
        assert_eq!(correction(&[], "CA"), None);
    }

    #[test]
    fn a_configuration_that_is_absent_is_tolerated_and_one_that_is_unknown_is_waited_for() {
        let now = Timestamp::UNIX_EPOCH;
        let mut observed = observed();
        observed.note(0, Some(vec![entry("x", "CA")]));
        assert_eq!(observed.carried_since("CA", now), None, "b is unknown");
        let corrections = observed.corrections("NEW", Instant::now(), Duration::ZERO);
        assert!(
            corrections
                .iter()
                .all(|(configuration, _)| configuration.name() == "a"),
            "{corrections:?}"
        );
        observed.note(1, None);
        assert_eq!(observed.carried_since("CA", now), Some(now));
    }

    #[test]
    fn two_who_disagree_about_a_bundle_do_not_fight_without_pause() {
        let (now, rest) = (Instant::now(), Duration::from_secs(2));
        let mut observed = observed();
        observed.note(0, Some(vec![entry("x", "")]));
        observed.note(1, Some(vec![entry("y", "CA")]));
        assert_eq!(observed.corrections("CA", now, rest).len(), 1);
        observed.note(1, Some(vec![entry("y", "")]));
        let others = observed.corrections("CA", now, rest);
        assert_eq!(
            others
                .iter()
                .map(|(configuration, _)| configuration.name())
                .collect::<Vec<_>>(),
            ["b"]
        );
        assert_eq!(observed.corrections("CA", now + rest, rest).len(), 2);
    }

    #[test]
    fn being_carried_counts_from_its_beginning_and_anew_after_every_interruption() {
        let at = |second| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let mut observed = observed();
        observed.note(0, Some(vec![entry("x", "CA")]));
        observed.note(1, None);
        assert_eq!(observed.carried_since("CA", at(1)), Some(at(1)));
        assert_eq!(observed.carried_since("CA", at(5)), Some(at(1)));
        assert_eq!(observed.carried_since("NEW", at(6)), None, "another bundle");
        observed.note(0, Some(vec![entry("x", "NEW")]));
        assert_eq!(observed.carried_since("NEW", at(7)), Some(at(7)));
        observed.note(0, Some(vec![entry("x", "")]));
        assert_eq!(observed.carried_since("NEW", at(8)), None, "somebody removed it");
        observed.note(0, Some(vec![entry("x", "NEW")]));
        assert_eq!(observed.carried_since("NEW", at(9)), Some(at(9)));
        assert_eq!(
            observed.carried_since("NEW", at(3)),
            Some(at(3)),
            "the clock was set back"
        );
    }
}
