//! Whether the containers of a new pod are up, as its kubelet says.

use std::pin::pin;

use clusterbackup_api::node_task::RestoredPod;
use clusterbackup_core::hook::restore::Container;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodSpec};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

/// The pod's containers, watched as long as this lives.
pub(super) struct Containers {
    seen: watch::Receiver<Seen>,
    _watching: AbortOnDropHandle<()>,
}

/// What is known of the pod.
enum Seen {
    Nothing,
    Gone,
    Pod(Box<Pod>),
}

impl Containers {
    /// Watches them.
    pub(super) fn watch(client: Client, pod: &RestoredPod) -> Self {
        let pods = Api::<Pod>::namespaced(client, &pod.namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={}", pod.name));
        let (sender, seen) = watch::channel(Seen::Nothing);
        let uid = pod.uid.clone();
        let watching = tokio::spawn(async move {
            let mut events = pin!(watcher(pods, config).default_backoff());
            let mut listed = false;
            loop {
                match events.try_next().await {
                    Ok(Some(Event::Init)) => listed = false,
                    Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => {
                        let same = pod.metadata.uid.as_deref() == Some(uid.as_str());
                        listed |= same;
                        sender.send_replace(if same {
                            Seen::Pod(Box::new(pod))
                        } else {
                            Seen::Gone
                        });
                    }
                    Ok(Some(Event::InitDone)) if listed => {}
                    Ok(Some(Event::InitDone | Event::Delete(_))) => _ = sender.send_replace(Seen::Gone),
                    Ok(None) => return,
                    Err(error) => warn!(%error, "the watch of a restored pod broke, trying again"),
                }
            }
        });
        Self {
            seen,
            _watching: AbortOnDropHandle::new(watching),
        }
    }

    /// How the container of that name stands.
    pub(super) fn state(&self, name: &str) -> Container {
        match &*self.seen.borrow() {
            Seen::Nothing => Container::Awaited,
            Seen::Gone => Container::Over,
            Seen::Pod(pod) => state(pod, name),
        }
    }

    /// Waits until something is different.
    pub(super) async fn changed(&mut self) {
        if self.seen.changed().await.is_err() {
            // Nobody watches any more: the process is about to end.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the pod is gone, or about to go.
    pub(super) async fn going(&self) {
        let mut seen = self.seen.clone();
        let going = |seen: &Seen| match seen {
            Seen::Nothing => false,
            Seen::Gone => true,
            Seen::Pod(pod) => pod.metadata.deletion_timestamp.is_some(),
        };
        if seen.wait_for(going).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn state(pod: &Pod, name: &str) -> Container {
    let status = pod.status.clone().unwrap_or_default();
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if ended || pod.metadata.deletion_timestamp.is_some() {
        return Container::Over;
    }
    let all = [status.container_statuses, status.init_container_statuses];
    let mut all = all.into_iter().flatten().flatten();
    let Some(container) = all.find(|container| container.name == name) else {
        return Container::Awaited;
    };
    let state = container.state.as_ref();
    if state.is_some_and(|state| state.running.is_some()) {
        return if container.ready {
            Container::Ready
        } else {
            Container::Running
        };
    }
    if is_over(&container, pod.spec.as_ref()) {
        return Container::Over;
    }
    Container::Awaited
}

/// Whether a container has ended for good. A sidecar never does.
fn is_over(container: &ContainerStatus, spec: Option<&PodSpec>) -> bool {
    let terminated = container
        .state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let Some((terminated, spec)) = terminated.zip(spec) else {
        return false;
    };
    let is_main = spec.containers.iter().any(|main| main.name == container.name);
    is_main
        && match spec.restart_policy.as_deref() {
            Some("Never") => true,
            Some("OnFailure") => terminated.exit_code == 0,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(restart: &str, phase: &str, state: &Value, ready: bool) -> Container {
        let status = |name: &str| {
            json!({
                "name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": ready, "state": state,
            })
        };
        let pod = json!({
            "metadata": { "name": "web" },
            "spec": { "restartPolicy": restart, "containers": [{ "name": "main" }] },
            "status": { "phase": phase, "containerStatuses": [status("main")], "initContainerStatuses": [status("side")] },
        });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        if restart == "Always" {
            assert_eq!(super::state(&pod, "side"), super::state(&pod, "main"));
        }
        assert_eq!(super::state(&pod, "other") == Container::Over, phase == "Failed");
        super::state(&pod, "main")
    }

    #[test]
    fn a_container_is_up_when_it_runs_and_over_when_it_never_will_again() {
        let (running, waiting) = (json!({ "running": {} }), json!({ "waiting": {} }));
        let ended = |code: u8| json!({ "terminated": { "exitCode": code } });
        for (restart, phase, state, ready, expected) in [
            ("Always", "Pending", json!({}), false, Container::Awaited),
            ("Always", "Pending", waiting, false, Container::Awaited),
            ("Always", "Running", running.clone(), false, Container::Running),
            ("Always", "Running", running.clone(), true, Container::Ready),
            ("Always", "Running", ended(1), false, Container::Awaited),
            ("OnFailure", "Running", ended(1), false, Container::Awaited),
            ("OnFailure", "Running", ended(0), false, Container::Over),
            ("Never", "Running", ended(1), false, Container::Over),
            ("Always", "Failed", running, true, Container::Over),
        ] {
            let told = format!("{restart} {phase} {state}");
            assert_eq!(of(restart, phase, &state, ready), expected, "{told}");
        }
    }
}
