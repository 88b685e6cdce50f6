//! HTTP to reviews and back: which path goes where, and what a request gets that is none of ours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clusterbackup_kit::body::{self, BodyError};
use clusterbackup_kit::room::RoomError;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};

use crate::door::Review;
use crate::intercept::Intercept;
use crate::metrics::{Door, Metrics, Outcome};
use crate::requester;
use crate::review::{AdmissionRequest, AdmissionResponse, ReviewError};
use crate::validate::Validate;
use crate::weight::Memory;

/// Etcd takes 1.5 MiB and the API server 3 MiB; a review carries an object at most twice.
const BODY_LIMIT: usize = 8 << 20;

/// Below the five seconds that the API server waits.
const BODY_DEADLINE: Duration = Duration::from_secs(4);

/// Everything that is served to the API server.
pub struct Service {
    intercept: Intercept,
    validate: Validate,
    memory: Memory,
    metrics: Arc<Metrics>,
}

impl Service {
    /// Serves `/intercept` by `intercept`, and `/validate` by `validate`.
    pub fn new(intercept: Intercept, validate: Validate, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            intercept,
            validate,
            memory: Memory::default(),
            metrics,
        })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if Review::at(&path).is_none() {
            return not_found();
        }
        if request.method() != Method::POST {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "admission reviews are posted");
            response
                .headers_mut()
                .insert(ALLOW, http::HeaderValue::from_static("POST"));
            return response;
        }
        let body = request.into_body();
        // Who doesn't say how much there will be gets the room of the most that there may be.
        let bytes = body
            .size_hint()
            .exact()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.unwrap_or(BODY_LIMIT).min(BODY_LIMIT);
        let _room = match self.memory.for_body(bytes).await {
            Ok(room) => room,
            Err(error) => return text(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        };
        match body::read(body, BODY_LIMIT, BODY_DEADLINE).await {
            Ok(body) => self.review(&path, &body).await,
            Err(error) => {
                self.metrics.unreadable();
                text(status(&error), &error.to_string())
            }
        }
    }

    /// Answers the review in a body.
    pub async fn review(&self, path: &str, body: &[u8]) -> Response<Full<Bytes>> {
        let Some(review) = Review::at(path) else {
            return not_found();
        };
        let response = match AdmissionRequest::parse(body) {
            Ok(request) => self.within_memory(review, &request, body).await,
            Err(error) => {
                self.metrics.unreadable();
                match error {
                    ReviewError::Malformed { uid, cause } => AdmissionResponse::deny(
                        uid,
                        400,
                        &format!("the admission request can't be read: {cause}"),
                    ),
                    ReviewError::Unreadable(_) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
                }
            }
        };
        match response.to_json() {
            Ok(json) => answer(StatusCode::OK, "application/json", json),
            Err(error) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("the answer can't be written: {error}"),
            ),
        }
    }

    /// Answers a request once there is memory for it.
    async fn within_memory(
        &self,
        review: Review,
        request: &AdmissionRequest<'_>,
        body: &[u8],
    ) -> AdmissionResponse {
        let room = match review {
            Review::Validate => self.memory.for_rules().await,
            Review::Intercept | Review::Requester => self.memory.for_tree(body).await,
        };
        match (room, review) {
            (Ok(_room), Review::Intercept) => self.intercept.review(request).await,
            (Ok(_room), Review::Requester) => {
                let answer = async { requester::review(request) };
                self.counted(Door::Requester, Outcome::Changed, answer).await
            }
            (Ok(_room), Review::Validate) => {
                let answer = self.validate.review(request);
                self.counted(Door::Validate, Outcome::Untouched, answer).await
            }
            (Err(error), _) => self.too_much(request, &error),
        }
    }

    fn too_much(&self, request: &AdmissionRequest<'_>, error: &RoomError) -> AdmissionResponse {
        let (outcome, code) = match error {
            RoomError::TooMuch(_) => (Outcome::Malformed, 413),
            _ => (Outcome::Denied, 503),
        };
        self.metrics.review(Door::None, outcome, Duration::ZERO);
        let message = format!("the object can't be reviewed: {error}");
        AdmissionResponse::deny(request.uid.as_ref(), code, &message)
    }

    /// Counts an answer, as `admitted` if it is no refusal.
    async fn counted(
        &self,
        door: Door,
        admitted: Outcome,
        answer: impl Future<Output = AdmissionResponse>,
    ) -> AdmissionResponse {
        let started = Instant::now();
        let response = answer.await;
        let outcome = if response.is_allowed() {
            admitted
        } else {
            Outcome::Denied
        };
        self.metrics.review(door, outcome, started.elapsed());
        response
    }
}

fn not_found() -> Response<Full<Bytes>> {
    text(
        StatusCode::NOT_FOUND,
        "not found; admission reviews go to /intercept, /requester and /validate",
    )
}

fn status(error: &BodyError) -> StatusCode {
    match error {
        BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn text(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    answer(
        status,
        "text/plain; charset=utf-8",
        format!("{message}\n").into_bytes(),
    )
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
