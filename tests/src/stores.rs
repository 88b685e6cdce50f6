//! Real servers of blobs: Azurite speaks like Azure, versitygw like S3; and a bad network in front of them.

mod azurite;
mod s3;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use clusterbackup_vault::store::{
    AzureCredentials, AzureLocation, AzureStore, S3Credentials, S3Location, S3Store, Secret, Store,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub use self::azurite::Azurite;
pub use self::s3::S3Server;
pub use self::wire::{Fault, Wire};
use crate::process::{Process, Warden};
use crate::tools::StoreTools;
use crate::{eventually, workspace};

const START_LIMIT: Duration = Duration::from_mins(1);

/// The running servers; they end when dropped.
pub struct Stores {
    azurite: Azurite,
    s3: S3Server,
    logs: PathBuf,
    given: AtomicUsize,
}

/// What keeps the blobs of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Azurite.
    Azure,
    /// versitygw.
    S3,
}

/// A container or a bucket, and how to get at it. Changed, it is one that can't be got at.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which server.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// The container's or bucket's name.
    pub name: String,
    /// The key of the account.
    pub key: String,
}

impl Stores {
    /// Starts both servers. Takes a minute when the cache is empty.
    pub async fn start() -> Result<Self> {
        let tools = tokio::task::spawn_blocking(StoreTools::locate).await??;
        let warden = Warden::new()?;
        let logs = workspace::target()?.join("stores");
        std::fs::create_dir_all(&logs)?;
        let logs = tempfile::Builder::new().prefix("run-").tempdir_in(logs)?.keep();
        Ok(Self {
            azurite: Azurite::start(&tools.azurite, &warden, &logs).await?,
            s3: S3Server::start(&tools.s3_server, &warden, &logs).await?,
            logs,
            given: AtomicUsize::new(0),
        })
    }

    /// The folder of the servers' output.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// A new container or bucket.
    pub async fn place(&self, kind: Kind) -> Result<Place> {
        let name = format!("place-{}", self.given.fetch_add(1, Ordering::Relaxed));
        let (address, key) = match kind {
            Kind::Azure => {
                self.azurite.make_container(&name).await?;
                (self.azurite.address(), azurite::KEY)
            }
            Kind::S3 => {
                self.s3.make_bucket(&name)?;
                (self.s3.address(), s3::PASSWORD)
            }
        };
        Ok(Place {
            kind,
            address,
            name,
            key: key.to_owned(),
        })
    }
}

impl Place {
    /// As a store.
    pub fn store(&self) -> Result<Store> {
        let secret = Secret::new(&self.key);
        match self.kind {
            Kind::Azure => self.azure(AzureCredentials::SharedKey(secret)),
            Kind::S3 => Ok(Arc::new(S3Store::new(S3Location {
                bucket: self.name.clone(),
                region: None,
                endpoint: Some(format!("http://{}", self.address)),
                credentials: S3Credentials::Key {
                    id: s3::USER.to_owned(),
                    secret,
                    session: None,
                },
            })?)),
        }
    }

    /// As a BackupVault names it, with the Secret of that name.
    pub fn location(&self, secret: &str) -> Value {
        let credentials = json!({ "name": secret });
        match self.kind {
            Kind::Azure => json!({ "azure": {
                "account": azurite::ACCOUNT,
                "container": self.name,
                "endpoint": format!("http://{}/{}", self.address, azurite::ACCOUNT),
                "credentials": credentials,
            } }),
            Kind::S3 => json!({ "s3": {
                "bucket": self.name,
                "endpoint": format!("http://{}", self.address),
                "credentials": credentials,
            } }),
        }
    }

    /// What that Secret holds.
    pub fn secret(&self) -> Value {
        match self.kind {
            Kind::Azure => json!({ "accountKey": self.key }),
            Kind::S3 => json!({ "accessKeyId": s3::USER, "secretAccessKey": self.key }),
        }
    }

    /// What a Secret holds for a place of Azure's, until this time.
    pub fn passing_secret(end: jiff::Timestamp) -> Result<Value> {
        Ok(json!({ "sasToken": azurite::signature(end)? }))
    }

    /// As a store of Azure's, by a shared access signature that ends at this time.
    pub fn store_by_signature(&self, end: jiff::Timestamp) -> Result<Store> {
        let signature = Secret::new(azurite::signature(end)?);
        self.azure(AzureCredentials::Sas(signature))
    }

    fn azure(&self, credentials: AzureCredentials) -> Result<Store> {
        Ok(Arc::new(AzureStore::new(AzureLocation {
            account: azurite::ACCOUNT.to_owned(),
            container: self.name.clone(),
            endpoint: Some(format!("http://{}/{}", self.address, azurite::ACCOUNT)),
            credentials,
        })?))
    }
}

/// Starts a server, and waits until it listens.
async fn serve(
    warden: &Arc<Warden>,
    logs: &Path,
    name: &str,
    command: Command,
    address: SocketAddr,
) -> Result<Process> {
    let server = Process::start(warden, logs, name, command)?;
    let listens = eventually("the server of blobs listens", START_LIMIT, || async {
        Ok(TcpStream::connect(address).await.map(drop)?)
    });
    server.while_running(listens).await?;
    Ok(server)
}
