//! A program of the workspace as an image needs it: static, for there is nothing else in the image.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::archive::Platform;
use crate::progress::Progress;
use crate::workspace;

/// How a program is built.
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

/// Builds the program into a target folder of its own: other flags in the usual one would throw away what lies there.
pub(super) fn built(name: &str, build: Build, platform: Platform) -> Result<PathBuf> {
    let (profile, folder) = build.profile();
    let _shown = Progress::start(&format!("building a static {name}"));
    let target = workspace::target()?.join("image/build");
    let output = workspace::cargo()
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .args(["--package", name, "--bin", name])
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
        "failed to build a static {name}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(target.join(platform.triple()).join(folder).join(name))
}
