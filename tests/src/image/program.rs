//! The programs of the workspace as images need them: static, for there is nothing else in an image.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::archive::Platform;
use crate::progress::Progress;
use crate::workspace;

/// How programs are built.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// As it is shipped.
    Release,
    /// Sooner done, for tests.
    Quick,
}

impl Build {
    /// Cargo's profile, and the folder of what it builds.
    const fn profile(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("release", "release"),
            Self::Quick => ("dev", "debug"),
        }
    }
}

/// Builds the programs, all at once: what they depend on is then the same, too. The folder where they are is not the usual
/// target folder: other flags would throw away what lies there.
pub(super) fn built(names: &[&str], build: Build, platform: Platform) -> Result<PathBuf> {
    let (profile, folder) = build.profile();
    let shown = names.join(", ");
    let _shown = Progress::start(&format!("building static {shown}"));
    let target = workspace::target()?.join("image/build");
    let output = workspace::cargo()
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .args(names.iter().flat_map(|name| ["--package", name, "--bin", name]))
        // With the target named, the flags don't concern build scripts and procedural macros.
        .args(["--target", &platform.triple()])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Every node unpacks it.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_STRIP", "true")
        .stdin(Stdio::null())
        .output()
        .context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "failed to build static {shown}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(target.join(platform.triple()).join(folder))
}
