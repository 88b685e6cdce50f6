//! What the requester may read: nobody gets objects through us that he may not read himself.

use std::collections::BTreeSet;

use clusterbackup_api::access::{Access, Demand, Reach, Read, Right};
use clusterbackup_api::requester::Requester;
use clusterbackup_core::object::GroupResource;
use clusterbackup_kit::rights;
use kube::Client;

use super::error::{Doing as _, DriveError};

/// What he may not.
pub(super) struct Reachable {
    user: String,
    read: Read,
    lacking: BTreeSet<Access>,
}

/// What may have to be read.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Kinds with objects in namespaces. The Namespaces count as such: who may look into one may read it as well.
    pub(super) inside: BTreeSet<GroupResource>,
    /// Other kinds.
    pub(super) outside: BTreeSet<GroupResource>,
    /// The namespaces.
    pub(super) namespaces: BTreeSet<String>,
    /// Those where claims are whose data is read.
    pub(super) data: BTreeSet<String>,
}

impl Reachable {
    /// Asks about all of it.
    pub(super) async fn ask(
        client: &Client,
        requester: &Requester,
        read: Read,
        wanted: Wanted,
    ) -> Result<Self, DriveError> {
        let missing = async |demand: Demand| {
            let missing = rights::missing(client, requester, &demand).await;
            missing.doing("ask for the rights of the requester")
        };
        let mut lacking = BTreeSet::new();
        if !missing(Demand::of_everything(read)).await?.is_empty() {
            let inside = Demand::of_kinds(read, wanted.inside, Reach::In(wanted.namespaces));
            let outside = Demand::of_kinds(read, wanted.outside, Reach::Everywhere);
            lacking.extend(missing(inside).await?);
            lacking.extend(missing(outside).await?);
        }
        lacking.extend(missing(Demand::of_data(wanted.data)).await?);
        Ok(Self::lacking(requester, read, lacking))
    }

    /// He may read everything.
    pub(super) fn everything(requester: &Requester, read: Read) -> Self {
        Self::lacking(requester, read, BTreeSet::new())
    }

    fn lacking(requester: &Requester, read: Read, lacking: BTreeSet<Access>) -> Self {
        let user = requester.username.clone();
        Self { user, read, lacking }
    }

    /// Whether he may read the kind there; in no namespace in particular: wherever it is read.
    pub(super) fn allows(&self, kind: &GroupResource, namespace: Option<&str>) -> bool {
        let right = Right::Read(self.read, kind.clone());
        match namespace {
            Some(namespace) => {
                let namespace = Some(namespace.to_owned());
                !self.lacking.contains(&Access { right, namespace })
            }
            None => !self.lacking.iter().any(|lacked| lacked.right == right),
        }
    }

    /// Whether he may read what volumes hold there.
    pub(super) fn allows_data(&self, namespace: &str) -> bool {
        let namespace = Some(namespace.to_owned());
        let right = Right::CreatePods;
        !self.lacking.contains(&Access { right, namespace })
    }

    /// What is said of a kind that he may not read.
    pub(super) fn refusal(&self, namespace: Option<&str>) -> String {
        let place = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        format!(
            "the requester {} may not {} it{place}",
            self.user,
            self.read.verb()
        )
    }
}
