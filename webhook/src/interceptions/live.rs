//! The one direct read for what the watches may not have seen yet: an interception that an object names, or rules
//! that are not there. A replica that has just started never lets an object in for want of a warm cache.

use std::sync::Arc;

use clusterbackup_api::RestoreInterception;
use clusterbackup_core::interception::{Concern, Interception, OptIn, Unusable, concern, order};
use futures::future::join_all;
use kube::api::ListParams;
use kube::{Api, Client};
use thiserror::Error;

use super::assembly::assemble;
use super::contents::{ConfigMapName, Contents};
use crate::deadline::{Deadline, Expired};
use crate::identity::Identity;
use crate::shared_reads::SharedReads;

/// Reads interceptions and their rules past the watches.
pub struct LiveRead {
    client: Client,
    identity: Identity,
    lists: SharedReads<(), List>,
    rules: SharedReads<ConfigMapName, Contents>,
}

/// All interceptions, without their rules.
type List = Result<Arc<Vec<RestoreInterception>>, Arc<kube::Error>>;

/// Why a live read came to nothing.
#[derive(Debug, Error)]
pub enum LiveReadError {
    /// The API server refused or could not be reached.
    #[error("failed to read RestoreInterceptions: {0}")]
    Api(#[from] Arc<kube::Error>),
    /// It did not answer in time.
    #[error("failed to read RestoreInterceptions: {0}")]
    Expired(#[from] Expired),
}

impl LiveRead {
    /// Reads with `client`, as `identity`.
    pub fn new(client: Client, identity: Identity) -> Self {
        Self {
            client,
            identity,
            lists: SharedReads::default(),
            rules: SharedReads::default(),
        }
    }

    /// What answers to `opt_in` at this moment.
    pub async fn concern(
        &self,
        opt_in: OptIn<'_>,
        deadline: Deadline,
    ) -> Result<Concern<Arc<Interception>>, LiveReadError> {
        deadline.await_answer(self.read(opt_in)).await?
    }

    async fn read(&self, opt_in: OptIn<'_>) -> Result<Concern<Arc<Interception>>, LiveReadError> {
        let objects = self.lists.join(&(), list(self.client.clone())).await?;
        let without_rules = |object: &RestoreInterception| {
            assemble(
                object,
                &Err(Unusable::Unread("not read".to_owned())),
                None,
                &self.identity.namespace,
            )
            .interception
        };
        let mut candidates: Vec<_> = objects.iter().map(without_rules).collect();
        order(&mut candidates);
        let concerned = match concern(&candidates, opt_in) {
            Concern::None => return Ok(Concern::None),
            Concern::Unknown => return Ok(Concern::Unknown),
            Concern::Interceptions(concerned) => concerned,
        };
        let with_rules = concerned.into_iter().filter_map(|candidate| {
            let object = objects
                .iter()
                .find(|object| object.metadata.name.as_deref() == Some(&candidate.name))?;
            Some(self.complete(object))
        });
        Ok(Concern::Interceptions(join_all(with_rules).await))
    }

    async fn complete(&self, object: &RestoreInterception) -> Arc<Interception> {
        let config_map = ConfigMapName::from(&object.spec.resource_modifier_reference);
        let (client, identity) = (self.client.clone(), self.identity.clone());
        let named = config_map.clone();
        let read = async move { named.read(&client, &identity).await };
        let contents = self.rules.join(&config_map, read).await;
        assemble(object, &contents, None, &self.identity.namespace).interception
    }
}

async fn list(client: Client) -> List {
    let api = Api::<RestoreInterception>::all(client);
    let list = api.list(&ListParams::default()).await?;
    Ok(Arc::new(list.items))
}
