//! The stage of the drills: a cluster with a CSI driver, one node with a container runtime, and applications on it whose
//! data is only right as a whole.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_agent::runtime::Target;
use clusterbackup_api::NodeTask;
use clusterbackup_api::node_task::{NodeTaskStatus, PodReport, TaskPhase, Thaw, UnitReport};
use clusterbackup_api::snapshots::VolumeSnapshot;
use clusterbackup_tests::agent::{self, AgentNode};
use clusterbackup_tests::cri::{ContainerSpec, CriFixture};
use clusterbackup_tests::csi::{self, Csi, Operation, Volume};
use clusterbackup_tests::{Cluster, TestNamespace, eventually, writer};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// Longer than any drill takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Everything that a drill plays with.
pub(super) struct Stage {
    pub(super) namespace: TestNamespace,
    pub(super) node: AgentNode,
    pub(super) cri: CriFixture,
    pub(super) csi: Csi,
    pub(super) cluster: Cluster,
}

/// An application in a pod of one container, with its volumes.
pub(super) struct App {
    pub(super) target: Target,
    pub(super) control: PathBuf,
    pub(super) volumes: Vec<Volume>,
}

/// A task that the leader would have made.
pub(super) struct Order {
    pub(super) name: String,
    api: Api<NodeTask>,
}

impl Stage {
    /// Sets it up; neither agent nor watchdog runs yet.
    pub(super) async fn set_up(cluster: Cluster) -> Result<Self> {
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
    pub(super) async fn app(&self, name: &str, volumes: usize) -> Result<App> {
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
        let target = Target {
            namespace: self.namespace.name().to_owned(),
            pod: name.to_owned(),
            uid: self.pod(name).await?,
            container: "app".to_owned(),
        };
        let app = App {
            target,
            control,
            volumes: bound,
        };
        self.cri.run(app.container()?)?;
        app.goes_on().await?;
        Ok(app)
    }

    async fn pod(&self, name: &str) -> Result<String> {
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
        pod.await?.metadata.uid.context("the pod has no uid")
    }

    /// Begins a backup of an application, and has it stand still between freeze and cut: in the driver, which hangs.
    pub(super) async fn frozen(&self, app: &App, name: &str, mut unit: Value) -> Result<Order> {
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

    /// Makes a task of these units, which the agent may begin at once.
    pub(super) async fn order(&self, name: &str, units: &[Value]) -> Result<Order> {
        let api = Api::namespaced(self.cluster.admin(), agent::NAMESPACE);
        let task: NodeTask = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "NodeTask",
            "metadata": { "name": name },
            "spec": {
                "nodeName": self.node.name(),
                "epoch": 1,
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
    fn container(&self) -> Result<ContainerSpec> {
        let mut spec = ContainerSpec::new(self.target.clone(), &self.control);
        spec.application = ["sh", "-c", writer::SCRIPT, "writer"].map(str::to_owned).to_vec();
        spec.application.push(text(&self.control)?);
        for volume in &self.volumes {
            spec.application.push(text(&volume.data)?);
        }
        Ok(spec)
    }

    /// Its unit: frozen and thawed by its own hooks, each volume a cut.
    pub(super) fn unit(&self) -> Result<Value> {
        let control = text(&self.control)?;
        self.unit_with(
            &[pre(&writer::freeze(&control))],
            &[post(&writer::thaw(&control))],
        )
    }

    /// Its unit with other commands.
    pub(super) fn unit_with(&self, pre: &[Value], post: &[Value]) -> Result<Value> {
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
        Ok(json!({
            "name": self.target.pod,
            "maxFreeze": "20s",
            "cutLimit": "10s",
            "pods": [{
                "namespace": self.target.namespace,
                "name": self.target.pod,
                "uid": self.target.uid,
                "pre": pre,
                "post": post,
            }],
            "cuts": cuts,
        }))
    }

    /// Whether it says that it is frozen.
    pub(super) fn is_frozen(&self) -> bool {
        self.control.join("frozen").exists()
    }

    /// Waits until it says so.
    pub(super) async fn freezes(&self) -> Result<()> {
        eventually("the application is frozen", LIMIT, || async {
            ensure!(self.is_frozen(), "it runs");
            Ok(())
        })
        .await
    }

    /// Waits until it runs freely again, and has written since.
    pub(super) async fn goes_on(&self) -> Result<()> {
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
    pub(super) fn last_pause(&self) -> Result<Duration> {
        let pauses = writer::pauses(&self.control)?;
        let (frozen, thawed) = pauses.last().context("it was never frozen")?;
        let thawed = thawed.context("it is still frozen")?;
        Ok(Duration::from_secs_f64((thawed - frozen).max(0.0)))
    }
}

impl Order {
    /// What is reported.
    pub(super) async fn status(&self) -> Result<NodeTaskStatus> {
        Ok(self.api.get(&self.name).await?.status.unwrap_or_default())
    }

    /// Waits until a report agrees.
    pub(super) async fn until(
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
    pub(super) async fn done(&self) -> Result<NodeTaskStatus> {
        self.until("done", |status| {
            ensure!(status.phase == Some(TaskPhase::Done), "it is not done");
            Ok(())
        })
        .await
    }

    /// The leader cancels it.
    pub(super) async fn cancel(&self) -> Result<()> {
        let patch = json!({ "spec": { "state": "Cancelled" } });
        self.api
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(())
    }
}

/// The report of a task's only unit.
pub(super) fn only_unit(status: &NodeTaskStatus) -> Result<&UnitReport> {
    let [unit] = status.units.as_slice() else {
        anyhow::bail!("not one unit: {status:#?}");
    };
    Ok(unit)
}

/// The report of a task's only pod, which has thawed so.
pub(super) fn only_pod(status: &NodeTaskStatus, thaw: Thaw) -> Result<&PodReport> {
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
pub(super) fn pre(command: &[String]) -> Value {
    exec(command, "Fail", "5s")
}

/// An undo.
pub(super) fn post(command: &[String]) -> Value {
    exec(command, "Fail", "5s")
}

/// A command with all its settings.
pub(super) fn exec(command: &[String], on_error: &str, timeout: &str) -> Value {
    json!({
        "hook": "shop/hooks/writer",
        "container": "app",
        "command": command,
        "onError": on_error,
        "timeout": timeout,
    })
}

/// A command in a shell.
pub(super) fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn text(path: &std::path::Path) -> Result<String> {
    Ok(path.to_str().context("the folder is not text")?.to_owned())
}
