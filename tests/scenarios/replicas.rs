//! Replicas that start, leave, die or lose the API server, while objects are created.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually, webhook};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::direct::{Answer, Direct, outcome, review};
use crate::gate::Gate;
use crate::load::{Load, marking};
use crate::runner::{Context, scenarios};
use crate::steps::{Plan, create, given, refusal};

scenarios! {
    Webhook: [an_interception_created_a_moment_before_the_object_is_honoured],
    Own: [
        objects_are_refused_or_changed_while_the_first_replicas_start,
        a_replica_with_cold_caches_reads_directly_or_refuses,
        reviews_that_wait_share_one_direct_read,
        replicas_are_replaced_under_load_without_a_failed_create,
        a_killed_replica_costs_no_more_than_the_moment_until_it_is_noticed,
        without_the_api_server_known_rules_act_and_unknown_ones_refuse_in_time,
    ],
}

const LIMIT: Duration = Duration::from_secs(30);
/// What the API server allows a webhook.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether an answer keeps an unchanged object out; true if it changes it.
fn is_changed(answer: &Answer) -> Result<bool> {
    match outcome(&answer.response()?)? {
        (false, _) => Ok(false),
        (true, operations) if operations.contains("/data/first") => Ok(true),
        (true, operations) => bail!("let in unchanged, by {operations:?}: {answer:?}"),
    }
}

async fn an_interception_created_a_moment_before_the_object_is_honoured(context: &Context) -> Result<()> {
    let (client, namespace) = (context.cluster.admin(), context.namespace.name());
    for attempt in 0..10 {
        let name = format!("{namespace}-{attempt}");
        let _interception = Plan::new(&name, &marking("a")).create(client.clone()).await?;
        let stored = create(&client, Some(namespace), &given(&name, &name)).await?;
        ensure!(stored["data"]["first"] == "a", "{stored:#}");
    }
    Ok(())
}

async fn objects_are_refused_or_changed_while_the_first_replicas_start(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let _interception = Plan::new("shop", &marking("a")).create(cluster.admin()).await?;
    let load = Load::start(&cluster.admin(), "default", "shop");
    let _replicas = [
        webhook.launch(ReplicaOptions::default()).await?,
        webhook.launch(ReplicaOptions::default()).await?,
    ];
    load.until_stored(50).await?;
    let tally = load.stop().await?;
    tally.has_only(&["a"])?;
    ensure!(
        !tally.failed.is_empty(),
        "objects were created before there was a replica"
    );

    // Past readiness, which keeps reviews from replicas that are not warm yet.
    let authority = webhook.ca_bundle().await?;
    for _ in 0..3 {
        let starting = webhook.launch(ReplicaOptions::default()).await?;
        let first_change = eventually("a replica that starts changes an object", LIMIT, || async {
            let answer = Direct::to(&starting, &authority)
                .await?
                .post("/intercept", review("1", "default", "shop").to_string())
                .await?;
            // To be let in unchanged is an answer too: one that no later look may mend.
            match is_changed(&answer) {
                Ok(false) => bail!("it refuses"),
                judged => Ok(judged),
            }
        });
        first_change.await??;
    }
    Ok(())
}

async fn a_replica_with_cold_caches_reads_directly_or_refuses(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let first = webhook.start(ReplicaOptions::default()).await?;
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let certificates = mounted_certificate(&cluster).await?;
    drop(first);

    let gate = Gate::before(&cluster).await?;
    gate.bar();
    let cold = webhook.launch(gate.replica(&[certificates])).await?;
    let authority = webhook.ca_bundle().await?;
    let asked = eventually("the cold replica answers", LIMIT, || {
        ask(&cold, &authority, "shop")
    });
    let answer = cold.while_running(asked).await?;
    refused_for_want_of_an_answer(&answer, "try again")?;
    let ready = cold.until_ready(Duration::from_millis(500)).await;
    ensure!(ready.is_err(), "it has seen nothing and says that it is ready");

    // The next one is under way when the API server comes back.
    let asking = ask(&cold, &authority, "shop");
    let answered = tokio::join!(asking, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        gate.unbar();
    });
    let answer = answered.0?;
    ensure!(is_changed(&answer)?, "{answer:?}");
    cold.until_ready(LIMIT).await
}

async fn reviews_that_wait_share_one_direct_read(cluster: Cluster) -> Result<()> {
    const REVIEWS: usize = 20;
    let webhook = Webhook::install(&cluster, &[]).await?;
    let gate = Gate::before(&cluster).await?;
    let replica = webhook.start(gate.replica(&[])).await?;
    let authority = webhook.ca_bundle().await?;
    let waiting =
        async || Ok::<_, anyhow::Error>(replica.counts().await?.get("clusterbackup_live_reads_total"));
    let (asked, listed) = (waiting().await?, lists(&cluster).await?);

    gate.bar();
    let asking = join_all((0..REVIEWS).map(|_| ask(&replica, &authority, "unheard-of")));
    let unbarring = async {
        let all = eventually("all of them wait", LIMIT, || async {
            let waiting = waiting().await? - asked;
            ensure!(waiting == REVIEWS as u64, "{waiting} wait");
            Ok(())
        });
        let all = all.await;
        gate.unbar();
        all
    };
    let (answers, all) = tokio::join!(asking, unbarring);
    all?;
    for answer in answers {
        let response = answer?.response()?;
        ensure!(response["status"]["code"] == 403, "{response:#}");
    }
    // That of the first, and the one that all others have waited for.
    let reads = lists(&cluster).await? - listed;
    ensure!(reads == 2, "{reads} reads for {REVIEWS} reviews");
    Ok(())
}

