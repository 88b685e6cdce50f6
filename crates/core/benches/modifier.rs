//! Reading rules, and selecting and applying them.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::fmt::Write;
use std::hint::black_box;

use clusterbackup_core::modifier::{Rename, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

/// A Deployment with as many containers; four of them make about 5 KB.
fn deployment(containers: usize) -> Value {
    let container = |number: usize| {
        let env: Vec<_> = (0..12)
            .map(|index| json!({"name": format!("SETTING_{index}"), "value": "some value of it"}))
            .collect();
        json!({"name": format!("c{number}"), "image": format!("registry.example.com/team/app-{number}:1.2.3"),
               "env": env, "ports": [{"containerPort": 8080, "name": "http"}],
               "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
               "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 10}})
    };
    let containers: Vec<_> = (0..containers).map(container).collect();
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
           "metadata": {"name": "shop", "namespace": "shop", "labels": {"app": "shop", "tier": "web"}},
           "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}},
                    "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": containers}}}})
}

/// A small Deployment, as Velero's engine was measured on.
fn small_deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
           "metadata": {"name": "nginxdep", "namespace": "default", "labels": {"app": "nginx"}},
           "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "nginx"}},
                    "template": {"metadata": {"labels": {"app": "nginx"}},
                                 "spec": {"containers": [{"name": "nginx", "image": "nginx:1.14.2"}]}}}})
}

/// Rules for Deployments, of which every tenth matches by its name.
fn rules(count: usize) -> String {
    let mut text = "version: v1\nresourceModifierRules:\n".to_owned();
    for number in 0..count {
        let name = if number % 10 == 0 {
            "^shop$".to_owned()
        } else {
            format!("^other-{number}$")
        };
        write!(
            text,
            "- conditions:\n    groupResource: deployments.apps\n    resourceNameRegex: \"{name}\"\n    namespaces: [shop]\n  \
             patches:\n  - operation: replace\n    path: /spec/replicas\n    value: \"{number}\"\n"
        )
        .expect("strings can be written to");
    }
    text
}

const ONE_REPLACE: &str = r#"version: v1
resourceModifierRules:
- conditions:
    groupResource: deployments.apps
    resourceNameRegex: "^nginxdep.*$"
    namespaces: [default, nginx]
  patches:
  - operation: replace
    path: "/spec/replicas"
    value: "12"
"#;

const NO_MATCH: &str = "version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  patches: [{operation: replace, path: /spec/storageClassName, value: premium}]
";

fn bench(criterion: &mut Criterion) {
    for count in [10, 1000] {
        let text = rules(count);
        criterion.bench_function(&format!("read {count} rules"), |bencher| {
            bencher.iter(|| RuleSet::parse(black_box(&text)).is_ok());
        });
    }
    apply(
        criterion,
        "no match on a small deployment",
        NO_MATCH,
        &small_deployment(),
    );
    apply(
        criterion,
        "one replace on a small deployment",
        ONE_REPLACE,
        &small_deployment(),
    );
    let object = deployment(4);
    for count in [10, 1000] {
        apply(
            criterion,
            &format!("{count} rules on a 5 KB deployment"),
            &rules(count),
            &object,
        );
    }
    apply(criterion, "no match on a 5 KB deployment", NO_MATCH, &object);
}

fn apply(criterion: &mut Criterion, name: &str, rules: &str, object: &Value) {
    let rules = RuleSet::parse(rules).expect("the rules are valid");
    let group_resource = GroupResource::new("apps", "deployments");
    let text = |name: &str| object["metadata"][name].as_str().expect("is text");
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact(text("name")),
        original_namespace: Some(text("namespace")),
    };
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || object.clone(),
            |object| {
                let selection = rules.select(black_box(&target), &object);
                let mut draft = Draft::new(object);
                let results = rules.apply(&selection, &mut draft, &Rename::Allowed.into());
                (draft, results)
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
