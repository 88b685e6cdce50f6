//! Which kinds the cluster serves, by two requests: the API server gathers what the servers behind it say.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::object::GroupResource;
use kube::Client;
use kube::core::discovery::v2::{APIGroupDiscovery, APIResourceDiscovery};

use crate::leader::error::{Doing as _, DriveError};

/// What an object needs to be taken away and brought back.
const WHOLE: [&str; 4] = ["get", "list", "create", "delete"];
/// A server behind the API server doesn't answer: what is told of it is old, or nothing.
const STALE: &str = "Stale";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each kind once, in the version that its server prefers of those that have it.
    pub(super) kinds: Vec<Kind>,
    /// Groups whose server doesn't answer, so that their kinds are not known.
    pub(super) unread: BTreeMap<String, String>,
}

/// Asks.
pub(super) async fn run(client: &Client) -> Result<Found, DriveError> {
    let core = client.list_core_api_versions_aggregated().await;
    let groups = client.list_api_groups_aggregated().await;
    let core = core.doing("ask which kinds there are")?.items;
    let groups = groups.doing("ask which kinds there are")?.items;
    let mut found = Found::default();
    for group in core.iter().chain(&groups) {
        found.take(group);
    }
    Ok(found)
}

impl Found {
    fn take(&mut self, group: &APIGroupDiscovery) {
        let name = group
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.name.as_deref())
            .unwrap_or_default();
        let mut seen = BTreeSet::new();
        for version in &group.versions {
            let stale = version.freshness.as_deref() == Some(STALE);
            if stale && version.resources.is_empty() {
                self.unread
                    .insert(name.to_owned(), "its API server doesn't answer".to_owned());
            }
            for resource in &version.resources {
                let version = version.version.as_deref().unwrap_or_default();
                if let Some(kind) = kind(name, version, resource)
                    && seen.insert(kind.group_resource.clone())
                {
                    self.kinds.push(kind);
                }
            }
        }
    }
}

fn kind(group: &str, version: &str, resource: &APIResourceDiscovery) -> Option<Kind> {
    let has = |verb: &&str| resource.verbs.iter().any(|served| served == verb);
    Some(Kind {
        group_resource: GroupResource::new(group, resource.resource.as_deref()?),
        version: version.to_owned(),
        kind: resource.response_kind.as_ref()?.kind.clone()?,
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        is_whole: WHOLE.iter().all(has),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_read_in_the_version_that_is_preferred_of_those_that_have_it() {
        let resource = |name: &str, verbs: &[&str]| {
            json!({
                "resource": name, "scope": "Namespaced", "verbs": verbs,
                "responseKind": { "group": "example.com", "version": "v1", "kind": "Any" },
            })
        };
        let group = json!({
            "metadata": { "name": "example.com" },
            "versions": [
                { "version": "v1", "resources": [resource("widgets", &WHOLE), resource("scales", &["get"])] },
                { "version": "v1beta1", "resources": [resource("widgets", &WHOLE), resource("old", &WHOLE)] },
            ],
        });
        let mut found = Found::default();
        found.take(&serde_json::from_value(group).unwrap());
        let kinds = found.kinds.iter().map(|kind| {
            let name = kind.group_resource.as_str();
            (name, kind.version.as_str(), kind.is_whole)
        });
        let expected = [
            ("widgets.example.com", "v1", true),
            ("scales.example.com", "v1", false),
            ("old.example.com", "v1beta1", true),
        ];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        assert!(found.unread.is_empty());
    }

    #[test]
    fn a_group_whose_kinds_nobody_tells_is_not_passed_over() {
        let group = json!({
            "metadata": { "name": "away.example.com" },
            "versions": [{ "version": "v1", "freshness": "Stale", "resources": [] }],
        });
        let mut found = Found::default();
        found.take(&serde_json::from_value(group).unwrap());
        assert!(found.unread.contains_key("away.example.com"));
    }
}
