//! Which processes a command has started: told from the application's, and from those of other commands.
//!
//! The runtime doesn't say which process it starts for a command. So it is recognised: new since the request, in the
//! container, the leader of a session, started from outside of the container, and with the command's arguments. What
//! descends from it is collected while it runs, as a process that moves to another session or loses its parent could
//! not be told from the application's afterwards.
//!
//! A shell may have become another program before the first look, or may have gone and left a child behind. Then
//! nothing has the command's arguments. But while a request is unanswered, the command runs or somebody holds the pipe
//! that the runtime reads its output from: if all new processes of that kind belong to one command, it is this one.
//! Where two might be meant, none is.

use std::sync::Arc;
use std::time::Duration;

use super::tree::Tree;
use super::{Cage, Identity, Look, ProcFs, Process, ticks, uptime};

/// One command, from its request on.
pub(in crate::runtime) struct Watch {
    proc_fs: ProcFs,
    cage: Cage,
    /// The container's first process.
    init: i32,
    beginning: Beginning,
    arguments: Vec<u8>,
    /// What was started from outside since then: the command, if it was seen, and commands of others.
    trees: Vec<Tree>,
}

/// When a command began: what is older is not of it.
pub(in crate::runtime) struct Beginning {
    ticks: u64,
    /// What was there just before. The clock is too coarse to tell.
    before: Option<Arc<Look>>,
}

impl Beginning {
    /// It is about to begin.
    pub(in crate::runtime) fn now(before: Arc<Look>) -> Self {
        Self {
            ticks: ticks(uptime()),
            before: Some(before),
        }
    }

    /// It began when the node was up for so long.
    pub(in crate::runtime) fn at(uptime: Duration) -> Self {
        Self {
            ticks: ticks(uptime),
            before: None,
        }
    }

    fn precedes(&self, id: Identity) -> bool {
        let known = self.before.as_ref().is_some_and(|before| before.knows(id));
        id.started >= self.ticks && !known
    }
}

/// What has become of the request for the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Request {
    /// The runtime has still to answer, so something of the command must be alive.
    Unanswered,
    /// It was answered, or nobody will know.
    Over,
    /// Whoever made it has died, and the runtime has noticed: it has killed the first process.
    Abandoned,
}

/// What is known of the command's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Found {
    /// None was ever seen.
    Nothing,
    /// They can't be told from those of another command.
    Ambiguous,
    /// These.
    Tree(Tree),
}

impl Watch {
    /// None if the container's first process can't be found here: the agent is not in the node's process namespace,
    /// or the container runs in a machine of its own.
    pub(in crate::runtime) fn begin(
        proc_fs: &ProcFs,
        beginning: Beginning,
        (container, init): (&str, i32),
        command: &[String],
    ) -> Option<Self> {
        Some(Self {
            proc_fs: proc_fs.clone(),
            cage: Cage::of(container, &proc_fs.cgroup(init)?)?,
            init,
            beginning,
            arguments: command
                .iter()
                .flat_map(|argument| [argument.as_bytes(), &[0]].concat())
                .collect(),
            trees: Vec::new(),
        })
    }

    /// Whether the process that has this number now is in the container.
    pub(in crate::runtime) fn holds(&self, pid: i32) -> bool {
        self.proc_fs
            .cgroup(pid)
            .is_some_and(|cgroup| self.cage.holds(&cgroup))
    }

    /// Takes in what a look has shown.
    pub(in crate::runtime) fn see(&mut self, look: &Look) {
        let new: Vec<Process> = self.new_in(look).copied().collect();
        for process in &new {
            let known = self.trees.iter().any(|tree| tree.members.contains(&process.id));
            if !known && self.is_first(process, look) {
                self.trees.push(Tree::from(process.id));
            }
        }
        for tree in &mut self.trees {
            if let Some(first) = tree.first.filter(|first| look.alive(*first)) {
                tree.named |= self.proc_fs.arguments(first.pid).as_ref() == Some(&self.arguments);
                tree.outputs.extend(self.proc_fs.outputs(first.pid));
            }
            tree.grow(&new, look);
        }
    }

    /// The command's processes, once it has to be ended.
    pub(in crate::runtime) fn found(&mut self, look: &Look, request: Request) -> Found {
        self.see(look);
        let named = self.trees.iter().filter(|tree| tree.named).cloned();
        let mut candidates: Vec<Tree> = named.collect();
        if candidates.is_empty() {
            candidates = match request {
                Request::Unanswered => self.unnamed(look),
                Request::Abandoned => self.left_behind(look),
                Request::Over => Vec::new(),
            };
        }
        match <[Tree; 1]>::try_from(candidates) {
            Ok([tree]) => Found::Tree(tree),
            Err(none)
                if none.is_empty() && !(request == Request::Abandoned && self.writes_to_nobody(look)) =>
            {
                Found::Nothing
            }
            Err(_) => Found::Ambiguous,
        }
    }

