//! A store in a bucket of S3, or of what speaks like it.
//!
//! - `http`: hears what the store says in full

mod http;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::HttpError;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, MultipartId, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutOptions, RetryConfig,
};

use self::http::Listening;
use super::refusal::{self, Refusal};
use super::{Blob, BlobStore, Bytestream, Key, Put, Secret, StoreError, Upload};

/// A bucket, and how to get at it.
#[derive(Clone, Debug)]
pub struct S3Location {
    /// Its name.
    pub bucket: String,
    /// Its region; `us-east-1` where none is said, which look-alikes mostly take.
    pub region: Option<String>,
    /// The URL of what speaks like S3; absent for S3 itself.
    pub endpoint: Option<String>,
    /// As whom.
    pub credentials: S3Credentials,
}

/// As whom a bucket is used.
#[derive(Clone, Debug)]
pub enum S3Credentials {
    /// By an access key.
    Key {
        /// Its ID.
        id: String,
        /// Its secret half.
        secret: Secret,
        /// The token of a session, with keys for a while.
        session: Option<Secret>,
    },
    /// As what this process runs as: by the role of its ServiceAccount, or of its machine.
    Workload,
}

/// Blobs in a bucket.
#[derive(Clone)]
pub struct S3Store {
    client: AmazonS3,
    bucket: String,
}

impl S3Store {
    /// The blobs of this bucket. Asks it nothing yet.
    pub fn new(location: S3Location) -> Result<Self, StoreError> {
        let builder = match location.credentials {
            S3Credentials::Key { id, secret, session } => {
                let builder = AmazonS3Builder::new()
                    .with_access_key_id(id)
                    .with_secret_access_key(secret.expose());
                match session {
                    Some(session) => builder.with_token(session.expose()),
                    None => builder,
                }
            }
            S3Credentials::Workload => AmazonS3Builder::from_env(),
        };
        let endpoint = location.endpoint.as_deref().unwrap_or_default();
        let mut builder = builder
            .with_bucket_name(&location.bucket)
            .with_allow_http(endpoint.starts_with("http://"))
            // Look-alikes don't all know how to delete many at once.
            .with_disable_bulk_delete(true)
            // How often and how long is tried is decided in one place, for all stores.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .with_client_options(ClientOptions::new().with_timeout_disabled().with_allow_http(true))
            .with_http_connector(Listening);
        if let Some(region) = location.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = location.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let client = builder.build().map_err(|error| failure(&error, None))?;
        Ok(Self {
            client,
            bucket: location.bucket,
        })
    }
}

impl BlobStore for S3Store {
    fn put<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let put = self.client.put(&path(key), body.into()).await;
            put.map(drop).map_err(|error| failure(&error, Some(key)))
        }
        .boxed()
    }

    fn put_if_absent<'a>(&'a self, key: &'a Key, body: Bytes) -> BoxFuture<'a, Result<Put, StoreError>> {
        async move {
            let absent = PutOptions::from(PutMode::Create);
            match self.client.put_opts(&path(key), body.into(), absent).await {
                Ok(_) => Ok(Put::Stored),
                Err(error) if refused(&error).is_some_and(Refusal::says_exists) => Ok(Put::Exists),
                Err(error) => Err(failure(&error, Some(key))),
            }
        }
        .boxed()
    }

    fn upload<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Box<dyn Upload>, StoreError>> {
        async move {
            let path = path(key);
            let begun = self.client.create_multipart(&path).await;
            Ok(Box::new(S3Upload {
                store: self.clone(),
                key: key.clone(),
                path,
                id: begun.map_err(|error| failure(&error, Some(key)))?,
                parts: Mutex::default(),
            }) as _)
        }
        .boxed()
    }

    fn stream<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Bytestream, StoreError>> {
        async move {
            let found = self.client.get(&path(key)).await;
            let found = found.map_err(|error| failure(&error, Some(key)))?;
            let key = key.clone();
            let pieces = found.into_stream();
            Ok(pieces
                .map(move |piece| piece.map_err(|error| failure(&error, Some(&key))))
                .boxed())
        }
        .boxed()
    }

    fn get_range<'a>(&'a self, key: &'a Key, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move {
            let (asked, length) = super::askable(&range);
            let options = GetOptions {
                range: Some(GetRange::Bounded(asked)),
                ..GetOptions::default()
            };
            let found = async { self.client.get_opts(&path(key), options).await?.bytes().await };
            match found.await {
                Ok(mut bytes) => {
                    bytes.truncate(length);
                    Ok(bytes)
                }
                Err(error) if refused(&error).is_some_and(Refusal::says_beyond_the_end) => Ok(Bytes::new()),
                Err(error) => Err(failure(&error, Some(key))),
            }
        }
        .boxed()
    }

    fn list<'a>(&'a self, below: Option<&Key>) -> BoxStream<'a, Result<Blob, StoreError>> {
        let found = self.client.list(below.map(path).as_ref());
        found
            .filter_map(async |found| match found {
                Ok(found) => {
                    let key = Key::new(found.location.as_ref()).ok()?;
                    Some(Ok(Blob {
                        key,
                        size: found.size,
                    }))
                }
                Err(error) => Some(Err(failure(&error, None))),
            })
            .boxed()
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let deleted = self.client.delete(&path(key)).await;
            match deleted.map_err(|error| failure(&error, Some(key))) {
                Err(StoreError::NotFound { .. }) => Ok(()),
                other => other,
            }
        }
        .boxed()
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the S3 bucket {}", self.bucket)
    }
}

#[derive(Debug)]
struct S3Upload {
    store: S3Store,
    key: Key,
    path: Path,
    id: MultipartId,
    parts: Mutex<BTreeMap<u32, PartId>>,
}

impl S3Upload {
    fn parts(&self) -> MutexGuard<'_, BTreeMap<u32, PartId>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, error: &object_store::Error) -> StoreError {
        failure(error, Some(&self.key))
    }
}

impl Upload for S3Upload {
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let place = number as usize;
            let sent = self
                .store
                .client
                .put_part(&self.path, &self.id, place, body.into());
            let part = sent.await.map_err(|error| self.failure(&error))?;
            self.parts().insert(number, part);
            Ok(())
        }
        .boxed()
    }

    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        let parts = self
            .parts()
            .range(..count)
            .map(|(_, part)| part.clone())
            .collect();
        async move {
            let completed = self.store.client.complete_multipart(&self.path, &self.id, parts);
            completed.await.map(drop).map_err(|error| self.failure(&error))
        }
        .boxed()
    }

    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let aborted = self.store.client.abort_multipart(&self.path, &self.id);
            aborted.await.map_err(|error| self.failure(&error))
        }
        .boxed()
    }
}

/// Keys have no letter that would be written otherwise.
fn path(key: &Key) -> Path {
    Path::from(key.as_str())
}

fn refused(error: &object_store::Error) -> Option<&Refusal> {
    refusal::causes(error).find_map(|cause| cause.downcast_ref())
}

/// What a failure means for what was asked for: a blob, or a list.
fn failure(error: &object_store::Error, key: Option<&Key>) -> StoreError {
    if let Some(refusal) = refused(error) {
        return refusal.error(key);
    }
    let message = refusal::last_cause(error);
    // An upload may be refused after the store has begun to say that it wasn't.
    let said_late = ["InternalError", "SlowDown"]
        .iter()
        .any(|code| message.contains(code));
    if said_late || refusal::causes(error).any(<dyn std::error::Error>::is::<HttpError>) {
        StoreError::Unreachable {
            message,
            retry_after: None,
        }
    } else {
        StoreError::Other { message }
    }
}
