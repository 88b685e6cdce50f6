//! Reviews posted straight to a replica, past the API server: what it would never send, and when it would never ask.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clusterbackup_api::labels;
use clusterbackup_tests::kubeconfig::{self, Caller};
use clusterbackup_tests::{Replica, webhook};
use http::{Method, Request};
use k8s_openapi::ByteString;
use kube::Client;
use serde_json::{Value, json};

/// Longer than the API server would ever wait.
const LIMIT: Duration = Duration::from_secs(15);

/// A way to one replica that checks its certificate as the API server does.
pub(crate) struct Direct {
    client: Client,
}

/// What the replica said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as text.
    pub(crate) body: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Direct {
    /// A way to `replica`, whose certificate comes from the `authority`. Each has connections of its own.
    pub(crate) async fn to(replica: &Replica, authority: &str) -> Result<Self> {
        let url = format!("https://{}", replica.address());
        let mut config = kubeconfig::kubeconfig(&url, authority, &Caller::Token("none"))?;
        let named = config.clusters.first_mut().context("no cluster")?;
        let cluster = named.cluster.as_mut().context("an empty cluster")?;
        cluster.tls_server_name = Some(format!("{}.{}.svc", webhook::NAME, webhook::NAMESPACE));
        Ok(Self {
            client: kubeconfig::client(config).await?,
        })
    }

    /// Posts `body` to `path`.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<Answer> {
        self.send(Method::POST, path, body.into()).await
    }

    /// Sends anything.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(body.into())?;
        let began = Instant::now();
        let ask = async {
            let response = self.client.send(request).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect_bytes().await?;
            Ok::<_, anyhow::Error>((status, body))
        };
        let (status, body) = tokio::time::timeout(LIMIT, ask)
            .await
            .with_context(|| format!("no answer after {LIMIT:?}"))??;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
            took: began.elapsed(),
        })
    }
}

impl Answer {
    /// The response of the review, if it is one.
    pub(crate) fn response(&self) -> Result<Value> {
        let review: Value =
            serde_json::from_str(&self.body).with_context(|| format!("no review: {self:?}"))?;
        Ok(review["response"].clone())
    }
}

/// What becomes of an object by a response: whether it is admitted, and the operations that change it.
pub(crate) fn outcome(response: &Value) -> Result<(bool, String)> {
    let allowed = response["allowed"]
        .as_bool()
        .with_context(|| format!("it does not say whether: {response:#}"))?;
    let operations = match response.get("patch") {
        Some(patch) => serde_json::from_value::<ByteString>(patch.clone())?.0,
        None => Vec::new(),
    };
    Ok((allowed, String::from_utf8(operations)?))
}

/// The review of a ConfigMap that opts in to `interception`, on its way into `namespace`.
pub(crate) fn review(uid: &str, namespace: &str, interception: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": { "group": "", "version": "v1", "kind": "ConfigMap" },
            "resource": { "group": "", "version": "v1", "resource": "configmaps" },
            "name": "reviewed",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": { "username": "jane" },
            "object": {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "reviewed",
                    "namespace": namespace,
                    "labels": { labels::INTERCEPT: interception },
                },
                "data": { "given": "by the client" },
            },
            "oldObject": null,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    })
}
