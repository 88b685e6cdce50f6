//! What a connection is doing and how long it may. hyper has one timer for the headers that also runs while a kept
//! connection is idle; those two need deadlines of very different length.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::Limits;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// A request is awaited or arriving: its headers are due.
    Headers,
    /// A request is with the handler, which has its own deadline.
    Serving,
    /// Kept, without a request.
    Idle,
}

/// The shared notion of a connection's phase.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    phase: watch::Sender<(Phase, Instant)>,
}

impl Pace {
    /// A connection whose first request is awaited.
    pub(super) fn new() -> Self {
        Self {
            phase: watch::Sender::new((Phase::Headers, Instant::now())),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase.borrow().0 == Phase::Idle
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace((phase, Instant::now()));
    }

    fn bytes_arrived(&self) {
        if self.is_idle() {
            self.enter(Phase::Headers);
        }
    }

    /// Ends when the connection has been in a phase for longer than it may.
    pub(super) async fn overdue(&self, limits: &Limits) -> Phase {
        let mut changes = self.phase.subscribe();
        loop {
            let (phase, since) = *changes.borrow_and_update();
            let allowed = match phase {
                Phase::Headers => limits.headers,
                Phase::Idle => limits.idle,
                Phase::Serving => Duration::MAX,
            };
            let Some(deadline) = since.checked_add(allowed) else {
                // No deadline; `self` keeps the channel open.
                drop(changes.changed().await);
                continue;
            };
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                () = sleep_until(deadline) => return phase,
            }
        }
    }
}

/// A stream that tells the [`Pace`] of its connection when bytes arrive.
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pace.bytes_arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
