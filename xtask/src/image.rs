//! `cargo xtask image`: the webhook's container image without Docker: one static program in an OCI archive.

mod archive;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::progress::Progress;
use clusterbackup_tests::workspace;
use owo_colors::{OwoColorize as _, Stream};

use self::archive::{Image, Platform};

const NAME: &str = "clusterbackup-webhook";

pub(crate) fn run() -> Result<()> {
    let platform = Platform::here()?;
    let folder = workspace::target()?.join("image");
    let program = build(&folder.join("build"), platform)?;
    let image = Image {
        name: NAME,
        version: env!("CARGO_PKG_VERSION"),
        source: env!("CARGO_PKG_REPOSITORY"),
        licence: env!("CARGO_PKG_LICENSE"),
        platform,
    };
    let contents =
        std::fs::read(&program).with_context(|| format!("failed to read {}", program.display()))?;
    let archive = image.archive(&contents)?;
    let file = folder.join(format!("{NAME}.tar"));
    std::fs::write(&file, &archive.bytes).with_context(|| format!("failed to write {}", file.display()))?;
    println!("{}", usage(&file, &image.tag(), &archive.digest));
    Ok(())
}

/// Builds the program into a target folder of its own: other flags in the usual one would throw away what lies there.
fn build(target: &Path, platform: Platform) -> Result<PathBuf> {
    let _shown = Progress::start("building the static webhook");
    let output = workspace::cargo()
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            NAME,
            "--bin",
            NAME,
        ])
        // With the target named, the flags don't concern build scripts and procedural macros.
        .args(["--target", &platform.triple()])
        .arg("--target-dir")
        .arg(target)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "failed to build a static {NAME}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(target.join(platform.triple()).join("release").join(NAME))
}

fn usage(file: &Path, tag: &str, digest: &str) -> String {
    let title = format!("{tag}  {digest}");
    format!(
        "\
{title}
{file}

To load it, whichever you have:

  ctr --namespace k8s.io images import {file}     (on a node)
  podman load --input {file}
  docker load --input {file}
  skopeo copy oci-archive:{file} docker://<your registry>/{tag}",
        title = title.if_supports_color(Stream::Stdout, |title| title.bold()),
        file = file.display(),
    )
}
