//! `cargo xtask deny`: the licences, sources and bans of all dependencies, by `deny.toml`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::progress::Progress;
use clusterbackup_tests::workspace;

const VERSION: &str = "0.20.2";

pub(crate) fn run() -> Result<()> {
    let status = program()?
        // Advisories would need a database that is fetched from elsewhere.
        .args(["check", "licenses", "bans", "sources"])
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .status()
        .context("failed to run cargo-deny")?;
    ensure!(status.success(), "cargo deny found something ({status})");
    Ok(())
}

/// cargo-deny: the installed one, or one of our own in the cache.
fn program() -> Result<Command> {
    let installed = workspace::cargo().args(["deny", "--version"]).output();
    if installed.is_ok_and(|output| output.status.success()) {
        let mut cargo = workspace::cargo();
        cargo.arg("deny");
        return Ok(cargo);
    }
    let folder = workspace::cache()?
        .join("tools")
        .join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        install(&folder)?;
    }
    Ok(Command::new(program))
}

fn install(folder: &PathBuf) -> Result<()> {
    let _shown = Progress::start("installing cargo-deny (once; it stays in the cache)");
    let output = workspace::cargo()
        .args([
            "install",
            "--locked",
            "--quiet",
            "cargo-deny",
            "--version",
            VERSION,
            "--root",
        ])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "failed to install cargo-deny {VERSION}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
