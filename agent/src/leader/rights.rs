//! Whether those who wrote an instance and its hooks, or the hooks of a restore, may still do what these make the leader do. They were asked at
//! admission; rights are taken away since.

use clusterbackup_api::access::{Access, Demand};
use clusterbackup_api::requester::{NoRequester, Requester};
use clusterbackup_core::hook::{Hook, Pods};
use clusterbackup_core::selection::Filter;
use clusterbackup_kit::rights;
use kube::{Client, Resource, ResourceExt as _};

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
        of_hook(client, object, hooks.iter().map(|hook| &hook.pods)).await?;
    }
    Ok(())
}

/// Asks whether who wrote a hook may run commands in the pods that it is for.
pub(super) async fn of_hook<K>(
    client: &Client,
    hook: &K,
    pods: impl Iterator<Item = &Pods>,
) -> Result<(), PlanError>
where
    K: Resource<DynamicType = ()>,
{
    let (namespace, name) = (hook.namespace().unwrap_or_default(), hook.name_any());
    let what = format!("{} {namespace}/{name}", K::kind(&()));
    let demand = Demand::of_hooks(pods.map(|pods| &pods.namespaces));
    ask(client, &what, Requester::of_hook(hook.meta()), &demand).await
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
