//! A client that reads the lists of the same objects page by page, all kinds at once, and does nothing with them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;

use super::data::KINDS;
use super::ours::Ground;

/// The page of the API server's own clients.
const PAGE: u32 = 500;
/// What stands before the objects of a page, where it tells how the list goes on, is shorter.
const HEAD: usize = 4 << 10;

#[derive(Deserialize)]
struct Head {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// How long it takes.
pub(super) async fn list(ground: &Ground) -> Result<Duration> {
    let client = ground.cluster.admin();
    let begun = Instant::now();
    let paths = KINDS.map(|kind| format!("/api/v1/namespaces/{}/{kind}", ground.namespace.name()));
    try_join_all(paths.iter().map(|path| read(&client, path))).await?;
    Ok(begun.elapsed())
}

async fn read(client: &Client, path: &str) -> Result<()> {
    let mut next = String::new();
    loop {
        let page = format!("{path}?limit={PAGE}&continue={next}");
        let request = http::Request::get(page).body(Body::empty())?;
        let response = client.send(request).await?;
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        let body = response.into_body().collect().await?.to_bytes();
        next = head(&body)?.metadata.next;
        if next.is_empty() {
            return Ok(());
        }
    }
}

fn head(body: &[u8]) -> Result<Head> {
    let head = String::from_utf8_lossy(&body[..body.len().min(HEAD)]);
    let (head, _) = head
        .split_once(r#","items":"#)
        .context("a page without objects")?;
    Ok(serde_json::from_str(&format!("{head}}}"))?)
}
