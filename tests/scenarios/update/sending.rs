//! Updates, and what is answered.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::eventually;
use http::{Method, Request};
use kube::Client;
use kube::api::GetParams;
use serde_json::Value;

use crate::steps::{api_of, name_of};

const LIMIT: Duration = Duration::from_secs(20);

/// A merge patch of one object.
pub(crate) struct Update<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: Option<&'a str>,
    /// The object, as far as it is found by it.
    pub(crate) object: &'a Value,
    /// On whose behalf, if not the administrator's.
    pub(crate) author: Option<&'a str>,
}

/// What the API server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The object as it is stored now, or why it is not.
    pub(crate) body: Value,
}

impl<'a> Update<'a> {
    /// A merge patch of `object` by the administrator.
    pub(crate) const fn of(client: &'a Client, namespace: Option<&'a str>, object: &'a Value) -> Self {
        Self {
            client,
            namespace,
            object,
            author: None,
        }
    }

    /// Sends it.
    pub(crate) async fn send(&self, body: &Value) -> Result<Answer> {
        let api = api_of(self.client, self.object, self.namespace)?;
        let url = format!(
            "{}/{}?fieldManager=scenario",
            api.resource_url(),
            name_of(self.object)
        );
        let mut request = Request::builder()
            .method(Method::PATCH)
            .uri(url)
            .header("content-type", "application/merge-patch+json");
        if let Some(author) = self.author {
            request = request
                .header("impersonate-user", author)
                .header("impersonate-group", "system:masters");
        }
        let response = self
            .client
            .send(request.body(body.to_string().into_bytes().into())?)
            .await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect_bytes().await?;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&body)
                .with_context(|| format!("{status}: {}", String::from_utf8_lossy(&body)))?,
        })
    }
}

/// Waits until the API server's cache holds the newest version of an object: as long as it holds an older one, each update
/// is reviewed twice.
pub(crate) async fn settled(client: &Client, namespace: Option<&str>, object: &Value) -> Result<()> {
    let (api, name) = (api_of(client, object, namespace)?, name_of(object));
    let newest = api.get(&name).await?.metadata.resource_version;
    let from_cache = GetParams {
        resource_version: Some("0".to_owned()),
    };
    eventually("the API server's cache is up to date", LIMIT, || async {
        let cached = api.get_with(&name, &from_cache).await?.metadata.resource_version;
        ensure!(cached == newest, "{cached:?}, not {newest:?}");
        Ok(())
    })
    .await
}

impl Answer {
    /// The object as it is stored now.
    pub(crate) fn stored(self) -> Result<Value> {
        ensure!(self.status == 200, "refused: {self:#?}");
        Ok(self.body)
    }
}
