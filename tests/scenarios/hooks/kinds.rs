//! The schemas of hooks, instances, backups and tasks: what is taken, and with which words nonsense is refused.

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::yaml;
use clusterbackup_tests::{Cluster, TestNamespace, workspace};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::runner::{Context, scenarios};
use crate::steps::{api_of, create, refusal};

scenarios! {
    Webhook: [
        hooks_go_in_as_aks_backup_documents_them,
        the_samples_of_backups_go_in,
        flat_and_senseless_hooks_are_refused_with_the_corrected_form,
        senseless_instances_are_refused,
        what_may_not_change_cannot,
        an_agent_watches_the_tasks_of_its_node_alone,
    ],
}

/// In the shape of AKS Backup's documentation, with the keys that it leaves empty.
const DOCUMENTED: &str = "
apiVersion: clusterbackup.dataprotection.microsoft.com/v1alpha1
kind: BackupHook
metadata:
  name: bkphookname0
spec:
  backupHook:
  - name: hook1
    includedNamespaces:
    - hrweb
    excludedNamespaces:
    labelSelector:
    preHooks:
      - exec:
          container: webcontainer
          command:
            - /bin/uname
            - -a
          onError: Continue
          timeout: 10s
      - exec:
          command:
            - /bin/bash
            - -c
            - echo hello > hello.txt && echo goodbye > goodbye.txt
          container: webcontainer
          onError: Continue
    postHooks:
      - exec:
          container: webcontainer
          command:
            - /bin/uname
            - -a
          onError: Continue
          timeout: 10s
---
apiVersion: clusterbackup.dataprotection.microsoft.com/v1alpha1
kind: RestoreHook
metadata:
  name: restorehookname0
spec:
  restoreHook:
  - name: myhook-1
    includedNamespaces:
    excludedNamespaces:
    labelSelector:
    postHooks:
      - exec:
          container: webcontainer
          command:
            - /bin/bash
            - -c
            - echo hello > hello.txt && echo goodbye > goodbye.txt
          onError: Continue
          execTimeout: 30s
          waitTimeout: 5m
";

async fn hooks_go_in_as_aks_backup_documents_them(context: &Context) -> Result<()> {
    let Context {
        cluster, namespace, ..
    } = context;
    let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
    std::fs::write(file.path(), DOCUMENTED)?;
    // kubectl asks for strict validation: an unknown or repeated field would be refused.
    for way in [&["create"][..], &["apply", "--server-side"]] {
        let mut command: Vec<_> = way.iter().map(AsRef::as_ref).collect();
        command.extend([
            "-n".as_ref(),
            namespace.name().as_ref(),
            "-f".as_ref(),
            file.path().as_os_str(),
        ]);
        cluster.kubectl(&command).await?.success()?;
    }
    for object in yaml::to_json_documents(DOCUMENTED)? {
        let stored = api_of(&cluster.admin(), &object, Some(namespace.name()))?
            .get(object["metadata"]["name"].as_str().context("no name")?)
            .await?;
        let stored = serde_json::to_value(stored)?;
        ensure!(
            lean(&stored["spec"]) == lean(&object["spec"]),
            "stored as {stored:#}"
        );
    }
    Ok(())
}

async fn the_samples_of_backups_go_in(context: &Context) -> Result<()> {
    let namespace = context.namespace.name();
    let folder = workspace::root().join("manifests/samples/backups");
    for sample in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(sample?.path())?;
        for mut object in yaml::to_json_documents(&text)? {
            object["metadata"]["namespace"] = json!(namespace);
            create(&context.cluster.admin(), Some(namespace), &object).await?;
        }
    }
    Ok(())
}

/// Without what says nothing: whether an empty key is kept is the API server's affair.
fn lean(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| (key.clone(), lean(value))).collect()
        }
        Value::Array(items) => items.iter().map(lean).collect(),
        other => other.clone(),
    }
}

