//! A place for backups: an S3 server over a folder, in which a test reads what Velero wrote.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::process::{Process, Warden};
use crate::{eventually, ports};

pub(super) const BUCKET: &str = "velero";
/// Not secret: the server listens on loopback for as long as the tests run.
const USER: &str = "peer";
const PASSWORD: &str = "peer-password";

const START_LIMIT: Duration = Duration::from_secs(30);

/// The running server; ends when dropped.
pub(super) struct Storage {
    _server: Process,
    folder: PathBuf,
    url: String,
    credentials: PathBuf,
}

impl Storage {
    pub(super) async fn start(program: &Path, warden: &Arc<Warden>, logs: &Path) -> Result<Self> {
        let folder = warden.folder().join("s3");
        std::fs::create_dir_all(folder.join(BUCKET))?;
        let credentials = warden.folder().join("s3-credentials");
        std::fs::write(
            &credentials,
            format!("[default]\naws_access_key_id={USER}\naws_secret_access_key={PASSWORD}\n"),
        )?;
        let address = ports::free()?;
        let mut command = Command::new(program);
        command
            .env("ROOT_ACCESS_KEY", USER)
            .env("ROOT_SECRET_KEY", PASSWORD)
            .args(["--port", &address.to_string(), "posix"])
            .arg(&folder);
        let server = Process::start(warden, logs, "s3", command)?;
        let ready = eventually("the S3 server listens", START_LIMIT, || async {
            Ok(TcpStream::connect(address).await.map(drop)?)
        });
        server.while_running(ready).await?;
        Ok(Self {
            _server: server,
            folder,
            url: format!("http://{address}"),
            credentials,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The file with the credentials, as Velero's plugin reads it.
    pub(super) fn credentials(&self) -> &Path {
        &self.credentials
    }

    /// A compressed JSON document that Velero wrote.
    pub(super) fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let file = self.folder.join(BUCKET).join(path);
        let compressed =
            std::fs::File::open(&file).with_context(|| format!("failed to open {}", file.display()))?;
        serde_json::from_reader(flate2::read::GzDecoder::new(compressed))
            .with_context(|| format!("failed to read {}", file.display()))
    }
}
