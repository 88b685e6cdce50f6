//! What the kinds say, in the words of the decisions.

use clusterbackup_api::backup_hook::{BackupHookEntry, BackupResourceHook};
use clusterbackup_api::backup_instance::{Freeze, Limits};
use clusterbackup_api::{BackupHook, BackupInstanceSpec};
use clusterbackup_core::cut;
use clusterbackup_core::freeze;
use clusterbackup_core::hook::{Exec, Hook, Pods};
use clusterbackup_core::quantity::Quantity;
use clusterbackup_core::selection::{Filter, Namespaces};
use clusterbackup_core::selector::{LabelSelector, Operator, Requirement, SelectorError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::ResourceExt as _;

/// What the instance takes.
pub(super) fn filter(spec: &BackupInstanceSpec) -> Result<Filter, String> {
    Ok(Filter {
        namespaces: namespaces(
            spec.included_namespaces.as_ref(),
            spec.excluded_namespaces.as_ref(),
        )?,
        labels: selector(spec.label_selector.as_ref())?,
    })
}

/// How much it allows.
pub(super) fn limits(limits: &Limits) -> Result<cut::Limits, String> {
    let parse = |text: &String| {
        Quantity::parse(text)
            .ok_or_else(|| format!("limits.maxVolumeSize: `{text}` is no quantity; write for example 1Ti"))
    };
    Ok(cut::Limits {
        volume_size: limits.max_volume_size.as_ref().map(parse).transpose()?,
        snapshots: limits.max_snapshots_per_volume,
    })
}

/// How long it lets applications be frozen.
pub(super) fn freeze(freeze: &Freeze) -> freeze::Limits {
    freeze::Limits {
        max_freeze: freeze.max_freeze,
        cut: freeze.cut_limit,
    }
}

/// The hooks of all these objects, in order.
pub(super) fn hooks(objects: &[BackupHook]) -> Result<Vec<Hook>, String> {
    let entries = objects.iter().flat_map(|object| {
        let prefix = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let entries = object.spec.backup_hook.iter();
        entries.map(move |entry| hook(&prefix, entry))
    });
    entries.collect()
}

fn hook(prefix: &str, entry: &BackupHookEntry) -> Result<Hook, String> {
    let name = format!("{prefix}/{}", entry.name);
    let pods = || -> Result<Pods, String> {
        Ok(Pods {
            namespaces: namespaces(
                entry.included_namespaces.as_ref(),
                entry.excluded_namespaces.as_ref(),
            )?,
            labels: selector(entry.label_selector.as_ref())?,
        })
    };
    Ok(Hook {
        pods: pods().map_err(|problem| format!("hook {name}: {problem}"))?,
        pre: commands(entry.pre_hooks.as_ref()),
        post: commands(entry.post_hooks.as_ref()),
        name,
    })
}

fn commands(hooks: Option<&Vec<BackupResourceHook>>) -> Vec<Exec> {
    let execs = hooks.into_iter().flatten().map(|hook| &hook.exec);
    execs
        .map(|exec| Exec {
            container: exec.container.clone(),
            command: exec.command.clone(),
            on_error: exec.on_error.unwrap_or(Exec::ON_ERROR),
            timeout: exec.timeout.unwrap_or(Exec::TIMEOUT),
        })
        .collect()
}

fn namespaces(included: Option<&Vec<String>>, excluded: Option<&Vec<String>>) -> Result<Namespaces, String> {
    let list = |texts: Option<&Vec<String>>| texts.cloned().unwrap_or_default();
    Namespaces::parse(&list(included), &list(excluded)).map_err(|bad| bad.to_string())
}

fn selector(selector: Option<&meta::LabelSelector>) -> Result<LabelSelector, String> {
    let Some(selector) = selector else {
        return Ok(LabelSelector::default());
    };
    let labels = selector.match_labels.iter().flatten();
    let labels = labels.map(|(key, value)| Requirement::new(key.clone(), Operator::In(vec![value.clone()])));
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        let values = expression.values.clone().unwrap_or_default();
        let operator = Operator::parse(&expression.operator, values)?;
        Requirement::new(expression.key.clone(), operator)
    });
    let requirements: Result<_, SelectorError> = labels.chain(expressions).collect();
    requirements
        .map(LabelSelector::new)
        .map_err(|problem| format!("labelSelector: {problem}"))
}
