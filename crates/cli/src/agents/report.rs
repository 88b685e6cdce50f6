//! What is told of agents and leader.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clusterbackup_api::NodeTask;
use clusterbackup_api::node_task::{ExecOutcome, PodReport, Stage, TaskPhase, Thaw, UnitPhase, UnitReport};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::api::ObjectList;
use serde::Serialize;

use crate::output;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What the cluster says; nothing where it doesn't.
#[derive(Default)]
pub(super) struct Found {
    pub(super) nodes: Option<ObjectList<Node>>,
    pub(super) agents: Option<ObjectList<Pod>>,
    pub(super) tasks: Option<ObjectList<NodeTask>>,
    pub(super) lease: Option<Lease>,
    pub(super) epoch: Option<ConfigMap>,
}

impl Found {
    pub(super) const fn is_nothing(&self) -> bool {
        self.nodes.is_none() && self.agents.is_none() && self.tasks.is_none()
    }
}

/// What is told.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    leader: Leader,
    nodes: Vec<NodeRow>,
    /// Pods that are frozen, or whose undo is still to succeed.
    frozen: Vec<Frozen>,
    /// What could not be read, and why.
    notes: Vec<String>,
}

/// Who leads.
#[derive(Debug, Serialize)]
struct Leader {
    /// None where nobody does.
    holder: Option<String>,
    /// How often there was a new one.
    epoch: Option<i64>,
    /// By the clock of this machine.
    #[serde(rename = "renewedSecondsAgo")]
    renewed: Option<i64>,
}

/// A node, and its agent.
#[derive(Debug, Serialize)]
struct NodeRow {
    name: String,
    agent: Option<String>,
    ready: bool,
    /// Why it isn't, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    restarts: i32,
    /// Tasks at which it is.
    tasks: usize,
}

/// A pod that doesn't run freely.
#[derive(Debug, Serialize)]
struct Frozen {
    node: String,
    pod: String,
    backup: String,
    phase: UnitPhase,
    /// Tries of its undo that failed.
    failed: u32,
}

impl Report {
    pub(super) fn of(found: Found, notes: Vec<String>) -> Self {
        let tasks = items(found.tasks);
        Self {
            leader: Leader::of(found.lease.as_ref(), found.epoch.as_ref(), Timestamp::now()),
            nodes: rows(&items(found.nodes), &items(found.agents), &tasks),
            frozen: tasks.iter().flat_map(frozen).collect(),
            notes,
        }
    }

    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        self.leader.print(out)?;
        let ready = self.nodes.iter().filter(|node| node.ready).count();
        let style = if ready == self.nodes.len() && ready > 0 {
            GOOD
        } else {
            BAD
        };
        let all = self.nodes.len();
        writeln!(out, "Agents:  {style}ready on {ready} of {all} nodes{style:#}")?;
        if !self.nodes.is_empty() {
            writeln!(out)?;
            let head = ["NODE", "AGENT", "READY", "RESTARTS", "TASKS", "REMARK"];
            output::table(&head, self.nodes.iter().map(NodeRow::cells), out)?;
        }
        if !self.frozen.is_empty() {
            writeln!(out, "\n{BAD}Frozen, to be thawed:{BAD:#}")?;
            let head = ["POD", "NODE", "BACKUP", "STEP", "FAILED TRIES"];
            output::table(&head, self.frozen.iter().map(Frozen::cells), out)?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(out, "\nNote: {note}"))
    }
}

