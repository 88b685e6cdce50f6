//! Requests in the name of the requester: the API server lets them do what that user may do, and what is escalation for him is
//! escalation here. Of a preview every request that writes is a dry run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clusterbackup_api::labels::MODIFIED;
use clusterbackup_api::requester::Requester;
use clusterbackup_api::restore::Mode;
use clusterbackup_core::object::ObjectId;
use http::header::{HeaderName, HeaderValue, InvalidHeaderName, InvalidHeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use kube::api::{DeleteParams, DynamicObject, GetParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::request::Error as RequestError;
use kube::core::{ApiResource, Request as Path};
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, json};

use crate::leader::error::OrGone as _;

/// Who manages the fields of what is restored.
const MANAGER: &str = "clusterbackup-restore";

/// As a query says that nothing is to be written.
const DRY_RUN: &str = "dryRun=All";

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const UID: HeaderName = HeaderName::from_static("impersonate-uid");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const EXTRA: &str = "impersonate-extra-";

/// Somebody who asked for a restore, as the API server is to take us for him.
#[derive(Clone)]
pub(super) struct StandIn {
    client: Client,
    headers: HeaderMap,
    mode: Mode,
}

/// A requester who can't be named in a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRequester {
    /// A text of it is none for a header.
    #[error("the requester's name, uid, groups or extra values have characters that a request can't carry")]
    Value(#[from] InvalidHeaderValue),
    /// A name of `extra` is none for a header.
    #[error("the names of the requester's extra values have characters that a request can't carry")]
    Name(#[from] InvalidHeaderName),
}

/// Where an object stands, by the API server's paths.
#[derive(Debug, Clone)]
pub(super) struct Place {
    kind: ApiResource,
    namespace: Option<String>,
    name: String,
}

/// What is read of the answer to a creation.
#[derive(Debug, Deserialize)]
struct Answer {
    metadata: Made,
}

/// An object that was created.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Made {
    /// Its uid.
    pub(super) uid: String,
    /// Its name, which rules can change.
    pub(super) name: String,
    annotations: BTreeMap<String, String>,
}

impl Made {
    /// What of a live object would have been answered to its creation.
    pub(super) fn of(live: &Value) -> Self {
        Self::deserialize(&live["metadata"]).unwrap_or_default()
    }

    /// The mark of the rules that were applied to it.
    pub(super) fn mark(&self) -> Option<&str> {
        self.annotations.get(MODIFIED).map(String::as_str)
    }
}

impl Place {
    /// That of an object, whose `apiVersion` says in which version.
    pub(super) fn of(id: &ObjectId, object: &Value) -> Self {
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        Self {
            kind: ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: id.kind.resource().to_owned(),
                kind,
                api_version,
            },
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }

    /// That of an object of a kind that is known here.
    pub(super) fn named<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> Self {
        Self {
            kind: ApiResource::erase::<K>(&()),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// The kind, by the API server's paths.
    pub(super) const fn kind(&self) -> &ApiResource {
        &self.kind
    }

    /// The objects of its kind there, as the leader sees them by its own rights.
    pub(super) fn siblings(&self, client: &Client) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.kind),
            None => Api::all_with(client.clone(), &self.kind),
        }
    }

    fn path(&self) -> Path {
        Path::new(DynamicObject::url_path(&self.kind, self.namespace.as_deref()))
    }
}

impl StandIn {
    /// Stands in for a requester.
    pub(super) fn of(client: &Client, requester: &Requester, mode: Mode) -> Result<Self, BadRequester> {
        Ok(Self {
            client: client.clone(),
            headers: headers(requester)?,
            mode,
        })
    }

    /// Whether it writes nothing.
    pub(super) fn only_tries(&self) -> bool {
        self.mode == Mode::Preview
    }

    /// Creates the object.
    pub(super) async fn create(&self, place: &Place, object: &Value) -> kube::Result<Made> {
        let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let request = place.path().create(&params, body);
        let answer: Answer = self.send(request.map_err(kube::Error::BuildRequest)?).await?;
        Ok(answer.metadata)
    }

    /// The object, if it is there.
    pub(super) async fn get(&self, place: &Place) -> kube::Result<Option<Value>> {
        let request = place.path().get(&place.name, &GetParams::default());
        let found = self.send(request.map_err(kube::Error::BuildRequest)?).await;
        found.or_gone()
    }

    /// Changes the object.
    pub(super) async fn merge(&self, place: &Place, patch: &Value) -> kube::Result<()> {
        self.patch::<IgnoredAny>(place, patch, false).await.map(drop)
    }

    /// What the object would become, without changing it.
    pub(super) async fn try_merge(&self, place: &Place, patch: &Value) -> kube::Result<Value> {
        self.patch(place, patch, true).await
    }

