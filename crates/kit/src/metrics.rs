//! The registry of a process, and helpers that register in it. A name that is wrong or taken is an error at start,
//! never a panic later.

use prometheus::{
    Encoder as _, Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, TextEncoder, core::Collector,
};

/// A metric can't be registered or written out.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} the metric {name}")]
pub struct MetricsError {
    action: &'static str,
    name: String,
    source: Error,
}

/// Every metric of the process. Clones share the metrics.
#[derive(Clone, Debug)]
pub struct Registry {
    inner: prometheus::Registry,
}

impl Registry {
    /// A registry that says which build it is: `clusterbackup_build_info{component, version} 1`.
    pub fn new(component: &str, version: &str) -> Result<Self, MetricsError> {
        let registry = Self {
            inner: prometheus::Registry::new(),
        };
        let build = registry.int_gauges(
            "clusterbackup_build_info",
            "What is running.",
            &["component", "version"],
        )?;
        build.with_label_values(&[component, version]).set(1);
        Ok(registry)
    }

    /// A count of events.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(name, IntCounter::new(name, help))
    }

    /// Counts of events by labels. Label values come from closed sets, never from object names.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricsError> {
        self.register(name, IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A whole number that goes up and down.
    pub fn int_gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        self.register(name, IntGauge::new(name, help))
    }

    /// Whole numbers that go up and down, by labels.
    pub fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, MetricsError> {
        self.register(name, IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A value that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        self.register(name, Gauge::new(name, help))
    }

    /// Values that go up and down, by labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, MetricsError> {
        self.register(name, GaugeVec::new(Opts::new(name, help), labels))
    }

    /// A distribution over the given upper bounds.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricsError> {
        self.register(
            name,
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())),
        )
    }

    /// Distributions over the given upper bounds, by labels.
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(name, HistogramVec::new(options, labels))
    }

    /// Everything in Prometheus' text format, whose media type is [`Registry::MEDIA_TYPE`].
    pub fn encode(&self) -> Result<Vec<u8>, MetricsError> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new()
            .encode(&self.inner.gather(), &mut text)
            .map_err(|source| MetricsError {
                action: "encode",
                name: "registry".to_owned(),
                source,
            })?;
        Ok(text)
    }

    /// The media type of [`Registry::encode`].
    pub const MEDIA_TYPE: &'static str = prometheus::TEXT_FORMAT;

    pub(crate) fn register<M: Collector + Clone + 'static>(
        &self,
        name: &str,
        metric: Result<M, Error>,
    ) -> Result<M, MetricsError> {
        let failed = |source| MetricsError {
            action: "register",
            name: name.to_owned(),
            source,
        };
        let metric = metric.map_err(failed)?;
        self.inner.register(Box::new(metric.clone())).map_err(failed)?;
        Ok(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_an_error_that_names_it() {
        let registry = Registry::new("test", "0").unwrap();
        registry.counter("reviews_total", "Reviews.").unwrap();
        let error = registry.counter("reviews_total", "Reviews.").unwrap_err();
        assert!(error.to_string().contains("reviews_total"), "{error}");
    }

    #[test]
    fn the_build_is_in_the_scrape() {
        let text = String::from_utf8(Registry::new("webhook", "1.2.3").unwrap().encode().unwrap()).unwrap();
        assert!(
            text.contains(r#"clusterbackup_build_info{component="webhook",version="1.2.3"} 1"#),
            "{text}"
        );
    }
}
