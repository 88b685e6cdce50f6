//! `restore create`: makes a Restore and, if asked, waits for its end.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::Restore;
use clusterbackup_api::restore::RestorePhase;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{Restores, show};
use crate::Error;
use crate::arguments::backup::Output;
use crate::arguments::restore::{Asked, Conflicts, Create, Manner, VolumeMode};
use crate::cluster;

pub(super) fn run(arguments: &Create, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let restore = cluster::run(async |client| {
        let restores = Restores::at(&arguments.place, client);
        let restore = restores.create(wanted(arguments)).await?;
        if !arguments.wait {
            return Ok(restore);
        }
        let name = restore.name_any();
        restores.until_ended(&name, arguments.timeout.duration()).await
    })?;
    match arguments.output {
        Output::Text if !arguments.wait => {
            writeln!(out, "restore.clusterbackup.io/{} created", restore.name_any())?;
        }
        form => show(&restore, form, out)?,
    }
    Ok(match restore.phase().filter(|_| arguments.wait) {
        Some(RestorePhase::CompletedWithWarnings) => ExitCode::from(2),
        Some(RestorePhase::Failed | RestorePhase::Cancelled) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

impl Restores {
    /// Makes the Restore that is wanted.
    pub(super) async fn create(&self, wanted: Value) -> Result<Restore, Error> {
        let restore = serde_json::from_value(wanted)
            .map_err(|error| Error::Cluster(format!("what is asked for is no Restore: {error}")))?;
        self.make(&restore).await
    }
}

/// The restore, saying what was asked for.
fn wanted(arguments: &Create) -> Value {
    let mut spec = asked(&arguments.point, &arguments.asked);
    add_manner(&mut spec, &arguments.manner);
    if let Some(secret) = &arguments.identity {
        spec["identity"] = json!(secret);
    }
    let metadata = match &arguments.name {
        Some(name) => json!({ "name": name }),
        None => json!({ "generateName": "restore-" }),
    };
    json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "Restore",
        "metadata": metadata,
        "spec": spec,
    })
}

/// How it is brought back, as a Restore says it.
pub(super) fn add_manner(spec: &mut Value, manner: &Manner) {
    spec["conflictPolicy"] = json!(match manner.conflict_policy {
        Conflicts::Skip => "Skip",
        Conflicts::Fail => "Fail",
        Conflicts::Patch => "Patch",
        Conflicts::Replace => "Replace",
    });
    if !manner.replace_kinds.is_empty() {
        spec["replacedResourceTypes"] = json!(manner.replace_kinds);
    }
    spec["readinessTimeout"] = json!(manner.readiness_timeout);
    if !manner.hooks.is_empty() {
        let hooks = manner.hooks.iter();
        let named = hooks.map(|hook| json!({ "name": hook.name, "namespace": hook.namespace }));
        spec["restoreHooks"] = named.collect();
    }
    if let Some(modifier) = &manner.resource_modifier {
        spec["resourceModifierReference"]["name"] = json!(modifier.name);
        if let Some(namespace) = &modifier.namespace {
            spec["resourceModifierReference"]["namespace"] = json!(namespace);
        }
    }
}

/// What of a recovery point, and where to, as a Restore says it.
pub(super) fn asked(point: &str, asked: &Asked) -> Value {
    let mut spec = json!({ "recoveryPoint": point });
    for (field, list) in [
        ("includedNamespaces", &asked.include_namespaces),
        ("excludedNamespaces", &asked.exclude_namespaces),
        ("includedResourceTypes", &asked.include_kinds),
        ("excludedResourceTypes", &asked.exclude_kinds),
    ] {
        if !list.is_empty() {
            spec[field] = json!(list);
        }
    }
    if asked.volume_mode == VolumeMode::WithoutData {
        spec["persistentVolumeRestoreMode"] = json!("RestoreWithoutVolumeData");
    }
    for mapping in &asked.mappings {
        spec["namespaceMappings"][&mapping.from] = json!(mapping.to);
    }
    let object = asked.objects.iter().map(|object| {
        let mut named = json!({ "groupResource": object.kind, "name": object.name });
        if let Some(namespace) = &object.namespace {
            named["namespace"] = json!(namespace);
        }
        named
    });
    if !asked.objects.is_empty() {
        spec["objects"] = object.collect();
    }
    spec
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::restore::Restore as Restoring;
    use crate::arguments::{Arguments, Command};

    fn typed(words: &str) -> Result<Value, String> {
        let words = format!("kubectl-clusterbackup restore create p {words}");
        let arguments = Arguments::try_parse_from(words.split_whitespace());
        match arguments.map_err(|error| error.to_string())?.command {
            Command::Restore(Restoring::Create(create)) => Ok(wanted(&create)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn what_is_typed_is_what_is_asked_for() {
        let spec = typed(
            "--include-namespaces shop,till --namespace-mapping shop=a --namespace-mapping till=b \
             --object deployments.apps/shop/web --object namespaces/shop --exclude-kinds secrets \
             --conflict-policy replace --replace-kinds jobs.batch,configmaps --identity keys \
             --volume-mode without-data --resource-modifier team/rules --readiness-timeout 0s --hook ops/load \
             --name friday",
        );
        let expected = json!({
            "recoveryPoint": "p",
            "includedNamespaces": ["shop", "till"],
            "excludedResourceTypes": ["secrets"],
            "namespaceMappings": { "shop": "a", "till": "b" },
            "objects": [
                { "groupResource": "deployments.apps", "namespace": "shop", "name": "web" },
                { "groupResource": "namespaces", "name": "shop" },
            ],
            "conflictPolicy": "Replace",
            "replacedResourceTypes": ["jobs.batch", "configmaps"],
            "persistentVolumeRestoreMode": "RestoreWithoutVolumeData",
            "readinessTimeout": "0s",
            "identity": "keys",
            "resourceModifierReference": { "namespace": "team", "name": "rules" },
            "restoreHooks": [{ "name": "load", "namespace": "ops" }],
        });
        let spec = spec.unwrap();
        assert_eq!(spec["spec"], expected);
        assert_eq!(spec["metadata"], json!({ "name": "friday" }));
        assert!(serde_json::from_value::<Restore>(spec).is_ok());
    }

    #[test]
    fn a_slip_is_told_with_what_to_write() {
        for (words, told) in [
            ("--namespace-mapping shop", "write it as FROM=TO"),
            ("--namespace-mapping =a", "write it as FROM=TO"),
            ("--resource-modifier a/b/c", "or as namespace/name"),
            ("--hook load", "write the hook's namespace"),
            ("--object web", "write it as kind/namespace/name"),
            ("--object a/b/c/d", "write it as kind/namespace/name"),
            ("--conflict-policy merge", "invalid value 'merge'"),
            ("--conflict-policy replace", "--replace-kinds <KIND>"),
        ] {
            let error = typed(words).unwrap_err();
            assert!(error.contains(told), "{words}: {error}");
        }
    }
}
