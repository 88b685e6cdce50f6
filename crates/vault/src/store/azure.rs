//! A store in a container of Azure's blobs.
//!
//! - `credentials`: as whom
//! - `transport`: what requests are sent with
//! - `signature`: signs requests with the key of an account, which the official client doesn't

mod credentials;
mod signature;
mod transport;

use std::fmt;
use std::num::NonZero;
use std::ops::Range;

use azure_core::Uuid;
use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use azure_core::http::{ClientOptions, RequestContent, RetryOptions, Url};
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders as _, BlobClientUploadOptions,
    BlobContainerClientListBlobsOptions, BlockLookupList, HttpRange,
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

pub use self::credentials::AzureCredentials;
use super::refusal::{self, Refusal};
use super::{Blob, BlobStore, Bytestream, Key, PART, Put, StoreError, Upload};

/// Requests for one blob at the same time; the client's own default would take 32 MiB and more for each.
const AT_ONCE: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(1);

/// What one of these requests is for when a blob is read.
const PIECE: NonZero<usize> = NonZero::<usize>::MIN.saturating_add((4 << 20) - 1);

/// A container, and how to get at it.
#[derive(Clone, Debug)]
pub struct AzureLocation {
    /// The storage account.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// The URL of the account's blobs; absent for Azure's own.
    pub endpoint: Option<String>,
    /// As whom.
    pub credentials: AzureCredentials,
}

/// Blobs in a container.
pub struct AzureStore {
    client: BlobContainerClient,
    name: String,
}

impl AzureStore {
    /// The blobs of this container. Asks it nothing yet.
    pub fn new(location: AzureLocation) -> Result<Self, StoreError> {
        let AzureLocation {
            account,
            container,
            endpoint,
            credentials,
        } = location;
        let endpoint = endpoint.unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
        let url = format!("{}/{container}", endpoint.trim_end_matches('/'));
        let mut url = Url::parse(&url).map_err(|error| StoreError::Other {
            message: format!("that {url:?} is no URL: {error}"),
        })?;
        let mut options = ClientOptions {
            // How often and how long is tried is decided in one place, for all stores.
            retry: RetryOptions::none(),
            transport: Some(transport::new()?),
            ..ClientOptions::default()
        };
        let token = credentials.apply(&account, &mut url, &mut options)?;
        let options = BlobContainerClientOptions {
            client_options: options,
            ..BlobContainerClientOptions::default()
        };
        let client =
            BlobContainerClient::new(url, token, Some(options)).map_err(|error| failure(&error, None))?;
        Ok(Self {
            client,
            name: format!("{account}/{container}"),
        })
    }

    /// Azurite says of an empty blob that it sends the bytes 0 to -1 of it, which the client doesn't understand.
    async fn is_empty(&self, key: &Key) -> bool {
        let found = self.client.blob_client(key.as_str()).get_properties(None).await;
        found.is_ok_and(|found| found.content_length().is_ok_and(|length| length == Some(0)))
    }
}

impl BlobStore for AzureStore {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let client = self.client.blob_client(key.as_str());
            let put = client.upload(content(&body), Some(uploading())).await;
            put.map(drop).map_err(|error| failure(&error, Some(key)))
        }
        .boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        async move {
            let client = self.client.blob_client(key.as_str());
            match client
                .upload(content(&body), Some(uploading().if_not_exists()))
                .await
            {
                Ok(_) => Ok(Put::Stored),
                Err(error) if refused(&error).is_some_and(|refusal| refusal.says_exists()) => Ok(Put::Exists),
                Err(error) => Err(failure(&error, Some(key))),
            }
        }
        .boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        let upload = AzureUpload {
            client: self.client.blob_client(key.as_str()).block_blob_client(),
            key: key.clone(),
            id: Uuid::new_v4(),
        };
        futures::future::ready(Ok(Box::new(upload) as _)).boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        async move {
            let client = self.client.blob_client(key.as_str());
            let found = client.download(Some(downloading(None))).await;
            let found = found.map_err(|error| failure(&error, Some(key)))?;
            let key = key.clone();
            Ok(found
                .body
                .map_err(move |error| failure(&error, Some(&key)))
                .boxed())
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move {
            let (asked, length) = super::askable(&range);
            let client = self.client.blob_client(key.as_str());
            let asked = HttpRange::new(asked.start, asked.end - asked.start);
            let found = async {
                client
                    .download(Some(downloading(Some(asked))))
                    .await?
                    .body
                    .collect()
                    .await
            };
            match found.await {
                Ok(mut bytes) => {
                    bytes.truncate(length);
                    Ok(bytes)
                }
                Err(error) if refused(&error).is_some_and(|refusal| refusal.says_beyond_the_end()) => {
                    Ok(Bytes::new())
                }
                Err(error) if *error.kind() == ErrorKind::DataConversion && self.is_empty(key).await => {
                    Ok(Bytes::new())
                }
                Err(error) => Err(failure(&error, Some(key))),
            }
        }
        .boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: below.map(|folder| format!("{folder}/")),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let pages = match self.client.list_blobs(Some(options)) {
            Ok(pages) => pages,
            Err(error) => return stream::iter([Err(failure(&error, None))]).boxed(),
        };
        pages
            .map_err(|error| failure(&error, None))
            .try_filter_map(async |found| {
                let key = found.name.and_then(|name| Key::new(name).ok());
                let size = found.properties.and_then(|properties| properties.content_length);
                Ok(key.zip(size).map(|(key, size)| Blob { key, size }))
            })
            .boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let deleted = self.client.blob_client(key.as_str()).delete(None).await;
            match deleted.map_err(|error| failure(&error, Some(key))) {
                Err(StoreError::NotFound { .. }) => Ok(()),
                other => other.map(drop),
            }
        }
        .boxed()
    }
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the Azure container {}", self.name)
    }
}

