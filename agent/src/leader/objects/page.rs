//! One page of a list: asked for, read no further than there is room, and taken apart without being copied.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use clusterbackup_core::inclusion::{Facts, Kind};
use clusterbackup_vault::point::Entry;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::time::timeout;

/// An answer takes this long at most, what the client waits when it is told to come again later included.
const LIMIT: Duration = Duration::from_mins(1);

/// What the API server answers.
pub(super) enum Answer {
    /// Objects.
    Page(Page),
    /// More bytes than there is room for.
    TooLarge,
    /// The list can't be continued where it stood; perhaps at a later state, with this token.
    Expired(Option<String>),
    /// There is no such kind any more.
    Gone,
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// The API server said so.
    #[error("{0}")]
    Refused(String),
    /// It said nothing, or not what it should.
    #[error("{0}")]
    Silent(String),
}

/// A page, as it came.
pub(super) struct Page {
    body: Bytes,
    /// Each object, a part of the body.
    items: Vec<Bytes>,
    /// Where the list goes on.
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

/// One object of a page.
pub(super) struct Object<'a> {
    raw: &'a str,
    head: Head<'a>,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    deletion_timestamp: Option<IgnoredAny>,
}

/// Sends the request, and reads at most so many bytes of the answer.
pub(super) async fn ask(
    client: &Client,
    request: Request<Vec<u8>>,
    room: usize,
) -> Result<Answer, PageError> {
    let answer = timeout(LIMIT, send(client, request, room)).await;
    answer.unwrap_or_else(|_| {
        Err(PageError::Silent(format!(
            "no answer within {} s",
            LIMIT.as_secs()
        )))
    })
}

async fn send(client: &Client, request: Request<Vec<u8>>, room: usize) -> Result<Answer, PageError> {
    let silent = |error: &dyn std::fmt::Display| PageError::Silent(error.to_string());
    let response = client
        .send(request.map(Body::from))
        .await
        .map_err(|error| silent(&error))?;
    let status = response.status();
    let body = match Limited::new(response.into_body(), room).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(Answer::TooLarge),
        Err(error) => return Err(silent(&error)),
    };
    match status {
        status if status.is_success() => Page::read(body).map(Answer::Page),
        StatusCode::GONE => Ok(Answer::Expired(continuation(&body))),
        StatusCode::NOT_FOUND => Ok(Answer::Gone),
        status => Err(PageError::Refused(refusal(status, &body))),
    }
}

/// The token in a refusal to continue.
fn continuation(body: &[u8]) -> Option<String> {
    let refused: List<'_> = serde_json::from_slice(body).ok()?;
    refused.metadata.continue_.filter(|token| !token.is_empty())
}

fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let said = serde_json::from_slice::<Refusal>(body).ok();
    said.map_or_else(|| format!("the API server answers {status}"), |said| said.message)
}

impl Page {
    fn read(body: Bytes) -> Result<Self, PageError> {
        let list: List<'_> = serde_json::from_slice(&body)
            .map_err(|error| PageError::Refused(format!("its list can't be read: {error}")))?;
        let items = list.items.unwrap_or_default().into_iter();
        let items = items.map(|item| body.slice_ref(item.get().as_bytes())).collect();
        let next = list.metadata.continue_.filter(|token| !token.is_empty());
        Ok(Self { body, items, next })
    }

    /// How many objects there are.
    pub(super) fn count(&self) -> usize {
        self.items.len()
    }

    /// How large it is.
    pub(super) fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Its objects. An item that is no object, which no API server sends, fails the page.
    pub(super) fn objects(&self) -> Result<Vec<Object<'_>>, PageError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            PageError::Refused(format!("an object of it can't be read: {error}"))
        };
        let items = self.items.iter().map(|item| {
            let raw = str::from_utf8(item).map_err(|error| unreadable(&error))?;
            Object::read(raw).map_err(|error| unreadable(&error))
        });
        items.collect()
    }
}

impl<'a> Object<'a> {
    fn read(raw: &'a str) -> serde_json::Result<Self> {
        let mut head: Head<'a> = serde_json::from_str(raw)?;
        let labels = head.metadata.labels.take().unwrap_or_default();
        Ok(Self { raw, head, labels })
    }

    /// What decides about it.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            namespace: self.namespace(),
            labels: &self.labels,
            deleting: self.head.metadata.deletion_timestamp.is_some(),
        }
    }

    /// Its namespace, where it is in one.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.head.metadata.namespace.as_deref()
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.head.metadata.name
    }

    /// Its text, to look into.
    pub(super) fn raw(&self) -> &str {
        self.raw
    }

    /// As it goes into a point: as the API server gives it when it is asked for this object alone. In a list of a built-in
    /// kind the objects don't say what they are.
    pub(super) fn entry(self, kind: &Kind) -> Entry {
        let json = match (&self.head.kind, self.raw.strip_prefix('{')) {
            (None, Some(rest)) => {
                let (name, version) = (&kind.kind, kind.api_version());
                Bytes::from(format!(r#"{{"kind":"{name}","apiVersion":"{version}",{rest}"#))
            }
            _ => Bytes::copy_from_slice(self.raw.as_bytes()),
        };
        Entry {
            group_resource: kind.group_resource.to_string(),
            namespace: self.head.metadata.namespace.map(Cow::into_owned),
            name: self.head.metadata.name.into_owned(),
            labels: self.labels,
            json,
        }
    }
}

#[cfg(test)]
mod tests {
    use clusterbackup_core::object::GroupResource;
    use serde_json::{Value, json};

    use super::*;

    fn page(items: &str) -> Page {
        let body = format!(r#"{{"kind":"List","metadata":{{"continue":"t"}},"items":{items}}}"#);
        Page::read(Bytes::from(body)).unwrap()
    }

    fn deployments() -> Kind {
        Kind {
            group_resource: GroupResource::new("apps", "deployments"),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespaced: true,
            is_whole: true,
        }
    }

    #[test]
    fn an_object_is_stored_as_it_came_and_says_what_it_is() {
        let plain = r#"{"metadata":{"name":"a","namespace":"b","labels":{"c":"d"}},"x":1.50}"#;
        let custom = r#"{"apiVersion":"x/v2","kind":"Own","metadata":{"name":"e"}}"#;
        let page = page(&format!("[{plain},{custom}]"));
        assert_eq!((page.count(), page.next.as_deref()), (2, Some("t")));
        let entries = page.objects().unwrap().into_iter();
        let entries: Vec<_> = entries.map(|object| object.entry(&deployments())).collect();
        let text = str::from_utf8(&entries[0].json).unwrap();
        assert!(text.starts_with(r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata""#));
        assert!(text.ends_with(r#""x":1.50}"#), "{text}");
        let read: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read["metadata"]["labels"], json!({ "c": "d" }));
        assert_eq!(entries[0].namespace.as_deref(), Some("b"));
        assert_eq!(entries[1].json, custom.as_bytes());
        assert_eq!(entries[1].namespace, None);
    }

    #[test]
    fn a_refusal_to_continue_may_say_where_to_go_on() {
        let refused = br#"{"kind":"Status","metadata":{"continue":"later"},"code":410}"#;
        assert_eq!(continuation(refused).as_deref(), Some("later"));
        assert_eq!(continuation(br#"{"kind":"Status","metadata":{}}"#), None);
    }

    #[test]
    fn a_list_of_nothing_is_a_page_and_what_is_no_list_is_none() {
        assert_eq!(page("null").count(), 0);
        assert!(Page::read(Bytes::from_static(b"<html>")).is_err());
        assert!(page(r#"[{"no":"metadata"}]"#).objects().is_err());
    }
}
