//! `instance create`: makes a BackupInstance, or shows what would be made.

use std::io::Write;

use clusterbackup_api::BackupInstance;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::arguments::backup::Output;
use crate::arguments::instance::Create;
use crate::cluster::{self, answer};
use crate::{Error, output};

pub(super) fn run(arguments: &Create, out: &mut dyn Write) -> Result<(), Error> {
    let wanted = wanted(arguments);
    if arguments.dry_run {
        return show(
            &wanted,
            &arguments.name,
            "would be created",
            arguments.output,
            out,
        );
    }
    let instance = cluster::run(async |client| {
        let namespace = arguments.place.namespace(&client);
        let instance = serde_json::from_value(wanted)
            .map_err(|error| Error::Cluster(format!("what is asked for is no BackupInstance: {error}")))?;
        let instances = Api::<BackupInstance>::namespaced(client, &namespace);
        let created = answer(
            "create backupinstances.clusterbackup.io",
            &namespace,
            instances.create(&PostParams::default(), &instance),
        )
        .await;
        created.map_err(Error::Cluster)
    })?;
    show(&instance, &instance.name_any(), "created", arguments.output, out)
}

fn show(
    instance: &impl serde::Serialize,
    name: &str,
    done: &str,
    form: Output,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match form {
        Output::Text => Ok(writeln!(out, "backupinstance.clusterbackup.io/{name} {done}")?),
        Output::Json => output::json(instance, out),
        Output::Yaml => output::yaml(instance, out),
    }
}

/// The instance, saying what was asked for and nothing else: defaults are the API server's.
fn wanted(arguments: &Create) -> Value {
    let mut metadata = json!({ "name": arguments.name });
    if let Some(namespace) = &arguments.place.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let mut spec = json!({});
    if !arguments.namespaces.is_empty() {
        spec["includedNamespaces"] = json!(arguments.namespaces);
    }
    if !arguments.exclude_namespaces.is_empty() {
        spec["excludedNamespaces"] = json!(arguments.exclude_namespaces);
    }
    if let Some(vault) = &arguments.vault {
        spec["vault"] = json!(vault);
    }
    if let Some(policy) = &arguments.policy {
        spec["policy"] = json!(policy);
    }
    if arguments.secrets {
        spec["includeSecrets"] = json!(true);
    }
    if !arguments.hooks.is_empty() {
        let hooks = arguments
            .hooks
            .iter()
            .map(|hook| json!({ "name": hook.name, "namespace": hook.namespace }));
        spec["backupHooks"] = hooks.collect();
    }
    json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "BackupInstance",
        "metadata": metadata,
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::instance::Instance;
    use crate::arguments::{Arguments, Command};

    fn created(words: &str) -> Result<Value, String> {
        let typed = format!("kubectl-clusterbackup instance create {words}");
        let parsed = Arguments::try_parse_from(typed.split(' ')).map_err(|error| error.to_string())?;
        match parsed.command {
            Command::Instance(Instance::Create(arguments)) => Ok(wanted(&arguments)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn an_instance_says_what_was_asked_for_and_nothing_else() {
        for (words, spec) in [
            ("shop", json!({})),
            (
                "shop --namespaces shop,shop-db --exclude-namespaces shop-tmp --secrets",
                json!({
                    "includedNamespaces": ["shop", "shop-db"],
                    "excludedNamespaces": ["shop-tmp"],
                    "includeSecrets": true,
                }),
            ),
            (
                "shop --vault offsite --policy nightly --hook shop/a --hook web/b",
                json!({
                    "vault": "offsite",
                    "policy": "nightly",
                    "backupHooks": [{ "name": "a", "namespace": "shop" }, { "name": "b", "namespace": "web" }],
                }),
            ),
        ] {
            let instance = created(words).unwrap();
            assert_eq!(instance["spec"], spec, "{words}");
            assert!(
                serde_json::from_value::<BackupInstance>(instance).is_ok(),
                "{words}"
            );
        }
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        for (words, told) in [
            ("shop --policy nightly", "--vault"),
            ("shop --hook quiesce", "shop/quiesce"),
        ] {
            let error = created(words).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
