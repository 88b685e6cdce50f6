//! The harness keeps its own promises: the cluster is real, its rights are real, and nothing is left behind.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_tests::tools::KUBERNETES_VERSION;
use clusterbackup_tests::{Cluster, ReplicaOptions, Webhook, csi, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Error};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};

scenarios! {
    Cluster: [
        kubectl_reports_the_built_version,
        a_service_account_may_do_what_its_role_says_and_no_more,
        another_user_is_known_by_name_and_groups,
        a_dropped_namespace_is_deleted,
        a_killed_program_leaves_nothing_behind,
    ],
    Webhook: [the_api_server_asks_the_webhook_through_its_service],
    Own: [
        a_dropped_cluster_leaves_nothing_behind,
        replicas_come_and_go_behind_the_service,
    ],
}

async fn kubectl_reports_the_built_version(cluster: &Cluster) -> Result<()> {
    let answer: Value = serde_json::from_str(&cluster.kubectl(&["version", "-o", "json"]).await?.success()?)?;
    for side in ["clientVersion", "serverVersion"] {
        ensure!(
            answer[side]["gitVersion"] == KUBERNETES_VERSION,
            "{side} is {}",
            answer[side]
        );
    }
    Ok(())
}

async fn a_service_account_may_do_what_its_role_says_and_no_more(cluster: &Cluster) -> Result<()> {
    let namespace = cluster.namespace("rights").await?;
    namespace.create_service_account("reader").await?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": "reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
        "subjects": [{ "kind": "ServiceAccount", "name": "reader", "namespace": namespace.name() }],
    }))?;
    namespace
        .api::<RoleBinding>()
        .create(&PostParams::default(), &binding)
        .await?;

    let reader = cluster.service_account(namespace.name(), "reader").await?;
    let maps = Api::<ConfigMap>::namespaced(reader.clone(), namespace.name());
    eventually("the binding is in force", Duration::from_secs(10), || async {
        Ok(maps.list(&ListParams::default()).await?)
    })
    .await?;
    forbidden(maps.create(&PostParams::default(), &config_map("refused")).await)?;
    forbidden(
        Api::<ConfigMap>::namespaced(reader, "default")
            .list(&ListParams::default())
            .await,
    )
}

async fn another_user_is_known_by_name_and_groups(cluster: &Cluster) -> Result<()> {
    let jane = cluster.user("jane", &["developers", "auditors"]).await?;
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&review)?)?;
    let answer: Value = jane.request(request).await?;
    let user = &answer["status"]["userInfo"];
    ensure!(user["username"] == "jane", "{user}");
    ensure!(
        user["groups"] == json!(["developers", "auditors", "system:authenticated"]),
        "{user}"
    );
    forbidden(Api::<Namespace>::all(jane).list(&ListParams::default()).await)
}

async fn a_dropped_namespace_is_deleted(cluster: &Cluster) -> Result<()> {
    let namespace = cluster.namespace("dropped").await?;
    namespace
        .api::<ConfigMap>()
        .create(&PostParams::default(), &config_map("content"))
        .await?;
    let name = namespace.name().to_owned();
    drop(namespace);
    let namespaces = Api::<Namespace>::all(cluster.admin());
    eventually("the namespace is gone", Duration::from_secs(30), || async {
        let found = namespaces.get_opt(&name).await?;
        ensure!(
            found.is_none(),
            "it is there with {:?}",
            found.and_then(|namespace| namespace.status)
        );
        Ok(())
    })
    .await
}

async fn a_dropped_cluster_leaves_nothing_behind(cluster: Cluster) -> Result<()> {
    let (processes, folder) = (cluster.process_ids(), cluster.folder().to_path_buf());
    ensure!(
        processes.iter().all(|id| is_running(*id)),
        "not all of {processes:?} run"
    );
    drop(cluster);
    nothing_is_left(&processes, &folder)
}

