//! A list from its first page to its last. Pages have as many objects as there is room for; a list that can't be
//! continued where it stood goes on at a later state, and is marked.

use std::time::Duration;

use clusterbackup_core::inclusion::{Kind, PageSize};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::Request;
use kube::{Client, Resource as _};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::page::{Answer, Page, PageError, ask};
use crate::leader::error::DriveError;
use crate::leader::point_failure::PointFailure;

/// The memory of one page. With those that are read at a time this is what objects take before they are compressed.
const ROOM: usize = 8 << 20;
/// A list that expires more often than this is changing faster than it can be read.
const RESTARTS: u32 = 5;
/// The API server itself answers faster.
const ALIVE: Duration = Duration::from_secs(10);

/// Which part of a kind's objects a list is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Span {
    /// All of them.
    All,
    /// Those in this namespace.
    Namespace(String),
    /// This one, in the namespace if it is in one.
    One(Option<String>, String),
}

/// Why a list has no end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    /// A page is missing.
    #[error(transparent)]
    Page(#[from] PageError),
    /// One object is too much.
    #[error(transparent)]
    TooLarge(#[from] clusterbackup_core::inclusion::TooLarge),
    /// It can't be continued.
    #[error("its list expired {RESTARTS} times before it was read to its end")]
    Expired,
}

/// A list that is being read.
pub(super) struct Listing {
    path: String,
    params: ListParams,
    size: PageSize,
    restarts: u32,
    begun: bool,
}

impl Span {
    /// Its namespace, if it is of one.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Namespace(namespace) => Some(namespace),
            Self::One(namespace, _) => namespace.as_deref(),
        }
    }
}

impl Listing {
    /// A list of a kind's objects that the selector selects.
    pub(super) fn new(kind: &Kind, span: &Span, selector: Option<String>) -> Self {
        let resource = ApiResource {
            group: kind.group_resource.group().to_owned(),
            version: kind.version.clone(),
            api_version: kind.api_version(),
            kind: kind.kind.clone(),
            plural: kind.group_resource.resource().to_owned(),
        };
        let path = DynamicObject::url_path(&resource, span.namespace());
        let mut params = ListParams {
            label_selector: selector,
            ..ListParams::default()
        };
        if let Span::One(_, name) = span {
            params.field_selector = Some(format!("metadata.name={name}"));
        }
        Self {
            path,
            params,
            size: PageSize::new(ROOM),
            restarts: 0,
            begun: false,
        }
    }

    /// The next page; none after the last.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Page>, ListError> {
        if self.begun && self.params.continue_token.is_none() {
            return Ok(None);
        }
        loop {
            self.params.limit = Some(self.size.limit());
            let request = Request::new(&self.path).list(&self.params);
            let request = request.map_err(|error| PageError::Refused(error.to_string()))?;
            match sent(client, request, self.size.most()).await? {
                Answer::Page(page) => {
                    self.begun = true;
                    self.size.fits(page.count(), page.bytes());
                    self.params.continue_token.clone_from(&page.next);
                    return Ok(Some(page));
                }
                Answer::TooLarge => self.size.exceeds()?,
                Answer::Expired(token) => {
                    self.restarts += 1;
                    if self.restarts > RESTARTS {
                        return Err(ListError::Expired);
                    }
                    self.params.continue_token = token;
                }
                Answer::Gone => return Ok(None),
            }
        }
    }

    /// Whether its pages are of several states of the cluster.
    pub(super) const fn is_inconsistent(&self) -> bool {
        self.restarts > 0
    }
}

/// Asks on a task of its own: the answer comes and is taken apart while the objects before it are stored.
async fn sent(client: &Client, request: http::Request<Vec<u8>>, room: usize) -> Result<Answer, PageError> {
    let client = client.clone();
    let asked = tokio::spawn(async move { ask(&client, request, room).await });
    let answer = AbortOnDropHandle::new(asked).await;
    answer.unwrap_or_else(|error| Err(PageError::Silent(error.to_string())))
}

impl ListError {
    /// What is told of the kind; an error where it is not the kind, but the API server itself that doesn't answer.
    pub(super) async fn settle(self, client: &Client) -> Result<String, PointFailure> {
        if let Self::Page(PageError::Silent(_)) = self {
            let answered = timeout(ALIVE, client.apiserver_version()).await;
            if !matches!(answered, Ok(Ok(_))) {
                return Err(DriveError::Silent(self.to_string()).into());
            }
        }
        Ok(self.to_string())
    }
}
