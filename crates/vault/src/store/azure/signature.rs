//! Signs requests with the key of an account.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials;
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::{OffsetDateTime, to_rfc7231};

use super::super::Secret;

/// What is signed besides Azure's own headers, in this order. The date isn't: it is among Azure's own.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// "Shared Key" of Azure Storage.
#[derive(Debug)]
pub(super) struct SharedKey {
    account: String,
    key: credentials::Secret,
}

impl SharedKey {
    pub(super) fn new(account: &str, key: &Secret) -> Self {
        Self {
            account: account.to_owned(),
            key: credentials::Secret::new(key.expose().to_owned()),
        }
    }

    /// What is to be signed of a request.
    fn text(&self, request: &Request) -> String {
        let mut text = request.method().to_string();
        // The client doesn't always say it; the connection will.
        let length = request.body().len().filter(|length| *length > 0);
        let length = length.map(|length| length.to_string()).unwrap_or_default();
        for name in SIGNED {
            let said = request.headers().get_optional_str(&HeaderName::from_static(name));
            text.push('\n');
            text.push_str(if name == "content-length" {
                &length
            } else {
                said.unwrap_or_default()
            });
        }
        let own: BTreeMap<&str, &str> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| name.starts_with("x-ms-"))
            .collect();
        for (name, value) in own {
            let _ = write!(text, "\n{name}:{value}");
        }
        let _ = write!(text, "\n/{}{}", self.account, request.url().path());
        let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in request.url().query_pairs() {
            query
                .entry(name.to_lowercase())
                .or_default()
                .push(value.into_owned());
        }
        for (name, mut values) in query {
            values.sort();
            let _ = write!(text, "\n{name}:{}", values.join(","));
        }
        text
    }
}

#[allow(
    elided_lifetimes_in_paths,
    reason = "only so does the signature fit the one that async_trait makes of the trait's"
)]
#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        let signature = hmac_sha256(&self.text(request), &self.key)?;
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.account));
        match next {
            [following, rest @ ..] => following.send(context, request, rest).await,
            [] => Err(azure_core::Error::with_message(
                azure_core::error::ErrorKind::Other,
                "nothing sends what was signed",
            )),
        }
    }
}