/// Killed outright, the program runs no code of its own any more; a milder signal can't leave more behind.
async fn a_killed_program_leaves_nothing_behind(_: &Cluster) -> Result<()> {
    for signal in ["TERM", "KILL"] {
        let mut holder = Command::new(env!("CARGO_BIN_EXE_hold-cluster"))
            .stdout(Stdio::piped())
            .spawn()?;
        let output = holder.stdout.take().context("no output")?;
        let held = tokio::task::spawn_blocking(move || -> Result<Value> {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line)?;
            serde_json::from_str(&line).with_context(|| format!("hold-cluster says {line:?}"))
        })
        .await??;
        let processes: Vec<u32> = serde_json::from_value(held["processes"].clone())?;
        let folder: PathBuf = serde_json::from_value(held["folder"].clone())?;
        ensure!(
            processes.len() == 3 && processes.iter().all(|id| is_running(*id)),
            "not all of {processes:?} run"
        );

        let kill = Command::new("kill")
            .args(["-s", signal, &holder.id().to_string()])
            .status()?;
        ensure!(kill.success(), "kill: {kill}");
        tokio::task::spawn_blocking(move || holder.wait()).await??;
        eventually("nothing is left", Duration::from_secs(10), || async {
            nothing_is_left(&processes, &folder)
        })
        .await
        .with_context(|| format!("after SIG{signal}"))?;
    }
    Ok(())
}

async fn the_api_server_asks_the_webhook_through_its_service(context: &Context) -> Result<()> {
    let replica = &context.webhook.replica;
    ensure!(replica.metrics().await?.contains("# TYPE"), "no metrics");
    ensure!(
        context
            .webhook
            .service
            .ca_bundle()
            .await?
            .contains("BEGIN CERTIFICATE"),
        "no caBundle"
    );
    let refused = context
        .namespace
        .api::<ConfigMap>()
        .create(&PostParams::default(), &opted_in("refused"))
        .await;
    match refused {
        Err(Error::Api(status)) if status.message.contains("denied the request") => Ok(()),
        other => bail!("an object with an unknown interception is not refused: {other:?}"),
    }
}

async fn replicas_come_and_go_behind_the_service(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let maps = Api::<ConfigMap>::namespaced(cluster.admin(), "default");
    let ask = async || match maps.create(&PostParams::default(), &opted_in("refused")).await {
        Err(Error::Api(status)) => Ok(status.message.contains("denied the request")),
        other => bail!("an opted-in object is not refused: {other:?}"),
    };

    let first = webhook.start(ReplicaOptions::default()).await?;
    let second = webhook.start(ReplicaOptions::default()).await?;
    ensure!(ask().await?, "two replicas, and none answers");
    let status = first.terminate(Duration::from_secs(30)).await?;
    ensure!(status.success(), "SIGTERM ended it with {status}");
    eventually("the other one answers", Duration::from_secs(10), || async {
        ensure!(ask().await?, "nobody answers");
        Ok(())
    })
    .await?;
    second.kill().await?;
    ensure!(!ask().await?, "no replica, and yet there is an answer");
    Ok(())
}

fn nothing_is_left(processes: &[u32], folder: &Path) -> Result<()> {
    for id in processes {
        ensure!(!is_running(*id), "process {id} still runs");
    }
    ensure!(!folder.exists(), "{} is still there", folder.display());
    let attached = csi::attached_below(folder)?;
    ensure!(attached.is_empty(), "still attached: {attached:?}");
    Ok(())
}

/// Whether a process has any code left to run: a dead one that nobody has asked after has no command line.
fn is_running(id: u32) -> bool {
    std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

fn opted_in(name: &str) -> ConfigMap {
    let mut object = config_map(name);
    object.metadata.labels = Some([("clusterbackup.io/intercept".to_owned(), "unknown".to_owned())].into());
    object
}

fn forbidden<T>(answer: Result<T, Error>) -> Result<()> {
    match answer {
        Err(Error::Api(status)) if status.is_forbidden() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("allowed, but should have been forbidden"),
    }
}
