//! Hears what the store says in full. The client would tell neither the code nor how long to wait.

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Collected, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

use super::super::refusal::Refusal;

/// What is read of an answer that is no success.
const LONGEST_REFUSAL: usize = 64 << 10;

/// Connects, and turns each answer that is no success into a [`Refusal`].
#[derive(Debug)]
pub(super) struct Listening;

#[derive(Debug)]
struct Service(HttpClient);

impl HttpConnector for Listening {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.execute(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let read = Limited::new(body, LONGEST_REFUSAL).collect().await;
        let body = read.map(Collected::to_bytes).unwrap_or_default();
        let retry_after = head
            .headers
            .get("retry-after")
            .and_then(|value| value.to_str().ok());
        let refusal = Refusal::new(head.status.as_u16(), retry_after, &body);
        Err(HttpError::new(HttpErrorKind::Unknown, refusal))
    }
}
