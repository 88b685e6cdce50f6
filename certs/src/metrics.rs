//! What can be counted about certificates.

use clusterbackup_kit::metrics::{MetricsError, Registry};
use jiff::Timestamp;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use crate::step::Step;

#[derive(Debug)]
pub(crate) struct Metrics {
    not_after: IntGaugeVec,
    pub(crate) rotations: IntCounterVec,
    pub(crate) failures: IntCounter,
    pub(crate) injections: IntCounter,
    pub(crate) injection_failures: IntCounter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self {
            not_after: registry.int_gauges(
                "clusterbackup_certificate_not_after_timestamp_seconds",
                "When the certificate expires, in seconds since the epoch.",
                &["certificate"],
            )?,
            rotations: registry.counters(
                "clusterbackup_certificate_rotations_total",
                "Changes of the stored certificates made by this replica.",
                &["kind"],
            )?,
            failures: registry.counter(
                "clusterbackup_certificate_failures_total",
                "Certificates that could not be made, stored, read or loaded.",
            )?,
            injections: registry.counter(
                "clusterbackup_certificate_injections_total",
                "Webhook configurations whose caBundle this replica has set.",
            )?,
            injection_failures: registry.counter(
                "clusterbackup_certificate_injection_failures_total",
                "Webhook configurations whose caBundle could not be set.",
            )?,
        };
        for step in Step::WRITING {
            metrics.rotations.with_label_values(&[step.name()]);
        }
        Ok(metrics)
    }

    pub(crate) fn leaf_expires(&self, at: Timestamp) {
        self.not_after.with_label_values(&["leaf"]).set(at.as_second());
    }

    pub(crate) fn authority_expires(&self, at: Timestamp) {
        self.not_after
            .with_label_values(&["authority"])
            .set(at.as_second());
    }
}
