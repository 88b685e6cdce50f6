//! The store that a `BackupVault` names, as whom its Secret says.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use clusterbackup_api::backup_vault::{Azure, Place, S3};
use k8s_openapi::ByteString;

use crate::store::{
    AzureCredentials, AzureLocation, AzureStore, BadKey, FileStore, Key, S3Credentials, S3Location, S3Store,
    Secret, Store, StoreError,
};

/// What the Secret of a container holds: one of them.
pub const ACCOUNT_KEY: &str = "accountKey";
/// See [`ACCOUNT_KEY`].
pub const SAS_TOKEN: &str = "sasToken";
/// What the Secret of a bucket holds: both of them, and of keys for a while the [`SESSION_TOKEN`].
pub const ACCESS_KEY_ID: &str = "accessKeyId";
/// See [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "secretAccessKey";
/// See [`ACCESS_KEY_ID`].
pub const SESSION_TOKEN: &str = "sessionToken";

/// Where a pod with workload identity finds its token.
const WORKLOAD_TOKEN: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// Where Azure itself answers: in the public cloud, also by zones, and in those of the USA's government and of China.
const AZURES_OWN: [&str; 4] = [
    ".blob.core.windows.net",
    ".blob.storage.azure.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
];

/// What a Secret holds.
pub type SecretData = BTreeMap<String, ByteString>;

/// A store, and the segments of it below which the vault is.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What keeps the blobs. It tries once.
    pub store: Store,
    /// Where in it; nothing: all of it.
    pub prefix: Option<Key>,
}

