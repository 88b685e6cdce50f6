//! A stage for agents: a cluster with a CSI driver, one node with a container runtime, and applications on it whose data
//! is only right as a whole.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::NodeTask;
use clusterbackup_api::node_task::{NodeTaskStatus, PodReport, TaskPhase, Thaw, UnitReport};
use clusterbackup_api::snapshots::VolumeSnapshot;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::agent::{self, AgentNode};
use crate::cri::{ContainerSpec, CriFixture};
use crate::csi::{self, Csi, Operation, Volume};
use crate::{Cluster, TestNamespace, eventually, writer};

/// Longer than any drill takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Everything that a drill or a measurement plays with.
pub struct Stage {
    /// Where the applications are.
    pub namespace: TestNamespace,
    /// Where the agent is to run.
    pub node: AgentNode,
    /// The node's container runtime.
    pub cri: CriFixture,
    /// The driver of the volumes.
    pub csi: Csi,
    /// The cluster.
    pub cluster: Cluster,
}

/// An application in a pod of one container, with its volumes.
pub struct App {
    /// Its container.
    pub target: Target,
    /// The folder by which it is frozen, thawed and looked at.
    pub control: PathBuf,
    /// What it writes to.
    pub volumes: Vec<Volume>,
}

/// A task that the leader would have made.
pub struct Order {
    /// The name of the task, and of the backup.
    pub name: String,
    api: Api<NodeTask>,
}

impl Stage {
    /// Sets it up; neither agent nor watchdog runs yet.
    pub async fn set_up(cluster: Cluster) -> Result<Self> {
        agent::install(&cluster).await?;
        let csi = Csi::start(&cluster).await?;
        let cri = CriFixture::start()?;
        Ok(Self {
            namespace: cluster.namespace("thaw").await?,
            node: AgentNode::new(&cluster, "node-a", &cri.socket()).await?,
            cri,
            csi,
            cluster,
        })
    }

    /// Runs an application that writes to so many volumes.
    pub async fn app(&self, name: &str, volumes: usize) -> Result<App> {
        let control = self.cluster.folder().join(format!("{name}-control"));
        std::fs::create_dir_all(&control)?;
        let mut bound = Vec::with_capacity(volumes);
        for number in 0..volumes {
            bound.push(
                self.csi
                    .claim(&self.namespace, &format!("{name}-{number}"))
                    .await?,
            );
        }
        let app = App {
            target: self.pod(name).await?,
            control,
            volumes: bound,
        };
        self.cri.run(app.container()?)?;
        app.goes_on().await?;
        Ok(app)
    }

    /// Runs a pod that only sleeps.
    pub async fn sleeper(&self, name: &str) -> Result<Target> {
        let target = self.pod(name).await?;
        self.cri
            .run(ContainerSpec::new(target.clone(), self.cluster.folder()))?;
        Ok(target)
    }

