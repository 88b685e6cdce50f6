//! How long a review may ask the API server: once for all that it asks.

use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, timeout_at};

/// Below the five seconds that the API server waits, so that the answer is ours.
const LIMIT: Duration = Duration::from_secs(3);

/// Until when answers of the API server count for one review.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// They didn't come in time.
#[derive(Debug, Clone, Copy, Error)]
#[error("the API server did not answer within {} s", LIMIT.as_secs())]
pub struct Expired;

impl Deadline {
    /// That of a review which begins now.
    pub fn from_now() -> Self {
        Self(Instant::now() + LIMIT)
    }

    /// What comes of `question`, if it comes in time.
    pub async fn await_answer<T>(self, question: impl Future<Output = T>) -> Result<T, Expired> {
        timeout_at(self.0, question).await.map_err(|_| Expired)
    }
}