/// How often somebody has listed the interceptions.
async fn lists(cluster: &Cluster) -> Result<u64> {
    let metrics = cluster
        .admin()
        .request_text(http::Request::get("/metrics").body(Vec::new())?)
        .await?;
    let is_list = |line: &&str| {
        [
            "apiserver_request_total{",
            "resource=\"restoreinterceptions\"",
            "verb=\"LIST\"",
        ]
        .iter()
        .all(|part| line.contains(part))
    };
    metrics
        .lines()
        .filter(is_list)
        .map(|line| {
            let count = line.rsplit(' ').next().unwrap_or_default();
            count.parse::<u64>().with_context(|| line.to_owned())
        })
        .sum()
}

/// The argument for a replica that serves the stored certificate from files, so that it serves before it has reached
/// the API server.
async fn mounted_certificate(cluster: &Cluster) -> Result<String> {
    let secret = Api::<Secret>::namespaced(cluster.admin(), webhook::NAMESPACE)
        .get("clusterbackup-webhook-tls")
        .await?;
    let data = secret.data.context("the Secret is empty")?;
    let folder = cluster.folder().join("certificates");
    std::fs::create_dir_all(&folder)?;
    for file in ["tls.crt", "tls.key"] {
        std::fs::write(folder.join(file), &data.get(file).context(file)?.0)?;
    }
    Ok(format!("--certificates={}", folder.display()))
}

async fn ask(replica: &Replica, authority: &str, interception: &str) -> Result<Answer> {
    Direct::to(replica, authority)
        .await?
        .post("/intercept", review("cold", "default", interception).to_string())
        .await
}

fn refused_for_want_of_an_answer(answer: &Answer, part: &str) -> Result<()> {
    let response = answer.response()?;
    ensure!(
        response["uid"] == "cold" && response["allowed"] == false && response["status"]["code"] == 503,
        "{response:#}"
    );
    let message = response["status"]["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("failed to read RestoreInterceptions") && message.contains(part),
        "{message}"
    );
    ensure!(answer.took < TIMEOUT, "it took {:?}", answer.took);
    Ok(())
}

async fn replicas_are_replaced_under_load_without_a_failed_create(cluster: Cluster) -> Result<()> {
    let webhook = Webhook::install(&cluster, &[]).await?;
    let mut replicas = vec![
        webhook.start(ReplicaOptions::default()).await?,
        webhook.start(ReplicaOptions::default()).await?,
    ];
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let load = Load::start(&cluster.admin(), "default", "shop");
    load.until_stored(20).await?;
    for _ in 0..2 {
        // As the Deployment does it: first the new one, then the end of the old one.
        let new = webhook.launch(ReplicaOptions::default()).await?;
        new.until_ready(LIMIT).await?;
        replicas.push(new);
        let status = replicas.remove(0).terminate(LIMIT).await?;
        ensure!(status.success(), "SIGTERM ended it with {status}");
        load.until_stored(20).await?;
    }
    load.stop().await?.is_all(&["a"])
}

async fn a_killed_replica_costs_no_more_than_the_moment_until_it_is_noticed(cluster: Cluster) -> Result<()> {
    /// The Service stops sending to it within a tenth of a second; the rest is for a machine under load.
    const NOTICED: Duration = Duration::from_secs(2);
    let webhook = Webhook::install(&cluster, &[]).await?;
    let dies = webhook.start(ReplicaOptions::default()).await?;
    let _stays = webhook.start(ReplicaOptions::default()).await?;
    let _interception = Plan::new("shop", &marking("a")).in_force(cluster.admin()).await?;
    let load = Load::start(&cluster.admin(), "default", "shop");
    load.until_stored(50).await?;
    let killed = Instant::now();
    dies.kill().await?;
    tokio::time::sleep_until((killed + NOTICED).into()).await;
    load.until_stored(50).await?;

    let tally = load.stop().await?;
    tally.has_only(&["a"])?;
    for (began, message) in &tally.failed {
        ensure!(
            *began <= killed + NOTICED && message.contains("failed calling webhook"),
            "a create failed {:?} after the end of the replica: {message}",
            began.saturating_duration_since(killed)
        );
    }
    Ok(())
}

async fn without_the_api_server_known_rules_act_and_unknown_ones_refuse_in_time(
    cluster: Cluster,
) -> Result<()> {
    let client = cluster.admin();
    let webhook = Webhook::install(&cluster, &[]).await?;
    let gate = Gate::before(&cluster).await?;
    let replica = webhook.start(gate.replica(&[])).await?;
    let _known = Plan::new("known", &marking("a")).in_force(client.clone()).await?;
    let authority = webhook.ca_bundle().await?;

    gate.bar();
    let _unknown = Plan::new("unknown", &marking("b")).create(client.clone()).await?;
    let stored = create(&client, Some("default"), &given("known", "known")).await?;
    ensure!(stored["data"]["first"] == "a", "{stored:#}");
    refused_for_want_of_an_answer(&ask(&replica, &authority, "unknown").await?, "within 3 s")?;
    let message = refusal(create(&client, Some("default"), &given("unknown", "unknown")).await)?;
    ensure!(
        message.contains("denied the request") && message.contains("within 3 s"),
        "{message}"
    );

    gate.unbar();
    let stored = create(&client, Some("default"), &given("back", "unknown")).await?;
    ensure!(stored["data"]["first"] == "b", "{stored:#}");

    drop(gate);
    let stored = create(&client, Some("default"), &given("gone", "known")).await?;
    ensure!(stored["data"]["first"] == "a", "{stored:#}");
    refused_for_want_of_an_answer(&ask(&replica, &authority, "never").await?, "try again")
}
