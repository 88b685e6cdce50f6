//! A real browser, which looks at a page.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::packages::FOR_LOOKING_AT_PAGES;

/// It takes a second where nothing else runs.
const LIMIT: Duration = Duration::from_mins(2);

/// What a browser makes of a page.
#[derive(Debug)]
pub struct Seen {
    /// The page as it understood it.
    pub page: String,
    /// What it complained about, such as what it was not allowed to load.
    pub complaints: Vec<String>,
    /// A picture of it, as PNG.
    pub picture: Vec<u8>,
}

/// Opens a page and looks at it.
pub async fn look_at(page: &Path) -> Result<Seen> {
    tokio::task::spawn_blocking(|| FOR_LOOKING_AT_PAGES.install()).await??;
    let folder = tempfile::tempdir()?;
    let picture = folder.path().join("picture.png");
    let shot = format!("--screenshot={}", picture.display());
    let address = format!("file://{}", page.display());
    let (_, complaints) = browse(folder.path(), &[&shot, &address]).await?;
    let (seen, _) = browse(folder.path(), &["--dump-dom", &address]).await?;
    Ok(Seen {
        page: seen,
        complaints: complaints
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(str::to_owned)
            .collect(),
        picture: std::fs::read(&picture).context("there is no picture of the page")?,
    })
}

async fn browse(home: &Path, arguments: &[&str]) -> Result<(String, String)> {
    let browser = Command::new("chromium-headless-shell")
        // It runs as root here, and what it opens is ours.
        .args([
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1100,1400",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=1000"])
        .args(arguments)
        .env("HOME", home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, browser)
        .await
        .context("the browser doesn't end")?;
    let output = output.context("the browser can't be started")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        text(&output.stderr)
    );
    Ok((text(&output.stdout), text(&output.stderr)))
}
