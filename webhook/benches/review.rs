//! One admission review from the body to the answer, without the network, beside the way it is usually written:
//! parse everything, clone, patch, compare.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

#[path = "../fixtures/desk.rs"]
mod desk;

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clusterbackup_webhook::door::INTERCEPT_PATH;
use clusterbackup_webhook::review::{AdmissionRequest, Metadata};
use clusterbackup_webhook::service::Service;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use json_patch::Patch;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REVIEW: &str = include_str!("../fixtures/review.json");
const RULES: &str = include_str!("../fixtures/rules.yaml");
const RULES_FOR_OTHERS: &str = include_str!("../fixtures/rules-for-others.yaml");

fn review() -> Value {
    serde_json::from_str(REVIEW).expect("JSON")
}

/// The same Deployment with so many settings that it takes as many bytes.
fn review_of(bytes: usize) -> Value {
    let mut review = review();
    let env = review["request"]["object"]["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array_mut()
        .expect("the container has settings");
    let setting =
        |number: usize| json!({ "name": format!("SETTING_{number:06}"), "value": "some value of it" });
    let count = bytes / setting(0).to_string().len();
    env.extend((0..count).map(setting));
    review
}

fn answer(service: &Service, body: &[u8]) -> Vec<u8> {
    let response = service
        .review(INTERCEPT_PATH, body)
        .now_or_never()
        .expect("no read of the API server");
    let body = response
        .into_body()
        .collect()
        .now_or_never()
        .expect("a whole body");
    body.expect("a body").to_bytes().to_vec()
}

fn patch(answer: &[u8]) -> Patch {
    let answer: Value = serde_json::from_slice(answer).expect("JSON");
    let patch = answer["response"]["patch"]
        .as_str()
        .expect("the object was changed");
    serde_json::from_slice(&STANDARD.decode(patch).expect("base64")).expect("a patch")
}

/// The peer: it is given the operations, so that all it does is what surrounds them.
fn naive(body: &[u8], operations: &Patch) -> Vec<u8> {
    let review: Value = serde_json::from_slice(body).expect("JSON");
    let object = &review["request"]["object"];
    let mut changed = object.clone();
    json_patch::patch(&mut changed, operations).expect("the patch fits");
    let difference = json_patch::diff(object, &changed);
    let patch = STANDARD.encode(serde_json::to_vec(&difference).expect("JSON"));
    let response = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": { "uid": review["request"]["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch },
    });
    serde_json::to_vec(&response).expect("JSON")
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    for (title, review) in [
        ("review of 5 KB", review()),
        ("review of 1 MiB", review_of(1 << 20)),
    ] {
        let body = review.to_string().into_bytes();
        cases(&mut criterion.benchmark_group(title), &body);
    }
}

fn cases(group: &mut BenchmarkGroup<'_, WallTime>, body: &[u8]) {
    let (rules, others) = (
        desk::service(&[("bench", RULES)]),
        desk::service(&[("bench", RULES_FOR_OTHERS)]),
    );
    let operations = patch(&answer(&rules, body));
    group.bench_function("envelope and labels", |bencher| {
        bencher.iter(|| {
            let request = AdmissionRequest::parse(black_box(body)).expect("a review");
            Metadata::parse(request.object)
                .expect("metadata")
                .label("app")
                .is_some()
        });
    });
    group.bench_function("no rule for its kind", |bencher| {
        bencher.iter(|| answer(&others, black_box(body)));
    });
    group.bench_function("three rules hold", |bencher| {
        bencher.iter(|| answer(&rules, black_box(body)));
    });
    group.bench_function("naive peer", |bencher| {
        bencher.iter(|| naive(black_box(body), &operations));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
