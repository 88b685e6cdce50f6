//! Hooks and instances in the words by which core decides: defaults filled in, namespaces and labels read. Whatever
//! makes no sense is listed with its place, all of it at once.

use std::collections::BTreeSet;

use clusterbackup_core::duration::Span;
use clusterbackup_core::hook::restore::{self, RestoreHook as DecidedRestoreHook};
use clusterbackup_core::hook::{Exec, Hook, Pods};
use clusterbackup_core::inclusion::{ClusterScope, Inclusion};
use clusterbackup_core::selection::{Filter, PROTECTED};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::backup_hook::{BackupExec, BackupHook, BackupResourceHook};
use crate::backup_instance::BackupInstanceSpec;
use crate::problem::{self, Problem};
use crate::restore_hook::{RestoreExec, RestoreHook};

impl BackupHook {
    /// Its hooks, in their order; or everything that is wrong with them.
    pub fn hooks(&self) -> Result<Vec<Hook>, Vec<Problem>> {
        let mut reader = Reader::new("spec.backupHook", &self.metadata);
        let mut hooks = Vec::new();
        for entry in &self.spec.backup_hook {
            reader.entry(&entry.name);
            let pods = reader.pods(
                entry.included_namespaces.as_deref(),
                entry.excluded_namespaces.as_deref(),
                entry.label_selector.as_ref(),
            );
            let pre = reader.commands("preHooks", entry.pre_hooks.as_deref());
            let post = reader.commands("postHooks", entry.post_hooks.as_deref());
            reader.runs(!pre.is_empty() || !post.is_empty());
            hooks.push(Hook {
                name: reader.name(&entry.name),
                pods,
                pre,
                post,
            });
        }
        reader.done(hooks)
    }
}

impl RestoreHook {
    /// Its hooks, in their order; or everything that is wrong with them.
    pub fn hooks(&self) -> Result<Vec<DecidedRestoreHook>, Vec<Problem>> {
        let mut reader = Reader::new("spec.restoreHook", &self.metadata);
        let mut hooks = Vec::new();
        for entry in &self.spec.restore_hook {
            reader.entry(&entry.name);
            let pods = reader.pods(
                entry.included_namespaces.as_deref(),
                entry.excluded_namespaces.as_deref(),
                entry.label_selector.as_ref(),
            );
            let mut post = Vec::new();
            for (index, step) in entry.post_hooks.iter().flatten().enumerate() {
                let place = format!("postHooks[{index}].exec");
                reader.command(&place, &step.exec.command);
                reader.limit(&place, "execTimeout", step.exec.exec_timeout);
                post.push((&step.exec).into());
            }
            reader.runs(!post.is_empty());
            hooks.push(DecidedRestoreHook {
                name: reader.name(&entry.name),
                pods,
                post,
            });
        }
        reader.done(hooks)
    }
}

impl BackupInstanceSpec {
    /// What it takes; or everything that is wrong with that.
    pub fn filter(&self) -> Result<Filter, Vec<Problem>> {
        let mut problems = Vec::new();
        let namespaces = problem::namespaces(
            "spec",
            self.included_namespaces.as_deref(),
            self.excluded_namespaces.as_deref(),
            &mut problems,
        );
        for (index, name) in self.included_namespaces.iter().flatten().enumerate() {
            if PROTECTED.contains(&name.as_str()) {
                problems.push(Problem {
                    field: format!("spec.includedNamespaces[{index}]"),
                    message: format!("{name} is never backed up: remove the entry"),
                });
            }
        }
        let labels = problem::labels("spec", self.label_selector.as_ref(), &mut problems);
        if problems.is_empty() {
            Ok(Filter { namespaces, labels })
        } else {
            Err(problems)
        }
    }
}

