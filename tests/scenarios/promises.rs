//! What vaults promise is not written away: whoever tries is told at once. The leader, which keeps the promises, isn't there.

use anyhow::{Context as _, Result, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{api_of, create, refusal};

scenarios! {
    Webhook: [
        an_immutable_vault_is_not_asked_to_give_up_points,
        policies_keep_for_as_long_as_an_immutable_vault_was_told,
        schedules_are_no_faster_than_their_vault_allows,
    ],
}

async fn an_immutable_vault_is_not_asked_to_give_up_points(context: &Context) -> Result<()> {
    let writer = Writer(context);
    writer
        .vault("locked", json!({ "immutability": "Unlocked" }))
        .await?;
    writer.vault("open", json!({})).await?;
    let stopped = |vault: &str| instance("stopped", vault, None, "StopAndDelete");
    writer
        .refused(&stopped("locked"), "BackupVault locked is immutable")
        .await?;
    writer.written(&stopped("open")).await?;
    writer
        .written(&instance("kept", "locked", None, "StopAndRetain"))
        .await?;
    let stop = json!({ "spec": { "protection": "StopAndDelete" } });
    let kept = instance("kept", "locked", None, "");
    writer
        .patch_refused(&kept, &stop, "BackupVault locked is immutable")
        .await?;

    let gone = json!({ "spec": { "wanted": "Deleted" } });
    for (name, vault, kept_until, refused) in [
        (
            "unpromised",
            "locked",
            None,
            Some("nobody has said yet for how long"),
        ),
        (
            "promised",
            "locked",
            Some("2099-01-01T00:00:00Z"),
            Some("until 2099-01-01T00:00:00Z"),
        ),
        // Also where the vault isn't immutable any more.
        (
            "promised-before",
            "open",
            Some("2099-01-01T00:00:00Z"),
            Some("until 2099-01-01T00:00:00Z"),
        ),
        ("over", "locked", Some("2026-01-01T00:00:00Z"), None),
        ("free", "open", None, None),
    ] {
        let point = point(name, vault);
        writer.written(&point).await?;
        let api = api_of(&context.cluster.admin(), &point, Some(context.namespace.name()))?;
        let status = Patch::Merge(json!({ "status": { "keptUntil": kept_until } }));
        api.patch_status(name, &PatchParams::default(), &status).await?;
        writer
            .patched(&point, &json!({ "spec": { "wanted": "Present" } }))
            .await?;
        match refused {
            Some(why) => writer.patch_refused(&point, &gone, why).await?,
            None => writer.patched(&point, &gone).await?,
        }
    }
    Ok(())
}

async fn policies_keep_for_as_long_as_an_immutable_vault_was_told(context: &Context) -> Result<()> {
    let writer = Writer(context);
    writer
        .vault("locked", json!({ "immutability": "Locked" }))
        .await?;
    writer.vault("open", json!({})).await?;
    for (name, days) in [("long", 30), ("short", 7), ("elsewhere", 30)] {
        writer.written(&policy(name, "0 3 * * *", days)).await?;
    }
    writer
        .written(&instance("shop", "locked", Some("long"), "Protect"))
        .await?;
    writer
        .written(&instance("other", "open", Some("elsewhere"), "Protect"))
        .await?;
    let keeps = |days: u32| json!({ "spec": { "retention": { "operational": { "days": days } } } });
    let why = "BackupInstance shop goes by it: BackupVault locked is immutable, and what falls to the default rule would be \
               kept in the operational tier for 7 days instead of 30";
    let long = policy("long", "", 0);
    writer.patch_refused(&long, &keeps(7), why).await?;
    let other_policy = json!({ "spec": { "policy": "short" } });
    let shop = instance("shop", "locked", None, "");
    writer
        .patch_refused(&shop, &other_policy, "for 7 days instead of 30")
        .await?;
    let copies = |days: u32| json!({ "spec": { "retention": { "vaultTier": { "firstOfWeek": days } } } });
    writer.patched(&long, &copies(90)).await?;
    let why = "what falls to the rule for the first of the week would be kept in the vault tier for 60 days instead of 90";
    writer.patch_refused(&long, &copies(60), why).await?;

    writer.patched(&long, &keeps(60)).await?;
    writer.patched(&policy("elsewhere", "", 0), &keeps(7)).await?;
    let other = instance("other", "open", None, "");
    writer.patched(&other, &other_policy).await?;
    writer
        .refused(&policy("never", "0 0 30 2 *", 7), "spec.schedule.cron")
        .await
}

async fn schedules_are_no_faster_than_their_vault_allows(context: &Context) -> Result<()> {
    let writer = Writer(context);
    writer
        .vault("slow", json!({ "limits": { "minInterval": "4h" } }))
        .await?;
    let message = refusal(
        writer
            .try_vault("minutes", json!({ "limits": { "minInterval": "30m" } }))
            .await,
    )?;
    ensure!(message.contains("minInterval must be from 1h"), "{message}");
    writer.written(&policy("hourly", "0 * * * *", 7)).await?;
    writer.written(&policy("daily", "0 3 * * *", 7)).await?;
    let why = "two of its backups are only 1h apart, and the vault allows no less than 4h";
    let hurried = |protection: &str| instance("shop", "slow", Some("hourly"), protection);
    writer.refused(&hurried("Protect"), why).await?;
    writer.written(&hurried("StopAndRetain")).await?;
    let protect = json!({ "spec": { "protection": "Protect" } });
    writer.patch_refused(&hurried(""), &protect, why).await?;

    writer
        .written(&instance("calm", "slow", Some("daily"), "Protect"))
        .await?;
    let hourly = json!({ "spec": { "schedule": { "cron": "0 * * * *" } } });
    let calm = "BackupInstance calm goes by it: BackupVault slow: two of its backups are only 1h apart";
    writer
        .patch_refused(&policy("daily", "", 0), &hourly, calm)
        .await?;
    let often_enough = json!({ "spec": { "schedule": { "cron": "0 1,5,9 * * *" } } });
    writer.patched(&policy("daily", "", 0), &often_enough).await
}

/// Somebody with every right, who writes into the namespace.
struct Writer<'a>(&'a Context);