impl Leader {
    fn of(lease: Option<&Lease>, epoch: Option<&ConfigMap>, now: Timestamp) -> Self {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        let data = epoch.and_then(|epoch| epoch.data.as_ref());
        let renewed = spec.and_then(|spec| Some(now.duration_since(spec.renew_time.as_ref()?.0)));
        let lasts = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .unwrap_or_default();
        let is_held = renewed.is_some_and(|ago| ago <= SignedDuration::from_secs(lasts.into()));
        let holder = spec.and_then(|spec| spec.holder_identity.clone());
        Self {
            holder: holder.filter(|holder| is_held && !holder.is_empty()),
            epoch: data.and_then(|data| data.get("epoch")?.parse().ok()),
            renewed: renewed.map(|ago| ago.as_secs()),
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let epoch = self
            .epoch
            .map_or_else(String::new, |epoch| format!(", epoch {epoch}"));
        let renewed = self
            .renewed
            .map_or_else(String::new, |ago| format!(", its Lease was renewed {ago} s ago"));
        match &self.holder {
            Some(holder) => writeln!(out, "Leader:  {GOOD}{holder}{GOOD:#}{epoch}{renewed}"),
            None => writeln!(out, "Leader:  {BAD}none{BAD:#}{epoch}{renewed}"),
        }
    }
}

/// None where it isn't known.
fn items<T: Clone>(list: Option<ObjectList<T>>) -> Vec<T> {
    list.map(|list| list.items).unwrap_or_default()
}

/// The nodes that should have an agent, and those that have one.
fn rows(nodes: &[Node], agents: &[Pod], tasks: &[NodeTask]) -> Vec<NodeRow> {
    let mut rows: BTreeMap<String, NodeRow> = BTreeMap::new();
    for node in nodes.iter().filter(|node| is_linux(node)) {
        rows.insert(node.name_any(), NodeRow::without_agent(node.name_any()));
    }
    for agent in agents {
        let node = agent.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let Some(node) = node else { continue };
        let row = rows
            .entry(node.clone())
            .or_insert_with(|| NodeRow::without_agent(node));
        // While agents are rolled a node may have two: the ready one counts.
        if !row.ready {
            row.take(agent);
        }
    }
    for task in tasks {
        let is_at_it = task.status.as_ref().and_then(|status| status.phase) == Some(TaskPhase::Running);
        if let Some(row) = rows.get_mut(&task.spec.node_name).filter(|_| is_at_it) {
            row.tasks += 1;
        }
    }
    rows.into_values().collect()
}

/// Other nodes run no agent.
fn is_linux(node: &Node) -> bool {
    node.labels()
        .get("kubernetes.io/os")
        .is_none_or(|os| os == "linux")
}

impl NodeRow {
    fn without_agent(name: String) -> Self {
        Self {
            name,
            agent: None,
            ready: false,
            message: Some("it has no agent".to_owned()),
            restarts: 0,
            tasks: 0,
        }
    }

    fn take(&mut self, agent: &Pod) {
        let status = agent.status.as_ref();
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
        let containers = status
            .and_then(|status| status.container_statuses.as_deref())
            .unwrap_or_default();
        let waits = containers.iter().find_map(|container| {
            let reason = container.state.as_ref()?.waiting.as_ref()?.reason.as_ref()?;
            Some(format!("{} {reason}", container.name))
        });
        self.agent = Some(agent.name_any());
        self.ready = ready.is_some_and(|condition| condition.status == "True");
        let why = waits
            .or_else(|| ready?.message.clone())
            .unwrap_or_else(|| "it isn't ready".to_owned());
        self.message = (!self.ready).then_some(why);
        self.restarts = containers.iter().map(|container| container.restart_count).sum();
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.agent.clone().unwrap_or_else(|| "-".to_owned()),
            if self.ready { "yes" } else { "NO" }.to_owned(),
            self.restarts.to_string(),
            self.tasks.to_string(),
            self.message.clone().unwrap_or_default(),
        ]
    }
}

fn frozen(task: &NodeTask) -> Vec<Frozen> {
    let units = task.status.iter().flat_map(|status| &status.units);
    let pods = units.flat_map(|unit| unit.pods.iter().map(move |pod| (unit, pod)));
    pods.filter(|(_, pod)| pod.thaw == Thaw::Pending)
        .map(|(unit, pod)| Frozen::of(task, unit, pod))
        .collect()
}