    /// Deletes the object, if it is still as it was read.
    pub(super) async fn delete(&self, place: &Place, live: &Value) -> kube::Result<()> {
        let text = |field: &str| live["metadata"][field].as_str().map(str::to_owned);
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
        });
        let request = place.path().delete(&place.name, &params);
        let deleted = self
            .send::<IgnoredAny>(request.map_err(kube::Error::BuildRequest)?)
            .await;
        deleted.or_gone().map(drop)
    }

    async fn patch<T: DeserializeOwned>(
        &self,
        place: &Place,
        patch: &Value,
        dry_run: bool,
    ) -> kube::Result<T> {
        let params = PatchParams {
            dry_run,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let request = place.path().patch(&place.name, &params, &Patch::Merge(patch));
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    async fn send<T: DeserializeOwned>(&self, mut request: Request<Vec<u8>>) -> kube::Result<T> {
        request.headers_mut().extend(self.headers.clone());
        if self.mode == Mode::Preview {
            try_only(&mut request)?;
        }
        self.client.request(request).await
    }
}

/// Makes a dry run of a request, unless it only reads.
fn try_only(request: &mut Request<Vec<u8>>) -> kube::Result<()> {
    if request.method() == Method::GET {
        return Ok(());
    }
    if request.method() == Method::DELETE {
        // Options in the body hide those in the query.
        let mut options: Map<String, Value> = match request.body().as_slice() {
            [] => Map::new(),
            body => serde_json::from_slice(body).map_err(kube::Error::SerdeError)?,
        };
        options.insert("dryRun".to_owned(), json!(["All"]));
        *request.body_mut() = serde_json::to_vec(&options).map_err(kube::Error::SerdeError)?;
    }
    let path = request.uri().path();
    let tried = match request.uri().query() {
        Some(query) if query.split('&').any(|part| part == DRY_RUN) => return Ok(()),
        Some(query) => format!("{path}?{query}&{DRY_RUN}"),
        None => format!("{path}?{DRY_RUN}"),
    };
    let tried = tried.parse::<Uri>();
    *request.uri_mut() =
        tried.map_err(|error| kube::Error::BuildRequest(RequestError::BuildRequest(error.into())))?;
    Ok(())
}

fn headers(requester: &Requester) -> Result<HeaderMap, BadRequester> {
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(USER, value(&requester.username)?);
    if let Some(uid) = &requester.uid {
        headers.insert(UID, value(uid)?);
    }
    for group in &requester.groups {
        headers.append(GROUP, value(group)?);
    }
    for (key, values) in &requester.extra {
        let name = HeaderName::from_bytes(format!("{EXTRA}{}", escaped(key)).as_bytes())?;
        for text in values {
            headers.append(name.clone(), value(text)?);
        }
    }
    Ok(headers)
}

/// The API server makes lower case of a header's name before it takes the escapes out again.
fn escaped(key: &str) -> String {
    let mut escaped = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => escaped.push(char::from(byte)),
            other => _ = write!(escaped, "%{other:02x}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(requester: &Requester) -> Vec<(String, String)> {
        let headers = headers(requester).unwrap();
        let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)));
        pairs.collect()
    }

    #[test]
    fn everything_that_is_recorded_of_the_user_is_named() {
        let requester = Requester {
            username: "järv".to_owned(),
            uid: Some("7".to_owned()),
            groups: vec!["team".to_owned(), "system:authenticated".to_owned()],
            extra: [(
                "example.com/Ämter".to_owned(),
                vec!["a".to_owned(), "b".to_owned()],
            )]
            .into(),
        };
        let extra = "impersonate-extra-example.com%2f%c3%84mter";
        let expected = [
            ("impersonate-user", "järv"),
            ("impersonate-uid", "7"),
            ("impersonate-group", "team"),
            ("impersonate-group", "system:authenticated"),
            (extra, "a"),
            (extra, "b"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(sent(&requester), expected);
    }

    #[test]
    fn a_preview_only_tries_what_would_be_written() {
        for (method, path, expected) in [
            (Method::GET, "/api/v1/pods", "/api/v1/pods"),
            (Method::POST, "/api/v1/pods", "/api/v1/pods?dryRun=All"),
            (
                Method::PATCH,
                "/api/v1/pods/a?fieldManager=b",
                "/api/v1/pods/a?fieldManager=b&dryRun=All",
            ),
            (
                Method::PATCH,
                "/api/v1/pods/a?dryRun=All",
                "/api/v1/pods/a?dryRun=All",
            ),
            // Names of some kinds may have nearly any character.
            (
                Method::PUT,
                "/api/v1/pods/dryRun=All",
                "/api/v1/pods/dryRun=All?dryRun=All",
            ),
            (Method::DELETE, "/api/v1/pods/a", "/api/v1/pods/a?dryRun=All"),
        ] {
            let mut request = Request::builder()
                .method(method)
                .uri(path)
                .body(Vec::new())
                .unwrap();
            try_only(&mut request).unwrap();
            assert_eq!(request.uri(), expected);
        }
    }

    #[test]
    fn a_deletion_is_tried_by_its_body_which_hides_the_query() {
        for body in ["", r#"{"preconditions":{"uid":"u"}}"#] {
            let request = Request::delete("/api/v1/namespaces/a/pods/b").body(body.as_bytes().to_vec());
            let mut request = request.unwrap();
            try_only(&mut request).unwrap();
            let options: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!(options["dryRun"], json!(["All"]), "{options}");
            assert_eq!(options["preconditions"]["uid"] == "u", !body.is_empty());
        }
    }

    #[test]
    fn a_name_that_would_end_its_header_is_refused() {
        let requester = Requester {
            username: "jane\r\nimpersonate-group: system:masters".to_owned(),
            ..Requester::default()
        };
        assert!(matches!(headers(&requester), Err(BadRequester::Value(_))));
    }

    #[test]
    fn capitals_of_an_extra_name_survive_a_header_that_knows_none() {
        assert_eq!(escaped("Oid/a b-c_d.e"), "%4fid%2fa%20b-c_d.e");
    }
}
