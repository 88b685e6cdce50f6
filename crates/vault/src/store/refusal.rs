//! What a store says when it doesn't do what it was asked for, and what that means. Azure and S3 say it alike: a status, and
//! a short XML text with a code and a message.

use std::error::Error;
use std::time::Duration;

use super::{Key, StoreError};

/// No store asks for more; who does is not obeyed.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What is read of a message.
const LONGEST_MESSAGE: usize = 300;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        Self {
            status,
            code: element(&body, "Code"),
            message: element(&body, "Message"),
            retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
        }
    }

    /// Whether a blob isn't written since one is there.
    pub(super) fn says_exists(&self) -> bool {
        self.status == 412 || self.code == "BlobAlreadyExists"
    }

    /// Whether a blob ends before the range that is asked for.
    pub(super) const fn says_beyond_the_end(&self) -> bool {
        self.status == 416
    }

    /// What it means for what was asked for: a blob, or a list.
    pub(super) fn error(&self, key: Option<&Key>) -> StoreError {
        let message = self.to_string();
        match (self.status, self.code.as_str(), key) {
            (_, "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" | "InvalidBucketName", _) => {
                StoreError::NoLocation { message }
            }
            (_, "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold", Some(key)) => {
                StoreError::Immutable {
                    key: key.clone(),
                    message,
                }
            }
            (_, "RequestTimeTooSkewed", _) => StoreError::Denied {
                message: format!("{message} (the clock of this machine isn't the store's)"),
            },
            (_, "QuotaExceeded" | "InsufficientStorage", _) | (507, _, _) => StoreError::Full { message },
            // Another request for the same blob was under way; which of them was first isn't decided yet.
            (409, "ConditionalRequestConflict", _)
            | (400, "RequestTimeout", _)
            | (408 | 429 | 500 | 502 | 503 | 504, _, _) => StoreError::Unreachable {
                message,
                retry_after: self.retry_after,
            },
            (401 | 403, _, _) => StoreError::Denied { message },
            (404, _, Some(key)) => StoreError::NotFound { key: key.clone() },
            (404, _, None) => StoreError::NoLocation { message },
            _ => StoreError::Other { message },
        }
    }
}

/// The text of the first element of this name.
fn element(body: &str, name: &str) -> String {
    let text = body
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once("</"))
        .map_or("", |(text, _)| text);
    // Azure's goes on with the request's number and time.
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(LONGEST_MESSAGE).collect()
}

/// The causes of an error, itself first.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What a connection failed with. Only the last cause is told: those before it may tell the URL, and that may hold a signature.
pub(super) fn last_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_the_same_from_every_store() {
        let key = Key::new("a/b").unwrap();
        let body =
            |code: &str| format!("<?xml?><Error><Code>{code}</Code><Message>so\nid: 7</Message></Error>");
        for (status, code, expected) in [
            (404, "NoSuchKey", "there is no blob a/b"),
            (404, "", "there is no blob a/b"),
            (404, "NoSuchBucket", "the location is not there"),
            (404, "ContainerNotFound", "the location is not there"),
            (
                403,
                "SignatureDoesNotMatch",
                "the store denies access: 403 SignatureDoesNotMatch: so;",
            ),
            (401, "", "the store denies access"),
            (
                403,
                "RequestTimeTooSkewed",
                "the store denies access: 403 RequestTimeTooSkewed: so (the clock",
            ),
            (409, "BlobImmutableDueToPolicy", "a/b is immutable"),
            (507, "", "the store is full"),
            (409, "ConditionalRequestConflict", "the store can't be reached"),
            (429, "", "the store can't be reached"),
            (503, "SlowDown", "the store can't be reached: 503 SlowDown: so"),
            (500, "InternalError", "the store can't be reached"),
            (
                400,
                "InvalidArgument",
                "the store answers 400 InvalidArgument: so",
            ),
            (301, "PermanentRedirect", "the store answers 301"),
        ] {
            let refusal = Refusal::new(status, None, body(code).as_bytes());
            let told = refusal.error(Some(&key)).to_string();
            assert!(told.starts_with(expected), "{status} {code}: {told}");
        }
        let listed = Refusal::new(404, None, b"").error(None);
        assert!(matches!(listed, StoreError::NoLocation { .. }), "{listed}");
    }

    #[test]
    fn a_store_says_how_long_to_wait() {
        for (header, expected) in [
            (None, None),
            (Some("3"), Some(3)),
            (Some(" 20 "), Some(20)),
            (Some("soon"), None),
            (Some("-1"), None),
            (Some("99999999999"), Some(600)),
        ] {
            let StoreError::Unreachable { retry_after, .. } = Refusal::new(503, header, b"\xff").error(None)
            else {
                panic!("a busy store can be asked again")
            };
            assert_eq!(retry_after.map(|wait| wait.as_secs()), expected, "{header:?}");
        }
    }
}
