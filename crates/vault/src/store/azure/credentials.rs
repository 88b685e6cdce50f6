//! As whom a container is used.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, Url};
use azure_identity::{
    ClientAssertionCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::super::{Secret, StoreError};
use super::signature::SharedKey;

/// As whom a container is used.
#[derive(Clone, Debug)]
pub enum AzureCredentials {
    /// By a key of the account, which may do everything.
    SharedKey(Secret),
    /// By a shared access signature: the query of its URL.
    Sas(Secret),
    /// As the ServiceAccount of this process.
    WorkloadIdentity {
        /// The client ID, where the webhook of workload identity doesn't say it.
        client: Option<String>,
    },
    /// As the machine that this process runs on.
    ManagedIdentity {
        /// The client ID, where the machine has several identities.
        client: Option<String>,
    },
}

impl AzureCredentials {
    /// Puts them into what requests are made of; or gives what tokens are asked of.
    pub(super) fn apply(
        self,
        account: &str,
        url: &mut Url,
        options: &mut ClientOptions,
    ) -> Result<Option<Arc<dyn TokenCredential>>, StoreError> {
        let client_options = ClientOptions {
            transport: options.transport.clone(),
            ..ClientOptions::default()
        };
        let token: Arc<dyn TokenCredential> = match self {
            Self::SharedKey(key) => {
                options
                    .per_try_policies
                    .push(Arc::new(SharedKey::new(account, &key)));
                return Ok(None);
            }
            Self::Sas(signature) => {
                url.set_query(Some(signature.expose().trim_start_matches('?')));
                return Ok(None);
            }
            Self::WorkloadIdentity { client } => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    client_id: client,
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    ..WorkloadIdentityCredentialOptions::default()
                }))
                .map_err(|error| super::failure(&error, None))?
            }
            Self::ManagedIdentity { client } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client.map(UserAssignedId::ClientId),
                    client_options,
                }))
                .map_err(|error| super::failure(&error, None))?
            }
        };
        Ok(Some(token))
    }
}
