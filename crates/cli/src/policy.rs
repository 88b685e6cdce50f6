//! `policy explain`: when backups by a policy begin, and which recovery points it keeps, and why.

mod explanation;

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::{BackupInstance, BackupPolicy, RecoveryPoint};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use self::explanation::Explanation;
use crate::arguments::backup::Output;
use crate::arguments::policy::{Explain, Policy};
use crate::{Error, cluster, output};

pub(crate) fn run(command: &Policy, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Policy::Explain(arguments) = command;
    let explanation = explain(arguments)?;
    match arguments.output {
        Output::Text => explanation.print(out)?,
        Output::Json => output::json(&explanation, out)?,
        Output::Yaml => output::yaml(&explanation, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(arguments: &Explain) -> Result<Explanation, Error> {
    let (policy, instances, points) = cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        let policy: BackupPolicy = cluster::get(
            &client,
            "backuppolicies.clusterbackup.io",
            &namespace,
            &arguments.name,
        )
        .await?;
        let instances: Vec<BackupInstance> =
            cluster::list(&client, "backupinstances.clusterbackup.io", &namespace).await?;
        let points: Vec<RecoveryPoint> =
            cluster::list(&client, "recoverypoints.clusterbackup.io", &namespace).await?;
        Ok((policy, instances, points))
    })?;
    let name = policy.name_any();
    let followers = instances.iter().filter(|instance| {
        let asked = arguments
            .instance
            .as_ref()
            .is_none_or(|asked| *asked == instance.name_any());
        asked && instance.spec.policy.as_ref() == Some(&name)
    });
    let followers: Vec<_> = followers.collect();
    if let Some(instance) = arguments.instance.as_ref().filter(|_| followers.is_empty()) {
        let namespace = policy.namespace().unwrap_or_default();
        return Err(Error::Cluster(format!(
            "no BackupInstance {namespace}/{instance} names the policy {name}; \
             `kubectl get backupinstances -n {namespace} -o yaml` shows which one each names"
        )));
    }
    Explanation::of(&policy, &followers, &points, Timestamp::now())
        .map_err(|problem| Error::Cluster(format!("BackupPolicy {name} can't be followed: {problem}")))
}
