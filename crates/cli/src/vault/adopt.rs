//! `vault adopt`: shows the points of a cluster that is gone, and asks the leader to take them over.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clusterbackup_api::backup_vault::{ADOPTED, Adoption};
use clusterbackup_api::{BackupInstance, BackupVault, RecoveryPoint, conditions};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::arguments::vault::Adopt;
use crate::cluster::{self, answer};
use crate::store::told;
use crate::words::counted;
use crate::{Error, output};

/// The leader looks at a vault as soon as it changes.
const WAIT: Duration = Duration::from_mins(1);
const KINDS: &str = "backupvaults.clusterbackup.io";

pub(super) fn run(arguments: &Adopt, out: &mut dyn Write) -> Result<ExitCode, Error> {
    cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        let vault: BackupVault = cluster::get(&client, KINDS, &namespace, &arguments.name).await?;
        let points = points(&client, &namespace, arguments).await?;
        let Some(until) = points.iter().map(|point| point.spec.started_at.0).max() else {
            let none = "the vault shows no recovery points of that cluster and namespace; `rp list -o yaml` says of which clusters \
                        there are any";
            return Err(told(&none));
        };
        show(&client, &namespace, &points, out).await?;
        if !arguments.yes {
            let count = counted(points.len(), "recovery point");
            return Err(Error::Cluster(format!(
                "{count} would be this cluster's to delete: say --yes if the cluster that made them is gone"
            )));
        }
        let adoption = Adoption {
            cluster: arguments.cluster.clone(),
            namespace: arguments.from_namespace.clone(),
            until: Time(until),
            force: arguments.force,
        };
        let asked = ask(client.clone(), &namespace, vault, adoption).await?;
        let said = outcome(client, &namespace, &asked).await?;
        writeln!(out, "{}: {}", said.reason, said.message)?;
        Ok(super::code(&said))
    })
}

/// Those that are to be adopted.
async fn points(client: &Client, namespace: &str, arguments: &Adopt) -> Result<Vec<RecoveryPoint>, Error> {
    let of = arguments.from_namespace.as_deref().unwrap_or(namespace);
    let mut points: Vec<RecoveryPoint> =
        cluster::list(client, "recoverypoints.clusterbackup.io", namespace).await?;
    points.retain(|point| {
        let adopted_by = point
            .status
            .as_ref()
            .and_then(|status| status.adopted_by.as_ref());
        point.spec.vault == arguments.name
            && *adopted_by.unwrap_or(&point.spec.cluster) == arguments.cluster
            && point.spec.backup.namespace == of
    });
    Ok(points)
}

/// A line for each instance: how many points of it there are, and by what they are kept here.
async fn show(
    client: &Client,
    namespace: &str,
    points: &[RecoveryPoint],
    out: &mut dyn Write,
) -> Result<(), Error> {
    let here: Vec<BackupInstance> =
        cluster::list(client, "backupinstances.clusterbackup.io", namespace).await?;
    let mut by_instance = BTreeMap::<&str, Vec<&RecoveryPoint>>::new();
    for point in points {
        by_instance.entry(&point.spec.instance).or_default().push(point);
    }
    let rows = by_instance.into_iter().map(|(instance, points)| {
        let times = || points.iter().map(|point| point.spec.finished_at.0);
        let time = |time: Option<_>| time.map(|time| format!("{time:.0}")).unwrap_or_default();
        let vault = points.first().map(|point| &point.spec.vault);
        let here = here
            .iter()
            .find(|here| here.name_any() == instance && here.spec.vault.as_ref() == vault);
        let policy = here.and_then(|here| here.spec.policy.as_deref());
        let kept = match (here, policy) {
            (Some(_), Some(policy)) => format!("by BackupPolicy {policy}"),
            (Some(_), None) => "always: its instance has no policy".to_owned(),
            (None, _) => "always: no instance here is called so".to_owned(),
        };
        let count = points.len().to_string();
        vec![
            instance.to_owned(),
            count,
            time(times().min()),
            time(times().max()),
            kept,
        ]
    });
    Ok(output::table(
        &["INSTANCE", "POINTS", "OLDEST", "NEWEST", "KEPT"],
        rows,
        out,
    )?)
}

/// Writes it into the vault, in place of what was asked for before of the same cluster and namespace.
async fn ask(
    client: Client,
    namespace: &str,
    vault: BackupVault,
    adoption: Adoption,
) -> Result<BackupVault, Error> {
    let mut all = vault.spec.adopt.clone();
    all.retain(|other| (&other.cluster, &other.namespace) != (&adoption.cluster, &adoption.namespace));
    all.push(adoption);
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": vault.resource_version() },
        "spec": { "adopt": all },
    }));
    let vaults = Api::<BackupVault>::namespaced(client, namespace);
    let (name, parameters) = (vault.name_any(), PatchParams::default());
    let patched = answer(
        &format!("patch {KINDS}"),
        namespace,
        vaults.patch(&name, &parameters, &patch),
    )
    .await;
    patched.map_err(Error::Cluster)
}

/// What the leader says of the vault as it is now.
async fn outcome(client: Client, namespace: &str, asked: &BackupVault) -> Result<Condition, Error> {
    let vaults = Api::<BackupVault>::namespaced(client, namespace);
    let name = asked.name_any();
    let generation = asked.metadata.generation;
    let is_said = |vault: Option<&BackupVault>| vault.is_none_or(|vault| said(vault, generation).is_some());
    let wait = await_condition(vaults, &name, is_said);
    let nobody = "it is asked for, and no leader has answered yet: the condition Adopted of the vault will say what came of it";
    match tokio::time::timeout(WAIT, wait).await {
        Ok(Ok(Some(vault))) => said(&vault, generation).cloned().ok_or_else(|| told(&nobody)),
        Ok(Ok(None)) => Err(told(&"the vault was deleted meanwhile")),
        Ok(Err(error)) => Err(Error::Cluster(format!(
            "it is asked for; failed to watch the vault: {error}"
        ))),
        Err(_) => Err(told(&nobody)),
    }
}

fn said(vault: &BackupVault, generation: Option<i64>) -> Option<&Condition> {
    let said = vault.status.iter().flat_map(|status| &status.conditions);
    conditions::find(said, ADOPTED).filter(|said| said.observed_generation >= generation)
}
