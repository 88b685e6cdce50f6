//! Commands that have to be ended: with everything that they started, and with nothing else.

use std::time::Duration;

use clusterbackup_agent::runtime::{Finished, Runtime};
use clusterbackup_api::node_task::{ExecOutcome, Killed};
use clusterbackup_tests::{CriFixture, eventually};

use rustix::time::{ClockId, clock_gettime};

use crate::bench::{Bench, LONG, SHORT, target, words};

/// How late a time-out may be, on a machine with other things to do.
const LATE: Duration = Duration::from_secs(5);

fn timed_out(finished: &Finished, killed: Killed) {
    assert_eq!(
        (finished.outcome, finished.exit_code, finished.killed),
        (ExecOutcome::TimedOut, None, Some(killed)),
        "{finished:?}"
    );
    assert!(
        finished.took >= SHORT && finished.took < SHORT + LATE,
        "{finished:?}"
    );
}

fn uptime() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap()
}

#[tokio::test]
async fn a_time_out_ends_everything_that_the_command_started() {
    for script in [
        "exec sleep 1000",
        "sleep 1000",
        "sleep 1000; true",
        "trap '' TERM; while :; do sleep 0.1; done",
        "sleep 1000 & sleep 1000 & wait",
        // A session of its own, which the first look sees begin.
        "setsid sleep 1000; true",
        "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.5; exec sleep 1000",
        // What it writes to is the only thing that still connects it.
        "(setsid sleep 1000 &) ; sleep 1000; true",
    ] {
        let bench = Bench::new();
        let finished = bench.shell(script, SHORT).await;
        timed_out(&finished, bench.all());
        bench.nothing_is_left().await;
    }
}

#[tokio::test]
async fn what_a_command_left_behind_with_its_output_is_ended_and_told() {
    for script in ["sleep 1000 & exit 0", "setsid sleep 1000 & exit 7"] {
        let bench = Bench::new();
        let finished = bench.shell(script, SHORT).await;
        timed_out(&finished, bench.all());
        if bench.fixture.tells_containers_apart() {
            assert!(finished.message.unwrap().contains("left behind"), "{script}");
        }
        bench.nothing_is_left().await;
    }
}