    /// Makes a pod on the node, and says where its container belongs.
    async fn pod(&self, name: &str) -> Result<Target> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "nodeName": self.node.name(),
                "containers": [{ "name": "app", "image": "writer" }],
            },
        }))?;
        let pods = self.namespace.api::<Pod>();
        let pod = eventually("the pod is admitted", LIMIT, || async {
            Ok(pods.create(&PostParams::default(), &pod).await?)
        });
        Ok(Target {
            namespace: self.namespace.name().to_owned(),
            pod: name.to_owned(),
            uid: pod.await?.metadata.uid.context("the pod has no uid")?,
            container: "app".to_owned(),
        })
    }

    /// Begins a backup of an application, and has it stand still between freeze and cut: in the driver, which hangs.
    pub async fn frozen(&self, app: &App, name: &str, mut unit: Value) -> Result<Order> {
        self.csi.driver().knobs().hangs(Operation::CreateSnapshot)?;
        let snapshot = format!("{name}-{}", app.target.pod);
        unit["cuts"][0]["snapshot"] = snapshot.clone().into();
        let order = self.order(name, &[unit]).await?;
        app.freezes().await?;
        let snapshots = self.namespace.api::<VolumeSnapshot>();
        eventually("the cut is requested", LIMIT, || async {
            Ok(snapshots.get(&snapshot).await.map(drop)?)
        })
        .await?;
        Ok(order)
    }

    /// Waits until people are told of an application by an Event.
    pub async fn told(&self, app: &App, reason: &str) -> Result<()> {
        let events = self.namespace.api::<Event>();
        eventually(&format!("an Event {reason}"), LIMIT, || async {
            let events = events.list(&ListParams::default()).await?.items;
            let told = events.iter().any(|event| {
                let pod = event.regarding.as_ref().and_then(|pod| pod.uid.as_ref());
                event.reason.as_deref() == Some(reason) && pod == Some(&app.target.uid)
            });
            ensure!(told, "there is none");
            Ok(())
        })
        .await
    }

    /// Makes a task of these units, which the agent may begin at once.
    pub async fn order(&self, name: &str, units: &[Value]) -> Result<Order> {
        self.order_on(&self.node, name, units).await
    }

    /// The same for the agent of another node.
    pub async fn order_on(&self, node: &AgentNode, name: &str, units: &[Value]) -> Result<Order> {
        self.order_under(1, node, name, units).await
    }

    /// The same by a leader of that epoch.
    pub async fn order_under(
        &self,
        epoch: i64,
        node: &AgentNode,
        name: &str,
        units: &[Value],
    ) -> Result<Order> {
        let api = Api::namespaced(self.cluster.admin(), agent::NAMESPACE);
        let task: NodeTask = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "NodeTask",
            "metadata": { "name": name },
            "spec": {
                "nodeName": node.name(),
                "epoch": epoch,
                "backup": { "namespace": self.namespace.name(), "name": name, "uid": format!("{name}-uid") },
                "state": "Running",
                "units": units,
            },
        }))?;
        api.create(&PostParams::default(), &task).await?;
        Ok(Order {
            name: name.to_owned(),
            api,
        })
    }
}

impl App {
    /// How a container runtime runs it.
    pub fn container(&self) -> Result<ContainerSpec> {
        let mut spec = ContainerSpec::new(self.target.clone(), &self.control);
        spec.application = ["sh", "-c", writer::SCRIPT, "writer"].map(str::to_owned).to_vec();
        spec.application.push(text(&self.control)?);
        for volume in &self.volumes {
            spec.application.push(text(&volume.data)?);
        }
        Ok(spec)
    }

    /// Its unit: frozen and thawed by its own hooks, each volume a cut.
    pub fn unit(&self) -> Result<Value> {
        let control = text(&self.control)?;
        self.unit_with(
            &[pre(&writer::freeze(&control))],
            &[post(&writer::thaw(&control))],
        )
    }

    /// Its unit with other commands.
    pub fn unit_with(&self, pre: &[Value], post: &[Value]) -> Result<Value> {
        let cuts: Vec<Value> = self
            .volumes
            .iter()
            .map(|volume| {
                json!({
                    "namespace": self.target.namespace,
                    "snapshot": format!("cut-{}", volume.claim),
                    "class": csi::SNAPSHOT_CLASS,
                    "claims": [volume.claim],
                })
            })
            .collect();
        Ok(unit(&self.target, (pre, post), &cuts))
    }

