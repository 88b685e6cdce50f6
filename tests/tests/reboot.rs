//! What the journal says outlives the node: after a reboot, and after any step of its clock, what is open is thawed.
//!
//! The clock is the test's own here; the runtime and its processes are real.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clusterbackup_agent::caretaker::{By, Caretaker};
use clusterbackup_agent::clock::Clock;
use clusterbackup_agent::journal::{Entry, Journal, Opened, Outcome};
use clusterbackup_agent::metrics::Metrics;
use clusterbackup_agent::runtime::{Runtime, Target};
use clusterbackup_agent::undo::Means;
use clusterbackup_api::node_task::Thaw;
use clusterbackup_kit::metrics::Registry;
use clusterbackup_tests::cri::{ContainerSpec, CriFixture};
use clusterbackup_tests::eventually;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(10);
const UID: &str = "uid-1";
const TASK: &str = "task-uid";

/// A node with one pod that a file called `frozen` freezes.
struct Node {
    cri: CriFixture,
    folder: TempDir,
    journal: Journal,
    uptime: Arc<AtomicU64>,
    /// How often somebody looked at the clock.
    looks: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Node {
    fn new() -> Self {
        Self::with("sleep infinity")
    }

    /// The same with what its application does.
    fn with(application: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cri = CriFixture::start().unwrap();
        let target = Target {
            namespace: "shop".to_owned(),
            pod: "db-0".to_owned(),
            uid: UID.to_owned(),
            container: "db".to_owned(),
        };
        let mut spec = ContainerSpec::new(target, folder.path());
        spec.application = ["sh", "-c", application].map(str::to_owned).to_vec();
        cri.run(spec).unwrap();
        std::fs::write(folder.path().join("frozen"), "").unwrap();
        Self {
            journal: Journal::new(&folder.path().join("journal")).unwrap(),
            cri,
            folder,
            uptime: Arc::new(AtomicU64::new(100)),
            looks: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    fn clock(&self, boot: &str) -> Clock {
        let (uptime, looks) = (Arc::clone(&self.uptime), Arc::clone(&self.looks));
        Clock::new(boot, move || {
            looks.fetch_add(1, Ordering::Relaxed);
            Duration::from_secs(uptime.load(Ordering::Relaxed))
        })
    }

    /// Frozen in this boot, at second 100 of it.
    fn freeze(&self, boot: &str) -> Opened {
        let entry: Entry = serde_json::from_value(json!({
            "task": "task", "taskUid": TASK, "unit": "a",
            "backup": { "namespace": "shop", "name": "nightly", "uid": "2" },
            "boot": boot, "frozenAtMillis": 100_000, "maxFreeze": "60s",
            "pod": { "namespace": "shop", "name": "db-0", "uid": UID, "pre": [{
                "hook": "h", "container": "db", "onError": "Fail", "timeout": "5s",
                "command": ["touch", "frozen"],
            }], "post": [{
                "hook": "h", "container": "db", "onError": "Fail", "timeout": "5s",
                "command": ["rm", "-f", "frozen"],
            }] },
        }))
        .unwrap();
        self.journal.begin(entry).unwrap()
    }

    /// Has somebody care, and gives what he counts.
    fn care(&self, boot: &str, by: By) -> Arc<Metrics> {
        let means = Means {
            runtime: Runtime::cri(&self.cri.socket()).unwrap(),
            clock: self.clock(boot),
            metrics: Metrics::register(&Registry::new("test", "0").unwrap()).unwrap(),
            people: None,
        };
        let metrics = Arc::clone(&means.metrics);
        let caretaker = Caretaker::new(self.journal.clone(), means, by);
        tokio::spawn(caretaker.run(|| (), self.stop.clone()));
        metrics
    }

    fn is_frozen(&self) -> bool {
        Path::new(self.folder.path()).join("frozen").exists()
    }

    async fn thawed(&self) -> Outcome {
        eventually("it is thawed", LIMIT, || async {
            let outcome = self.journal.take_thawed(UID, TASK)?;
            outcome.ok_or_else(|| anyhow::anyhow!("frozen: {}", self.is_frozen()))
        })
        .await
        .unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn after_a_reboot_an_open_entry_is_due_at_once_whatever_the_clock_shows() {
    for uptime in [0, 100, 1_000_000] {
        let node = Node::new();
        drop(node.freeze("before"));
        node.uptime.store(uptime, Ordering::Relaxed);
        node.care("after", By::Replay);
        let outcome = node.thawed().await;
        assert_eq!((outcome.thaw, outcome.frozen_millis), (Thaw::ByReplay, None));
        assert!(!node.is_frozen());
    }
}

/// Nobody could tell it from what a hook has left, by the time since boot; but no hook's process outlives its boot.
#[tokio::test]
async fn after_a_reboot_a_daemon_of_the_application_is_nothing_that_a_hook_has_left() {
    let daemon = "setsid sh -c 'sleep 1000 | cat & : > started'; exec sleep infinity";
    let node = Node::with(daemon);
    let started = node.folder.path().join("started");
    eventually("the daemon runs", LIMIT, || async {
        anyhow::ensure!(started.exists(), "it doesn't");
        Ok(())
    })
    .await
    .unwrap();
    drop(node.freeze("before"));
    node.care("after", By::Watchdog);
    assert_eq!(node.thawed().await.thaw, Thaw::ByWatchdog);
}

#[tokio::test]
async fn a_sleep_of_the_node_makes_a_living_owner_late() {
    let node = Node::new();
    let owner = node.freeze("boot");
    node.care("boot", By::Watchdog);
    // However often the watchdog looks, the owner is trusted.
    let before = node.looks.load(Ordering::Relaxed);
    eventually("the watchdog has looked several times", LIMIT, || async {
        let looks = node.looks.load(Ordering::Relaxed) - before;
        anyhow::ensure!(looks >= 5, "{looks} times");
        Ok(())
    })
    .await
    .unwrap();
    assert!(node.is_frozen() && owner.is_open());
    node.uptime.store(100 + 3600, Ordering::Relaxed);
    let outcome = node.thawed().await;
    assert_eq!(
        (outcome.thaw, outcome.frozen_millis),
        (Thaw::ByWatchdog, Some(3_600_000))
    );
    assert!(!node.is_frozen() && !owner.is_open());
}

#[tokio::test]
async fn a_container_that_is_not_back_yet_is_waited_for() {
    let node = Node::new();
    let target = Target {
        namespace: "shop".to_owned(),
        pod: "db-0".to_owned(),
        uid: UID.to_owned(),
        container: "db".to_owned(),
    };
    node.cri.stop(&target).await.unwrap();
    drop(node.freeze("before"));
    let metrics = node.care("after", By::Watchdog);
    eventually("the undo was tried in vain", LIMIT, || async {
        anyhow::ensure!(metrics.undo_pending.get() == 1, "it was not");
        Ok(())
    })
    .await
    .unwrap();
    assert!(node.is_frozen() && node.journal.is_open(UID));
    node.cri.restart(&target).await.unwrap();
    node.uptime.store(100_000, Ordering::Relaxed);
    assert_eq!(node.thawed().await.thaw, Thaw::ByWatchdog);
    assert!(!node.is_frozen());
}
