//! A runtime with one container, and commands in it.

use std::path::Path;
use std::time::Duration;

use clusterbackup_agent::runtime::{Finished, Runtime, Target};
use clusterbackup_api::node_task::Killed;
use clusterbackup_tests::CriFixture;
use clusterbackup_tests::cri::ContainerSpec;

pub(crate) const SHORT: Duration = Duration::from_secs(1);
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A runtime with the container `app` of the pod `db-0`.
pub(crate) struct Bench {
    pub(crate) fixture: CriFixture,
    pub(crate) runtime: Runtime,
    pub(crate) target: Target,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(CriFixture::start().unwrap(), &["sleep", "infinity"])
    }

    pub(crate) fn with(fixture: CriFixture, application: &[&str]) -> Self {
        let target = target("db-0");
        let mut spec = ContainerSpec::new(target.clone(), Path::new("/"));
        spec.application = words(application);
        fixture.run(spec).unwrap();
        Self {
            runtime: Runtime::cri(&fixture.socket()).unwrap(),
            fixture,
            target,
        }
    }

    pub(crate) async fn exec(&self, command: &[&str], limit: Duration) -> Finished {
        self.runtime.exec(&self.target, &words(command), limit).await
    }

    pub(crate) async fn shell(&self, script: &str, limit: Duration) -> Finished {
        self.exec(&["sh", "-c", script], limit).await
    }

    /// What killing must have come to: everything, where the machine lets containers be told apart.
    pub(crate) fn all(&self) -> Killed {
        if self.fixture.tells_containers_apart() {
            Killed::KilledAll
        } else {
            Killed::NotKillable
        }
    }

    /// What is said where nothing runs: nothing, unless nobody can know.
    pub(crate) fn suspected(&self) -> Option<Killed> {
        (!self.fixture.tells_containers_apart()).then_some(Killed::NotKillable)
    }

    /// Asserts that nothing of any command is left, where that can be hoped for.
    pub(crate) async fn nothing_is_left(&self) {
        if self.fixture.tells_containers_apart() {
            self.fixture.only_the_application(&self.target).await.unwrap();
        }
    }
}

pub(crate) fn target(pod: &str) -> Target {
    Target {
        namespace: "shop".to_owned(),
        pod: pod.to_owned(),
        uid: format!("uid-of-{pod}"),
        container: "app".to_owned(),
    }
}

pub(crate) fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|&word| word.to_owned()).collect()
}
