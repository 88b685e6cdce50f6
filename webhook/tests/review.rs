//! From the body of a request to the body of its answer: every form of envelope, without a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

#[path = "../fixtures/desk.rs"]
mod desk;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clusterbackup_webhook::door::{INTERCEPT_PATH, VALIDATE_PATH};
use clusterbackup_webhook::review::AdmissionResponse;
use clusterbackup_webhook::service::Service;
use http::StatusCode;
use http_body_util::BodyExt as _;
use json_patch::Patch;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const REVIEW: &str = include_str!("../fixtures/review.json");
const RULES: &str = include_str!("../fixtures/rules.yaml");
const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

fn review() -> Value {
    serde_json::from_str(REVIEW).unwrap()
}

/// The review with `value` at `path`; nothing at all there if there is none.
fn with(path: &str, value: Option<Value>) -> Vec<u8> {
    let mut review = review();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = review.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(key.to_owned(), value),
        None => parent.remove(key),
    };
    review.to_string().into_bytes()
}

/// A service whose rules answer to whatever an object says.
struct Desk {
    runtime: Runtime,
    service: std::sync::Arc<Service>,
}

impl Desk {
    fn open() -> Self {
        Self::with(RULES)
    }

    fn with(rules: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let service = runtime.block_on(async { desk::service(&[("*", rules)]) });
        Self { runtime, service }
    }

    fn answer(&self, path: &str, body: &[u8]) -> (StatusCode, Vec<u8>) {
        self.runtime.block_on(async {
            let response = self.service.review(path, body).await;
            let status = response.status();
            let body = response.into_body().collect().await.unwrap();
            (status, body.to_bytes().to_vec())
        })
    }

    /// The `response` of the answer to a review that has a uid.
    fn response(&self, body: &[u8]) -> Value {
        let (status, answer) = self.answer(INTERCEPT_PATH, body);
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer));
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            (&answer["apiVersion"], &answer["kind"]),
            (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
        );
        answer["response"].take()
    }
}

