//! What requests to Azure are sent with. The official client makes its own where it is given none, and panics where that can't
//! be made: with a file of certificates that is none.

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::Transport;

use super::super::StoreError;

/// A connection that takes longer doesn't come.
const CONNECT: Duration = Duration::from_secs(20);
/// A server that says nothing for so long says nothing more.
const SILENCE: Duration = Duration::from_mins(1);

/// With the authorities of the system, or those in the file that `SSL_CERT_FILE` names. Redirects are not followed: whoever
/// answers with one is not the store.
pub(super) fn new() -> Result<Transport, StoreError> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let client = client.map_err(|error| StoreError::Other {
        message: format!(
            "that no connection can be made secure: {}; where SSL_CERT_FILE is set, check the file that it names",
            causes(&error)
        ),
    })?;
    Ok(Transport::new(Arc::new(client)))
}

/// An error with what it comes of.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