impl Frozen {
    fn of(task: &NodeTask, unit: &UnitReport, pod: &PodReport) -> Self {
        let undo = pod.execs.iter().filter(|exec| exec.stage == Stage::Post);
        let failed =
            undo.filter(|exec| !matches!(exec.outcome, ExecOutcome::Succeeded | ExecOutcome::Running));
        Self {
            node: task.spec.node_name.clone(),
            pod: format!("{}/{}", pod.namespace, pod.name),
            backup: task.spec.backup.as_ref().map_or_else(String::new, |backup| {
                format!("{}/{}", backup.namespace, backup.name)
            }),
            phase: unit.phase,
            failed: failed.map(|exec| exec.attempts).sum(),
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.pod.clone(),
            self.node.clone(),
            self.backup.clone(),
            format!("{:?}", self.phase),
            self.failed.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
    use kube::api::TypeMeta;
    use serde_json::{Value, json};

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(object: Value) -> T {
        serde_json::from_value(object).unwrap()
    }

    fn list<T: Clone, const N: usize>(items: [T; N]) -> ObjectList<T> {
        ObjectList {
            types: TypeMeta::default(),
            metadata: ListMeta::default(),
            items: items.into(),
        }
    }

    fn node(name: &str, os: &str) -> Node {
        read(json!({"metadata": {"name": name, "labels": {"kubernetes.io/os": os}}}))
    }

    fn agent(name: &str, node: &str, ready: bool, waits: Option<&str>) -> Pod {
        let state = waits.map_or_else(
            || json!({"running": {}}),
            |reason| json!({"waiting": {"reason": reason}}),
        );
        read(json!({
            "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": []},
            "status": {
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }, "message": "not yet"}],
                "containerStatuses": [
                    {"name": "agent", "image": "", "imageID": "", "ready": ready, "restartCount": 2, "state": state},
                    {"name": "watchdog", "image": "", "imageID": "", "ready": true, "restartCount": 1},
                ],
            },
        }))
    }

    fn task(node: &str, thaw: &str) -> NodeTask {
        let undo = json!({
            "hook": "h", "stage": "Post", "container": "main", "outcome": "Failed", "attempts": 4, "millis": 1,
            "startedAt": "2026-11-21T18:14:00.000000Z", "outputBytes": 0,
        });
        let pod = json!({"namespace": "shop", "name": "db-0", "uid": "1", "thaw": thaw, "execs": [undo]});
        read(json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "NodeTask", "metadata": {"name": "a"},
            "spec": {"nodeName": node, "epoch": 1, "state": "Running", "units": [],
                     "backup": {"namespace": "shop", "name": "nightly-1", "uid": "u"}},
            "status": {"phase": "Running", "units": [{"name": "u1", "phase": "Thawing", "pods": [pod]}]},
        }))
    }

    fn lease(renewed: &str) -> Lease {
        read(
            json!({"spec": {"holderIdentity": "leader-a", "renewTime": renewed, "leaseDurationSeconds": 15}}),
        )
    }

    fn printed(report: &Report) -> String {
        output::plain(|out| report.print(out))
    }

    #[test]
    fn people_see_nodes_without_an_agent_and_pods_that_are_frozen() {
        let report = Report::of(
            Found {
                nodes: Some(list([
                    node("node-1", "linux"),
                    node("node-2", "linux"),
                    node("node-3", "linux"),
                    node("pane", "windows"),
                ])),
                agents: Some(list([
                    agent("agent-a", "node-1", true, None),
                    agent("agent-b", "node-2", false, Some("CrashLoopBackOff")),
                ])),
                tasks: Some(list([task("node-1", "Pending"), task("node-1", "Done")])),
                ..Found::default()
            },
            vec!["you may not get leases".to_owned()],
        );
        let expected = "\
Leader:  none
Agents:  ready on 1 of 3 nodes

NODE     AGENT     READY   RESTARTS   TASKS   REMARK
node-1   agent-a   yes     3          2
node-2   agent-b   NO      3          0       agent CrashLoopBackOff
node-3   -         NO      0          0       it has no agent

Frozen, to be thawed:
POD         NODE     BACKUP           STEP      FAILED TRIES
shop/db-0   node-1   shop/nightly-1   Thawing   4

Note: you may not get leases
";
        assert_eq!(printed(&report), expected);
    }

    #[test]
    fn a_lease_that_ran_out_is_nobodys() {
        let epoch: ConfigMap = read(json!({"data": {"epoch": "7"}}));
        let now = "2026-11-21T18:14:20Z".parse().unwrap();
        for (renewed, holder, ago) in [
            ("2026-11-21T18:14:10.000000Z", Some("leader-a"), 10),
            ("2026-11-21T18:14:00.000000Z", None, 20),
        ] {
            let leader = Leader::of(Some(&lease(renewed)), Some(&epoch), now);
            let told = (leader.holder.as_deref(), leader.epoch, leader.renewed);
            assert_eq!(told, (holder, Some(7), Some(ago)));
        }
    }
}
