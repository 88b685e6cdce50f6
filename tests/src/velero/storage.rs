//! A place for backups: an S3 server over a folder, in which a test reads what Velero wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clusterbackup_vault::store::{FileStore, Store};
use serde::de::DeserializeOwned;

use crate::process::Warden;
use crate::stores::S3Server;

pub(super) const BUCKET: &str = "velero";

/// The running server; ends when dropped.
pub(super) struct Storage {
    server: S3Server,
    folder: PathBuf,
    credentials: PathBuf,
}

impl Storage {
    pub(super) async fn start(program: &Path, warden: &Arc<Warden>, logs: &Path) -> Result<Self> {
        let server = S3Server::start(program, warden, logs).await?;
        let credentials = warden.folder().join("s3-credentials");
        let (user, password) = server.credentials();
        std::fs::write(
            &credentials,
            format!("[default]\naws_access_key_id={user}\naws_secret_access_key={password}\n"),
        )?;
        Ok(Self {
            folder: server.make_bucket(BUCKET)?,
            server,
            credentials,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The file with the credentials, as Velero's plugin reads it.
    pub(super) fn credentials(&self) -> &Path {
        &self.credentials
    }

    /// What Velero wrote.
    pub(super) fn store(&self) -> Store {
        Arc::new(FileStore::new(&self.folder))
    }

    /// A compressed JSON document that Velero wrote.
    pub(super) fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let file = self.folder.join(path);
        let compressed =
            std::fs::File::open(&file).with_context(|| format!("failed to open {}", file.display()))?;
        serde_json::from_reader(flate2::read::GzDecoder::new(compressed))
            .with_context(|| format!("failed to read {}", file.display()))
    }
}
