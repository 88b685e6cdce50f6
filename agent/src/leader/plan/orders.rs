//! NodeTasks: what the nodes, and the leader itself, are told to do.

use std::collections::BTreeMap;

use clusterbackup_api::backup_instance::Freeze;
use clusterbackup_api::node_task::{
    BackupReference, Command, CutOrder, FreezeUnit, PodOrder, Step, TaskState,
};
use clusterbackup_api::{Backup, NodeTask, NodeTaskSpec, labels};
use clusterbackup_core::cut::{Cut, Group, TEMPORARY_GROUP};
use clusterbackup_core::freeze::{MAX_STEPS, PodCommands, Task, TaskUnit, Unit, tasks};
use clusterbackup_core::hook;
use clusterbackup_core::selection::Name;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;

/// The longest value of a label.
const LABEL_LIMIT: usize = 63;
/// What the leader's own cuts are called among the units.
const OWN: &str = "leader";

/// What all orders of a backup have in common.
pub(super) struct Orders<'a> {
    backup: &'a Backup,
    epoch: i64,
    freeze: &'a Freeze,
}

impl<'a> Orders<'a> {
    /// Orders for `backup` by the leader of that epoch.
    pub(super) fn new(backup: &'a Backup, epoch: i64, freeze: &'a Freeze) -> Self {
        Self {
            backup,
            epoch,
            freeze,
        }
    }

    /// The tasks of the nodes, and for what no pod mounts those of the leader, which name no node.
    pub(super) fn tasks(&self, units: Vec<Unit>, unattended: Vec<Cut>) -> Vec<NodeTask> {
        let own = shares(unattended).into_iter().map(|cuts| Task {
            node: String::new(),
            units: vec![TaskUnit {
                name: OWN.to_owned(),
                barrier: false,
                pods: Vec::new(),
                cuts,
            }],
        });
        own.chain(tasks(units))
            .enumerate()
            .map(|(number, task)| self.task(number, task))
            .collect()
    }

    fn task(&self, number: usize, task: Task) -> NodeTask {
        let uid = self.backup.uid().unwrap_or_default();
        let (namespace, name) = (
            self.backup.namespace().unwrap_or_default(),
            self.backup.name_any(),
        );
        let mut marks = BTreeMap::from([
            (labels::BACKUP_UID.to_owned(), uid.clone()),
            (labels::BACKUP_NAMESPACE.to_owned(), namespace.clone()),
        ]);
        let mut annotations = BTreeMap::new();
        let place = if name.len() <= LABEL_LIMIT {
            &mut marks
        } else {
            &mut annotations
        };
        place.insert(labels::BACKUP_NAME.to_owned(), name.clone());
        let spec = NodeTaskSpec {
            node_name: task.node,
            epoch: self.epoch,
            backup: BackupReference {
                namespace,
                name,
                uid: uid.clone(),
            },
            state: TaskState::Prepared,
            keep_output: self.freeze.keep_output,
            units: task.units.into_iter().map(|unit| self.unit(unit)).collect(),
        };
        NodeTask {
            metadata: ObjectMeta {
                name: Some(format!("{uid}-{number}")),
                labels: Some(marks),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            spec,
            status: None,
        }
    }

    fn unit(&self, unit: TaskUnit) -> FreezeUnit {
        FreezeUnit {
            name: unit.name,
            max_freeze: self.freeze.max_freeze,
            cut_limit: self.freeze.cut_limit,
            released: unit.barrier.then_some(Step::Freeze),
            pods: unit.pods.into_iter().map(pod).collect(),
            cuts: unit.cuts.into_iter().map(cut).collect(),
        }
    }
}

/// The leader's own cuts, as many together as fit into a task.
fn shares(cuts: Vec<Cut>) -> Vec<Vec<Cut>> {
    let mut shares: Vec<(usize, Vec<Cut>)> = Vec::new();
    for cut in cuts {
        let claims = cut.claims.len();
        match shares
            .last_mut()
            .filter(|(filled, _)| filled + claims <= MAX_STEPS)
        {
            Some((filled, share)) => {
                *filled += claims;
                share.push(cut);
            }
            None => shares.push((claims, vec![cut])),
        }
    }
    shares.into_iter().map(|(_, share)| share).collect()
}

fn pod(PodCommands { pod, uid, commands }: PodCommands) -> PodOrder {
    let orders = |commands: Vec<hook::Command>| commands.into_iter().map(command).collect();
    PodOrder {
        namespace: pod.namespace,
        name: pod.name,
        uid,
        pre: orders(commands.pre),
        post: orders(commands.post),
    }
}

fn command(command: hook::Command) -> Command {
    Command {
        hook: command.hook,
        container: command.container,
        command: command.command,
        on_error: command.on_error,
        timeout: command.timeout,
    }
}

fn cut(cut: Cut) -> CutOrder {
    CutOrder {
        namespace: cut.namespace,
        snapshot: cut.snapshot,
        class: cut.class,
        claims: cut.claims,
        group_labels: cut.group.as_ref().map(Group::labels),
    }
}

/// The labels that have to be on claims before their groups are cut.
pub(super) fn temporary_labels(tasks: &[NodeTask]) -> Vec<(Name, String)> {
    let cuts = tasks
        .iter()
        .flat_map(|task| &task.spec.units)
        .flat_map(|unit| &unit.cuts);
    let grouped = cuts.filter_map(|cut| Some((cut, cut.group_labels.as_ref()?.get(TEMPORARY_GROUP)?)));
    grouped
        .flat_map(|(cut, value)| {
            let labelled = |claim: &String| (Name::new(&cut.namespace, claim), value.clone());
            cut.claims.iter().map(labelled)
        })
        .collect()
}
