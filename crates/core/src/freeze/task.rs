//! The units' parts, put into tasks of bounded size: the report of a task is the status of one object.

use std::collections::BTreeMap;

use super::{Part, PodCommands, Unit};
use crate::cut::Cut;

/// The most commands and claims of one task.
pub const MAX_STEPS: usize = 200;

/// What one node does, or, when there is more than fits, a share of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The node.
    pub node: String,
    /// Its shares of units.
    pub units: Vec<TaskUnit>,
}

/// A share of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskUnit {
    /// The unit.
    pub name: String,
    /// Whether it waits for its other shares.
    pub barrier: bool,
    /// The pods with commands.
    pub pods: Vec<PodCommands>,
    /// The cuts.
    pub cuts: Vec<Cut>,
}

/// The tasks of these units, in the order of nodes. A share that is too large by itself is divided, and then waits for
/// its other pieces at the barrier; no task has two of them.
pub fn tasks(units: Vec<Unit>) -> Vec<Task> {
    let mut tasks: BTreeMap<String, Vec<(usize, Vec<TaskUnit>)>> = BTreeMap::new();
    for Unit { name, parts } in units {
        let pieces: Vec<(String, Piece)> = parts.into_iter().flat_map(pieces).collect();
        let barrier = pieces.len() > 1;
        for (node, Piece { steps, pods, cuts }) in pieces {
            let unit = TaskUnit {
                name: name.clone(),
                barrier,
                pods,
                cuts,
            };
            let of_node = tasks.entry(node).or_default();
            let has_room = |(filled, units): &&mut (usize, Vec<TaskUnit>)| {
                *filled + steps <= MAX_STEPS && units.iter().all(|other| other.name != unit.name)
            };
            match of_node.iter_mut().find(has_room) {
                Some((filled, units)) => {
                    *filled += steps;
                    units.push(unit);
                }
                None => of_node.push((steps, vec![unit])),
            }
        }
    }
    let tasks = tasks.into_iter();
    tasks
        .flat_map(|(node, tasks)| {
            let task = move |(_, units)| Task {
                node: node.clone(),
                units,
            };
            tasks.into_iter().map(task)
        })
        .collect()
}

/// As much of a part as fits into one task.
#[derive(Default)]
struct Piece {
    steps: usize,
    pods: Vec<PodCommands>,
    cuts: Vec<Cut>,
}

fn pieces(Part { node, pods, cuts }: Part) -> Vec<(String, Piece)> {
    let mut done = Vec::new();
    let mut open = Piece::default();
    for pod in pods {
        open.make_room(pod.commands.len(), &mut done);
        open.pods.push(pod);
    }
    for cut in cuts {
        open.make_room(cut.claims.len(), &mut done);
        open.cuts.push(cut);
    }
    done.push(open);
    done.into_iter().map(|piece| (node.clone(), piece)).collect()
}

impl Piece {
    /// Begins another piece if these steps don't fit; what is larger than a task gets one of its own.
    fn make_room(&mut self, steps: usize, done: &mut Vec<Self>) {
        if self.steps > 0 && self.steps + steps > MAX_STEPS {
            done.push(std::mem::take(self));
        }
        self.steps += steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook;
    use crate::hook::sample::hook;
    use crate::selection::sample::pod;

    /// So many pods with two commands each.
    fn pods(count: usize) -> Vec<PodCommands> {
        let commands = hook::resolve(&[hook("h")], &pod("shop/a", &[])).unwrap();
        let pods = (0..count).map(|number| PodCommands {
            pod: crate::selection::Name::new("shop", format!("pod-{number}")),
            uid: number.to_string(),
            commands: commands.clone(),
        });
        pods.collect()
    }

    fn cut(claims: usize) -> Cut {
        Cut {
            namespace: "shop".to_owned(),
            snapshot: "s".to_owned(),
            class: "c".to_owned(),
            driver: "d".to_owned(),
            claims: (0..claims).map(|number| number.to_string()).collect(),
            group: None,
        }
    }

    fn unit(name: &str, parts: &[(&str, usize, &[usize])]) -> Unit {
        let part = |&(node, count, cuts): &(&str, usize, &[usize])| Part {
            node: node.to_owned(),
            pods: pods(count),
            cuts: cuts.iter().map(|claims| cut(*claims)).collect(),
        };
        Unit {
            name: name.to_owned(),
            parts: parts.iter().map(part).collect(),
        }
    }

    /// A line for each task: `node: unit(pods, cuts) …`, with `!` at a unit that waits at the barrier.
    fn lines(units: Vec<Unit>) -> Vec<String> {
        let unit = |unit: &TaskUnit| {
            let wait = if unit.barrier { "!" } else { "" };
            format!("{}{wait}({}, {})", unit.name, unit.pods.len(), unit.cuts.len())
        };
        let line = |task: Task| {
            let units: Vec<String> = task.units.iter().map(unit).collect();
            format!("{}: {}", task.node, units.join(" "))
        };
        tasks(units).into_iter().map(line).collect()
    }

    #[test]
    fn the_units_of_a_node_share_a_task() {
        let units = vec![
            unit("u0", &[("node-2", 1, &[1])]),
            unit("u1", &[("node-1", 1, &[1])]),
            unit("u2", &[("node-2", 0, &[1, 1])]),
        ];
        assert_eq!(lines(units), ["node-1: u1(1, 1)", "node-2: u0(1, 1) u2(0, 2)"]);
    }

    #[test]
    fn a_unit_on_several_nodes_waits_at_the_barrier() {
        let units = vec![unit("u0", &[("node-1", 1, &[1]), ("node-2", 1, &[])])];
        assert_eq!(lines(units), ["node-1: u0!(1, 1)", "node-2: u0!(1, 0)"]);
    }

    #[test]
    fn what_does_not_fit_goes_to_another_task_of_the_node() {
        let units = vec![
            unit("u0", &[("node-1", 60, &[1])]),
            unit("u1", &[("node-1", 60, &[1])]),
            unit("u2", &[("node-1", 30, &[1])]),
        ];
        assert_eq!(lines(units), ["node-1: u0(60, 1) u2(30, 1)", "node-1: u1(60, 1)"]);
    }

    #[test]
    fn a_share_that_is_too_large_is_divided_and_waits_for_its_pieces() {
        let units = vec![unit("u0", &[("node-1", 150, &[1, 50, 60])])];
        assert_eq!(
            lines(units),
            ["node-1: u0!(100, 0)", "node-1: u0!(50, 2)", "node-1: u0!(0, 1)"]
        );
    }

    #[test]
    fn a_group_of_claims_is_never_divided() {
        let units = vec![unit("u0", &[("node-1", 1, &[200, 1])])];
        assert_eq!(
            lines(units),
            ["node-1: u0!(1, 0)", "node-1: u0!(0, 1)", "node-1: u0!(0, 1)"]
        );
    }
}
