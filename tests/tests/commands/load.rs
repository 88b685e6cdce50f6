//! Hundreds of commands at once: side by side, and in little memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clusterbackup_agent::runtime::{Runtime, Target};
use clusterbackup_api::node_task::ExecOutcome;
use clusterbackup_tests::CriFixture;
use clusterbackup_tests::cri::ContainerSpec;
use serde_json::Value;

use crate::bench::{SHORT, target, words};

fn fixture(pods: usize) -> (CriFixture, Vec<Target>) {
    let fixture = CriFixture::start().unwrap();
    let targets: Vec<Target> = (0..pods).map(|number| target(&format!("pod-{number}"))).collect();
    for target in &targets {
        fixture
            .run(ContainerSpec::new(target.clone(), Path::new("/")))
            .unwrap();
    }
    (fixture, targets)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_commands_run_side_by_side_and_end_in_time() {
    let (fixture, targets) = fixture(200);
    let runtime = Runtime::cri(&fixture.socket()).unwrap();
    let began = Instant::now();
    let command = words(&["sh", "-c", "sleep 1000; true"]);
    let runs = targets
        .iter()
        .map(|target| runtime.exec(target, &command, 3 * SHORT));
    for finished in futures::future::join_all(runs).await {
        assert_eq!(finished.outcome, ExecOutcome::TimedOut, "{finished:?}");
    }
    assert_eq!(fixture.calls().most, 200);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    if fixture.tells_containers_apart() {
        for target in &targets {
            fixture.only_the_application(target).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_output_of_many_commands_takes_little_memory() {
    let (fixture, targets) = fixture(20);
    let list: Vec<[&str; 4]> = targets
        .iter()
        .map(|target| [&target.namespace, &target.pod, &target.uid, &target.container].map(String::as_str))
        .collect();
    let mut program = Command::new(env!("CARGO_BIN_EXE_run-commands"));
    program
        .arg(fixture.socket())
        .arg(serde_json::to_string(&list).unwrap())
        .args(["60000", "head", "-c", "15M", "/dev/zero"]);
    let output = tokio::task::spawn_blocking(move || program.output())
        .await
        .unwrap()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ends = said["ends"].as_array().unwrap();
    assert_eq!(ends.len(), targets.len());
    for end in ends {
        assert_eq!(end["outcome"], "Succeeded", "{end}");
        assert_eq!(end["outputBytes"], 15 << 20, "{end}");
    }
    assert!(said["peakMiB"].as_u64().unwrap() < 64, "{said}");
}
