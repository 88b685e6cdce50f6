//! What there is to say of an instance, from what is known of it: nothing is asked here.

use std::io::{self, Write};

use clusterbackup_api::conditions::{self, READY};
use clusterbackup_api::{Backup, BackupInstance, RecoveryPoint};
use kube::ResourceExt;
use serde::Serialize;

use crate::words::size;

/// An instance, its last backup and its last point.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    instance: BackupInstance,
    last_backup: Option<Backup>,
    last_point: Option<RecoveryPoint>,
}

impl Report {
    /// Of an instance and what its namespace has.
    pub(super) fn of(instance: BackupInstance, backups: Vec<Backup>, points: Vec<RecoveryPoint>) -> Self {
        let name = instance.name_any();
        let backups = backups.into_iter().filter(|backup| backup.spec.instance == name);
        let points = points.into_iter().filter(|point| point.spec.instance == name);
        Self {
            last_backup: backups.max_by_key(ResourceExt::creation_timestamp),
            last_point: points.max_by_key(|point| point.spec.finished_at.0),
            instance,
        }
    }

    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |label: &str, text: &str| writeln!(out, "{label:<15}{text}");
        let (namespace, name) = (
            self.instance.namespace().unwrap_or_default(),
            self.instance.name_any(),
        );
        line("Instance:", &format!("{namespace}/{name}"))?;
        line("Ready:", &self.ready())?;
        line("Protects:", &self.subject())?;
        let spec = &self.instance.spec;
        let vault = spec.vault.as_deref();
        line("Vault:", vault.unwrap_or("none, objects are not stored"))?;
        let policy = spec.policy.as_deref();
        line(
            "Policy:",
            policy.unwrap_or("none, backups run when somebody asks"),
        )?;
        let hooks = spec
            .backup_hooks
            .iter()
            .map(|hook| format!("{}/{}", hook.namespace, hook.name));
        line("Hooks:", &joined(hooks, "none"))?;
        let requester = spec.requester.as_ref();
        line(
            "Requester:",
            requester.map_or("nobody is recorded", |requester| &requester.username),
        )?;
        let status = self.instance.status.clone().unwrap_or_default();
        if let Some(schedule) = &status.schedule {
            line("Schedule:", schedule)?;
            let next = status.next_backup.map(|next| next.0.to_string());
            line("Next:", next.as_deref().unwrap_or("not known"))?;
        }
        let last = status.last_successful.map(|last| last.0.to_string());
        line("Last complete:", last.as_deref().unwrap_or("never"))?;
        line("Last backup:", &self.backup())?;
        line("Last point:", &self.point())
    }

    fn ready(&self) -> String {
        let status = self.instance.status.iter();
        let said = status.flat_map(|status| &status.conditions);
        match conditions::find(said, READY) {
            Some(ready) if ready.status == "True" => format!("yes, {}", ready.message),
            Some(ready) => format!("no, {}: {}", ready.reason, ready.message),
            None => "not known: no leader has looked; `kubectl clusterbackup agents status`".to_owned(),
        }
    }

    fn subject(&self) -> String {
        let spec = &self.instance.spec;
        let namespaces = match &spec.included_namespaces {
            Some(names) => format!("the namespaces {}", joined(names, "none")),
            None => "all namespaces".to_owned(),
        };
        let excluded = match &spec.excluded_namespaces {
            Some(names) => format!(" without {}", joined(names, "any")),
            None => String::new(),
        };
        let selected = if spec.label_selector.is_some() {
            ", of these what the label selector selects"
        } else {
            ""
        };
        let volumes = if spec.snapshot_volumes {
            "with volumes"
        } else {
            "without volumes"
        };
        let secrets = if spec.include_secrets {
            "with Secrets"
        } else {
            "without Secrets"
        };
        format!("{namespaces}{excluded}{selected}; {volumes}, {secrets}")
    }

    fn backup(&self) -> String {
        let Some(backup) = &self.last_backup else {
            return "none".to_owned();
        };
        let status = backup.status.clone().unwrap_or_default();
        let phase = status
            .phase
            .map_or_else(|| "not taken up yet".to_owned(), |phase| format!("{phase:?}"));
        let message = status
            .message
            .map_or_else(String::new, |message| format!(": {message}"));
        format!("{}, {phase}{message}", backup.name_any())
    }

    fn point(&self) -> String {
        let Some(point) = &self.last_point else {
            return "none".to_owned();
        };
        let spec = &point.spec;
        format!(
            "{}, {:?}, {:.0}, {} objects, {}",
            point.name_any(),
            spec.phase,
            spec.finished_at.0,
            spec.objects,
            size(spec.bytes)
        )
    }
}

fn joined(words: impl IntoIterator<Item: AsRef<str>>, nothing: &str) -> String {
    let words: Vec<_> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    if words.is_empty() {
        return nothing.to_owned();
    }
    words.join(", ")
}
