//! Hooks after a restore.

use std::time::Duration;

use clusterbackup_core::hook::lineage::Lineage;
use clusterbackup_core::hook::restore::{
    self, Container, Ended, RestoreCommand, RestoreExec, RestoreHook, Turn,
};
use clusterbackup_core::hook::{OnError, Pods};
use clusterbackup_core::selection::{Name, Namespaces, Pod};

use crate::{exec, pod};

fn restoring(on_error: OnError) -> RestoreHook {
    let post = ["load", "index"].map(|program| RestoreExec {
        exec: exec(program, on_error),
        wait: RestoreExec::WAIT,
        ready: false,
    });
    RestoreHook {
        name: "ops/load/db".to_owned(),
        pods: Pods::default(),
        post: post.to_vec(),
    }
}

fn commands(on_error: OnError) -> Vec<RestoreCommand> {
    restore::resolve(&[restoring(on_error)], &pod("db", &[])).unwrap()
}

/// Velero: only in pods that the restore itself created; those of controllers get none.
#[test]
fn restore_hooks_run_in_every_new_pod_and_in_no_old_one() {
    let mut lineage = Lineage::default();
    lineage.create("web");
    let controllers = |uids: [&str; 2]| uids.map(str::to_owned);
    assert!(lineage.see("new", &controllers(["of-a-replica-set", "web"])));
    assert!(!lineage.see("old", &controllers(["of-a-replica-set", "patched"])));
    let commands = restore::resolve(&[restoring(OnError::Continue)], &pod("new", &[])).unwrap();
    assert_eq!(commands.len(), 2);
}

/// Velero: `includedNamespaces` are the target's. The same here; the control plane's and our own never match.
#[test]
fn restore_hooks_are_for_the_restored_namespaces() {
    let mut hook = restoring(OnError::Continue);
    hook.pods.namespaces = Namespaces::parse(&["staging".to_owned()], &[]).unwrap();
    let staged = Pod {
        name: Name::new("staging", "db"),
        ..pod("db", &[])
    };
    let hooks = [hook];
    assert_eq!(restore::resolve(&hooks, &staged).unwrap().len(), 2);
    assert!(restore::resolve(&hooks, &pod("db", &[])).unwrap().is_empty());
}

/// Velero: the containers of one pod in the order of a map.
#[test]
fn restore_hooks_of_a_pod_run_in_their_order_whatever_container_they_are_in() {
    let mut hook = restoring(OnError::Continue);
    hook.post[0].exec.container = Some("proxy".to_owned());
    let commands = restore::resolve(&[hook], &pod("db", &[])).unwrap();
    let up = |container: &str| {
        if container == "proxy" {
            Container::Awaited
        } else {
            Container::Running
        }
    };
    let turn = restore::next(&commands, &[], up, Duration::ZERO);
    assert_eq!(turn, Turn::Wait(RestoreExec::WAIT.duration()));
}

/// Velero: without a waitTimeout for ever; the clock also runs while earlier hooks do.
#[test]
fn a_wait_is_bounded_and_begins_when_it_is_the_commands_turn() {
    let commands = commands(OnError::Continue);
    let turn = restore::next(
        &commands,
        &[Ended::Succeeded],
        |_| Container::Awaited,
        Duration::ZERO,
    );
    assert_eq!(turn, Turn::Wait(Duration::from_mins(5)));
}

/// Velero: with Continue the hook is executed after all, and counted as failed.
#[test]
fn a_restore_hook_whose_wait_is_over_does_not_run() {
    for on_error in [OnError::Continue, OnError::Fail] {
        let commands = commands(on_error);
        let turn = restore::next(&commands, &[], |_| Container::Awaited, Duration::from_mins(5));
        assert_eq!(turn, Turn::Skip(&commands[0]), "{on_error:?}");
    }
}

/// Velero: any error in one pod cancels the hooks that are pending in all others.
#[test]
fn a_failed_restore_hook_stops_its_own_pod_at_most() {
    let (stops, goes_on) = (commands(OnError::Fail), commands(OnError::Continue));
    let next = |commands, ended| restore::next(commands, ended, |_| Container::Running, Duration::ZERO);
    assert_eq!(next(&stops, &[Ended::Failed]), Turn::Finished);
    assert_eq!(next(&goes_on, &[Ended::Failed]), Turn::Run(&goes_on[1]));
    assert_eq!(next(&stops, &[]), Turn::Run(&stops[0]), "of another pod");
}

/// Velero: an error for each hook that was not executed.
#[test]
fn what_a_pod_that_ended_did_not_run_is_told_command_by_command() {
    let commands = commands(OnError::Continue);
    let next = |ended| restore::next(&commands, ended, |_| Container::Over, Duration::ZERO);
    assert_eq!(next(&[]), Turn::Skip(&commands[0]));
    assert_eq!(next(&[Ended::NotRun]), Turn::Skip(&commands[1]));
    assert_eq!(next(&[Ended::NotRun, Ended::NotRun]), Turn::Finished);
}

/// Velero: a hook of a container that isn't there is never recorded; the restore, and all after it, never end.
#[test]
fn a_restore_hook_of_a_container_that_is_not_there_is_an_error_at_once() {
    let mut hook = restoring(OnError::Continue);
    hook.post[1].exec.container = Some("mysql".to_owned());
    let problem = restore::resolve(&[hook], &pod("db", &[])).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "hook ops/load/db: pod shop/db has no container `mysql`; it has db, exporter, proxy"
    );
}

/// Velero: what has run is kept in memory and lost with the server.
#[test]
fn a_restart_goes_on_behind_the_last_command_that_is_recorded() {
    let commands = commands(OnError::Fail);
    let turn = restore::next(
        &commands,
        &[Ended::Succeeded],
        |_| Container::Running,
        Duration::ZERO,
    );
    assert_eq!(turn, Turn::Run(&commands[1]));
}
