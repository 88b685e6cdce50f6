//! Azurite: a server that speaks like Azure's blobs.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use azure_core::hmac::hmac_sha256;
use azure_storage_blob::BlobContainerClient;
use jiff::Timestamp;

use crate::ports;
use crate::process::{Process, Warden};

pub(super) const ACCOUNT: &str = "clusterbackup";
/// Not secret: the server listens on loopback for as long as the tests run.
pub(super) const KEY: &str = "Y2x1c3RlcmJhY2t1cC1zdG9yZXMta2V5LW9mLXRoZS10ZXN0cw==";

/// The running server; ends when dropped.
pub struct Azurite {
    _process: Process,
    address: SocketAddr,
}

impl Azurite {
    /// Starts it over a new folder.
    pub async fn start(program: &Path, warden: &Arc<Warden>, logs: &Path) -> Result<Self> {
        let folder = warden.folder().join("azurite");
        std::fs::create_dir_all(&folder)?;
        let address = ports::free()?;
        let mut command = Command::new("node");
        command
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))
            .arg(program)
            .args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &address.port().to_string(),
            ])
            .arg("--location")
            .arg(&folder)
            // It would ask for the outside world, and refuse the client, which is newer.
            .args(["--disableTelemetry", "--skipApiVersionCheck", "--silent"]);
        Ok(Self {
            _process: super::serve(warden, logs, "azurite", command, address).await?,
            address,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a container.
    pub async fn make_container(&self, name: &str) -> Result<()> {
        let end = Timestamp::now() + Duration::from_hours(1);
        let url = format!("http://{}/{ACCOUNT}/{name}?{}", self.address, signature(end)?);
        let client = BlobContainerClient::new(url.parse()?, None, None)?;
        client
            .create(None)
            .await
            .with_context(|| format!("failed to make the container {name}"))?;
        Ok(())
    }
}

/// A shared access signature of the account for everything, until then.
pub(super) fn signature(end: Timestamp) -> Result<String> {
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ");
    let (version, rights, services, types) = ("2021-12-02", "rwdlac", "b", "sco");
    // Begin, addresses, protocols and the scope of encryption are left open.
    let text = format!("{ACCOUNT}\n{rights}\n{services}\n{types}\n\n{end}\n\n\n{version}\n\n");
    let signature = hmac_sha256(&text, &KEY.into())?;
    let signature = signature
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    Ok(format!(
        "sv={version}&ss={services}&srt={types}&sp={rights}&se={end}&sig={signature}"
    ))
}
