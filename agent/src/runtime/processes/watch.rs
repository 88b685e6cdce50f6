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

use super::tree::Tree;
use super::{Cage, Look, ProcFs, Process, ticks_since_boot};

/// One command, from its request on.
pub(in crate::runtime) struct Watch {
    proc_fs: ProcFs,
    cage: Cage,
    /// The container's first process.
    init: i32,
    before: Arc<Look>,
    began: u64,
    arguments: Vec<u8>,
    /// What was started from outside since then: the command, if it was seen, and commands of others.
    trees: Vec<Tree>,
}

/// Whether the runtime has still to answer, and so something of the command must be alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Request {
    Unanswered,
    Over,
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
    /// Begins before the request. None if the container's first process can't be found here: the agent is not in
    /// the node's process namespace, or the container runs in a machine of its own.
    pub(in crate::runtime) fn begin(
        proc_fs: &ProcFs,
        before: Arc<Look>,
        container: &str,
        init: i32,
        command: &[String],
    ) -> Option<Self> {
        Some(Self {
            proc_fs: proc_fs.clone(),
            cage: Cage::of(container, &proc_fs.cgroup(init)?)?,
            init,
            before,
            began: ticks_since_boot(),
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
        if candidates.is_empty() && request == Request::Unanswered {
            candidates = self.writing_to_the_runtime(look);
            if candidates.is_empty() {
                candidates = self.started_by_the_runtime(look);
            }
        }
        match <[Tree; 1]>::try_from(candidates) {
            Ok([tree]) => Found::Tree(tree),
            Err(none) if none.is_empty() => Found::Nothing,
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
            .filter(|process| process.id.started >= self.began && !self.before.knows(process.id))
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
mod tests {
    use std::fmt::Write as _;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A made-up `/proc`: the runtime is 10, the container's first process 20.
    struct Node {
        folder: TempDir,
        now: u64,
    }

    const INSIDE: &str = "0::/pod/c0ffee\n";
    const OUTSIDE: &str = "0::/runtime\n";

    impl Node {
        fn new() -> Self {
            let node = Self {
                folder: tempfile::tempdir().unwrap(),
                now: ticks_since_boot(),
            };
            node.add(10, 1, 10, 0, OUTSIDE, &["shim"], &[500, 501, 600, 601, 700]);
            node.add(20, 10, 20, 0, INSIDE, &["app"], &[500, 501]);
            node.add(21, 20, 20, 0, INSIDE, &["sleep", "60"], &[500, 501]);
            node
        }

        #[expect(clippy::too_many_arguments, reason = "what a process is, in one line")]
        fn add(
            &self,
            pid: i32,
            parent: i32,
            session: i32,
            after: u64,
            cgroup: &str,
            arguments: &[&str],
            pipes: &[u64],
        ) {
            let folder = self.folder.path().join(pid.to_string());
            std::fs::create_dir_all(folder.join("fd")).unwrap();
            let started = if after == 0 { 5 } else { self.now + after };
            let stat =
                format!("{pid} (x) S {parent} {session} {session} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {started} 0");
            std::fs::write(folder.join("stat"), stat).unwrap();
            std::fs::write(folder.join("cgroup"), cgroup).unwrap();
            let mut cmdline = String::new();
            for argument in arguments {
                write!(cmdline, "{argument}\0").unwrap();
            }
            std::fs::write(folder.join("cmdline"), cmdline).unwrap();
            for (descriptor, pipe) in pipes.iter().enumerate() {
                symlink(
                    format!("pipe:[{pipe}]"),
                    folder.join(format!("fd/{}", descriptor + 1)),
                )
                .unwrap();
            }
        }

        /// Gives the container process numbers of its own.
        fn enclose(&self) {
            for (pid, namespace) in [(10, "pid:[1]"), (20, "pid:[2]")] {
                let folder = self.folder.path().join(format!("{pid}/ns"));
                std::fs::create_dir(&folder).unwrap();
                symlink(namespace, folder.join("pid")).unwrap();
            }
        }

        fn remove(&self, pid: i32) {
            std::fs::remove_dir_all(self.folder.path().join(pid.to_string())).unwrap();
        }

        fn look(&self) -> Look {
            Look::take(&ProcFs::at(self.folder.path())).unwrap()
        }

        /// A watch over `sleep 60`.
        fn watch(&self) -> Watch {
            let command = ["sleep".to_owned(), "60".to_owned()];
            let proc_fs = ProcFs::at(self.folder.path());
            Watch::begin(&proc_fs, Arc::new(self.look()), "c0ffee", 20, &command).unwrap()
        }

        fn members(&self, watch: &mut Watch) -> Vec<i32> {
            let look = self.look();
            match watch.found(&look, Request::Unanswered) {
                Found::Tree(mut tree) => {
                    watch.complete(&mut tree, &look);
                    tree.living(&look).map(|id| id.pid).collect()
                }
                other => panic!("{other:?}"),
            }
        }

        fn found(&self, watch: &mut Watch) -> Found {
            watch.found(&self.look(), Request::Unanswered)
        }
    }

    #[test]
    fn a_command_is_found_with_its_descendants_and_the_application_is_not() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(30, 10, 30, 9, INSIDE, &["sleep", "60"], &[600, 601]);
        node.add(31, 30, 30, 9, INSIDE, &["child"], &[600, 601]);
        // The application starts the same command meanwhile, also as a daemon.
        node.add(40, 20, 20, 9, INSIDE, &["sleep", "60"], &[500, 501]);
        node.add(41, 20, 41, 9, INSIDE, &["sleep", "60"], &[]);
        assert_eq!(node.members(&mut watch), [30, 31]);
    }

    #[test]
    fn who_moves_to_another_session_and_loses_its_parent_is_known_from_before() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(30, 10, 30, 9, INSIDE, &["sleep", "60"], &[600, 601]);
        node.add(31, 30, 31, 9, INSIDE, &["daemon"], &[]);
        watch.see(&node.look());
        node.remove(30);
        node.remove(31);
        node.add(31, 20, 31, 9, INSIDE, &["daemon"], &[]);
        assert_eq!(node.members(&mut watch), [31]);
    }

    #[test]
    fn another_process_with_a_number_that_was_used_is_not_meant() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(30, 10, 30, 9, INSIDE, &["sleep", "60"], &[600, 601]);
        watch.see(&node.look());
        node.remove(30);
        node.add(30, 20, 20, 90, INSIDE, &["app-child"], &[500, 501]);
        assert_eq!(node.members(&mut watch), [0; 0]);
    }

    #[test]
    fn what_a_command_left_behind_is_found_by_its_output() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(33, 20, 30, 9, INSIDE, &["sleep", "1000"], &[600, 601]);
        node.add(34, 1, 34, 9, INSIDE, &["setsid"], &[601]);
        node.add(35, 20, 35, 9, INSIDE, &["worker of the application"], &[500, 501]);
        node.add(36, 20, 36, 9, INSIDE, &["its pipe to a brother"], &[900]);
        assert_eq!(node.members(&mut watch), [33, 34]);
    }

    #[test]
    fn a_shell_that_became_another_program_is_found_if_it_is_the_only_command() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(30, 10, 30, 9, INSIDE, &["something", "else"], &[600, 601]);
        assert_eq!(node.members(&mut watch), [30]);
        // A probe of kubelet comes: which one is it?
        node.add(50, 10, 50, 9, INSIDE, &["probe"], &[700]);
        assert_eq!(node.found(&mut watch), Found::Ambiguous);
    }

    #[test]
    fn one_that_also_writes_elsewhere_is_found_where_only_the_runtime_can_be_its_parent() {
        for (enclosed, parent, found) in [(true, 10, true), (false, 10, false), (true, 1, false)] {
            let node = Node::new();
            if enclosed {
                node.enclose();
            }
            let mut watch = node.watch();
            node.add(30, parent, 30, 9, INSIDE, &["something", "else"], &[]);
            let tree = matches!(node.found(&mut watch), Found::Tree(_));
            assert_eq!(tree, found, "{enclosed} {parent}");
        }
    }

    #[test]
    fn once_the_request_is_over_only_the_arguments_count() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(50, 10, 50, 9, INSIDE, &["probe"], &[700]);
        assert_eq!(watch.found(&node.look(), Request::Over), Found::Nothing);
        node.add(30, 10, 30, 9, INSIDE, &["sleep", "60"], &[600, 601]);
        assert!(matches!(watch.found(&node.look(), Request::Over), Found::Tree(_)));
    }

    #[test]
    fn a_command_of_somebody_else_doesnt_hide_this_one() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(50, 10, 50, 9, INSIDE, &["probe"], &[700]);
        node.add(30, 10, 30, 9, INSIDE, &["sleep", "60"], &[600, 601]);
        assert_eq!(node.members(&mut watch), [30]);
    }

    #[test]
    fn of_two_that_might_be_meant_none_is() {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(30, 10, 30, 9, INSIDE, &["sleep", "60"], &[600, 601]);
        node.add(50, 10, 50, 9, INSIDE, &["sleep", "60"], &[700]);
        assert_eq!(node.found(&mut watch), Found::Ambiguous);
        // One of them having ended doesn't say which.
        node.remove(50);
        assert_eq!(node.found(&mut watch), Found::Ambiguous);
    }

    #[test]
    fn nothing_is_found_where_nothing_new_is() {
        let node = Node::new();
        node.add(30, 10, 30, 0, INSIDE, &["sleep", "60"], &[600, 601]);
        let mut watch = node.watch();
        // In another container, and outside of all.
        node.add(60, 10, 60, 9, "0::/pod/beef\n", &["sleep", "60"], &[700]);
        node.add(61, 10, 61, 9, OUTSIDE, &["sleep", "60"], &[700]);
        assert_eq!(node.found(&mut watch), Found::Nothing);
    }
}
