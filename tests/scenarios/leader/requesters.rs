//! Who may be named as the requester of an instance or a hook while no webhook writes it: who sends it, and nobody else.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::{Requester, labels};
use clusterbackup_tests::stage::shell;
use clusterbackup_tests::steps::{api_of, create, refusal};
use clusterbackup_tests::{Cluster, eventually};
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::{Ground, LIMIT, exec};
use crate::runner::scenarios;

scenarios! {
    Own: [nobody_names_another_requester_though_no_webhook_is_there],
}

const REFUSED: &str = "names somebody else than who writes";

async fn nobody_names_another_requester_though_no_webhook_is_there(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    let home = ground.home.name();
    let jane = jane(&ground).await?;
    in_force(&ground, &jane).await?;

    let own = requester(&["writers", "system:authenticated"]);
    let alone = requester(&[]);
    let mut forged = vec![
        json!({ "username": "admin" }),
        json!({ "username": "admin", "groups": ["system:masters", "system:authenticated"] }),
        json!(requester(&["writers", "system:masters"])),
    ];
    for (field, value) in [("uid", json!("7")), ("extra", json!({ "oid": ["7"] }))] {
        let mut more = json!(own);
        more[field] = value;
        forged.push(more);
    }
    for named in forged {
        let message = refusal(create(&jane, Some(home), &instance("forged", Some(&named))).await)?;
        ensure!(message.contains(REFUSED), "{named}: {message}");
        let message = refusal(create(&jane, Some(home), &hook("forged", Some(named.to_string()))).await)?;
        ensure!(message.contains(REFUSED), "{named}: {message}");
    }

    create(&jane, Some(home), &instance("own", Some(&json!(own)))).await?;
    create(&jane, Some(home), &instance("alone", Some(&json!(alone)))).await?;
    create(&jane, Some(home), &instance("nobody", None)).await?;
    create(
        &jane,
        Some(home),
        &hook("own", Some(serde_json::to_string(&own)?)),
    )
    .await?;
    create(&jane, Some(home), &hook("nobody", None)).await?;
    what_another_wrote_is_his(&ground, &jane).await?;

    let _leader = ground.leaders.start().await?;
    ground.ask("nightly", "nobody").await?;
    let status = ground.ends("nightly", BackupPhase::Failed).await?;
    ensure!(
        status
            .message
            .as_deref()
            .is_some_and(|text| text.contains("nobody is recorded")),
        "{status:#?}"
    );
    Ok(())
}

/// Another's name can't be left in what one changes, and stays in what one doesn't.
async fn what_another_wrote_is_his(ground: &Ground, jane: &Client) -> Result<()> {
    let home = ground.home.name();
    ground.instance("admins", json!({})).await?;
    let steps = json!([exec(&shell("true"))]);
    ground.hook("admins", &steps, &steps).await?;
    let mine = json!(requester(&["writers"]));
    let (wider, taken) = (
        json!({ "spec": { "snapshotVolumes": false } }),
        json!({ "spec": { "snapshotVolumes": false, "requester": mine } }),
    );
    let other = json!({ "spec": { "backupHook": [{ "name": "other", "preHooks": steps }] } });
    let named = serde_json::to_string(&requester(&["writers"]))?;
    let stolen = json!({ "metadata": { "annotations": { labels::REQUESTER: named } } });
    let label = json!({ "metadata": { "labels": { "seen-by": "jane" } } });
    let (instances, hooks) = (
        api_of(jane, &instance("admins", None), Some(home))?,
        api_of(jane, &hook("admins", None), Some(home))?,
    );
    for (api, patch, admitted) in [
        (&instances, &wider, false),
        (&instances, &label, true),
        (&instances, &taken, true),
        (&hooks, &other, false),
        (&hooks, &stolen, false),
        (&hooks, &label, true),
    ] {
        let answer = api
            .patch("admins", &PatchParams::default(), &Patch::Merge(patch))
            .await;
        if admitted {
            answer.with_context(|| patch.to_string())?;
        } else {
            let message = refusal(answer)?;
            ensure!(message.contains(REFUSED), "{patch}: {message}");
        }
    }
    Ok(())
}

/// What may be written of jane.
fn requester(groups: &[&str]) -> Requester {
    Requester {
        username: "jane".to_owned(),
        groups: groups.iter().map(ToString::to_string).collect(),
        ..Requester::default()
    }
}

/// Somebody who may write hooks and instances at home.
async fn jane(ground: &Ground) -> Result<Client> {
    let resources =
        "--resource=backupinstances.clusterbackup.io,backuphooks.clusterbackup.dataprotection.microsoft.com";
    let place = ["--namespace", ground.home.name()];
    for command in [
        ["create", "role", "writer", "--verb=create,patch,get", resources],
        ["create", "rolebinding", "writer", "--role=writer", "--user=jane"],
    ] {
        let command = [&command[..], &place].concat();
        ground.cluster.kubectl(&command).await?.success()?;
    }
    ground.cluster.user("jane", &["writers"]).await
}

/// Waits until the API server knows the right and the policies.
async fn in_force(ground: &Ground, jane: &Client) -> Result<()> {
    let admin = json!({ "username": "admin" });
    for object in [
        instance("tried", Some(&admin)),
        hook("tried", Some(admin.to_string())),
    ] {
        let api = api_of(&ground.cluster.admin(), &object, Some(ground.home.name()))?;
        eventually("the policy is in force", LIMIT, || async {
            let tried = create(jane, Some(ground.home.name()), &object).await;
            if tried.is_ok() {
                api.delete("tried", &DeleteParams::default()).await?;
            }
            let message = refusal(tried)?;
            ensure!(message.contains(REFUSED), "{message}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn instance(name: &str, requester: Option<&Value>) -> Value {
    let mut instance = json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupInstance",
        "metadata": { "name": name },
        "spec": {},
    });
    if let Some(requester) = requester {
        instance["spec"]["requester"] = requester.clone();
    }
    instance
}

fn hook(name: &str, requester: Option<String>) -> Value {
    let steps = json!([exec(&shell("true"))]);
    let mut hook = json!({
        "apiVersion": "clusterbackup.dataprotection.microsoft.com/v1alpha1",
        "kind": "BackupHook",
        "metadata": { "name": name },
        "spec": { "backupHook": [{ "name": "h", "preHooks": steps, "postHooks": steps }] },
    });
    if let Some(requester) = requester {
        hook["metadata"]["annotations"] = json!({ labels::REQUESTER: requester });
    }
    hook
}
