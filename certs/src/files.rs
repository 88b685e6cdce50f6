//! Certificates that somebody else issues (cert-manager) and mounts. Files are read again and compared by content:
//! the kubelet swaps a symbolic link above them, which notifications on the files miss.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clusterbackup_kit::{readiness::Handle, tls::Identity};
use jiff::Timestamp;
use tokio::{task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metrics::Metrics;

/// How often the files are read.
const PERIOD: Duration = Duration::from_secs(10);
/// How often while there is nothing to serve yet.
const IMPATIENT: Duration = Duration::from_secs(1);

/// A folder with `tls.crt` and `tls.key`.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) identity: Arc<Identity>,
    pub(crate) ready: Handle,
    pub(crate) metrics: Metrics,
}

#[derive(Clone, Eq, PartialEq)]
struct Content {
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    /// Serves what the files hold until `stopped`.
    pub(crate) async fn run(self, stopped: CancellationToken) {
        stopped.run_until_cancelled(self.poll()).await;
    }

    async fn poll(self) {
        let mut last: Option<Result<Content, String>> = None;
        loop {
            let folder = self.folder.clone();
            let read = spawn_blocking(move || Content::read(&folder)).await;
            let found = read
                .map_err(|error| error.to_string())
                .and_then(|read| read.map_err(|error| error.to_string()));
            if last.as_ref() != Some(&found) {
                self.take(&found);
                last = Some(found);
            }
            self.tell(Timestamp::now());
            sleep(if self.ready.is_ready() { PERIOD } else { IMPATIENT }).await;
        }
    }

    fn take(&self, found: &Result<Content, String>) {
        let folder = self.folder.display();
        let served = match found {
            Ok(content) => self
                .identity
                .replace(&content.chain, &content.key)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        match served {
            Ok(not_after) => {
                self.metrics.leaf_expires(not_after);
                info!(%folder, %not_after, "serving the certificate from files");
            }
            Err(error) => {
                self.metrics.failures.inc();
                warn!(%folder, error, "failed to load tls.crt and tls.key; what was served before stays");
            }
        }
    }

    fn tell(&self, now: Timestamp) {
        if self.identity.not_after().is_some_and(|not_after| now < not_after) {
            self.ready.set_ready();
        } else {
            self.ready.set_unready();
        }
    }
}

impl Content {
    fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            chain: std::fs::read(folder.join("tls.crt"))?,
            key: std::fs::read(folder.join("tls.key"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clusterbackup_kit::{metrics::Registry, readiness::Readiness};
    use jiff::SignedDuration;

    use super::*;
    use crate::authority::{Authority, Leaf, ServiceNames};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn leaf(now: Timestamp) -> Leaf {
        let authority = Authority::create(now, HOUR * 9).unwrap();
        authority
            .issue(now, HOUR, &ServiceNames::new("webhook", "system"))
            .unwrap()
    }

    fn content(leaf: &Leaf) -> Content {
        Content {
            chain: leaf.certificate().pem().into(),
            key: leaf.key().expose().into(),
        }
    }

    fn files() -> (Files, Readiness) {
        let readiness = Readiness::new(CancellationToken::new());
        let registry = Registry::new("test", "0").unwrap();
        let files = Files {
            folder: "/mounted".into(),
            identity: Arc::default(),
            ready: readiness.handle("certificate"),
            metrics: Metrics::new(&registry).unwrap(),
        };
        (files, readiness)
    }

    #[test]
    fn ready_while_there_is_a_certificate_that_has_not_expired() {
        let now = Timestamp::now();
        let (files, readiness) = files();
        files.tell(now);
        assert!(!readiness.is_ready(), "nothing is loaded");
        files.take(&Ok(content(&leaf(now))));
        files.tell(now);
        assert!(readiness.is_ready());
        files.tell(now + HOUR);
        assert!(!readiness.is_ready(), "expired");
    }

    #[test]
    fn files_caught_between_two_certificates_leave_the_old_one_served() {
        let now = Timestamp::now();
        let (files, _) = files();
        let (old, new) = (content(&leaf(now)), content(&leaf(now + HOUR)));
        files.take(&Ok(old.clone()));
        let served = files.identity.not_after();
        files.take(&Ok(Content {
            chain: new.chain.clone(),
            key: old.key,
        }));
        files.take(&Err("no such file".to_owned()));
        assert_eq!(files.identity.not_after(), served);
        files.take(&Ok(new));
        assert_ne!(files.identity.not_after(), served);
    }
}
