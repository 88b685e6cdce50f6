//! What is found in a made-up `/proc`.

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
            now: ticks(uptime()),
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
        let beginning = Beginning::now(Arc::new(self.look()));
        Watch::begin(&proc_fs, beginning, ("c0ffee", 20), &command).unwrap()
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
fn of_an_abandoned_command_what_it_left_is_found_or_suspected_but_no_other_command() {
    let abandoned = |pid: i32, session: i32, pipe: u64| {
        let node = Node::new();
        let mut watch = node.watch();
        node.add(50, 10, 50, 9, INSIDE, &["probe"], &[700]);
        node.add(pid, 20, session, 9, INSIDE, &["sleep", "1000"], &[pipe]);
        watch.found(&node.look(), Request::Abandoned)
    };
    // Its leader is dead: the runtime still reads its output, or nobody does.
    assert!(matches!(abandoned(33, 30, 600), Found::Tree(_)));
    assert_eq!(abandoned(33, 30, 900), Found::Ambiguous);
    // The application's.
    assert_eq!(abandoned(33, 20, 900), Found::Nothing);
    assert_eq!(abandoned(33, 30, 500), Found::Nothing);
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
