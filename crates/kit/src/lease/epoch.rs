//! The fencing epoch: a number that each new leader raises before it does anything, in an object that is never
//! deleted. Whoever is told something under a lower one than it has seen knows that an old leader speaks.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::LeaseError;

/// The key in the ConfigMap.
const KEY: &str = "epoch";
/// Two who raise it at once are already one too many.
const ATTEMPTS: u32 = 5;

/// The object that holds the epoch.
#[derive(Clone)]
pub(super) struct EpochObject {
    config_maps: Api<ConfigMap>,
    name: String,
}

impl EpochObject {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            config_maps: Api::namespaced(client, namespace),
            name: name.to_owned(),
        }
    }

    /// Raises the epoch by compare-and-swap, beyond the highest one `in_use` too: should somebody have deleted the
    /// object all the same.
    pub(super) async fn raise(&self, in_use: i64) -> Result<i64, LeaseError> {
        for _ in 0..ATTEMPTS {
            let current = self.config_maps.get_opt(&self.name).await?;
            let stored = current
                .as_ref()
                .map(|config_map| self.read(config_map))
                .transpose()?;
            let epoch = clusterbackup_core::lease::raise(stored, [in_use]);
            match self.write(current, epoch).await {
                Ok(_) => return Ok(epoch),
                Err(kube::Error::Api(answer)) if answer.code == 409 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(LeaseError::Contested(self.name.clone()))
    }

    /// The epoch that stands there; none if nobody has led yet.
    pub(super) async fn highest(&self) -> Result<Option<i64>, LeaseError> {
        let current = self.config_maps.get_opt(&self.name).await?;
        current.map(|config_map| self.read(&config_map)).transpose()
    }

    fn read(&self, config_map: &ConfigMap) -> Result<i64, LeaseError> {
        let text = config_map.data.as_ref().and_then(|data| data.get(KEY));
        text.and_then(|text| text.parse().ok())
            .filter(|epoch| (0..i64::MAX).contains(epoch))
            .ok_or_else(|| LeaseError::Epoch {
                name: self.name.clone(),
                text: text.cloned().unwrap_or_default(),
            })
    }

    /// The resource version of what was read goes with it: of two writers one is refused.
    async fn write(&self, current: Option<ConfigMap>, epoch: i64) -> kube::Result<ConfigMap> {
        let data = BTreeMap::from([(KEY.to_owned(), epoch.to_string())]);
        let params = PostParams::default();
        if let Some(mut config_map) = current {
            config_map.data.get_or_insert_default().extend(data);
            return self.config_maps.replace(&self.name, &params, &config_map).await;
        }
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            ..ObjectMeta::default()
        };
        let config_map = ConfigMap {
            metadata,
            data: Some(data),
            ..ConfigMap::default()
        };
        self.config_maps.create(&params, &config_map).await
    }
}
