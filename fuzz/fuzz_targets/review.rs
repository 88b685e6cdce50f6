//! Any bytes as the body of a review: a review with a uid as the answer, whose patch fits the object, or a bad request;
//! never a panic.
#![no_main]

#[path = "../../webhook/fixtures/desk.rs"]
mod desk;

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clusterbackup_webhook::door::{INTERCEPT_PATH, VALIDATE_PATH};
use clusterbackup_webhook::service::Service;
use http_body_util::BodyExt as _;
use json_patch::Patch;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
});

/// Answers to every opt-in, so that nothing is looked up elsewhere.
static SERVICE: LazyLock<Arc<Service>> = LazyLock::new(|| {
    let _entered = RUNTIME.enter();
    desk::service(&[("*", include_str!("../../webhook/fixtures/rules.yaml"))])
});

fuzz_target!(|body: &[u8]| {
    for path in [INTERCEPT_PATH, VALIDATE_PATH] {
        let (status, answer) = RUNTIME.block_on(async {
            let response = SERVICE.review(path, body).await;
            let status = response.status();
            (
                status,
                response.into_body().collect().await.expect("a body").to_bytes(),
            )
        });
        if status.is_success() {
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            let response = &answer["response"];
            assert!(response["uid"].as_str().is_some_and(|uid| !uid.is_empty()));
            assert!(response["allowed"].is_boolean());
            if let Some(patch) = response["patch"].as_str() {
                let patch = STANDARD.decode(patch).expect("base64");
                let patch: Patch = serde_json::from_slice(&patch).expect("a patch");
                let mut review: Value = serde_json::from_slice(body).expect("JSON");
                json_patch::patch(&mut review["request"]["object"], &patch).expect("it fits the object");
            }
        } else {
            assert_eq!(status, 400);
        }
    }
});
