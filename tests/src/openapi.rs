//! What an API server says of its kinds.

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use http::Request;
use kube::Client;
use serde_json::Value;

/// The OpenAPI v3 documents of all groups and versions that are served.
pub async fn documents(client: &Client) -> Result<Vec<Value>> {
    let get = |path: String| async move {
        let request = Request::get(&path).body(Vec::new())?;
        client.request::<Value>(request).await.with_context(|| path)
    };
    let index = get("/openapi/v3".to_owned()).await?;
    let paths = index["paths"].as_object().context("/openapi/v3 has no paths")?;
    let addresses = paths
        .values()
        .filter_map(|path| path["serverRelativeURL"].as_str());
    try_join_all(addresses.map(|address| get(address.to_owned()))).await
}