    /// Adds to `tree` what descends from its members or writes to where they do.
    pub(in crate::runtime) fn complete(&self, tree: &mut Tree, look: &Look) {
        let new: Vec<Process> = self.new_in(look).copied().collect();
        for process in self.caged(&new, look) {
            if !tree.outputs.is_disjoint(&self.proc_fs.outputs(process.id.pid)) {
                tree.members.insert(process.id);
            }
        }
        tree.grow(&new, look);
    }

    fn new_in<'a>(&'a self, look: &'a Look) -> impl Iterator<Item = &'a Process> {
        look.living()
            .filter(|process| self.beginning.precedes(process.id))
    }

    fn caged<'a>(&'a self, processes: &'a [Process], look: &'a Look) -> impl Iterator<Item = &'a Process> {
        processes
            .iter()
            .filter(|process| self.cages(process.id.pid, look))
    }

    fn cages(&self, pid: i32, look: &Look) -> bool {
        look.cgroup(pid).is_some_and(|cgroup| self.cage.holds(&cgroup))
    }

    /// What the runtime starts leads a session, and its parent is the runtime. The parent of orphans, where the
    /// container has no process numbers of its own, is the node's first process.
    fn is_first(&self, process: &Process, look: &Look) -> bool {
        process.session == process.id.pid
            && process.parent != 1
            && self.cages(process.id.pid, look)
            && !self.cages(process.parent, look)
    }

    /// What may be the command without its arguments.
    fn unnamed(&self, look: &Look) -> Vec<Tree> {
        let writing = self.writing_to_the_runtime(look);
        if writing.is_empty() {
            return self.started_by_the_runtime(look);
        }
        writing
    }

    /// What commands have left behind whose first process is dead.
    fn left_behind(&self, look: &Look) -> Vec<Tree> {
        let mut left = self.writing_to_the_runtime(look);
        left.retain(|tree| !tree.leads(look));
        left
    }

    /// Whether a session without a leader writes to a pipe of its own: left behind by a command whose output the runtime
    /// reads no more, or a daemon of the application's.
    fn writes_to_nobody(&self, look: &Look) -> bool {
        let own = self.proc_fs.outputs(self.init);
        let new: Vec<Process> = self.new_in(look).copied().collect();
        self.caged(&new, look).any(|process| {
            look.get(process.session).is_none() && !(&self.proc_fs.outputs(process.id.pid) - &own).is_empty()
        })
    }

    /// Trees of living processes whose parent is the runtime. In a container with process numbers of its own nobody
    /// comes to that but by being started so; elsewhere a daemon of the application does, so there it proves nothing.
    fn started_by_the_runtime(&self, look: &Look) -> Vec<Tree> {
        let Some(init) = look.get(self.init) else {
            return Vec::new();
        };
        let namespace = |pid| self.proc_fs.process_namespace(pid);
        if namespace(self.init).is_none() || namespace(self.init) == namespace(init.parent) {
            return Vec::new();
        }
        let started = |tree: &&Tree| {
            let first = tree.first.and_then(|first| look.get(first.pid));
            first.is_some_and(|first| tree.leads(look) && first.parent == init.parent)
        };
        self.trees.iter().filter(started).cloned().collect()
    }

    /// New processes that write into pipes which the runtime reads, with their trees where they are known: one tree
    /// for each set of pipes.
    fn writing_to_the_runtime(&self, look: &Look) -> Vec<Tree> {
        let Some(runtime) = look.get(self.init).map(|init| init.parent) else {
            return Vec::new();
        };
        let read = &self.proc_fs.pipes(runtime) - &self.proc_fs.outputs(self.init);
        let new: Vec<Process> = self.new_in(look).copied().collect();
        let mut groups: Vec<Tree> = Vec::new();
        for process in self.caged(&new, look) {
            let outputs = &self.proc_fs.outputs(process.id.pid) & &read;
            if outputs.is_empty() {
                continue;
            }
            let known = self.trees.iter().find(|tree| tree.members.contains(&process.id));
            let mut group = known.cloned().unwrap_or_default();
            group.members.insert(process.id);
            group.outputs.extend(outputs);
            groups.retain(|other| !group.takes_in(other));
            groups.push(group);
        }
        groups
    }
}

#[cfg(test)]
mod tests;
