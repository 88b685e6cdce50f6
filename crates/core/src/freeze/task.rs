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
/// its other pieces at the barrier.
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
            match of_node.iter_mut().find(|(filled, _)| filled + steps <= MAX_STEPS) {
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
