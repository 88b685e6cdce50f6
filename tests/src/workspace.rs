//! Where things lie: the sources, the build output, and the cache that outlives both.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The folder of this build's binaries, such as `target/debug`; the running program lies in it.
pub fn binaries() -> Result<PathBuf> {
    let program = std::env::current_exe().context("failed to find the running program")?;
    let folder = program
        .parent()
        .context("the running program lies in no folder")?;
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(folder.to_path_buf())
}

/// Cargo's target folder, where logs and kubeconfigs go that a person wants to find.
pub fn target() -> Result<PathBuf> {
    let binaries = binaries()?;
    Ok(binaries
        .parent()
        .context("the build output lies in no target folder")?
        .to_path_buf())
}

/// The cargo profile of the running program, so that the binaries under test are built alike.
pub fn profile() -> Result<String> {
    let binaries = binaries()?;
    let name = binaries
        .file_name()
        .and_then(|name| name.to_str())
        .context("the build output has no name")?;
    Ok(if name == "debug" { "dev" } else { name }.to_owned())
}

/// The folder of what is built or installed once for all clones: `CLUSTERBACKUP_CACHE`, or the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("CLUSTERBACKUP_CACHE") {
        return std::path::absolute(folder).context("CLUSTERBACKUP_CACHE names no folder");
    }
    let user = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("no place for built tools: set CLUSTERBACKUP_CACHE to a folder")?;
    Ok(user.join("clusterbackup"))
}

/// The cargo that runs this build.
pub fn cargo() -> std::process::Command {
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}
