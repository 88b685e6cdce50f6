//! NodeTasks: what the nodes, and the leader itself, are told to do.

use std::collections::BTreeMap;

use clusterbackup_api::backup_instance::Freeze;
use clusterbackup_api::node_task::{Command, CutOrder, FreezeUnit, PodOrder, RunReference, Step, TaskState};
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
            backup: Some(RunReference {
                namespace,
                name,
                uid: uid.clone(),
            }),
            state: TaskState::Prepared,
            keep_output: self.freeze.keep_output,
            units: task.units.into_iter().map(|unit| self.unit(unit)).collect(),
            restored: None,
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
    let orders = |commands: Vec<hook::Command>| commands.into_iter().map(Command::from).collect();
    PodOrder {
        namespace: pod.namespace,
        name: pod.name,
        uid,
        pre: orders(commands.pre),
        post: orders(commands.post),
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

#[cfg(test)]
mod tests {
    use clusterbackup_api::BackupSpec;
    use clusterbackup_core::freeze::Part;

    use super::*;

    const UID: &str = "4f1c2a7e";

    fn backup(name: &str) -> Backup {
        let spec = BackupSpec {
            instance: "shop".to_owned(),
            cancel: false,
        };
        let mut backup = Backup::new(name, spec);
        backup.metadata.namespace = Some("home".to_owned());
        backup.metadata.uid = Some(UID.to_owned());
        backup
    }

    fn ordered(backup: &Backup, units: Vec<Unit>, unattended: Vec<Cut>) -> Vec<NodeTask> {
        let freeze = Freeze::default();
        Orders::new(backup, 7, &freeze).tasks(units, unattended)
    }

    fn cut(claims: &[String], group: Option<Group>) -> Cut {
        Cut {
            namespace: "shop".to_owned(),
            snapshot: format!("s-{}", claims[0]),
            class: "c".to_owned(),
            driver: "d".to_owned(),
            claims: claims.to_vec(),
            group,
        }
    }

    fn singles(count: usize) -> Vec<Cut> {
        (0..count)
            .map(|number| cut(&[format!("c{number}")], None))
            .collect()
    }

    fn unit(name: &str, nodes: &[&str]) -> Unit {
        let part = |node: &&str| Part {
            node: (*node).to_owned(),
            pods: Vec::new(),
            cuts: singles(1),
        };
        Unit {
            name: name.to_owned(),
            parts: nodes.iter().map(part).collect(),
        }
    }

    #[test]
    fn tasks_are_numbered_prepared_and_of_the_leaders_epoch() {
        let units = vec![unit("u0", &["left", "right"]), unit("u1", &["left"])];
        let tasks = ordered(&backup("nightly"), units, singles(1));
        let told: Vec<_> = tasks
            .iter()
            .map(|task| {
                let units = task
                    .spec
                    .units
                    .iter()
                    .map(|unit| (unit.name.as_str(), unit.released));
                (
                    task.name_any(),
                    task.spec.node_name.as_str(),
                    units.collect::<Vec<_>>(),
                )
            })
            .collect();
        let together = Some(Step::Freeze);
        let expected = [
            (format!("{UID}-0"), "", vec![("leader", None)]),
            (format!("{UID}-1"), "left", vec![("u0", together), ("u1", None)]),
            (format!("{UID}-2"), "right", vec![("u0", together)]),
        ];
        assert_eq!(told, expected);
        for task in &tasks {
            assert_eq!((task.spec.state, task.spec.epoch), (TaskState::Prepared, 7));
            assert_eq!(task.labels()[labels::BACKUP_UID], UID);
            assert_eq!(task.labels()[labels::BACKUP_NAMESPACE], "home");
        }
    }

    #[test]
    fn a_name_that_is_too_long_for_a_label_stands_in_an_annotation() {
        for (length, labelled) in [(63, true), (64, false), (253, false)] {
            let name = "n".repeat(length);
            let task = ordered(&backup(&name), Vec::new(), singles(1)).remove(0);
            let (place, other) = if labelled {
                (task.labels(), task.annotations())
            } else {
                (task.annotations(), task.labels())
            };
            assert_eq!(place.get(labels::BACKUP_NAME), Some(&name), "{length}");
            assert_eq!(other.get(labels::BACKUP_NAME), None, "{length}");
        }
    }

    #[test]
    fn the_leaders_own_cuts_are_parted_where_a_report_would_be_too_large() {
        for (count, expected) in [
            (0, &[][..]),
            (1, &[1]),
            (MAX_STEPS, &[MAX_STEPS]),
            (MAX_STEPS + 1, &[MAX_STEPS, 1]),
            (2 * MAX_STEPS + 1, &[MAX_STEPS, MAX_STEPS, 1]),
        ] {
            let tasks = ordered(&backup("nightly"), Vec::new(), singles(count));
            let sizes: Vec<_> = tasks.iter().map(|task| task.spec.units[0].cuts.len()).collect();
            assert_eq!(sizes, expected, "{count}");
        }
    }

    #[test]
    fn only_groups_that_no_person_has_labelled_need_a_label() {
        let claims = ["a", "b"].map(str::to_owned);
        let temporary = Group::Temporary("v".to_owned());
        for (group, expected) in [
            (None, vec![]),
            (Some(Group::Labelled("theirs".to_owned())), vec![]),
            (
                Some(temporary),
                vec![
                    (Name::new("shop", "a"), "v".to_owned()),
                    (Name::new("shop", "b"), "v".to_owned()),
                ],
            ),
        ] {
            let told = format!("{group:?}");
            let tasks = ordered(&backup("nightly"), Vec::new(), vec![cut(&claims, group)]);
            assert_eq!(temporary_labels(&tasks), expected, "{told}");
        }
    }
}