#[test]
fn a_changed_object_is_answered_with_a_patch_as_kubernetes_documents_it() {
    let review = review();
    let response = Desk::open().response(REVIEW.as_bytes());
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!(UID), &json!(true))
    );
    assert_eq!(response["patchType"], "JSONPatch");
    assert_eq!(response.get("status"), None);

    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: Patch = serde_json::from_slice(&patch).unwrap();
    let mut object = review["request"]["object"].clone();
    json_patch::patch(&mut object, &patch).unwrap();
    assert_eq!(object["spec"]["replicas"], 1);
    assert_eq!(object["metadata"]["labels"]["example.com/environment"], "staging");
    let mark = &object["metadata"]["annotations"]["clusterbackup.io/modified"];
    assert_eq!(&response["auditAnnotations"]["modified"], mark);
    assert!(mark.as_str().unwrap().contains(r#""rules":[1,2,3]"#), "{mark}");
}

/// The review is the same whether the whole object is read for it or only what the mark is written onto.
#[test]
fn an_object_that_no_rule_is_for_gets_its_mark_alone() {
    const OTHERS: &str = include_str!("../fixtures/rules-for-others.yaml");
    let old_mark = json!({ "clusterbackup.io/modified": "old", "a/b": "kept" });
    for (annotations, operation, place) in [
        (None, "add", "/metadata/annotations"),
        (Some(Value::Null), "add", "/metadata/annotations"),
        (
            Some(json!({})),
            "add",
            "/metadata/annotations/clusterbackup.io~1modified",
        ),
        (
            Some(old_mark),
            "replace",
            "/metadata/annotations/clusterbackup.io~1modified",
        ),
    ] {
        let desk = Desk::with(OTHERS);
        let body = with("/request/object/metadata/annotations", annotations);
        let response = desk.response(&body);
        let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
        let operations: Vec<Value> = serde_json::from_slice(&patch).unwrap();
        assert_eq!(operations.len(), 1, "{operations:?}");
        assert_eq!(
            (&operations[0]["op"], &operations[0]["path"]),
            (&json!(operation), &json!(place))
        );
        let mut object: Value = serde_json::from_slice(&body).unwrap();
        json_patch::patch(
            &mut object["request"]["object"],
            &serde_json::from_slice::<Patch>(&patch).unwrap(),
        )
        .unwrap();
        let mark = &object["request"]["object"]["metadata"]["annotations"]["clusterbackup.io/modified"];
        assert!(mark.as_str().unwrap().contains(r#""rules":[]"#), "{mark}");
    }
}

/// The object in the cluster has another selector, which can't change, and other replicas.
#[test]
fn an_update_is_answered_with_what_became_of_the_fields() {
    let mut review = review();
    let request = &mut review["request"];
    request["operation"] = json!("UPDATE");
    request["oldObject"] = request["object"].clone();
    request["oldObject"]["spec"]["selector"]["matchLabels"] = json!({ "of": "the live" });
    request["oldObject"]["spec"]["replicas"] = json!(9);
    request["object"]["metadata"]["labels"]["velero.io/restore-name"] = json!("nightly");
    let mut object = request["object"].clone();
    let response = Desk::open().response(review.to_string().as_bytes());

    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    json_patch::patch(&mut object, &serde_json::from_slice::<Patch>(&patch).unwrap()).unwrap();
    assert_eq!(
        object["spec"]["selector"]["matchLabels"],
        json!({ "of": "the live" })
    );
    assert_eq!(object["spec"]["replicas"], 1);
    let audited: Value =
        serde_json::from_str(response["auditAnnotations"]["fields"].as_str().unwrap()).unwrap();
    let fields = audited["fields"].as_array().unwrap();
    assert!(
        fields.contains(&json!({ "path": "/spec/replicas", "outcome": "Changed" })),
        "{audited:#}"
    );
    assert!(
        fields.iter().any(|field| field["reason"] == "Immutable"),
        "{audited:#}"
    );
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("deployments.apps staging/web: ") && warning.contains("/spec/selector"),
        "{warning}"
    );
}

#[test]
fn what_is_no_review_is_a_bad_request() {
    let desk = Desk::open();
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("nothing", Vec::new(), "not JSON"),
        ("text", b"hello".to_vec(), "not JSON"),
        ("an array", b"[]".to_vec(), "not JSON"),
        (
            "half of a review",
            REVIEW.as_bytes()[..REVIEW.len() / 2].to_vec(),
            "not JSON",
        ),
        ("no UTF-8", b"{\"kind\": \"\xff\"}".to_vec(), "not JSON"),
        ("deep nesting", nested.into_bytes(), "not JSON"),
        (
            "an empty object",
            b"{}".to_vec(),
            r#""admission.k8s.io/v1" "AdmissionReview""#,
        ),
        ("another kind", with("/kind", Some(json!("Pod"))), r#""Pod""#),
        (
            "an older version",
            with("/apiVersion", Some(json!("admission.k8s.io/v1beta1"))),
            "v1beta1",
        ),
        ("no request", with("/request", None), "no request"),
        (
            "a null request",
            with("/request", Some(Value::Null)),
            "no request",
        ),
        ("no uid", with("/request/uid", None), "no uid"),
        ("an empty uid", with("/request/uid", Some(json!(""))), "no uid"),
        (
            "a uid that is none",
            with("/request/uid", Some(json!(7))),
            "no uid",
        ),
    ];
    for (title, body, named) in cases {
        for path in [INTERCEPT_PATH, VALIDATE_PATH] {
            let (status, answer) = desk.answer(path, &body);
            let answer = String::from_utf8(answer).unwrap();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{title}: {answer}");
            assert!(answer.contains(named), "{title}: {answer}");
            assert_eq!(answer.lines().count(), 1, "{title}: {answer}");
        }
    }
}

#[test]
fn a_request_that_is_wrong_beyond_its_uid_is_refused_by_a_review() {
    let desk = Desk::open();
    let nested = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let cases: [(&str, Option<Value>, &str); 13] = [
        ("/request/operation", Some(json!("PATCH")), "PATCH"),
        ("/request/operation", Some(json!("UPDATE")), "oldObject"),
        ("/request/operation", None, "operation"),
        ("/request/object", None, "object"),
        ("/request/object", Some(Value::Null), "null"),
        ("/request/object", Some(json!([1])), "metadata"),
        ("/request/object/spec/deep", Some(nested), "recursion limit"),
        ("/request/object/metadata", Some(json!("x")), "metadata"),
        ("/request/object/metadata/labels", Some(json!([1])), "metadata"),
        ("/request/object/metadata/annotations", Some(json!([1])), "marked"),
        ("/request/resource", None, "resource"),
        ("/request/resource/resource", Some(json!(1)), "string"),
        ("/request/kind", Some(json!("Deployment")), "Kind"),
    ];
    for (path, value, named) in cases {
        let response = desk.response(&with(path, value));
        let message = response["status"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            (&response["uid"], &response["allowed"], response.get("patch")),
            (&json!(UID), &json!(false), None),
            "{path}: {message}"
        );
        assert!(message.contains(named), "{path}: {message}");
        let code = response["status"]["code"].as_u64().unwrap();
        assert!((400..500).contains(&code), "{path}: {code}");
    }
}

#[test]
fn what_may_be_left_out_may_be_left_out() {
    let desk = Desk::open();
    for (path, value) in [
        ("/request/options", None),
        ("/request/options", Some(Value::Null)),
        ("/request/name", None),
        ("/request/dryRun", None),
        ("/request/userInfo", None),
        ("/request/object/metadata/annotations", None),
        ("/request/object/metadata/annotations", Some(Value::Null)),
        ("/request/unheardOf", Some(json!({ "of": "a later version" }))),
    ] {
        let response = desk.response(&with(path, value));
        assert_eq!(response["allowed"], true, "{path}: {response}");
    }
}

#[test]
fn the_uid_is_repeated_as_it_came() {
    let desk = Desk::open();
    for uid in [
        "x",
        "with \"quotes\" and \\",
        "ü\u{1F600}\u{0}\n",
        &"long".repeat(1000),
    ] {
        let response = desk.response(&with("/request/uid", Some(json!(uid))));
        assert_eq!(
            (&response["uid"], &response["allowed"]),
            (&json!(uid), &json!(true))
        );
    }
}

#[test]
fn an_answer_does_not_grow_with_what_is_wrong() {
    let desk = Desk::open();
    let long = "ü".repeat(1 << 20);
    for path in [
        "/kind",
        "/request/operation",
        "/request/kind",
        "/request/object/metadata",
        "/request/object/metadata/labels",
    ] {
        let (_, answer) = desk.answer(INTERCEPT_PATH, &with(path, Some(json!(long))));
        assert!(answer.len() < 20_000, "{path}: {} bytes", answer.len());
    }
}

#[test]
fn warnings_are_no_more_than_the_api_server_passes_on() {
    let warnings: Vec<_> = (0..50)
        .map(|number| format!("{number} {}", "ü".repeat(1000)))
        .collect();
    let response = AdmissionResponse::allow("u").with_warnings(warnings);
    let answer: Value = serde_json::from_slice(&response.to_json().unwrap()).unwrap();
    let warnings = answer["response"]["warnings"].as_array().unwrap();
    let sizes: Vec<_> = warnings
        .iter()
        .map(|warning| warning.as_str().unwrap().len())
        .collect();
    assert!(sizes.iter().all(|&size| size <= 256), "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() <= 4096, "{sizes:?}");
    assert_eq!(warnings.last().unwrap(), "and 42 more warnings");
}

/// Either no review, told in one line, or a review with a uid.
fn is_answered(status: StatusCode, answer: &[u8]) -> Result<(), TestCaseError> {
    if status == StatusCode::OK {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        prop_assert!(
            answer["response"]["uid"]
                .as_str()
                .is_some_and(|uid| !uid.is_empty())
        );
        prop_assert!(answer["response"]["allowed"].is_boolean());
    } else {
        prop_assert_eq!(status, StatusCode::BAD_REQUEST);
        prop_assert!(std::str::from_utf8(answer).is_ok_and(|text| text.lines().count() == 1));
    }
    Ok(())
}

/// A review of which some bytes are others.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let body = review().to_string().into_bytes();
    let interesting = prop::sample::select(br#"{}[]":,\0-9nte "#.to_vec());
    let damage = (0..body.len(), prop_oneof![interesting, any::<u8>()]);
    vec(damage, 1..4).prop_map(move |damages| {
        let mut body = body.clone();
        for (place, byte) in damages {
            body[place] = byte;
        }
        body
    })
}

#[test]
fn any_bytes_are_answered() {
    let desk = Desk::open();
    let bodies = prop_oneof![vec(any::<u8>(), 0..200), damaged()];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(
            &(bodies, prop::sample::select(vec![INTERCEPT_PATH, VALIDATE_PATH])),
            |(body, path)| {
                let (status, answer) = desk.answer(path, &body);
                is_answered(status, &answer)
            },
        )
        .unwrap();
}
