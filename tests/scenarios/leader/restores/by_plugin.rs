//! What a person does by the plugin, with the webhook and the leader as they are installed: the requester is who types.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::plugin::{Ran, plugin};
use clusterbackup_tests::steps::create;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook, browser};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::leader::stage::Ground;
use crate::runner::scenarios;

scenarios! {
    Own: [a_person_brings_back_what_is_lost, a_person_sees_before_what_a_restore_does],
}

async fn a_person_brings_back_what_is_lost(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &["hook-kinds", "requester"]).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let shop = ground.shop.name();
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" }, "data": { "level": "info" },
    });
    create(&ground.cluster.admin(), Some(shop), &settings).await?;
    let point = ground.point("nightly").await?;
    let lost = ground.shop.api::<ConfigMap>();
    lost.delete("settings", &DeleteParams::default()).await?;

    let object = format!("configmaps/{shop}/settings");
    let single = [
        "restore", "create", &point, "--object", &object, "--name", "single", "--wait",
    ];
    let ran = does(&ground, &single, 0).await?;
    for part in [
        "Requester: admin",
        "Phase:     Completed",
        "1 of 2 objects are created, 1 unchanged",
    ] {
        ensure!(ran.out.contains(part), "{part} is missing in {}", ran.out);
    }
    ensure!(ran.err.contains("completed: objects 2/2"), "{}", ran.err);
    ensure!(lost.get_opt("settings").await?.is_some(), "it is not back");

    let mapping = format!("{shop}={shop}-again");
    let beside = [
        "restore",
        "create",
        &point,
        "--namespace-mapping",
        &mapping,
        "--wait",
        "-o",
        "json",
    ];
    let made: Value = serde_json::from_str(&does(&ground, &beside, 0).await?.out)?;
    let name = made["metadata"]["name"].as_str().context("no name")?;
    ensure!(made["status"]["phase"] == "Completed", "{made:#}");
    let again = Api::<ConfigMap>::namespaced(ground.cluster.admin(), &format!("{shop}-again"));
    let data = again.get("settings").await?.data.unwrap_or_default();
    ensure!(data["level"] == "info", "{data:?}");

    let told = does(&ground, &["restore", "describe", name], 0).await?.out;
    ensure!(
        told.contains(&format!("Mapped:    {shop} to {shop}-again")),
        "{told}"
    );
    let told = does(&ground, &["restore", "cancel", name], 0).await?.out;
    ensure!(told.contains("has already ended: Completed"), "{told}");

    let clashing = [
        "restore",
        "create",
        &point,
        "--include-namespaces",
        "none",
        "--wait",
    ];
    let ran = does(&ground, &clashing, 1).await?;
    ensure!(
        ran.out.contains("nothing of the recovery point is taken"),
        "{}",
        ran.out
    );
    let nonsense = [
        "restore",
        "create",
        &point,
        "--namespace-mapping",
        "shop=kube-system",
    ];
    let ran = does(&ground, &nonsense, 1).await?;
    ensure!(
        ran.err.contains("nothing is ever restored into kube-system"),
        "{}",
        ran.err
    );
    Ok(())
}

async fn a_person_sees_before_what_a_restore_does(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &["hook-kinds", "requester"]).await?;
    let _replica = webhook.start(ReplicaOptions::default()).await?;
    let ground = Ground::set_up(cluster).await?;
    ground.vault("vault").await?;
    let _leader = ground.leaders.start().await?;
    let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
    for name in ["lost", "changed", "kept"] {
        let settings = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "level": "<info>" },
        });
        create(&admin, Some(shop), &settings).await?;
    }
    let point = ground.point("nightly").await?;
    let settings = ground.shop.api::<ConfigMap>();
    settings.delete("lost", &DeleteParams::default()).await?;
    let patch = Patch::Merge(json!({ "data": { "level": "debug" } }));
    settings.patch("changed", &PatchParams::default(), &patch).await?;

    let folder = ground.leaders.vaults().join("vault").display().to_string();
    let preview = ["restore", "preview", &point, "--file-system", &folder];
    let told = does(&ground, &[&preview[..], &["-o", "json"]].concat(), 0)
        .await?
        .out;
    let mut objects = told
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>()?;
    objects.retain(|object| object["target"]["groupResource"] == "configmaps");
    let seen = |name: &str| {
        let mut named = objects.iter().filter(|object| object["target"]["name"] == name);
        let found = named.next().cloned().unwrap_or_default();
        (found["outcome"].clone(), found["certainty"].clone())
    };
    for (name, outcome) in [("lost", "Created"), ("changed", "Skipped"), ("kept", "Unchanged")] {
        ensure!(seen(name) == (json!(outcome), json!("Certain")), "{name}: {told}");
    }
    ensure!(
        settings.get_opt("lost").await?.is_none(),
        "the preview has written something"
    );
    ensure!(
        ground
            .restores()
            .list(&ListParams::default())
            .await?
            .items
            .is_empty(),
        "a preview is left"
    );

    let page = does(&ground, &[&preview[..], &["-o", "html"]].concat(), 0)
        .await?
        .out;
    let file = tempfile::Builder::new().suffix(".html").tempfile()?;
    std::fs::write(file.path(), &page)?;
    let looked = browser::look_at(file.path()).await?;
    ensure!(looked.complaints.is_empty(), "{:?}", looked.complaints);
    for part in [
        "Preview of a restore",
        "href=\"#created-certain\"",
        &format!("configmaps {shop}/lost"),
    ] {
        ensure!(looked.page.contains(part), "{part} is missing in {}", looked.page);
    }
    // A page that is empty is a small picture.
    ensure!(
        looked.picture.len() > 20_000,
        "the picture has {} bytes",
        looked.picture.len()
    );

    let create = ["restore", "create", &point, "--name", "friday", "--wait"];
    does(&ground, &create, 0).await?;
    let report = ["restore", "report", "friday", "--file-system", &folder];
    let told = does(&ground, &report, 0).await?.out;
    ensure!(
        told.contains(&format!("created    configmaps {shop}/lost")),
        "{told}"
    );
    Ok(())
}

/// Runs a command in the namespace of restores.
async fn does(ground: &Ground, arguments: &[&str], code: i32) -> Result<Ran> {
    let arguments = [arguments, &["-n", ground.home.name()]].concat();
    let ran = plugin(Some(&ground.cluster.admin_kubeconfig()), &arguments).await?;
    ensure!(ran.code == Some(code), "{arguments:?}: {ran:?}");
    Ok(ran)
}
