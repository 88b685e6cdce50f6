//! Input that is broken, too much or hostile: one clear answer each, in bounded time and memory.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::labels;
use clusterbackup_tests::{Replica, eventually};
use http::Method;
use serde_json::{Value, json};

use crate::direct::{Answer, Direct, outcome, review};
use crate::load::marking;
use crate::runner::{Context, scenarios};
use crate::steps::Plan;

scenarios! {
    Webhook: [
        what_is_no_review_gets_an_http_error_with_the_cause,
        a_review_that_makes_no_sense_is_refused_under_its_uid,
        an_update_of_what_makes_no_sense_is_refused_under_its_uid,
        operations_that_are_not_intercepted_pass_with_a_warning,
        objects_that_validation_cannot_read_are_refused_under_their_uid,
        hostile_rules_get_a_verdict_while_reviews_go_on,
    ],
}

/// What the API server waits for a webhook.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The shipped limit of a replica's memory.
const MEMORY_LIMIT: u64 = 256 << 20;
const MEBIBYTE: usize = 1 << 20;

async fn way_in(context: &Context) -> Result<Direct> {
    let authority = context.webhook.service.ca_bundle().await?;
    Direct::to(&context.webhook.replica, &authority).await
}

/// The replica lives, answers, and has not grown out of its limit.
async fn is_well(replica: &Replica) -> Result<()> {
    replica.metrics().await.context("it does not answer any more")?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", replica.process_id()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 = resident
        .and_then(|text| text.trim().strip_suffix(" kB"))
        .context("no VmRSS")?
        .parse()?;
    ensure!(kibibytes << 10 < MEMORY_LIMIT, "it has grown to {kibibytes} KiB");
    Ok(())
}

/// `{"a":{"a":…}}`, so deep.
fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

