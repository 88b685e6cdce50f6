//! The hooks that a restore names, as they stand now: read in the name of its requester, and run only where he and those who
//! wrote them may run commands themselves.

use std::collections::BTreeSet;

use clusterbackup_api::access::{Demand, Reach, Right};
use clusterbackup_api::requester::Requester;
use clusterbackup_api::restore::HookReference;
use clusterbackup_api::{HOOK_GROUP, Restore, RestoreHook};
use clusterbackup_core::hook::restore::RestoreHook as Hook;
use clusterbackup_core::object::{GroupResource, ObjectId};
use clusterbackup_kit::rights;
use serde_json::json;

use crate::leader::error::Doing as _;
use crate::leader::point_failure::PointFailure;
use crate::leader::restores::stand_in::{Place, StandIn};
use crate::leader::rights::of_hook;
use crate::leader::world::World;

/// What a restore asks to be run.
#[derive(Default)]
pub(in crate::leader::restores) struct Asked {
    /// The hooks, in their order.
    pub(super) hooks: Vec<Hook>,
    /// The namespaces whose new pods they may run in.
    pub(super) namespaces: BTreeSet<String>,
    /// Those whose pods they would be for as well, and why they don't run there.
    refused: Vec<(String, String)>,
}

impl Asked {
    /// Reads the hooks of a restore into these namespaces.
    pub(in crate::leader::restores) async fn read(
        world: &World,
        restore: &Restore,
        (requester, stand_in): (&Requester, &StandIn),
        namespaces: impl Iterator<Item = &String>,
    ) -> Result<Self, PointFailure> {
        let mut hooks = Vec::new();
        for reference in &restore.spec.restore_hooks {
            let object = read(stand_in, reference).await?;
            let decided = object.hooks().map_err(|problems| {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                said(reference, &format!("makes no sense: {}", problems.join("; ")))
            })?;
            of_hook(&world.client, &object, decided.iter().map(|hook| &hook.pods)).await?;
            hooks.extend(decided);
        }
        let wanted = namespaces.filter(|name| hooks.iter().any(|hook| hook.pods.namespaces.takes(name)));
        let mut asked = Self {
            namespaces: wanted.cloned().collect(),
            hooks,
            refused: Vec::new(),
        };
        asked.refuse(world, requester).await?;
        Ok(asked)
    }

    /// Whether there is nothing to run anywhere.
    pub(in crate::leader::restores) fn is_nothing(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// The namespaces in whose pods nothing runs although it was asked for, each with the reason.
    pub(in crate::leader::restores) fn refused(&self) -> impl Iterator<Item = (ObjectId, &str)> {
        self.refused.iter().map(|(name, reason)| {
            let namespace = ObjectId {
                kind: GroupResource::new("", "namespaces"),
                namespace: None,
                name: name.clone(),
            };
            (namespace, reason.as_str())
        })
    }

    /// Leaves out where the requester may not run commands himself.
    async fn refuse(&mut self, world: &World, requester: &Requester) -> Result<(), PointFailure> {
        if self.namespaces.is_empty() {
            return Ok(());
        }
        let demand = Demand {
            rights: vec![Right::ExecIntoPods].into(),
            reach: Reach::In(self.namespaces.clone()),
        };
        let missing = rights::missing(&world.client, requester, &demand).await;
        let missing = missing.doing("ask for the rights of the requester")?;
        for access in missing {
            let Some(namespace) = &access.namespace else {
                continue;
            };
            let reason = format!(
                "restore hooks don't run in its pods: the requester {} may not {access}",
                requester.username
            );
            self.namespaces.remove(namespace);
            self.refused.push((namespace.clone(), reason));
        }
        Ok(())
    }
}

async fn read(stand_in: &StandIn, reference: &HookReference) -> Result<RestoreHook, PointFailure> {
    let HookReference { name, namespace } = reference;
    let id = ObjectId {
        kind: GroupResource::new(HOOK_GROUP, "restorehooks"),
        namespace: Some(namespace.clone()),
        name: name.clone(),
    };
    let version = format!("{HOOK_GROUP}/v1alpha1");
    let place = Place::of(&id, &json!({ "apiVersion": version, "kind": "RestoreHook" }));
    let found = stand_in.get(&place).await;
    let found = found.doing(format!(
        "read RestoreHook {namespace}/{name} in the name of the requester"
    ))?;
    let found = found.ok_or_else(|| said(reference, "doesn't exist"))?;
    serde_json::from_value(found).map_err(|error| said(reference, &format!("can't be read: {error}")))
}

fn said(HookReference { name, namespace }: &HookReference, what: &str) -> PointFailure {
    PointFailure::Final(format!(
        "RestoreHook {namespace}/{name}, which spec.restoreHooks names, {what}"
    ))
}