impl BackupInstanceSpec {
    /// Which objects it stores, where it names a vault; or everything that is wrong with that.
    pub fn inclusion(&self) -> Result<Inclusion, Vec<Problem>> {
        let (mut problems, filter) = match self.filter() {
            Ok(filter) => (Vec::new(), filter),
            Err(problems) => (problems, Filter::default()),
        };
        let types = problem::types(
            self.included_resource_types.as_deref(),
            self.excluded_resource_types.as_deref(),
            &mut problems,
        );
        if types.names("secrets") && !self.include_secrets {
            problems.push(Problem {
                field: "spec.includedResourceTypes".to_owned(),
                message: "secrets are stored only with includeSecrets: true; set it, or remove the entry"
                    .to_owned(),
            });
        }
        if problems.is_empty() {
            Ok(Inclusion {
                cluster_scope: ClusterScope::of(self.include_cluster_scope_resources, &filter),
                filter,
                types,
                secrets: self.include_secrets,
            })
        } else {
            Err(problems)
        }
    }
}

impl From<&BackupExec> for Exec {
    fn from(exec: &BackupExec) -> Self {
        Self {
            container: exec.container.clone(),
            command: exec.command.clone(),
            on_error: exec.on_error.unwrap_or(Self::ON_ERROR),
            timeout: exec.timeout.unwrap_or(Self::TIMEOUT),
        }
    }
}

impl From<&RestoreExec> for restore::RestoreExec {
    fn from(exec: &RestoreExec) -> Self {
        Self {
            exec: Exec {
                container: exec.container.clone(),
                command: exec.command.clone(),
                on_error: exec.on_error.unwrap_or(Self::ON_ERROR),
                timeout: exec.exec_timeout.unwrap_or(Exec::TIMEOUT),
            },
            wait: exec.wait_timeout.unwrap_or(Self::WAIT),
            ready: exec.wait_for_ready.unwrap_or_default(),
        }
    }
}

