//! What has to hold before the process may be called. Each part takes a [`Handle`] by name and says when it is
//! ready; `/ready` names those that aren't.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use prometheus::{
    IntGauge, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio_util::sync::CancellationToken;

use crate::metrics::{MetricsError, Registry};

/// Ready when every handle is, and the process isn't stopping. Clones share the handles.
#[derive(Clone)]
pub struct Readiness {
    parts: Arc<Mutex<Vec<Handle>>>,
    stopping: CancellationToken,
}

/// One part's say in the readiness of the process. It keeps what was said last, also when it is dropped.
#[derive(Clone, Debug)]
pub struct Handle {
    name: &'static str,
    ready: Arc<AtomicBool>,
}

impl Readiness {
    /// Without any parts: ready until `stopping` (see [`crate::shutdown::Shutdown::stopping`]).
    pub fn new(stopping: CancellationToken) -> Self {
        Self {
            parts: Arc::default(),
            stopping,
        }
    }

    /// A new part, not ready yet.
    pub fn handle(&self, name: &'static str) -> Handle {
        let handle = Handle {
            name,
            ready: Arc::default(),
        };
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle.clone());
        handle
    }

    /// Whether the process may be called.
    pub fn is_ready(&self) -> bool {
        self.awaited().is_empty()
    }

    /// The names of what isn't ready; `shutdown` once the process is stopping.
    pub fn awaited(&self) -> Vec<&'static str> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let unready = parts.iter().filter(|part| !part.is_ready()).map(|part| part.name);
        self.stopping
            .is_cancelled()
            .then_some("shutdown")
            .into_iter()
            .chain(unready)
            .collect()
    }

    /// Has every scrape say whether the process is ready: who is scraped may still not be called.
    pub fn show(&self, component: &str, registry: &Registry) -> Result<(), MetricsError> {
        let name = "clusterbackup_ready";
        let options = Opts::new(name, "Whether the process may be called: 1 or 0.");
        let shown = IntGauge::with_opts(options.const_label("component", component)).map(|gauge| Shown {
            readiness: self.clone(),
            gauge,
        });
        registry.register(name, shown).map(drop)
    }
}

/// Readiness as a metric, looked up when it is asked for.
#[derive(Clone)]
struct Shown {
    readiness: Readiness,
    gauge: IntGauge,
}

impl Collector for Shown {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(i64::from(self.readiness.is_ready()));
        self.gauge.collect()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("awaited", &self.awaited())
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// This part can do its work.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// This part can't do its work (any more).
    pub fn set_unready(&self) {
        self.ready.store(false, Ordering::Release);
    }

    /// What was said last.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_while_every_part_is() {
        let readiness = Readiness::new(CancellationToken::new());
        assert!(readiness.is_ready(), "nothing is awaited");
        let (rules, certificate) = (readiness.handle("rules"), readiness.handle("certificate"));
        assert_eq!(readiness.awaited(), ["rules", "certificate"]);
        rules.set_ready();
        assert_eq!(readiness.awaited(), ["certificate"]);
        certificate.set_ready();
        assert!(readiness.is_ready());
        rules.set_unready();
        assert_eq!(readiness.awaited(), ["rules"]);
    }

    #[test]
    fn every_scrape_says_whether_it_is_ready() {
        let registry = Registry::new("test", "0").unwrap();
        let readiness = Readiness::new(CancellationToken::new());
        let rules = readiness.handle("rules");
        readiness.show("test", &registry).unwrap();
        let scrape = || String::from_utf8(registry.encode().unwrap()).unwrap();
        assert!(scrape().contains("clusterbackup_ready{component=\"test\"} 0\n"));
        rules.set_ready();
        assert!(scrape().contains("clusterbackup_ready{component=\"test\"} 1\n"));
    }

    #[test]
    fn never_ready_while_stopping() {
        let stopping = CancellationToken::new();
        let readiness = Readiness::new(stopping.clone());
        stopping.cancel();
        assert_eq!(readiness.awaited(), ["shutdown"]);
    }
}
