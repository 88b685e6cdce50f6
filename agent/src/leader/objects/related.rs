//! Objects that go in for the sake of others: what these need, and the Namespaces that they are in.

use std::collections::BTreeMap;

use clusterbackup_core::inclusion::{ClusterScope, Kind, is_bound_to};
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::selection::Namespace;
use kube::Client;
use serde_json::Value;

use super::Reading;
use super::listing::{ListError, Listing, Span};
use super::page::Object;
use crate::leader::point_failure::PointFailure;

/// The namespaces, as they stand now. One that is being deleted is not there any more.
pub(super) async fn namespaces(client: &Client) -> Result<Vec<Namespace>, PointFailure> {
    let mut known = Vec::new();
    let mut listing = Listing::new(&namespace_kind(), &Span::All, None);
    let failed = |error: ListError| PointFailure::Passing(format!("failed to list Namespaces: {error}"));
    while let Some(page) = listing.next(client).await.map_err(failed)? {
        let objects = page.objects().map_err(ListError::from).map_err(failed)?;
        let alive = objects.iter().filter(|object| !object.facts().deleting);
        known.extend(alive.map(|object| Namespace {
            name: object.name().to_owned(),
            labels: object.facts().labels.clone(),
        }));
    }
    Ok(known)
}

/// Stores what objects in the point need, and what that needs.
pub(super) async fn store(reading: &Reading<'_>, kinds: &[Kind]) -> Result<(), PointFailure> {
    let related = Related {
        reading,
        kinds: kinds.iter().map(|kind| (&kind.group_resource, kind)).collect(),
    };
    if reading.task.inclusion.cluster_scope == ClusterScope::Belonging {
        related.store_bindings().await?;
    }
    loop {
        let needed = reading.sink.needed().await;
        if needed.is_empty() {
            return Ok(());
        }
        for one in needed {
            let span = Span::One(one.namespace, one.name);
            related.read(&one.kind, &span, |_| true).await?;
        }
    }
}

struct Related<'a> {
    reading: &'a Reading<'a>,
    kinds: BTreeMap<&'a GroupResource, &'a Kind>,
}

impl Related<'_> {
    /// Stores the bindings that give roles to service accounts in the point.
    async fn store_bindings(&self) -> Result<(), PointFailure> {
        let accounts = self.reading.sink.accounts().await;
        if accounts.is_empty() {
            return Ok(());
        }
        let bound = |object: &Object<'_>| {
            serde_json::from_str::<Value>(object.raw()).is_ok_and(|binding| is_bound_to(&binding, &accounts))
        };
        self.read(&Kind::cluster_role_bindings(), &Span::All, bound).await
    }

    /// Stores the objects that `wanted` wants, if the instance does.
    async fn read(
        &self,
        name: &GroupResource,
        span: &Span,
        wanted: impl Fn(&Object<'_>) -> bool,
    ) -> Result<(), PointFailure> {
        let inclusion = self.reading.task.inclusion;
        let Some(kind) = self.kinds.get(name).filter(|_| inclusion.seeks(name)) else {
            return Ok(());
        };
        let takes = |object: &Object<'_>| wanted(object) && inclusion.takes_belonging(object.facts());
        let listing = Listing::new(kind, span, None);
        self.reading.pour(kind, span, listing, takes).await
    }
}

/// Stores the Namespaces themselves.
pub(super) async fn store_namespaces(reading: &Reading<'_>) -> Result<(), PointFailure> {
    let kind = namespace_kind();
    let filled = reading.sink.filled().await;
    let takes = |object: &Object<'_>| {
        let facts = object.facts();
        let holds = filled.contains(object.name());
        !facts.deleting && reading.task.inclusion.takes_namespace(facts.labels, holds)
    };
    for &name in &reading.namespaces {
        // Asked for like an object in it, which is how rights on one are given.
        let span = Span::Namespace(name.to_owned());
        let one = Listing::new(&kind, &Span::One(None, name.to_owned()), None);
        reading.pour(&kind, &span, one, takes).await?;
    }
    Ok(())
}

fn namespace_kind() -> Kind {
    Kind {
        group_resource: Kind::namespaces(),
        version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespaced: false,
        is_whole: true,
    }
}
