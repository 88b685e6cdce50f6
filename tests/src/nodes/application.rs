//! An application of a test: a pod with a script for busybox' shell, on a node of one's choice, with volumes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::Target;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::{Node, Nodes};
use crate::eventually;

const LIMIT: Duration = Duration::from_mins(1);

/// What the pod is to be.
#[derive(Clone, Debug)]
pub struct Application<'a> {
    /// The pod's name.
    pub name: &'a str,
    /// Where it runs; anywhere by default.
    pub node: Option<&'a str>,
    /// What its container `app` does.
    pub script: &'a str,
    /// Its arguments: `$1` and so on.
    pub arguments: &'a [&'a str],
    /// Claims, each mounted at `/data/<claim>`.
    pub claims: &'a [&'a str],
    /// The pod's labels.
    pub labels: Value,
    /// How long it may go on after it is told to end.
    pub grace_seconds: u32,
}

impl<'a> Application<'a> {
    /// One that does nothing.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            node: None,
            script: "sleep infinity",
            arguments: &[],
            claims: &[],
            labels: json!({}),
            grace_seconds: 1,
        }
    }

    fn pod(&self) -> Result<Pod> {
        let volumes = self
            .claims
            .iter()
            .map(|claim| json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim } }));
        let mounts = self
            .claims
            .iter()
            .map(|claim| json!({ "name": claim, "mountPath": format!("/data/{claim}") }));
        let command: Vec<&str> = ["sh", "-c", self.script, "app"]
            .into_iter()
            .chain(self.arguments.iter().copied())
            .collect();
        let pod = json!({
            "metadata": { "name": self.name, "labels": self.labels },
            "spec": {
                // Not by `nodeName`, which passes the scheduler by: a volume that waits for its first consumer waits for
                // the scheduler's word.
                "nodeSelector": self.node.map(|node| json!({ "kubernetes.io/hostname": node })),
                "terminationGracePeriodSeconds": self.grace_seconds,
                "containers": [{
                    "name": "app",
                    "image": "busybox:1",
                    "command": command,
                    "volumeMounts": mounts.collect::<Vec<_>>(),
                }],
                "volumes": volumes.collect::<Vec<_>>(),
            },
        });
        Ok(serde_json::from_value(pod)?)
    }
}

/// A pod that runs.
pub struct Running<'a> {
    nodes: &'a Nodes,
    namespace: String,
    pod: Pod,
}

impl Nodes {
    /// Creates the pod and waits until it runs.
    pub async fn run(&self, namespace: &str, application: &Application<'_>) -> Result<Running<'_>> {
        let pods = Api::<Pod>::namespaced(self.cluster().admin(), namespace);
        pods.create(&PostParams::default(), &application.pod()?)
            .await
            .with_context(|| format!("failed to create the pod {}", application.name))?;
        let pod = eventually(&format!("the pod {} runs", application.name), LIMIT, || async {
            let pod = pods.get(application.name).await?;
            ensure!(id(&pod, "app").is_some(), "{:?}", pod.status);
            Ok(pod)
        })
        .await?;
        Ok(Running {
            nodes: self,
            namespace: namespace.to_owned(),
            pod,
        })
    }

    /// Kills the processes of a pod's container outright; the kubelet starts it again.
    pub async fn kill(&self, pod: &Pod, container: &str) -> Result<()> {
        let id = id(pod, container).with_context(|| format!("no container {container} runs"))?;
        let id = id.strip_prefix("containerd://").unwrap_or(id);
        let kill = [
            "--namespace",
            "k8s.io",
            "tasks",
            "kill",
            "--signal",
            "SIGKILL",
            id,
        ];
        self.node_of(pod)?.run("ctr", &kill).await.map(drop)
    }

    fn node_of(&self, pod: &Pod) -> Result<&Node> {
        let name = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        self.node(name.context("the pod is on no node")?)
    }
}

impl Running<'_> {
    /// As the API server had it when it began to run.
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// Its container, as the agent calls it.
    pub fn target(&self) -> Result<Target> {
        let metadata = &self.pod.metadata;
        Ok(Target {
            namespace: self.namespace.clone(),
            pod: metadata.name.clone().context("it has no name")?,
            uid: metadata.uid.clone().context("it has no uid")?,
            container: "app".to_owned(),
        })
    }

    /// Its address.
    pub fn address(&self) -> Result<String> {
        let status = self.pod.status.as_ref();
        let address = status.and_then(|status| status.pod_ip.clone());
        address.context("it has no address")
    }

    /// Where it runs.
    pub fn node(&self) -> Result<&Node> {
        self.nodes.node_of(&self.pod)
    }

    /// Runs a command in it to its end; its standard output. A file is read by `cat`.
    pub async fn exec(&self, command: &[&str]) -> Result<String> {
        let pod = self.pod.metadata.name.as_deref().unwrap_or_default();
        let kubectl = ["--namespace", &self.namespace, "exec", pod, "--"];
        self.nodes
            .cluster()
            .kubectl(&[&kubectl[..], command].concat())
            .await?
            .success()
    }

    /// Kills the container's processes outright; the kubelet starts it again.
    pub async fn kill(&self) -> Result<()> {
        self.nodes.kill(&self.pod, "app").await
    }
}

/// The id of a pod's container, if that runs.
fn id<'a>(pod: &'a Pod, container: &str) -> Option<&'a str> {
    let all = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = all.iter().find(|status| status.name == container)?;
    status.state.as_ref()?.running.as_ref()?;
    status.container_id.as_deref()
}