/// Why there is no store. No text repeats what a Secret holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The Secret is of no use.
    #[error("the Secret with the credentials has no {0}: add it")]
    NoCredentials(&'static str),
    /// It isn't clear as whom.
    #[error("the Secret with the credentials has {0} and {1}: leave one of them out")]
    TwoCredentials(&'static str, &'static str),
    /// Whoever is shown a token can use it.
    #[error(
        "{0} is no endpoint of Azure's, which alone is shown the identity of this process: name a Secret in azure.credentials"
    )]
    Stranger(String),
    /// Binary data.
    #[error("{0} in the Secret with the credentials is no text: write it as it was given to you")]
    NotText(&'static str),
    /// No prefix of blobs.
    #[error(transparent)]
    Prefix(#[from] BadKey),
    /// It can't be used with what is said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store of a place. Without a Secret it is used as what this process runs as. Nothing is asked of it yet.
pub fn open(place: Place<'_>, secret: Option<&SecretData>) -> Result<Opened, PlaceError> {
    let (store, prefix): (Store, _) = match place {
        Place::FileSystem(folder) => (Arc::new(FileStore::new(&folder.path)), None),
        Place::Azure(container) => (
            Arc::new(AzureStore::new(azure(container, secret)?)?),
            container.prefix.as_ref(),
        ),
        Place::S3(bucket) => (
            Arc::new(S3Store::new(s3(bucket, secret)?)?),
            bucket.prefix.as_ref(),
        ),
    };
    let prefix = prefix.map(Key::new).transpose()?;
    Ok(Opened { store, prefix })
}

fn azure(container: &Azure, secret: Option<&SecretData>) -> Result<AzureLocation, PlaceError> {
    let stranger = container
        .endpoint
        .as_ref()
        .filter(|endpoint| !is_azures_own(endpoint));
    if let (Some(endpoint), None) = (stranger, secret) {
        return Err(PlaceError::Stranger(endpoint.clone()));
    }
    let credentials = match secret {
        None if env::var_os(WORKLOAD_TOKEN).is_some() => AzureCredentials::WorkloadIdentity { client: None },
        None => AzureCredentials::ManagedIdentity { client: None },
        Some(secret) => match (value(secret, ACCOUNT_KEY)?, value(secret, SAS_TOKEN)?) {
            (Some(key), None) => AzureCredentials::SharedKey(key),
            (None, Some(signature)) => AzureCredentials::Sas(signature),
            (Some(_), Some(_)) => return Err(PlaceError::TwoCredentials(ACCOUNT_KEY, SAS_TOKEN)),
            (None, None) => return Err(PlaceError::NoCredentials("accountKey or sasToken")),
        },
    };
    Ok(AzureLocation {
        account: container.account.clone(),
        container: container.container.clone(),
        endpoint: container.endpoint.clone(),
        credentials,
    })
}

fn is_azures_own(endpoint: &str) -> bool {
    let host = endpoint.strip_prefix("https://").unwrap_or_default();
    let host = host.split_once('/').map_or(host, |(host, _)| host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    host.bytes().all(plain) && AZURES_OWN.iter().any(|own| host.ends_with(own))
}

fn s3(bucket: &S3, secret: Option<&SecretData>) -> Result<S3Location, PlaceError> {
    let credentials = match secret {
        None => S3Credentials::Workload,
        Some(secret) => S3Credentials::Key {
            id: text(secret, ACCESS_KEY_ID)?
                .ok_or(PlaceError::NoCredentials(ACCESS_KEY_ID))?
                .trim()
                .to_owned(),
            secret: value(secret, SECRET_ACCESS_KEY)?.ok_or(PlaceError::NoCredentials(SECRET_ACCESS_KEY))?,
            session: value(secret, SESSION_TOKEN)?,
        },
    };
    Ok(S3Location {
        bucket: bucket.bucket.clone(),
        region: bucket.region.clone(),
        endpoint: bucket.endpoint.clone(),
        credentials,
    })
}

fn value(secret: &SecretData, key: &'static str) -> Result<Option<Secret>, PlaceError> {
    Ok(text(secret, key)?.map(Secret::new))
}

/// A text of the Secret; nothing where it is empty.
fn text<'s>(secret: &'s SecretData, key: &'static str) -> Result<Option<&'s str>, PlaceError> {
    let bytes = secret.get(key).filter(|bytes| !bytes.0.trim_ascii().is_empty());
    let text = bytes.map(|bytes| str::from_utf8(&bytes.0)).transpose();
    text.map_err(|_| PlaceError::NotText(key))
}

#[cfg(test)]
mod tests {
    use clusterbackup_api::backup_vault::Location;
    use serde_json::{Value, json};

    use super::*;

    fn location(value: Value) -> Location {
        serde_json::from_value(value).unwrap()
    }

    fn place(location: &Location) -> Place<'_> {
        location.place().unwrap()
    }

    fn opened(location: &Location, secret: Option<&[(&str, &[u8])]>) -> Result<Opened, PlaceError> {
        let secret = secret.map(|data| {
            let data = data.iter();
            data.map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
                .collect::<SecretData>()
        });
        open(place(location), secret.as_ref())
    }

    #[test]
    fn credentials_are_what_the_secret_says() {
        let azure = || location(json!({ "azure": { "account": "shop", "container": "backups" } }));
        let s3 = || location(json!({ "s3": { "bucket": "backups" } }));
        for (location, secret, refused) in [
            (azure(), &[("accountKey", &b"a2V5\n"[..])][..], None),
            (azure(), &[("sasToken", b"?sv=1&sig=canary")], None),
            (
                azure(),
                &[("accountKey", b"canary"), ("sasToken", b"canary")],
                Some(PlaceError::TwoCredentials("accountKey", "sasToken")),
            ),
            (
                azure(),
                &[("accountKey", b"\n"), ("key", b"canary")],
                Some(PlaceError::NoCredentials("accountKey or sasToken")),
            ),
            (
                azure(),
                &[("accountKey", b"canary\xff")],
                Some(PlaceError::NotText("accountKey")),
            ),
            (
                s3(),
                &[("accessKeyId", b"id"), ("secretAccessKey", b"canary")],
                None,
            ),
            (
                s3(),
                &[("accessKeyId", b"canary")],
                Some(PlaceError::NoCredentials("secretAccessKey")),
            ),
            (
                s3(),
                &[("secretAccessKey", b"canary")],
                Some(PlaceError::NoCredentials("accessKeyId")),
            ),
        ] {
            let found = opened(&location, Some(secret)).err();
            assert_eq!(found, refused, "{location:?}");
            let told = format!(
                "{found:?} {}",
                found.as_ref().map(ToString::to_string).unwrap_or_default()
            );
            assert!(!told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn a_prefix_is_made_of_segments() {
        let at = |prefix: &str| location(json!({ "s3": { "bucket": "backups", "prefix": prefix } }));
        let opened_at = opened(&at("a/b"), None).unwrap();
        assert_eq!(opened_at.prefix, Some(Key::new("a/b").unwrap()));
        assert!(matches!(opened(&at("a//b"), None), Err(PlaceError::Prefix(_))));
    }

    #[test]
    fn the_own_token_is_shown_to_azure_alone() {
        for (endpoint, trusted) in [
            ("https://shop.blob.core.windows.net", true),
            ("https://shop.privatelink.blob.core.windows.net/", true),
            ("https://shop.z01.blob.storage.azure.net", true),
            ("https://shop.blob.core.usgovcloudapi.net", true),
            ("http://shop.blob.core.windows.net", false),
            ("https://blob.core.windows.net.example.com", false),
            ("https://example.com/shop.blob.core.windows.net", false),
            ("https://example.com\\.blob.core.windows.net", false),
            ("https://shop.blob.core.windows.net@example.com", false),
            ("https://example.com@shop.blob.core.windows.net", false),
            ("https://example.com:443", false),
        ] {
            assert_eq!(is_azures_own(endpoint), trusted, "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_of_others_takes_a_secret() {
        let endpoint = "https://azurite.example.com";
        let azure =
            location(json!({ "azure": { "account": "shop", "container": "backups", "endpoint": endpoint } }));
        let refused = opened(&azure, None).err();
        assert_eq!(refused, Some(PlaceError::Stranger(endpoint.to_owned())));
        assert!(opened(&azure, Some(&[("accountKey", b"a2V5")])).is_ok());
    }
}
