//! What can be counted about connections.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::metrics::{MetricsError, Registry};

/// The metrics of a server.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) open: IntGauge,
    /// Times that all places were taken.
    pub(super) waits: IntCounter,
    refused: IntCounterVec,
}

/// Why a connection got no answer, or not all that it waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The TLS handshake took too long.
    HandshakeTimeout,
    /// The client hung up before it was through.
    HandshakeClosed,
    /// One side did not agree with the other's certificate, version or the like.
    HandshakeTls,
    /// The headers of a request took too long.
    HeadersTimeout,
    /// What came is no HTTP, or has headers too large.
    NotHttp,
    /// A request was still in flight when the drain was over.
    CutOff,
}

impl Refusal {
    const ALL: [Self; 6] = [
        Self::HandshakeTimeout,
        Self::HandshakeClosed,
        Self::HandshakeTls,
        Self::HeadersTimeout,
        Self::NotHttp,
        Self::CutOff,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HandshakeClosed => "handshake_closed",
            Self::HandshakeTls => "handshake_tls",
            Self::HeadersTimeout => "headers_timeout",
            Self::NotHttp => "not_http",
            Self::CutOff => "cut_off",
        }
    }
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self {
            open: registry.int_gauge("clusterbackup_server_connections", "Open HTTPS connections.")?,
            waits: registry.counter(
                "clusterbackup_server_connection_waits_total",
                "Times that as many connections were open as are served at a time, so that the next had to wait.",
            )?,
            refused: registry.counters(
                "clusterbackup_server_refused_connections_total",
                "Connections that got no answer, or not all that they waited for.",
                &["reason"],
            )?,
        };
        for reason in Refusal::ALL {
            metrics.refused.with_label_values(&[reason.label()]);
        }
        Ok(metrics)
    }

    /// Counts a connection that ended so.
    pub(super) fn refuse(&self, reason: Refusal) {
        self.refused.with_label_values(&[reason.label()]).inc();
    }
}
