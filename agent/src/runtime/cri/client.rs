//! Calls to the container runtime: each with an end, and with the memory that it may take.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tower::ServiceExt as _;

use super::answer::Answer;
use super::messages::{Call, ExecSyncRequest, SERVICE};
use crate::runtime::RuntimeError;

/// How the runtime is called in messages.
const RUNTIME: &str = "the container runtime";
/// No call other than a command takes this long, unless the runtime hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// Of a list of containers; one of a whole node is smaller.
const LARGEST_ANSWER: usize = 16 << 20;
/// What the runtime may send ahead of the reader: of one answer, and of all together.
const AHEAD: u32 = 128 << 10;
const AHEAD_TOGETHER: u32 = 1 << 20;

/// The runtime behind a socket. Clones share its one connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
    channel: Channel,
}

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The runtime said why.
    Refused(Status),
    /// The connection broke.
    Lost(String),
}

impl Client {
    pub(super) fn at(socket: &Path) -> Result<Self, RuntimeError> {
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))
            .map_err(|error| RuntimeError::Unreachable(RUNTIME, error.to_string()))?;
        let channel = endpoint
            .initial_stream_window_size(AHEAD)
            .initial_connection_window_size(AHEAD_TOGETHER)
            .connect_timeout(LIMIT)
            .connect_lazy();
        Ok(Self {
            socket: socket.to_owned(),
            channel,
        })
    }

    /// Any call but a command. Made again if the connection turns out to be broken: the runtime was restarted.
    pub(super) async fn call<C: Call + Clone>(&self, request: C) -> Result<C::Answer, RuntimeError> {
        let calls = async {
            match self.unary(request.clone()).await {
                Err(status) if of_the_connection(&status) => self.unary(request).await,
                answered => answered,
            }
        };
        let answer = timeout(LIMIT, calls).await;
        answer
            .map_err(|_| RuntimeError::Silent(RUNTIME, LIMIT))?
            .map_err(|status| {
                if of_the_connection(&status) {
                    let socket = self.socket.display();
                    RuntimeError::Unreachable(RUNTIME, format!("{} ({socket})", chain(&status)))
                } else {
                    RuntimeError::Refused(RUNTIME, status.message().to_owned())
                }
            })
    }

    async fn unary<C: Call>(&self, request: C) -> Result<C::Answer, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER);
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let codec = ProstCodec::<C, C::Answer>::default();
        let answer = grpc.unary(Request::new(request), path::<C>()?, codec).await?;
        Ok(answer.into_inner())
    }

    /// Runs a command. Has no end of its own: the caller drops it, and the runtime notices.
    pub(super) async fn exec_sync(&self, request: &ExecSyncRequest) -> Result<Answer, NoAnswer> {
        let message = request.encode_to_vec();
        let length = u32::try_from(message.len())
            .map_err(|_| NoAnswer::Refused(Status::invalid_argument("the command is too long")))?;
        let framed = [&[0][..], &length.to_be_bytes(), &message].concat();
        let request = http::Request::post(path::<ExecSyncRequest>().map_err(NoAnswer::Refused)?.as_str())
            .header(http::header::CONTENT_TYPE, "application/grpc")
            .header(http::header::TE, "trailers")
            .body(tonic::body::Body::new(Full::new(Bytes::from(framed))))
            .map_err(|error| NoAnswer::Lost(error.to_string()))?;
        let response = self.channel.clone().oneshot(request).await;
        let response = response.map_err(|error| NoAnswer::Lost(chain(&error)))?;
        accepted(response.headers())?;
        let mut body = response.into_body();
        let mut answer = Answer::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|status| NoAnswer::Lost(status.message().to_owned()))?;
            if let Some(trailers) = frame.trailers_ref() {
                accepted(trailers)?;
            } else if let Some(data) = frame.data_ref() {
                answer
                    .push(data)
                    .map_err(|error| NoAnswer::Lost(error.to_string()))?;
            }
        }
        Ok(answer)
    }
}

/// Whether a status was made here, of an error of the connection, and not by the runtime.
fn of_the_connection(status: &Status) -> bool {
    status.source().is_some()
}

/// A status other than 0 is an error, in the headers as in the trailers.
fn accepted(headers: &http::HeaderMap) -> Result<(), NoAnswer> {
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => Err(NoAnswer::Refused(status)),
        _ => Ok(()),
    }
}

fn path<C: Call>() -> Result<PathAndQuery, Status> {
    format!("/{SERVICE}/{}", C::METHOD)
        .parse()
        .map_err(|_| Status::internal("no path"))
}

/// An error with its causes: tonic's own text is only `transport error`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
