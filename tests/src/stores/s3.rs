//! versitygw: a server of S3 over a folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;

use crate::ports;
use crate::process::{Process, Warden};

/// Not secret, as the password: the server listens on loopback for as long as the tests run.
pub(super) const USER: &str = "tester";
pub(super) const PASSWORD: &str = "password-of-the-tester";

/// The running server; ends when dropped.
pub struct S3Server {
    _process: Process,
    folder: PathBuf,
    address: SocketAddr,
}

impl S3Server {
    /// Starts it over a new folder.
    pub async fn start(program: &Path, warden: &Arc<Warden>, logs: &Path) -> Result<Self> {
        let folder = warden.folder().join("s3");
        std::fs::create_dir_all(&folder)?;
        let address = ports::free()?;
        let mut command = Command::new(program);
        command
            .env("ROOT_ACCESS_KEY", USER)
            .env("ROOT_SECRET_KEY", PASSWORD)
            .args(["--port", &address.to_string(), "posix"])
            .arg(&folder);
        Ok(Self {
            _process: super::serve(warden, logs, "s3", command, address).await?,
            folder,
            address,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and password.
    pub fn credentials(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }

    /// Makes a bucket; in this folder, its blobs are files.
    pub fn make_bucket(&self, name: &str) -> Result<PathBuf> {
        let bucket = self.folder.join(name);
        std::fs::create_dir(&bucket)?;
        Ok(bucket)
    }
}
