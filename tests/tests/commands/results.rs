//! Commands that end by themselves, or that never begin.

use std::time::Duration;

use clusterbackup_agent::runtime::Presence;
use clusterbackup_api::node_task::ExecOutcome;

use crate::bench::{Bench, LONG, SHORT, target};

#[tokio::test]
async fn exit_codes_are_told_and_nothing_is_killed() {
    let bench = Bench::new();
    for (script, outcome, exit_code) in [
        ("true", ExecOutcome::Succeeded, 0),
        ("exit 7", ExecOutcome::Failed, 7),
        ("kill -KILL $$", ExecOutcome::Failed, 137),
        // Its child goes on without the output: that is how a command starts a daemon, and no failure.
        ("sleep 1000 >/dev/null 2>&1 & exit 0", ExecOutcome::Succeeded, 0),
    ] {
        let finished = bench.shell(script, LONG).await;
        assert_eq!(
            (finished.outcome, finished.exit_code, finished.killed),
            (outcome, Some(exit_code), None),
            "{script}: {finished:?}"
        );
        assert!(finished.took < LONG / 10, "{script}: {:?}", finished.took);
    }
}

#[tokio::test]
async fn what_can_not_be_started_says_why() {
    let bench = Bench::new();
    let missing = bench.exec(&["no-such-program"], LONG).await;
    assert_eq!(missing.outcome, ExecOutcome::NotStarted, "{missing:?}");
    assert!(missing.message.unwrap().contains("no-such-program"));

    let elsewhere = bench
        .runtime
        .exec(&target("other"), &["true".to_owned()], LONG)
        .await;
    assert_eq!(elsewhere.outcome, ExecOutcome::NotStarted);
    assert!(elsewhere.message.unwrap().contains("does not run"));
}

#[tokio::test]
async fn presence_follows_the_container_and_the_pod() {
    let bench = Bench::new();
    let presence = || async { bench.runtime.presence(&bench.target).await.unwrap() };
    assert_eq!(presence().await, Presence::Running);
    bench.fixture.stop(&bench.target).await.unwrap();
    assert_eq!(presence().await, Presence::NotRunning);
    assert_eq!(bench.shell("true", LONG).await.outcome, ExecOutcome::NotStarted);
    bench.fixture.restart(&bench.target).await.unwrap();
    assert_eq!(presence().await, Presence::Running);
    assert_eq!(bench.shell("true", LONG).await.outcome, ExecOutcome::Succeeded);
    bench.fixture.remove_pod(&bench.target.uid).await.unwrap();
    assert_eq!(presence().await, Presence::PodGone);
}

#[tokio::test]
async fn output_over_the_limit_of_the_runtime_is_a_failure_of_its_own() {
    let bench = Bench::new();
    for (megabytes, outcome) in [
        (15, ExecOutcome::Succeeded),
        (20, ExecOutcome::OutputTooLarge),
        (1000, ExecOutcome::OutputTooLarge),
    ] {
        let script = format!("head -c {megabytes}M /dev/zero");
        let finished = bench.shell(&script, LONG).await;
        assert_eq!(finished.outcome, outcome, "{megabytes} MiB: {finished:?}");
        assert!(finished.tail.as_str().len() <= 1024);
        if outcome == ExecOutcome::Succeeded {
            assert_eq!(finished.output_bytes, megabytes << 20);
        }
    }
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn binary_output_comes_as_text_and_only_to_who_asks() {
    let bench = Bench::new();
    let finished = bench
        .shell(
            r"printf '\377\000\033[2Jpassword=hunter2'; echo oops >&2; exit 1",
            LONG,
        )
        .await;
    assert_eq!(finished.outcome, ExecOutcome::Failed);
    assert_eq!(
        finished.tail.as_str(),
        "\u{fffd}\\u{0}\\u{1b}[2Jpassword=hunter2oops\n"
    );
    assert!(!format!("{finished:?}").contains("hunter2"));
    assert_eq!(finished.output_bytes, 27);
}

#[tokio::test]
async fn a_runtime_that_hangs_or_is_gone_costs_no_more_than_the_commands_time() {
    let bench = Bench::new();
    bench.fixture.pause();
    let hanging = bench.shell("true", SHORT).await;
    assert_eq!(hanging.outcome, ExecOutcome::NotStarted, "{hanging:?}");
    assert!(hanging.took < SHORT + Duration::from_millis(500));
    bench.fixture.resume();
    assert_eq!(bench.shell("true", LONG).await.outcome, ExecOutcome::Succeeded);
    assert_eq!(bench.fixture.calls().total, 1);

    // After its restart nobody has to do anything.
    bench.fixture.disconnect();
    assert_eq!(bench.shell("true", LONG).await.outcome, ExecOutcome::Succeeded);

    let Bench {
        fixture,
        runtime,
        target,
    } = bench;
    drop(fixture);
    let gone = runtime.exec(&target, &["true".to_owned()], LONG).await;
    assert_eq!(gone.outcome, ExecOutcome::NotStarted, "{gone:?}");
    assert!(gone.message.unwrap().contains("cri.sock"));
}