#[tokio::test]
async fn the_applications_own_process_of_the_same_name_lives_on() {
    let fixture = CriFixture::start().unwrap();
    let bench = Bench::with(fixture, &["sh", "-c", "sleep 1000 & setsid sleep 1000 & wait"]);
    let runs = || async {
        let commands = bench.fixture.commands(&bench.target)?;
        anyhow::ensure!(commands.len() == 2, "{commands:?}");
        Ok(())
    };
    if bench.fixture.tells_containers_apart() {
        eventually("the application is ready", LONG, runs).await.unwrap();
    }
    timed_out(&bench.exec(&["sleep", "1000"], SHORT).await, bench.all());
    if bench.fixture.tells_containers_apart() {
        eventually("the application is as it was", LONG, runs)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn of_two_equal_commands_at_once_none_is_killed_from_here() {
    let bench = Bench::new();
    let script = "sleep 1000; true";
    let (one, other) = tokio::join!(bench.shell(script, SHORT), bench.shell(script, SHORT));
    for finished in [one, other] {
        assert_eq!(finished.outcome, ExecOutcome::TimedOut);
        assert_eq!(finished.killed, Some(Killed::NotKillable), "{finished:?}");
    }
    if bench.fixture.tells_containers_apart() {
        // The runtime has killed the shells when the calls were given up. Their children live, as is said.
        let children = || async {
            let commands = bench.fixture.commands(&bench.target)?;
            anyhow::ensure!(commands == ["sleep 1000 ", "sleep 1000 "], "{commands:?}");
            Ok(())
        };
        eventually("the children are left", LONG, children).await.unwrap();
    }
}

#[tokio::test]
async fn another_command_in_the_container_is_left_alone() {
    let bench = Bench::new();
    let (other, finished) = tokio::join!(
        bench.shell("sleep 2; exit 3", LONG),
        bench.shell("sleep 1000; true", SHORT)
    );
    timed_out(&finished, bench.all());
    assert_eq!((other.exit_code, other.killed), (Some(3), None), "{other:?}");
}

#[tokio::test]
async fn a_process_that_leaves_the_container_is_told_and_not_killed() {
    let bench = Bench::new();
    if !bench.fixture.tells_containers_apart() {
        return;
    }
    let script = r#"
        mount=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
        sh -c 'echo 0 > "$1/cgroup.procs"; exec sleep 4' sh "$mount"; true
    "#;
    let finished = bench.shell(script, SHORT).await;
    assert_eq!(finished.outcome, ExecOutcome::TimedOut);
    assert_eq!(finished.killed, Some(Killed::Escaped), "{finished:?}");
    assert!(finished.message.unwrap().contains("lives on"));
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn a_runtime_that_stops_answering_does_not_keep_the_command_alive() {
    let bench = Bench::new();
    let begin = || async {
        anyhow::ensure!(bench.fixture.calls().in_flight == 1);
        Ok(())
    };
    let pause = async {
        eventually("the command runs", LONG, begin).await.unwrap();
        bench.fixture.pause();
    };
    let (finished, ()) = tokio::join!(bench.shell("sleep 1000; true", SHORT), pause);
    assert_eq!(
        (finished.outcome, finished.killed),
        (ExecOutcome::TimedOut, Some(bench.all()))
    );
    assert!(finished.message.unwrap().contains("doesn't answer"));
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn a_command_whose_connection_breaks_is_lost_and_ended() {
    let bench = Bench::new();
    let begin = || async {
        anyhow::ensure!(bench.fixture.calls().in_flight == 1);
        // Its child runs: what the runtime itself would leave.
        anyhow::ensure!(
            !bench.fixture.tells_containers_apart() || bench.fixture.commands(&bench.target)?.len() == 2
        );
        Ok(())
    };
    let cut = async {
        eventually("the command runs", LONG, begin).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        bench.fixture.disconnect();
    };
    let (finished, ()) = tokio::join!(bench.shell("sleep 1000; true", LONG), cut);
    assert_eq!(finished.outcome, ExecOutcome::Lost, "{finished:?}");
    assert_eq!(finished.exit_code, None);
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn a_command_can_be_ended_early() {
    let bench = Bench::new();
    let command = words(&["sh", "-c", "sleep 1000; true"]);
    let stop = tokio::time::sleep(SHORT);
    let finished = bench
        .runtime
        .exec_until(&bench.target, &command, LONG, stop)
        .await;
    timed_out(&finished, bench.all());
    assert!(finished.message.unwrap().contains("early"));
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn what_an_agent_that_died_left_running_is_ended_by_another() {
    let bench = Bench::new();
    let other = Runtime::cri(&bench.fixture.socket()).unwrap();
    let command = words(&["sh", "-c", "sleep 1000; true"]);
    let leftovers = |since| other.end_leftovers(&bench.target, &command, since);
    let begun = uptime();
    assert_eq!(leftovers(begun).await, bench.suspected());

    let (finished, ended) = tokio::join!(bench.exec(&["sh", "-c", "sleep 1000; true"], LONG), async {
        eventually("the command runs with its child", LONG, || async {
            let commands = bench.fixture.commands(&bench.target)?.len();
            anyhow::ensure!(commands == 2 || !bench.fixture.tells_containers_apart() && commands == 1);
            Ok(())
        })
        .await
        .unwrap();
        // It began before this time, so it is another.
        assert_eq!(leftovers(uptime() + LONG).await, bench.suspected());
        let ended = leftovers(begun).await;
        bench.fixture.restart(&bench.target).await.unwrap();
        ended
    });
    assert_eq!(ended, Some(bench.all()));
    assert_eq!(finished.exit_code, Some(137), "{finished:?}");
    assert_eq!(leftovers(begun).await, bench.suspected());
    bench.fixture.stop(&bench.target).await.unwrap();
    assert_eq!(leftovers(begun).await, None);
}

#[tokio::test]
async fn a_command_ends_with_its_container() {
    let bench = Bench::new();
    let begin = || async {
        anyhow::ensure!(bench.fixture.calls().in_flight == 1);
        Ok(())
    };
    let restart = async {
        eventually("the command runs", LONG, begin).await.unwrap();
        bench.fixture.restart(&bench.target).await.unwrap();
    };
    let (finished, ()) = tokio::join!(bench.shell("sleep 1000; true", LONG), restart);
    assert_eq!(
        (finished.outcome, finished.exit_code),
        (ExecOutcome::Failed, Some(137))
    );
}

#[tokio::test]
async fn where_processes_can_not_be_seen_nothing_is_killed_and_that_is_said() {
    let bench = Bench::with(CriFixture::start_opaque().unwrap(), &["sleep", "infinity"]);
    let finished = bench.exec(&["sleep", "1000"], SHORT).await;
    assert_eq!(finished.outcome, ExecOutcome::TimedOut);
    assert_eq!(finished.killed, Some(Killed::NotKillable));
    assert!(finished.message.unwrap().contains("can't be seen"));
    let elsewhere = bench.runtime.exec(&target("x"), &words(&["true"]), LONG).await;
    assert_eq!(elsewhere.outcome, ExecOutcome::NotStarted);
}