/// On its way through a list of hooks.
struct Reader<'a> {
    list: &'static str,
    object: String,
    names: BTreeSet<&'a str>,
    /// The entry that is being read.
    parent: String,
    read: usize,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(list: &'static str, metadata: &ObjectMeta) -> Self {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        Self {
            list,
            object: format!("{}/{}", text(&metadata.namespace), text(&metadata.name)),
            names: BTreeSet::new(),
            parent: String::new(),
            read: 0,
            problems: Vec::new(),
        }
    }

    /// Goes on to the next entry.
    fn entry(&mut self, name: &'a str) {
        self.parent = format!("{}[{}]", self.list, self.read);
        self.read += 1;
        if !self.names.insert(name) {
            self.problem(
                "name",
                format!("`{name}` is the name of a hook above: each needs its own"),
            );
        }
    }

    fn name(&self, entry: &str) -> String {
        format!("{}/{entry}", self.object)
    }

    fn pods(
        &mut self,
        included: Option<&[String]>,
        excluded: Option<&[String]>,
        selector: Option<&LabelSelector>,
    ) -> Pods {
        Pods {
            namespaces: problem::namespaces(&self.parent, included, excluded, &mut self.problems),
            labels: problem::labels(&self.parent, selector, &mut self.problems),
        }
    }

    fn commands(&mut self, field: &str, steps: Option<&[BackupResourceHook]>) -> Vec<Exec> {
        let steps = steps.unwrap_or_default();
        for (index, step) in steps.iter().enumerate() {
            let place = format!("{field}[{index}].exec");
            self.command(&place, &step.exec.command);
            self.limit(&place, "timeout", step.exec.timeout);
        }
        steps.iter().map(|step| (&step.exec).into()).collect()
    }

    fn runs(&mut self, anything: bool) {
        if !anything {
            self.problems.push(Problem {
                field: self.parent.clone(),
                message: "the hook runs nothing: list commands, each as exec: {command: [...]}".to_owned(),
            });
        }
    }

    fn command(&mut self, place: &str, command: &[String]) {
        if command.first().is_none_or(String::is_empty) {
            let message =
                "there is no program: write it and its arguments as a list, for example [/bin/sync]";
            self.problem(&format!("{place}.command"), message.to_owned());
        }
    }

    fn limit(&mut self, place: &str, field: &str, limit: Option<Span>) {
        if limit.is_some_and(|limit| limit.duration().is_zero()) {
            let message = format!(
                "0s leaves no time at all: give some, or remove it for {}",
                Exec::TIMEOUT
            );
            self.problem(&format!("{place}.{field}"), message);
        }
    }

    fn problem(&mut self, field: &str, message: String) {
        self.problems.push(Problem {
            field: format!("{}.{field}", self.parent),
            message,
        });
    }

    fn done<T>(mut self, hooks: Vec<T>) -> Result<Vec<T>, Vec<Problem>> {
        if hooks.is_empty() {
            self.problems.push(Problem {
                field: self.list.to_owned(),
                message: "there is no hook: list at least one".to_owned(),
            });
        }
        if self.problems.is_empty() {
            Ok(hooks)
        } else {
            Err(self.problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use clusterbackup_core::hook::OnError;
    use serde_json::{Value, json};

    use super::*;

    fn backup_hook(entries: &Value) -> BackupHook {
        let object = json!({"metadata": {"name": "db", "namespace": "ops"}, "spec": {"backupHook": entries}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_a_hook_leaves_open_is_filled_in() {
        let step = json!([{"exec": {"command": ["a"]}}]);
        let entry = json!([{
            "name": "h", "includedNamespaces": null, "excludedNamespaces": null, "labelSelector": null,
            "preHooks": step, "postHooks": null,
        }]);
        let hooks = backup_hook(&entry).hooks().unwrap();
        assert_eq!(hooks[0].name, "ops/db/h");
        assert!(hooks[0].pods.namespaces.open());
        let [exec] = hooks[0].pre.as_slice() else {
            panic!("{hooks:?}")
        };
        assert_eq!((exec.on_error, exec.timeout), (OnError::Fail, Span::seconds(30)));

        let object = json!({"metadata": {}, "spec": {"restoreHook": [{"name": "h", "postHooks": step}]}});
        let hooks = serde_json::from_value::<RestoreHook>(object)
            .unwrap()
            .hooks()
            .unwrap();
        let exec = &hooks[0].post[0];
        assert_eq!(
            (exec.exec.on_error, exec.exec.timeout, exec.wait),
            (OnError::Continue, Span::seconds(30), Span::seconds(300))
        );
    }

    #[test]
    fn everything_that_makes_no_sense_is_listed_with_its_place() {
        let problems = backup_hook(&json!([
            {
                "name": "h", "includedNamespaces": ["fine", "["], "excludedNamespaces": ["{"],
                "labelSelector": {"matchLabels": {"-a": "b"}, "matchExpressions": [{"key": "a", "operator": "In"}]},
                "preHooks": [{"exec": {"command": []}}, {"exec": {"command": ["a"], "timeout": "0s"}}],
            },
            {"name": "h", "postHooks": [{"exec": {"command": [""]}}]},
            {"name": "idle"},
        ]))
        .hooks()
        .unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.backupHook[0].includedNamespaces[1]",
                "spec.backupHook[0].excludedNamespaces[0]",
                "spec.backupHook[0].labelSelector.matchLabels[-a]",
                "spec.backupHook[0].labelSelector.matchExpressions[0]",
                "spec.backupHook[0].preHooks[0].exec.command",
                "spec.backupHook[0].preHooks[1].exec.timeout",
                "spec.backupHook[1].name",
                "spec.backupHook[1].postHooks[0].exec.command",
                "spec.backupHook[2]",
            ]
        );
        let problems = backup_hook(&json!([])).hooks().unwrap_err();
        assert_eq!(problems[0].field, "spec.backupHook");
    }

    #[test]
    fn an_instance_of_what_is_never_backed_up_is_a_problem() {
        let instance = |namespaces: &[&str]| -> BackupInstanceSpec {
            serde_json::from_value(json!({"includedNamespaces": namespaces})).unwrap()
        };
        assert!(instance(&["shop", "team-*"]).filter().is_ok());
        let problems = instance(&["shop", "kube-system", "["]).filter().unwrap_err();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "spec.includedNamespaces[2]: `[` is not closed",
                "spec.includedNamespaces[1]: kube-system is never backed up: remove the entry",
            ]
        );
    }
}