/// An object of one of the kinds.
pub(super) fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let group = if kind.ends_with("Hook") {
        clusterbackup_api::HOOK_GROUP
    } else {
        clusterbackup_api::GROUP
    };
    json!({
        "apiVersion": format!("{group}/v1alpha1"),
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// Each of the table is refused, with words that contain these.
async fn are_refused(
    cluster: &Cluster,
    namespace: &TestNamespace,
    kind: &str,
    table: &[(&str, &str)],
) -> Result<()> {
    for (number, (spec, part)) in table.iter().enumerate() {
        let spec = yaml::to_json_documents(spec)?.pop().context("no spec")?;
        let object = object(kind, &format!("refused-{number}"), &spec);
        let message = refusal(create(&cluster.admin(), Some(namespace.name()), &object).await)
            .with_context(|| spec.to_string())?;
        ensure!(message.contains(part), "{spec}: {message}");
    }
    Ok(())
}

async fn flat_and_senseless_hooks_are_refused_with_the_corrected_form(context: &Context) -> Result<()> {
    let Context {
        cluster, namespace, ..
    } = context;
    let run = "{exec: {command: [/bin/sync]}}";
    let with = |fields: &str| format!("{{backupHook: [{{name: a, preHooks: [{{exec: {{{fields}}}}}]}}]}}");
    let corrected = "spec: {backupHook: [{name: hook1, includedNamespaces: [shop], preHooks: [{exec: {container: web, command: [/bin/sync]}}], postHooks: []}]}";
    #[rustfmt::skip]
    let table = [
        (format!("{{name: hook1, includedNamespaces: [a], excludedNamespaces: , labelSelector: , preHooks: [{run}], postHooks: [{run}]}}"), corrected),
        (format!("{{preHooks: [{run}]}}"), corrected),
        (format!("{{postHooks: [{run}]}}"), corrected),
        (format!("{{labelSelector: {{matchLabels: {{app: a}}}}, backupHook: [{{name: a, preHooks: [{run}]}}]}}"), corrected),
        ("{}".to_owned(), "there is no hook"),
        ("{backupHook: []}".to_owned(), "there is no hook"),
        ("{backupHook: }".to_owned(), "there is no hook"),
        ("{backupHook: [{name: a}]}".to_owned(), "the hook runs nothing"),
        ("{backupHook: [{name: a, preHooks: [], postHooks: }]}".to_owned(), "the hook runs nothing"),
        (format!("{{backupHook: [{{preHooks: [{run}]}}]}}"), "name: Required value"),
        (format!("{{backupHook: [{{name: a, preHooks: [{run}]}}, {{name: a, postHooks: [{run}]}}]}}"), "Duplicate value"),
        (with("command: /bin/sync"), "must be of type array"),
        (with("command: []"), "should have at least 1 items"),
        (with("command: ['']"), "the first entry is the program"),
        (with("container: a"), "command: Required value"),
        (with("command: [a], timeout: 30"), "must be of type string"),
        (with("command: [a], timeout: '30'"), "timeout"),
        (with("command: [a], timeout: -1s"), "timeout"),
        (with("command: [a], execTimeout: 30s"), "a backup hook has timeout: 30s"),
        (with("command: [a], onError: Ignore"), "supported values: \"Continue\", \"Fail\""),
    ];
    let table: Vec<_> = table.iter().map(|(spec, part)| (spec.as_str(), *part)).collect();
    are_refused(cluster, namespace, "BackupHook", &table).await?;

    let corrected = "spec: {restoreHook: [{name: hook1, includedNamespaces: [shop], postHooks: [{exec: {container: web, command: [/bin/true]}}]}]}";
    #[rustfmt::skip]
    let table = [
        ("{postHooks: [{exec: {command: [a]}}]}", corrected),
        ("{preHooks: [{exec: {command: [a]}}]}", "a restore hook has postHooks alone"),
        ("{restoreHook: [{name: a, preHooks: [{exec: {command: [a]}}]}]}", "a restore hook has postHooks alone"),
        ("{restoreHook: []}", "there is no hook"),
        ("{restoreHook: [{name: a}]}", "the hook runs nothing"),
        ("{restoreHook: [{name: a, postHooks: [{exec: {command: [a], timeout: 30s}}]}]}", "a restore hook has execTimeout: 30s"),
    ];
    are_refused(cluster, namespace, "RestoreHook", &table).await
}

async fn senseless_instances_are_refused(context: &Context) -> Result<()> {
    let Context {
        cluster, namespace, ..
    } = context;
    #[rustfmt::skip]
    let table = [
        ("{freeze: {maxFreeze: 20s}}", "maxFreeze must exceed cutLimit"),
        ("{freeze: {maxFreeze: 90s, cutLimit: 1m30s}}", "maxFreeze must exceed cutLimit"),
        ("{freeze: {cutLimit: 0s}}", "cutLimit must be more than nothing"),
        ("{freeze: {maxFreeze: soon}}", "maxFreeze"),
        ("{freeze: {onBrokenBarrier: Ignore}}", "supported values: \"Fail\", \"Warn\""),
        ("{limits: {maxVolumeSize: much}}", "maxVolumeSize must be a quantity"),
        ("{limits: {maxVolumeSize: '0'}}", "maxVolumeSize must be a quantity"),
        ("{limits: {maxSnapshotsPerVolume: 0}}", "greater than or equal to 1"),
        ("{backupHooks: [{name: a}]}", "namespace: Required value"),
        ("{includedNamespaces: ['']}", "includedNamespaces"),
        ("{labelSelector: {matchExpressions: [{key: a, operator: Is}]}}", "supported values"),
    ];
    are_refused(cluster, namespace, "BackupInstance", &table).await?;
    are_refused(
        cluster,
        namespace,
        "Backup",
        &[("{}", "instance: Required value")],
    )
    .await
}

async fn what_may_not_change_cannot(context: &Context) -> Result<()> {
    let Context {
        cluster, namespace, ..
    } = context;
    let task = json!({
        "nodeName": "a", "epoch": 1, "state": "Prepared", "units": [],
        "backup": { "namespace": "shop", "name": "b", "uid": "c" },
    });
    #[rustfmt::skip]
    let table = [
        ("Backup", json!({ "instance": "a" }), json!({ "instance": "b" }), "a backup stays with its instance"),
        ("Backup", json!({ "instance": "a", "cancel": true }), json!({ "cancel": false }), "a cancelled backup stays cancelled"),
        ("NodeTask", task, json!({ "nodeName": "b" }), "a task stays with its node"),
    ];
    for (number, (kind, spec, change, part)) in table.into_iter().enumerate() {
        let name = format!("pinned-{number}");
        let object = object(kind, &name, &spec);
        create(&cluster.admin(), Some(namespace.name()), &object).await?;
        let api = api_of(&cluster.admin(), &object, Some(namespace.name()))?;
        let patch = Patch::Merge(json!({ "spec": change }));
        let message = refusal(api.patch(&name, &PatchParams::default(), &patch).await)?;
        ensure!(message.contains(part), "{message}");
    }
    Ok(())
}

async fn an_agent_watches_the_tasks_of_its_node_alone(context: &Context) -> Result<()> {
    let Context {
        cluster, namespace, ..
    } = context;
    for node in ["a", "b"] {
        let spec = json!({
            "nodeName": node, "epoch": 1, "state": "Prepared", "units": [],
            "backup": { "namespace": "shop", "name": "b", "uid": "c" },
        });
        create(
            &cluster.admin(),
            Some(namespace.name()),
            &object("NodeTask", node, &spec),
        )
        .await?;
    }
    let tasks = namespace.api::<clusterbackup_api::NodeTask>();
    let selected = kube::api::ListParams::default().fields("spec.nodeName=b");
    let found = tasks.list(&selected).await?;
    let names: Vec<_> = found.items.iter().map(ResourceExt::name_any).collect();
    ensure!(names == ["b"], "{names:?}");
    Ok(())
}
