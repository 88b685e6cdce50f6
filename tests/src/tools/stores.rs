//! Servers of blobs: Azurite, which npm installs, and a server of S3.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::module::{self, Module, stripped};
use crate::progress::Progress;
use crate::workspace;

const NPM_MISSING: &str =
    "npm is missing, with which Azurite is installed: install Node.js 20 or newer (https://nodejs.org)";

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct StoreTools {
    /// Azurite's server of blobs, which Node.js runs.
    pub azurite: PathBuf,
    /// A server of S3 over a folder.
    pub s3_server: PathBuf,
}

impl StoreTools {
    /// What keeps the programs from being there, as what to do about it.
    pub fn obstacle() -> Option<String> {
        let npm = || Command::new("npm").arg("--version").stdin(Stdio::null()).output();
        let node = Command::new("node")
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        let is_there = azurite_folder().is_ok_and(|folder| folder.is_dir());
        let npm_missing = node.is_err() || (!is_there && npm().is_err());
        module::obstacle(&[&S3_SERVER]).or_else(|| npm_missing.then(|| NPM_MISSING.to_owned()))
    }

    /// Finds the programs, and builds or installs those that are missing. Blocks, for a minute when the cache is empty.
    pub fn locate() -> Result<Self> {
        Ok(Self {
            azurite: azurite()?,
            s3_server: s3_server()?,
        })
    }
}

pub(super) const S3_SERVER: Module = Module {
    name: "versitygw",
    tags: "",
    programs: &[("versitygw", "github.com/versity/versitygw/cmd/versitygw")],
    linker_flags: stripped,
};

pub(super) fn s3_server() -> Result<PathBuf> {
    S3_SERVER.locate("versitygw")
}

fn azurite() -> Result<PathBuf> {
    let folder = module::made_once(azurite_folder()?, |unfinished| {
        for file in azurite_files() {
            fs::copy(&file, unfinished.join(file.file_name().unwrap_or_default()))?;
        }
        let _shown = Progress::start("installing Azurite (once; it stays in the cache)");
        let mut npm = Command::new("npm");
        npm.current_dir(unfinished)
            .args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
            .stdin(Stdio::null());
        let output = match npm.output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("{NPM_MISSING}"),
            other => other.context("failed to run npm")?,
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "npm: {}:\n{stderr}", output.status);
        Ok(())
    })?;
    Ok(folder.join("node_modules/azurite/dist/src/blob/main.js"))
}

fn azurite_folder() -> Result<PathBuf> {
    module::cached("azurite", &azurite_files(), "npm ci --omit=dev")
}

fn azurite_files() -> [PathBuf; 2] {
    let sources = workspace::root().join("tests/tools/azurite");
    ["package.json", "package-lock.json"].map(|file| sources.join(file))
}
