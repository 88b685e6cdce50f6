//! Reviews by the built webhook over HTTPS: how long they take at a restore's pace, and how many it can do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clusterbackup_tests::webhook::{NAME, NAMESPACE};
use clusterbackup_webhook::door::INTERCEPT_PATH;
use serde_json::{Value, json};

use super::installed::{self, CHANGING, IDLE, Installed};
use super::load::{Pace, Target};

pub(super) const CONNECTIONS: u32 = 8;
/// Requests before the first that counts: caches and allocator are cold only once.
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) async fn run(installed: &Installed, time: Duration) -> Result<()> {
    let target = target(installed).await?;
    println!(
        "\nreviews over HTTPS, {CONNECTIONS} kept connections, {} s each",
        time.as_secs()
    );
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "per s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "RSS MB", "anonymous"
    );
    let memory = installed.memory()?;
    println!(
        "{:<34} {:>59.1} {:>9.1}",
        "before the first", memory.resident, memory.anonymous
    );
    let small = review()?;
    let large = enlarged(small.clone(), 1 << 20)?;
    for (title, review, interception, pace) in [
        (
            "5 KB, three rules, 1,000/s",
            &small,
            CHANGING,
            Pace::PerSecond(1000),
        ),
        (
            "5 KB, no rule for it, 1,000/s",
            &small,
            IDLE,
            Pace::PerSecond(1000),
        ),
        (
            "5 KB, three rules, closed loop",
            &small,
            CHANGING,
            Pace::ClosedLoop,
        ),
        (
            "5 KB, no rule for it, closed loop",
            &small,
            IDLE,
            Pace::ClosedLoop,
        ),
        (
            "1 MiB, three rules, closed loop",
            &large,
            CHANGING,
            Pace::ClosedLoop,
        ),
    ] {
        let body = body(review, interception);
        let bodies = [body];
        target.load(&bodies, CONNECTIONS, pace, WARM_UP).await?;
        let report = target.load(&bodies, CONNECTIONS, pace, time).await?;
        let memory = installed.memory()?;
        println!(
            "{title:<34} {:>9.0} {:>9.3} {:>9.3} {:>9.3} {:>9.3} {:>9.1} {:>9.1}",
            report.per_second(),
            milliseconds(report.permille(500)),
            milliseconds(report.permille(990)),
            milliseconds(report.permille(999)),
            milliseconds(report.longest()),
            memory.resident,
            memory.anonymous,
        );
    }
    Ok(())
}

/// The replica, past the Service.
pub(super) async fn target(installed: &Installed) -> Result<Target> {
    let authority = installed.webhook.ca_bundle().await?;
    let server = format!("{NAME}.{NAMESPACE}.svc");
    Target::new(installed.replica.address(), server, INTERCEPT_PATH, &authority)
}

pub(super) fn review() -> Result<Value> {
    Ok(serde_json::from_str(&installed::fixture("review.json")?)?)
}

/// The same Deployment with so many settings that it takes as many bytes.
fn enlarged(mut review: Value, bytes: usize) -> Result<Value> {
    let env = review
        .pointer_mut("/request/object/spec/template/spec/containers/0/env")
        .and_then(Value::as_array_mut)
        .context("the object of the fixture has no settings")?;
    let setting =
        |number: usize| json!({ "name": format!("SETTING_{number:06}"), "value": "some value of it" });
    let count = bytes / setting(0).to_string().len();
    env.extend((0..count).map(setting));
    Ok(review)
}

pub(super) fn body(review: &Value, interception: &str) -> Bytes {
    let mut review = review.clone();
    review["request"]["object"]["metadata"]["labels"]["clusterbackup.io/intercept"] = interception.into();
    review.to_string().into()
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