async fn what_is_no_review_gets_an_http_error_with_the_cause(context: &Context) -> Result<()> {
    let direct = way_in(context).await?;
    let envelope = |changes: Value| {
        let mut whole = review("7", "default", "none");
        for (key, value) in changes.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        whole.to_string()
    };
    let mut anonymous = review("7", "default", "none");
    anonymous["request"]
        .as_object_mut()
        .context("no request")?
        .remove("uid");
    #[rustfmt::skip]
    let table = [
        ("not JSON", "hello".to_owned(), 400, "not JSON"),
        ("nothing", String::new(), 400, "not JSON"),
        ("a list", "[]".to_owned(), 400, "not JSON of its shape"),
        ("half a review", envelope(json!({}))[..90].to_owned(), 400, "not JSON"),
        ("another kind", envelope(json!({ "kind": "Pod" })), 400, r#""Pod", not "admission.k8s.io/v1""#),
        ("an old version", envelope(json!({ "apiVersion": "admission.k8s.io/v1beta1" })), 400, "v1beta1"),
        ("no request", envelope(json!({ "request": null })), 400, "it has no request"),
        ("an empty request", envelope(json!({ "request": {} })), 400, "no uid"),
        ("a request of text", envelope(json!({ "request": "create" })), 400, "no uid"),
        ("no uid", anonymous.to_string(), 400, "uid"),
        ("an empty uid", review("", "default", "none").to_string(), 400, "no uid"),
        ("nested deeply", nested(10_000), 400, r#"it is "" """#),
        ("too long", " ".repeat(9 * MEBIBYTE), 413, "larger than 8388608 bytes"),
    ];
    for (what, body, status, part) in table {
        for path in ["/intercept", "/validate"] {
            let answer = direct.post(path, body.clone()).await.context(what)?;
            ensure!(
                answer.status == status && answer.body.contains(part) && answer.body.lines().count() == 1,
                "{what} to {path}: {answer:?}"
            );
            ensure!(answer.took < TIMEOUT, "{what} to {path} took {:?}", answer.took);
        }
    }
    let answer = direct.send(Method::GET, "/intercept", Vec::new()).await?;
    ensure!(
        answer.status == 405 && answer.body.contains("posted"),
        "{answer:?}"
    );
    let answer = direct.post("/elsewhere", "{}").await?;
    ensure!(
        answer.status == 404 && answer.body.contains("/intercept"),
        "{answer:?}"
    );
    let answer = direct.post("/intercept", vec![b'"', 0xff, b'"']).await?;
    ensure!(answer.status == 400, "{answer:?}");
    is_well(&context.webhook.replica).await
}

/// Changes at a pointer of a sensible review.
fn changed(pointer: &str, value: Value) -> Result<String> {
    let mut whole = review("uid-7", "default", "none");
    *whole.pointer_mut(pointer).context("no such place")? = value;
    Ok(whole.to_string())
}

fn is_refused(answer: &Answer, code: u16, part: &str) -> Result<()> {
    let response = answer.response()?;
    let message = response["status"]["message"].as_str().unwrap_or_default();
    ensure!(
        response["uid"] == "uid-7"
            && response["allowed"] == false
            && response["status"]["code"] == code
            && message.contains(part),
        "{response:#}"
    );
    ensure!(response.get("patch").is_none(), "{response:#}");
    ensure!(answer.took < TIMEOUT, "it took {:?}", answer.took);
    Ok(())
}

async fn a_review_that_makes_no_sense_is_refused_under_its_uid(context: &Context) -> Result<()> {
    let direct = way_in(context).await?;
    let name = context.namespace.name();
    let _interception = Plan::new(name, &marking("a"))
        .in_force(context.cluster.admin())
        .await?;
    // Read only where rules look at the object as a whole, and by then as JSON of bounded depth.
    let deep = review("uid-7", "default", name)
        .to_string()
        .replace(r#""by the client""#, &nested(10_000));
    #[rustfmt::skip]
    let table = [
        ("an unknown operation", changed("/request/operation", json!("BOIL"))?, "unknown variant `BOIL`"),
        ("a name of another type", changed("/request/name", json!(7))?, "invalid type"),
        ("no resource", changed("/request/resource", json!(null))?, "expected struct Resource"),
        ("no object", changed("/request/object", json!(null))?, "metadata of the object"),
        ("an object of text", changed("/request/object", json!("pod"))?, "metadata of the object"),
        ("labels that are a list", changed("/request/object/metadata/labels", json!(["a"]))?, "metadata of the object"),
        ("a label that is a number", changed("/request/object/metadata/labels", json!({ "a": 1 }))?, "metadata of the object"),
        ("nested deeply", deep, "recursion limit"),
    ];
    for (what, body, part) in table {
        let answer = direct.post("/intercept", body).await.context(what)?;
        is_refused(&answer, 400, part).context(what)?;
    }
    is_well(&context.webhook.replica).await
}

async fn an_update_of_what_makes_no_sense_is_refused_under_its_uid(context: &Context) -> Result<()> {
    let direct = way_in(context).await?;
    let name = context.namespace.name();
    let rules = marking("a");
    let mut plan = Plan::new(name, &rules);
    plan.spec = json!({ "match": { "veleroRestores": [name] }, "conflictPolicy": "Patch" });
    let _interception = plan.in_force(context.cluster.admin()).await?;
    let mut update = review("uid-7", "default", name);
    update["request"]["operation"] = json!("UPDATE");
    update["request"]["object"]["metadata"]["labels"] = json!({ labels::VELERO_RESTORE: name });
    let update = update.to_string();
    let of = |existing: &str| update.replace(r#""oldObject":null"#, &format!(r#""oldObject":{existing}"#));
    let zeros = format!(r#"{{"data":[{}0]}}"#, "0,".repeat(3 * MEBIBYTE));
    #[rustfmt::skip]
    let table = [
        ("nothing", of("null"), 400, "oldObject"),
        ("text", of(r#""pod""#), 400, "metadata of the object"),
        ("a label that is a number", of(r#"{"metadata":{"labels":{"a":1}}}"#), 400, "metadata of the object"),
        ("two objects", of(r#"{},"oldObject":{}"#), 400, "duplicate field"),
        ("nested deeply", of(&format!(r#"{{"data":{}}}"#, nested(10_000))), 400, "recursion limit"),
        ("very many values", of(&zeros), 413, "takes more memory"),
    ];
    for (what, body, code, part) in table {
        let answer = direct.post("/intercept", body).await.context(what)?;
        is_refused(&answer, code, part).context(what)?;
    }
    let answer = direct.post("/intercept", of(r#"{"metadata":{}}"#)).await?;
    let (allowed, operations) = outcome(&answer.response()?)?;
    ensure!(allowed && operations.contains("/data/first"), "{answer:?}");
    is_well(&context.webhook.replica).await
}

async fn operations_that_are_not_intercepted_pass_with_a_warning(context: &Context) -> Result<()> {
    let direct = way_in(context).await?;
    for operation in ["UPDATE", "DELETE", "CONNECT"] {
        let mut whole: Value = serde_json::from_str(&changed("/request/operation", json!(operation))?)?;
        match operation {
            "DELETE" => whole["request"]["object"] = json!(null),
            "UPDATE" => whole["request"]["oldObject"] = whole["request"]["object"].clone(),
            _ => {}
        }
        let answer = direct.post("/intercept", whole.to_string()).await?;
        let response = answer.response()?;
        ensure!(
            response["uid"] == "uid-7" && outcome(&response)? == (true, String::new()),
            "{response:#}"
        );
        let warning = response["warnings"][0].as_str().unwrap_or_default();
        ensure!(warning.contains("is not intercepted"), "{response:#}");
    }
    Ok(())
}

async fn objects_that_validation_cannot_read_are_refused_under_their_uid(context: &Context) -> Result<()> {
    let direct = way_in(context).await?;
    let of_ours = |object: Value| {
        let mut whole = review("uid-7", "default", "none");
        whole["request"]["kind"] =
            json!({ "group": "clusterbackup.io", "version": "v1alpha1", "kind": "RestoreInterception" });
        whole["request"]["object"] = object;
        whole.to_string()
    };
    let table = [
        ("no object", of_ours(json!(null))),
        ("no spec", of_ours(json!({ "metadata": { "name": "a" } }))),
        (
            "data of numbers",
            changed("/request/object/data", json!({ "a": 1 }))?,
        ),
        (
            "no rules",
            changed("/request/object/data", json!({ "rules.yaml": nested(10_000) }))?,
        ),
    ];
    for (what, body) in table {
        let answer = direct.post("/validate", body).await.context(what)?;
        is_refused(&answer, 422, "").context(what)?;
    }
    is_well(&context.webhook.replica).await
}

/// A rule set with this condition in each of `count` rules.
fn rules(count: usize, condition: &str) -> String {
    let rule = format!(
        "- conditions: {{groupResource: configmaps, {condition}}}\n  \
         patches: [{{operation: add, path: /data/x, value: y}}]\n"
    );
    format!("version: v1\nresourceModifierRules:\n{}", rule.repeat(count))
}

fn named(regex: &str) -> String {
    rules(1, &format!("resourceNameRegex: '{regex}'"))
}

fn in_namespaces(glob: &str) -> String {
    rules(1, &format!("namespaces: ['{glob}']"))
}

/// Nine levels of nine aliases each: a few hundred bytes that stand for half a milliard values.
fn bomb() -> String {
    let mut text = "version: v1\na0: &a0 [x]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        text = format!("{text}a{level}: &a{level} [{below}]\n");
    }
    format!("{text}resourceModifierRules: *a9\n")
}

async fn hostile_rules_get_a_verdict_while_reviews_go_on(context: &Context) -> Result<()> {
    let name = context.namespace.name();
    let padding = "x".repeat(1000);
    #[rustfmt::skip]
    let table = [
        ("many", rules(1000, "namespaces: [a]"), "Ready", "1000 rules"),
        ("too-many", rules(1001, "namespaces: [a]"), "RulesInvalid", "1001 rules are too many"),
        ("long", rules(900, &format!("namespaces: [a], matches: [{{path: /data/a, value: {padding}}}]")), "Ready", "900 rules"),
        ("backtracking", named("(a*)*b"), "Ready", "1 rules"),
        ("repeated", named("(x{1000}){1000}"), "RulesInvalid", "too complex"),
        ("repeated-thrice", named("((x{1,100}){1,100}){1,100}"), "RulesInvalid", "too complex"),
        ("expensive", rules(1000, "resourceNameRegex: '[a-z]{900}'"), "RulesInvalid", "complex"),
        ("braces", in_namespaces(&"{".repeat(1000)), "RulesInvalid", "line 3"),
        ("closed-braces", in_namespaces(&format!("{}a{}", "{".repeat(900), "}".repeat(900))), "RulesInvalid", "line 3"),
        ("alternatives", in_namespaces(&"{a,b}".repeat(200)), "Ready", "1 rules"),
        ("bomb", bomb(), "RulesInvalid", "too many values"),
        ("flow", format!("version: v1\nresourceModifierRules: {}", "[".repeat(10_000)), "RulesInvalid", "nested more than"),
        ("control", "version: v1\n\u{1}resourceModifierRules: []".to_owned(), "RulesInvalid", "line 2"),
    ];
    let plain = format!("{name}-plain");
    let _plain = Plan::new(&plain, &marking("a"))
        .in_force(context.cluster.admin())
        .await?;
    let direct = way_in(context).await?;
    let unresponsive = async {
        loop {
            let began = Instant::now();
            let answer = direct
                .post("/intercept", review("plain", "default", &plain).to_string())
                .await;
            let took = began.elapsed();
            let changed = answer.and_then(|answer| outcome(&answer.response()?));
            if took > TIMEOUT / 2 || !changed.as_ref().is_ok_and(|(allowed, _)| *allowed) {
                return anyhow::anyhow!("a plain review took {took:?} and came to {changed:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let judged = async {
        for (what, rules, reason, part) in table {
            let name = format!("{name}-{what}");
            let interception = Plan::new(&name, &rules).create(context.cluster.admin()).await?;
            let message = interception.until(reason, |_| Ok(())).await.context(what)?;
            ensure!(message.contains(part), "{what}: {message}");
        }
        Ok(())
    };
    tokio::select! {
        judged = judged => judged?,
        error = unresponsive => return Err(error),
    }
    eventually("memory is given back", Duration::from_secs(30), || {
        is_well(&context.webhook.replica)
    })
    .await
}
