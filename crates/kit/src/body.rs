//! Reading a request's body within bounds of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

/// A body that wasn't read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes than allowed; to be answered with 413.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// Not complete in time; to be answered with 408.
    #[error("the body was not complete after {0:?}")]
    TooSlow(Duration),
    /// The client hung up or sent something that is no body.
    #[error("failed to read the body: {0}")]
    Broken(#[from] hyper::Error),
}

/// Reads a whole body of at most `limit` bytes within `deadline`.
///
/// Of a body that is too large, as much again is read and dropped: a client that is still writing when the connection
/// closes may never see the answer that tells it why.
pub async fn read(body: Incoming, limit: usize, deadline: Duration) -> Result<Bytes, BodyError> {
    timeout(deadline, collect(body, limit))
        .await
        .unwrap_or(Err(BodyError::TooSlow(deadline)))
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit.saturating_mul(2) {
        return Err(BodyError::TooLarge { limit });
    }
    let mut whole = BytesMut::with_capacity(if announced > limit { 0 } else { announced });
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > limit.saturating_mul(2) {
            break;
        }
        if seen <= limit {
            whole.extend_from_slice(&data);
        }
    }
    if seen > limit {
        Err(BodyError::TooLarge { limit })
    } else {
        Ok(whole.freeze())
    }
}
