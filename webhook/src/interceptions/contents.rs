//! What is known of one rule ConfigMap.

use std::sync::Arc;

use clusterbackup_api::ResourceModifierReference;
use clusterbackup_api::rule_config_map::only_entry;
use clusterbackup_core::interception::Unusable;
use clusterbackup_core::modifier::RuleSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};

use crate::identity::{Identity, Role};

/// The ConfigMap that a reference names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConfigMapName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What one look at a ConfigMap found: its compiled rules, or why there are none.
pub(super) type Contents = Result<Arc<RuleSet>, Unusable>;

impl From<&ResourceModifierReference> for ConfigMapName {
    fn from(reference: &ResourceModifierReference) -> Self {
        Self {
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        }
    }
}

impl std::fmt::Display for ConfigMapName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl ConfigMapName {
    /// The API that holds it.
    pub(super) fn api(&self, client: &Client) -> Api<ConfigMap> {
        Api::namespaced(client.clone(), &self.namespace)
    }

    /// The contents as they are now.
    pub(super) async fn read(&self, client: &Client, reader: &Identity) -> Contents {
        match self.api(client).get_opt(&self.name).await {
            Ok(config_map) => self.contents(config_map.as_ref()),
            Err(error) => Err(self.unread(
                &error,
                matches!(&error, kube::Error::Api(status) if status.is_forbidden()),
                reader,
            )),
        }
    }

    /// Compiles what is in the ConfigMap, if it is there.
    pub(super) fn contents(&self, object: Option<&ConfigMap>) -> Contents {
        let name = || self.to_string();
        let object = object.ok_or_else(|| Unusable::Missing { configmap: name() })?;
        let text = rule_text(object).map_err(|reason| Unusable::Unfit {
            configmap: name(),
            reason,
        })?;
        let rules = RuleSet::parse(text).map_err(|problems| Unusable::Invalid {
            configmap: name(),
            problems,
        })?;
        Ok(Arc::new(rules))
    }

    /// What a failed read says.
    pub(super) fn unread(
        &self,
        error: &impl std::fmt::Display,
        forbidden: bool,
        reader: &Identity,
    ) -> Unusable {
        let configmap = self.to_string();
        if forbidden {
            return Unusable::Forbidden {
                configmap,
                remedy: reader.remedy(Role::RULES_READER, &self.namespace),
            };
        }
        Unusable::Unread(format!("reading ConfigMap {configmap}: {error}"))
    }
}

/// The rule text of a ConfigMap.
///
/// # Errors
/// Why it has none, and what to do.
pub fn rule_text(config_map: &ConfigMap) -> Result<&str, String> {
    let data = config_map.data.iter().flatten();
    only_entry(data.map(|(key, text)| (key.as_str(), text.as_str())))
}
