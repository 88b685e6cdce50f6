//! Objects of about 20 KB each, as large as those of the cluster of 66,776 objects and 1.32 GB whose backup took Velero more
//! than 2 GB of memory: one half text, one half structure. No controller has anything to do for them.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use anyhow::Result;
use clusterbackup_tests::TestNamespace;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplate};
use kube::api::PostParams;
use serde_json::{Value, json};

/// What they are called in paths.
pub(super) const KINDS: [&str; 2] = ["configmaps", "podtemplates"];

/// Objects that are made at once.
const MAKERS: usize = 32;
const LINES: u32 = 225;
const VARIABLES: u32 = 122;

/// Makes those of these numbers.
pub(super) async fn fill(namespace: &TestNamespace, numbers: Range<u32>) -> Result<()> {
    let config_maps = namespace.api::<ConfigMap>();
    let templates = namespace.api::<PodTemplate>();
    stream::iter(numbers)
        .map(Ok)
        .try_for_each_concurrent(MAKERS, async |number| {
            let create = PostParams::default();
            if number % 2 == 0 {
                let object = serde_json::from_value(config_map(number))?;
                config_maps.create(&create, &object).await?;
            } else {
                let object = serde_json::from_value(template(number))?;
                templates.create(&create, &object).await?;
            }
            Ok(())
        })
        .await
}

fn config_map(number: u32) -> Value {
    let mut text = String::new();
    for line in 0..LINES {
        let value = token(number, line);
        // Writing into a String never fails.
        let _ = writeln!(
            text,
            "shop.settings.of.branch.{line:03} = {value:016x} # as the handbook of operations wants it"
        );
    }
    json!({ "metadata": metadata(number), "data": { "application.properties": text } })
}

fn template(number: u32) -> Value {
    let variables = (0..VARIABLES).map(|line| {
        let value = format!("https://shop.example.com/branch/{:016x}", token(number, line));
        json!({ "name": format!("SHOP_SETTING_{line:03}"), "value": value })
    });
    let container = json!({ "name": "app", "image": "shop", "env": variables.collect::<Vec<_>>() });
    json!({
        "metadata": metadata(number),
        "template": { "metadata": { "labels": { "app": "shop" } }, "spec": { "containers": [container] } },
    })
}

fn metadata(number: u32) -> Value {
    let branch = format!("branch-{}", number % 100);
    json!({
        "name": format!("object-{number:06}"),
        "labels": { "app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": branch },
    })
}

/// What can't be guessed from what came before, so that it compresses as such objects do: to an eighth or so.
fn token(number: u32, line: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (number, line).hash(&mut hasher);
    hasher.finish()
}