/// Blocks that no blob has yet. What is given up, Azure forgets by itself.
struct AzureUpload {
    client: azure_storage_blob::BlockBlobClient,
    key: Key,
    id: Uuid,
}

impl AzureUpload {
    /// Names a block: not as any other upload does, but as long.
    fn block(&self, number: u32) -> Vec<u8> {
        let mut name = self.id.into_bytes();
        name[12..].copy_from_slice(&number.to_be_bytes());
        name.into()
    }
}

impl Upload for AzureUpload {
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let length = body.len() as u64;
            let block = self.block(number);
            let sent = self.client.stage_block(&block, length, content(&body), None);
            sent.await
                .map(drop)
                .map_err(|error| failure(&error, Some(&self.key)))
        }
        .boxed()
    }

    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let blocks = BlockLookupList {
                latest: Some((0..count).map(|number| self.block(number)).collect()),
                ..BlockLookupList::default()
            };
            let completed = async { self.client.commit_block_list(blocks.try_into()?, None).await };
            completed
                .await
                .map(drop)
                .map_err(|error| failure(&error, Some(&self.key)))
        }
        .boxed()
    }

    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        futures::future::ready(Ok(())).boxed()
    }
}

impl fmt::Debug for AzureUpload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an upload of {}", self.key)
    }
}

fn content<F>(body: &Bytes) -> RequestContent<Bytes, F> {
    RequestContent::from(body.to_vec())
}

fn uploading<'a>() -> BlobClientUploadOptions<'a> {
    BlobClientUploadOptions {
        parallel: Some(AT_ONCE),
        partition_size: NonZero::new(PART as u64),
        ..BlobClientUploadOptions::default()
    }
}

fn downloading<'a>(range: Option<HttpRange>) -> BlobClientDownloadOptions<'a> {
    BlobClientDownloadOptions {
        parallel: Some(AT_ONCE),
        partition_size: Some(PIECE),
        range,
        ..BlobClientDownloadOptions::default()
    }
}

fn refused(error: &azure_core::Error) -> Option<Refusal> {
    let ErrorKind::HttpResponse {
        status, raw_response, ..
    } = error.kind()
    else {
        return None;
    };
    let response = raw_response.as_ref();
    let retry_after = response.and_then(|response| {
        response
            .headers()
            .get_optional_str(&HeaderName::from_static("retry-after"))
    });
    let body = response.map_or(&[][..], |response| response.body().as_ref());
    Some(Refusal::new((*status).into(), retry_after, body))
}

/// What a failure means for what was asked for: a blob, or a list.
fn failure(error: &azure_core::Error, key: Option<&Key>) -> StoreError {
    if let Some(refusal) = refused(error) {
        return refusal.error(key);
    }
    let message = refusal::last_cause(error);
    match error.kind() {
        ErrorKind::Credential => StoreError::Denied { message },
        ErrorKind::Connection | ErrorKind::Io => StoreError::Unreachable {
            message,
            retry_after: None,
        },
        _ => StoreError::Other { message },
    }
}
