//! Whether those who wrote an instance and its hooks may still do what these make the leader do. They were asked at
//! admission; rights are taken away since.

use clusterbackup_api::access::{Access, Demand};
use clusterbackup_api::requester::{NoRequester, Requester};
use clusterbackup_core::hook::Hook;
use clusterbackup_core::selection::Filter;
use clusterbackup_kit::rights;
use kube::{Client, ResourceExt as _};

use super::error::Doing as _;
use super::subject::{Obstacle, PlanError, Subject};

/// Asks the API server about the instance's requester and about that of each hook.
pub(super) async fn check(
    client: &Client,
    subject: &Subject,
    filter: &Filter,
    hooks: &[Vec<Hook>],
) -> Result<(), PlanError> {
    let instance = &subject.instance;
    let what = format!("BackupInstance {}", instance.name_any());
    let requester = instance.spec.requester.clone().ok_or(NoRequester::Missing);
    ask(client, &what, requester, &Demand::of_instance(&filter.namespaces)).await?;
    for (object, hooks) in subject.hooks.iter().zip(hooks) {
        let what = format!(
            "BackupHook {}/{}",
            object.namespace().unwrap_or_default(),
            object.name_any()
        );
        let demand = Demand::of_hooks(hooks.iter().map(|hook| &hook.pods.namespaces));
        ask(client, &what, Requester::of_hook(&object.metadata), &demand).await?;
    }
    Ok(())
}

async fn ask(
    client: &Client,
    what: &str,
    requester: Result<Requester, NoRequester>,
    demand: &Demand,
) -> Result<(), PlanError> {
    let requester =
        requester.map_err(|problem| Obstacle::RightsMissing.with(format!("{what}: {problem}")))?;
    let missing = rights::missing(client, &requester, demand)
        .await
        .doing("ask for the rights of a requester")?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = missing.iter().map(Access::to_string).collect();
    Err(Obstacle::RightsMissing.with(format!(
        "{what}: its requester {} may not {} (any more); let somebody write it again who may",
        requester.username,
        missing.join(", ")
    )))
}