impl Writer<'_> {
    async fn vault(&self, name: &str, spec: Value) -> Result<()> {
        self.try_vault(name, spec).await.with_context(|| name.to_owned())
    }

    async fn try_vault(&self, name: &str, mut spec: Value) -> kube::Result<()> {
        spec["operational"] = json!({ "fileSystem": { "path": "/vaults/promises" } });
        self.write(&object("BackupVault", name, &spec)).await
    }

    async fn write(&self, object: &Value) -> kube::Result<()> {
        create(&self.0.cluster.admin(), Some(self.0.namespace.name()), object)
            .await
            .map(drop)
    }

    async fn written(&self, object: &Value) -> Result<()> {
        self.write(object).await.with_context(|| object.to_string())
    }

    async fn refused(&self, object: &Value, why: &str) -> Result<()> {
        let message = refusal(self.write(object).await)?;
        ensure!(message.contains(why), "{object}: {message}");
        Ok(())
    }

    async fn patch(&self, object: &Value, patch: &Value) -> Result<kube::Result<()>> {
        let api = api_of(&self.0.cluster.admin(), object, Some(self.0.namespace.name()))?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let patched = api
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        Ok(patched.map(drop))
    }

    async fn patched(&self, object: &Value, patch: &Value) -> Result<()> {
        self.patch(object, patch)
            .await?
            .with_context(|| format!("{object}: {patch}"))
    }

    async fn patch_refused(&self, object: &Value, patch: &Value, why: &str) -> Result<()> {
        let message = refusal(self.patch(object, patch).await?)?;
        ensure!(message.contains(why), "{object}: {patch}: {message}");
        Ok(())
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    })
}

fn instance(name: &str, vault: &str, policy: Option<&str>, protection: &str) -> Value {
    let spec =
        json!({ "vault": vault, "policy": policy, "protection": protection, "snapshotVolumes": false });
    object("BackupInstance", name, &spec)
}

fn policy(name: &str, cron: &str, days: u32) -> Value {
    let spec = json!({ "schedule": { "cron": cron }, "retention": { "operational": { "days": days } } });
    object("BackupPolicy", name, &spec)
}

fn point(name: &str, vault: &str) -> Value {
    let spec = json!({
        "vault": vault, "instance": "shop", "cluster": "c", "phase": "Completed",
        "backup": { "namespace": "shop", "name": "nightly", "uid": "0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e51" },
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z",
        "objects": 0, "bytes": 0, "storedBytes": 0, "volumes": 0, "encrypted": false,
    });
    object("RecoveryPoint", name, &spec)
}
