//! Any form of update, with all that is answered: clients of Kubernetes keep warnings to themselves.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::eventually;
use http::{Method, Request};
use kube::Client;
use kube::api::GetParams;
use serde_json::Value;

use crate::steps::{api_of, name_of};

const LIMIT: Duration = Duration::from_secs(20);

/// One update of one object.
pub(crate) struct Update<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: Option<&'a str>,
    /// The object, as far as it is found by it.
    pub(crate) object: &'a Value,
    pub(crate) form: Form,
    /// Parameters of the request, such as `dryRun=All`.
    pub(crate) query: &'a str,
    /// On whose behalf, if not the administrator's.
    pub(crate) author: Option<&'a str>,
}

/// The forms that an update takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Replacement,
    MergePatch,
    JsonPatch,
    Apply,
}

/// What the API server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The object as it is stored now, or why it is not.
    pub(crate) body: Value,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Update<'a> {
    /// A merge patch of `object` by the administrator.
    pub(crate) const fn of(client: &'a Client, namespace: Option<&'a str>, object: &'a Value) -> Self {
        Self {
            client,
            namespace,
            object,
            form: Form::MergePatch,
            query: "",
            author: None,
        }
    }

    /// Sends it.
    pub(crate) async fn send(&self, body: &Value) -> Result<Answer> {
        let api = api_of(self.client, self.object, self.namespace)?;
        let url = format!(
            "{}/{}?fieldManager=scenario&{}",
            api.resource_url(),
            name_of(self.object),
            self.query
        );
        let (method, content_type) = match self.form {
            Form::Replacement => (Method::PUT, "application/json"),
            Form::MergePatch => (Method::PATCH, "application/merge-patch+json"),
            Form::JsonPatch => (Method::PATCH, "application/json-patch+json"),
            Form::Apply => (Method::PATCH, "application/apply-patch+yaml"),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", content_type);
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
        let warnings = response
            .headers()
            .get_all("warning")
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let body = response.into_body().collect_bytes().await?;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&body)
                .with_context(|| format!("{status}: {}", String::from_utf8_lossy(&body)))?,
            warnings,
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

    /// The message of a refusal with this code and reason.
    pub(crate) fn refusal(&self, status: u16, reason: &str) -> Result<&str> {
        ensure!(
            self.status == status && self.body["reason"] == reason,
            "not refused with {status} {reason}: {self:#?}"
        );
        self.body["message"].as_str().context("no message")
    }

    /// Checks that a warning contains all of these.
    pub(crate) fn warns_of(&self, parts: &[&str]) -> Result<()> {
        ensure!(
            self.warnings
                .iter()
                .any(|warning| parts.iter().all(|part| warning.contains(part))),
            "no warning of {parts:?}: {:#?}",
            self.warnings
        );
        Ok(())
    }
}
