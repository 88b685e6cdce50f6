//! What the requester may read: nobody gets objects through us that he may not list himself.

use std::collections::BTreeSet;

use clusterbackup_api::access::{Access, Demand, Reach, Right};
use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::object::GroupResource;
use clusterbackup_kit::rights;

use super::Task;
use crate::leader::error::{Doing as _, DriveError};

/// What he may not.
pub(super) struct Reachable {
    user: String,
    lacking: BTreeSet<Access>,
}

impl Reachable {
    /// Asks about all of these kinds: in these namespaces, and outside of them.
    pub(super) async fn ask(
        task: &Task<'_>,
        kinds: &[Kind],
        namespaces: &BTreeSet<&str>,
    ) -> Result<Self, DriveError> {
        let user = task.requester.username.clone();
        if missing(task, &Demand::of_everything()).await?.is_empty() {
            let lacking = BTreeSet::new();
            return Ok(Self { user, lacking });
        }
        // Who may look into a namespace may read the Namespace as well: it counts as one of its objects.
        let is_inside = |kind: &&Kind| kind.namespaced || kind.group_resource == Kind::namespaces();
        let whole = kinds.iter().filter(|kind| kind.is_whole);
        let (inside, outside): (Vec<_>, Vec<_>) = whole.partition(is_inside);
        let named = namespaces.iter().map(|&namespace| namespace.to_owned()).collect();
        let inside = missing(task, &Demand::of_kinds(names(&inside), Reach::In(named))).await?;
        let outside = missing(task, &Demand::of_kinds(names(&outside), Reach::Everywhere)).await?;
        Ok(Self {
            user,
            lacking: inside.into_iter().chain(outside).collect(),
        })
    }

    /// Whether he may list the kind there; in no namespace in particular: wherever it is read.
    pub(super) fn allows(&self, kind: &GroupResource, namespace: Option<&str>) -> bool {
        let right = Right::List(kind.clone());
        match namespace {
            Some(namespace) => {
                let namespace = Some(namespace.to_owned());
                !self.lacking.contains(&Access { right, namespace })
            }
            None => !self.lacking.iter().any(|lacked| lacked.right == right),
        }
    }

    /// What is said of a kind that he may not list.
    pub(super) fn refusal(&self, namespace: Option<&str>) -> String {
        let place = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        format!("the requester {} may not list it{place}", self.user)
    }
}

async fn missing(task: &Task<'_>, demand: &Demand) -> Result<Vec<Access>, DriveError> {
    let missing = rights::missing(task.client, task.requester, demand).await;
    missing.doing("ask for the rights of the requester")
}

fn names(kinds: &[&Kind]) -> impl Iterator<Item = GroupResource> {
    kinds.iter().map(|kind| kind.group_resource.clone())
}