    /// Whether it says that it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.control.join("frozen").exists()
    }

    /// Waits until it says so.
    pub async fn freezes(&self) -> Result<()> {
        eventually("the application is frozen", LIMIT, || async {
            ensure!(self.is_frozen(), "it runs");
            Ok(())
        })
        .await
    }

    /// Waits until it runs freely again, and has written since.
    pub async fn goes_on(&self) -> Result<()> {
        let records = || {
            let volume = self.volumes.last().map(|volume| volume.data.join("records"));
            volume.map_or(0, |file| std::fs::metadata(file).map_or(0, |file| file.len()))
        };
        let before = records();
        eventually("the application goes on", LIMIT, || async {
            ensure!(!self.is_frozen(), "it is frozen");
            ensure!(records() > before, "it writes nothing");
            Ok(())
        })
        .await
    }

    /// How long it says that it was frozen the last time.
    pub fn last_pause(&self) -> Result<Duration> {
        let (frozen, thawed) = self.pause()?;
        Ok(Duration::from_secs_f64((thawed - frozen).max(0.0)))
    }

    /// When it says that it froze and thawed the last time, in seconds since the boot.
    pub fn pause(&self) -> Result<(f64, f64)> {
        let pauses = self.pauses()?;
        let (frozen, thawed) = pauses.last().context("it was never frozen")?;
        Ok((*frozen, thawed.context("it is still frozen")?))
    }

    /// When it says that it froze, and when it thawed, each time.
    pub fn pauses(&self) -> Result<Vec<(f64, Option<f64>)>> {
        writer::pauses(&self.control)
    }
}

impl Order {
    /// What is reported.
    pub async fn status(&self) -> Result<NodeTaskStatus> {
        Ok(self.api.get(&self.name).await?.status.unwrap_or_default())
    }

    /// Waits until a report agrees.
    pub async fn until(
        &self,
        what: &str,
        check: impl Fn(&NodeTaskStatus) -> Result<()>,
    ) -> Result<NodeTaskStatus> {
        eventually(&format!("{}: {what}", self.name), LIMIT, || async {
            let status = self.status().await?;
            check(&status).with_context(|| format!("{status:#?}"))?;
            Ok(status)
        })
        .await
    }

    /// Waits for its end.
    pub async fn done(&self) -> Result<NodeTaskStatus> {
        self.until("done", |status| {
            ensure!(status.phase == Some(TaskPhase::Done), "it is not done");
            Ok(())
        })
        .await
    }

    /// The leader cancels it.
    pub async fn cancel(&self) -> Result<()> {
        self.change(json!({ "state": "Cancelled" })).await
    }

    /// The leader of a later epoch takes it over.
    pub async fn adopt(&self, epoch: i64) -> Result<()> {
        self.change(json!({ "epoch": epoch })).await
    }

    async fn change(&self, spec: Value) -> Result<()> {
        let patch = json!({ "spec": spec });
        self.api
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(())
    }
}

/// A unit of one pod, with its commands and its cuts.
pub fn unit(target: &Target, (pre, post): (&[Value], &[Value]), cuts: &[Value]) -> Value {
    json!({
        "name": target.pod,
        "maxFreeze": "20s",
        "cutLimit": "10s",
        "pods": [{
            "namespace": target.namespace,
            "name": target.pod,
            "uid": target.uid,
            "pre": pre,
            "post": post,
        }],
        "cuts": cuts,
    })
}

/// The report of a task's only unit.
pub fn only_unit(status: &NodeTaskStatus) -> Result<&UnitReport> {
    let [unit] = status.units.as_slice() else {
        anyhow::bail!("not one unit: {status:#?}");
    };
    Ok(unit)
}

/// The report of a task's only pod, which has thawed so.
pub fn only_pod(status: &NodeTaskStatus, thaw: Thaw) -> Result<&PodReport> {
    let [pod] = only_unit(status)?.pods.as_slice() else {
        anyhow::bail!("not one pod: {status:#?}");
    };
    ensure!(
        pod.thaw == thaw,
        "thaw is {:?}, not {thaw:?}: {status:#?}",
        pod.thaw
    );
    Ok(pod)
}

/// A pre hook.
pub fn pre(command: &[String]) -> Value {
    exec(command, "Fail", "5s")
}

/// An undo.
pub fn post(command: &[String]) -> Value {
    exec(command, "Fail", "5s")
}

/// A command with all its settings.
pub fn exec(command: &[String], on_error: &str, timeout: &str) -> Value {
    json!({
        "hook": "shop/hooks/writer",
        "container": "app",
        "command": command,
        "onError": on_error,
        "timeout": timeout,
    })
}

/// A command in a shell.
pub fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn text(path: &std::path::Path) -> Result<String> {
    Ok(path.to_str().context("the folder is not text")?.to_owned())
}
