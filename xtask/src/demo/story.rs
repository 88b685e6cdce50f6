//! The story, chapter by chapter. Each one says what happens, lets it happen, and fails if it didn't.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_tests::metrics::Counts;
use owo_colors::Style;
use serde_json::Value;

use super::change::Change;
use super::rules::{self, Rules};
use super::stage::{self, Stage, json_documents, objects_in};
use super::{facts, page};

const REVIEWS: &str = "clusterbackup_reviews_total";

const RULES: &str = "clusterbackup_rule_results_total";

/// Metrics of the webhook, labels, and what the series with these count.
const COUNTED: [(&str, &[&str], &str); 6] = [
    (
        REVIEWS,
        &[r#"door="intercept""#, r#"outcome="changed""#],
        "changed by rules",
    ),
    (
        REVIEWS,
        &[r#"door="intercept""#, r#"outcome="denied""#],
        "refused",
    ),
    (
        RULES,
        &[r#"outcome="applied""#, r#"patch="json""#],
        "JSON patches applied",
    ),
    (
        RULES,
        &[r#"outcome="applied""#, r#"patch="merge""#],
        "merge patches applied",
    ),
    (RULES, &[r#"outcome="test_failed""#], "dropped by their test"),
    (RULES, &[r#"outcome="failed""#], "failed"),
];

/// Tells it all; what it played on, still running.
pub(super) async fn tell() -> Result<Stage> {
    let start = Instant::now();
    page::say(
        "A shop was backed up in production, in the namespace shop. Now it comes back into another namespace, \
         shop-staging, where it must not be what it was: other disks, other images, other host names, and \
         above all it must never charge a real card. clusterbackup changes the objects on their way into the \
         cluster, by rules, whichever tool restores them.",
    );

    page::chapter("1. A cluster with the webhook");
    let (cluster, version) = stage::start_cluster().await?;
    page::done(&format!("Kubernetes {version} is running on this machine"));
    let logs = cluster.logs_dir().display().to_string();
    let stage = Stage::install_webhook(cluster).await?;
    page::done("kubectl apply -k manifests/webhook-only: the webhook is installed");
    page::done("two replicas are ready: processes beside the cluster, with the rights of the manifests only");

    chapters(&stage)
        .await
        .with_context(|| format!("the story went wrong (logs: {logs})"))?;
    println!();
    page::say(&format!(
        "That was all of it, in {} seconds.",
        start.elapsed().as_secs()
    ));
    Ok(stage)
}

async fn chapters(stage: &Stage) -> Result<()> {
    let rules = announce_rules(stage).await?;
    let before = stage.counts().await?;
    restore(stage, &rules).await?;
    refuse(stage).await?;
    pass_by(stage).await?;
    count(stage, &before).await?;
    show_status(stage, &rules).await
}

async fn announce_rules(stage: &Stage) -> Result<Rules> {
    let rules = Rules::of(&objects_in("interception.yaml")?)?;
    page::chapter("2. The rules");
    page::say(&format!(
        "An administrator says once how the shop changes: {} rules in a ConfigMap, in the format of Velero \
         and AKS Backup, and a RestoreInterception that puts them in force and says that what comes into \
         shop-staging was in shop before. Read them in demo/interception.yaml.",
        rules.count()
    ));
    print_output(
        &stage
            .kubectl("apply -f demo/interception.yaml")
            .await?
            .success()?,
    );
    stage
        .quietly("wait --for=condition=Ready restoreinterception/shop-to-staging --timeout=20s")
        .await?
        .success()?;
    page::done("read, checked as a whole, and in force");
    Ok(rules)
}

async fn restore(stage: &Stage, rules: &Rules) -> Result<()> {
    page::chapter("3. The restore");
    page::say(
        "The part of the backup tool is played by kubectl. All that the tool does for us is to put one label \
         on what it restores: clusterbackup.io/intercept: shop-to-staging.",
    );
    print_output(&stage.kubectl("create -f demo/target.yaml").await?.success()?);
    stage
        .quietly("wait --for=condition=Established crd/paymentgateways.payments.example --timeout=20s")
        .await?
        .success()?;
    let unchanged = stage.without_rules(objects_in("restored")?).await?;
    let created = stage
        .kubectl("create -f demo/restored -o json")
        .await?
        .success()?;
    let stored = json_documents(&created)?;
    page::say(&format!(
        "{} objects were created. This is what became of them, each with the rules that did it, counted \
         from 0 as the annotation clusterbackup.io/modified does. Without the rules they would have been \
         stored with the lines marked -.",
        stored.len()
    ));
    for outcome in outcomes(&unchanged, &stored)? {
        outcome.print(rules);
    }
    let facts = facts::check(&stored, rules)?;
    println!();
    page::done(&format!(
        "{facts} facts about the shop in staging hold, every rule had something to do"
    ));
    page::say(
        "StatefulSet db runs an image that rule 4 doesn't expect. Its `test` noticed, so the rule left the \
         object alone; that is what a test is for.",
    );
    Ok(())
}

/// Objects to which the same rules did the same.
struct Outcome {
    objects: Vec<String>,
    rules: Vec<usize>,
    change: Change,
}

fn outcomes(unchanged: &[Value], stored: &[Value]) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for after in stored {
        let title = facts::title(after);
        let before = unchanged
            .iter()
            .find(|before| facts::title(before) == title)
            .with_context(|| format!("{title} was not tried without rules"))?;
        let change = Change::between(before, after);
        let rules: Vec<usize> = rules::applied(after)?.into_iter().collect();
        match outcomes
            .iter_mut()
            .find(|outcome| outcome.rules == rules && outcome.change == change)
        {
            Some(outcome) => outcome.objects.push(title),
            None => outcomes.push(Outcome {
                objects: vec![title],
                rules,
                change,
            }),
        }
    }
    // What many have in common is told last, the peculiar ones first.
    outcomes.sort_by_key(|outcome| outcome.objects.len());
    Ok(outcomes)
}

impl Outcome {
    fn print(&self, rules: &Rules) {
        println!();
        for object in &self.objects {
            println!("{}", page::styled(object, Style::new().bold()));
        }
        for &rule in &self.rules {
            for (step, description) in rules.describe(rule).iter().enumerate() {
                let label = if step == 0 {
                    format!("rule {rule}")
                } else {
                    String::new()
                };
                println!("  {label:<8} {description}");
            }
        }
        self.change.print(4);
    }
}

async fn refuse(stage: &Stage) -> Result<()> {
    page::chapter("4. Rather refused than half changed");
    page::say(
        "This claim opts in as well, but one of the rules can't do its work on it. It is not let in with \
         production's settings: the restore tool gets an error that names the rule, the object and the cause.",
    );
    let refused = stage.kubectl("create -f demo/refused.yaml").await?;
    ensure!(refused.code != Some(0), "demo/refused.yaml was not refused");
    page::quote(&refused.stderr);
    for part in [
        "interception shop-to-staging",
        "shop-staging/never-bound",
        "resourceModifierRules[1]",
    ] {
        ensure!(
            refused.stderr.contains(part),
            "the refusal doesn't speak of {part}: {}",
            refused.stderr
        );
    }
    let stored = stage
        .quietly("get pvc never-bound -n shop-staging --ignore-not-found -o name")
        .await?
        .success()?;
    ensure!(stored.is_empty(), "{stored} is stored all the same");
    page::done("nothing of it was stored");
    Ok(())
}

async fn pass_by(stage: &Stage) -> Result<()> {
    page::chapter("5. Everybody else is left alone");
    page::say(
        "An object without the label never meets the webhook, whatever the rules say; nor does any later \
         change of an object that was restored.",
    );
    let before = stage.counts().await?.total(REVIEWS);
    print_output(&stage.kubectl("create -f demo/bystander.yaml").await?.success()?);
    let class = stage
        .quietly("get pvc somebody-elses -n shop-staging -o jsonpath={.spec.storageClassName}")
        .await?
        .success()?;
    ensure!(class == "managed-premium", "the bystander's class became {class}");
    page::done(&format!("its storage class is still {class}"));
    let scale = "scale deployment web --replicas=2 -n shop-staging";
    print_output(&stage.kubectl(scale).await?.success()?);
    let after = stage.counts().await?.total(REVIEWS);
    ensure!(
        after == before,
        "the webhook was asked: {before} reviews before, {after} after"
    );
    page::done(&format!(
        "the webhook's own count of reviews: {before} before, {after} after"
    ));
    Ok(())
}

async fn count(stage: &Stage, before: &Counts) -> Result<()> {
    page::chapter("6. What the webhook counted");
    page::say("Since the rules came into force, both replicas together, as Prometheus would read it:");
    println!();
    let counts = stage.counts().await?.since(before);
    for (metric, labels, meaning) in COUNTED {
        let count = counts.sum(metric, labels);
        let series = format!("{metric}{{{}}}", labels.join(","));
        ensure!(count > 0, "{series} counted nothing");
        println!(
            "{count:>5}  {meaning:<22} {}",
            page::styled(&series, Style::new().dimmed())
        );
    }
    let restored = u64::try_from(objects_in("restored")?.len())?;
    ensure!(
        counts.sum(REVIEWS, COUNTED[0].1) == restored && counts.total(REVIEWS) == restored + 1,
        "not one review for each of {restored} restored objects and the refused one: {counts:?}"
    );
    Ok(())
}

async fn show_status(stage: &Stage, rules: &Rules) -> Result<()> {
    page::chapter("7. What the interception says of itself");
    page::say(
        "Whether the rules are in force as written, and if not, why and what to do: `kubectl describe` has \
         the whole message.",
    );
    let status = stage.kubectl("get restoreinterceptions").await?.success()?;
    print_output(&status);
    let wanted = ["shop-to-staging", "True", "Ready", &rules.count().to_string()].join(" ");
    let found = status.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(found.contains(&wanted), "the interception doesn't say {wanted}");
    Ok(())
}

fn print_output(output: &str) {
    for line in output.lines() {
        println!("    {line}");
    }
}
