//! `cargo xtask manifests`: writes the files that have their source in the code, or checks that they are current: the
//! CRDs from the kinds, the webhook configurations from the handler table, the reference of the plugin's commands from
//! their help.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clusterbackup_api::{labels, namespaces};
use clusterbackup_webhook::door::{ENTRIES, Entry, FailurePolicy, OptIn, TIMEOUT_SECONDS};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
use serde::Serialize;

const SERVICE: &str = "clusterbackup-webhook";
const COMMAND: &str = "cargo xtask manifests";

/// A generated file: its path in the workspace, and its text.
struct Generated {
    path: PathBuf,
    text: String,
}

/// Writes the generated files; with `check`, compares them and fails where one is not current.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = generate()?;
    if check {
        return compare(&root, &files);
    }
    for file in &files {
        let path = root.join(&file.path);
        fs::write(&path, &file.text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn compare(root: &Path, files: &[Generated]) -> anyhow::Result<()> {
    let is_stale =
        |file: &&Generated| fs::read_to_string(root.join(&file.path)).ok().as_ref() != Some(&file.text);
    let stale: Vec<_> = files
        .iter()
        .filter(is_stale)
        .map(|file| file.path.display().to_string())
        .collect();
    if !stale.is_empty() {
        bail!(
            "not what the code says: {}; run `{COMMAND}` and commit the result",
            stale.join(", ")
        );
    }
    Ok(())
}

fn generate() -> anyhow::Result<Vec<Generated>> {
    let mut files = Vec::new();
    for (folder, definitions) in [
        ("manifests/crds", clusterbackup_api::crds()),
        ("manifests/components/hook-kinds", clusterbackup_api::hook_crds()),
    ] {
        for definition in definitions {
            let name = definition.metadata.name.as_deref().context("a CRD has no name")?;
            files.push(Generated {
                path: Path::new(folder).join(format!("{name}.yaml")),
                text: yaml(&definition)?,
            });
        }
    }
    let mut configurations: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in &ENTRIES {
        configurations.entry(entry.configuration).or_default().push(entry);
    }
    for (name, entries) in configurations {
        let path = directory(name)?.join(format!("{name}.yaml"));
        files.push(Generated {
            text: configuration(name, &entries)?,
            path,
        });
    }
    files.push(Generated {
        path: PathBuf::from("docs/cli.md"),
        text: clusterbackup_cli::reference(),
    });
    Ok(files)
}

/// Where a configuration belongs: to what is always installed, or to a component.
fn directory(configuration: &str) -> anyhow::Result<&'static Path> {
    match configuration {
        "clusterbackup-intercept" | "clusterbackup-validate" => Ok(Path::new("manifests/base/webhook")),
        "clusterbackup-requester" | "clusterbackup-validate-backups" => {
            Ok(Path::new("manifests/components/requester"))
        }
        "clusterbackup-velero" => Ok(Path::new("manifests/components/velero-door")),
        other => bail!("no place in manifests/ is known for the configuration {other}"),
    }
}

fn configuration(name: &str, entries: &[&Entry]) -> anyhow::Result<String> {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        // Here and not only by kustomize: however it was applied, no restore may bring an old one back.
        labels: Some(BTreeMap::from([(
            labels::VELERO_EXCLUDE.to_owned(),
            labels::ENABLED.to_owned(),
        )])),
        ..ObjectMeta::default()
    };
    match entries.first().map(|entry| entry.review.mutates()) {
        Some(true) => yaml(&MutatingWebhookConfiguration {
            metadata,
            webhooks: Some(entries.iter().map(|entry| mutating(entry)).collect()),
        }),
        Some(false) => yaml(&ValidatingWebhookConfiguration {
            metadata,
            webhooks: Some(entries.iter().map(|entry| validating(entry)).collect()),
        }),
        None => bail!("the configuration {name} has no entry"),
    }
}

fn mutating(entry: &Entry) -> MutatingWebhook {
    MutatingWebhook {
        name: entry.name.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: client_config(entry),
        failure_policy: Some(failure_policy(entry)),
        match_conditions: match_conditions(entry),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: namespace_selector(entry),
        object_selector: object_selector(entry),
        // Rules needn't be idempotent: a second look would apply them twice.
        reinvocation_policy: Some("Never".to_owned()),
        rules: Some(rules(entry)),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(TIMEOUT_SECONDS),
    }
}

/// The same, of the other type.
fn validating(entry: &Entry) -> ValidatingWebhook {
    let MutatingWebhook {
        name,
        admission_review_versions,
        client_config,
        failure_policy,
        match_conditions,
        match_policy,
        namespace_selector,
        object_selector,
        reinvocation_policy: _,
        rules,
        side_effects,
        timeout_seconds,
    } = mutating(entry);
    ValidatingWebhook {
        name,
        admission_review_versions,
        client_config,
        failure_policy,
        match_conditions,
        match_policy,
        namespace_selector,
        object_selector,
        rules,
        side_effects,
        timeout_seconds,
    }
}

/// Without a caBundle: that field alone belongs to the running webhook.
fn client_config(entry: &Entry) -> WebhookClientConfig {
    WebhookClientConfig {
        service: Some(ServiceReference {
            name: SERVICE.to_owned(),
            namespace: namespaces::OWN.to_owned(),
            path: Some(entry.review.path().to_owned()),
            port: Some(443),
        }),
        ..WebhookClientConfig::default()
    }
}

fn failure_policy(entry: &Entry) -> String {
    let policy = match entry.failure_policy {
        FailurePolicy::Fail => "Fail",
        FailurePolicy::Ignore => "Ignore",
    };
    policy.to_owned()
}

fn match_conditions(entry: &Entry) -> Option<Vec<MatchCondition>> {
    let conditions = entry.conditions.iter().map(|condition| MatchCondition {
        name: condition.name.to_owned(),
        expression: condition.expression.to_owned(),
    });
    (!entry.conditions.is_empty()).then(|| conditions.collect())
}

fn namespace_selector(entry: &Entry) -> Option<LabelSelector> {
    let names: Vec<_> = entry
        .excluded_namespaces
        .iter()
        .map(|&name| name.to_owned())
        .collect();
    (!names.is_empty()).then(|| selector("kubernetes.io/metadata.name", "NotIn", Some(names)))
}

fn object_selector(entry: &Entry) -> Option<LabelSelector> {
    entry.opt_in.map(|opt_in| match opt_in {
        OptIn::Exists(key) => selector(key, "Exists", None),
        OptIn::Enabled(key) => selector(key, "In", Some(vec![labels::ENABLED.to_owned()])),
    })
}

fn selector(key: &str, operator: &str, values: Option<Vec<String>>) -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values,
        }]),
        match_labels: None,
    }
}

fn rules(entry: &Entry) -> Vec<RuleWithOperations> {
    let resources = entry.resources;
    vec![RuleWithOperations {
        api_groups: Some(vec![resources.group.to_owned()]),
        api_versions: Some(vec![resources.version.to_owned()]),
        operations: Some(
            entry
                .operations
                .iter()
                .map(|&operation| operation.to_owned())
                .collect(),
        ),
        resources: Some(resources.resources.iter().map(|&name| name.to_owned()).collect()),
        scope: Some("*".to_owned()),
    }]
}

fn yaml(object: &impl Serialize) -> anyhow::Result<String> {
    let body = serde_saphyr::to_string(object).context("failed to write YAML")?;
    Ok(format!("# Generated by `{COMMAND}`; do not edit.\n{body}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_generated_files_are_current() {
        super::run(true).unwrap();
    }
}
