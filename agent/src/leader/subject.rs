//! Which instance and hooks a backup is of, as they stand now.

use clusterbackup_api::backup_instance::HookReference;
use clusterbackup_api::{Backup, BackupHook, BackupInstance, Problem};
use clusterbackup_core::cut::Limits;
use clusterbackup_core::hook::Hook;
use clusterbackup_core::inclusion::Inclusion;
use clusterbackup_core::quantity::Quantity;
use clusterbackup_core::selection::Filter;
use kube::{Api, Client, ResourceExt as _};

use super::error::{Doing as _, DriveError};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// A person has to change something first.
    #[error("{message}")]
    Impossible {
        /// What is in the way.
        obstacle: Obstacle,
        /// That, for a person.
        message: String,
    },
    /// The cluster could not be read.
    #[error(transparent)]
    Unread(#[from] DriveError),
}

/// What is in the way of a backup. The words are API: an instance that isn't ready says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The instance doesn't exist, or says what can't be carried out.
    InstanceInvalid,
    /// A hook that it names doesn't exist.
    HookMissing,
    /// A hook that it names says what can't be carried out.
    HookInvalid,
    /// Who wrote the instance or a hook is not known, or may not do that himself.
    RightsMissing,
    /// The policy that it names doesn't exist.
    PolicyMissing,
    /// The policy that it names says what can't be followed.
    PolicyInvalid,
    /// The policy that it names backs up more often than its vault allows.
    PolicyTooFrequent,
    /// Within a day, as many backups of it were asked for as its vault allows.
    LimitReached,
    /// The vault that it names can't be written into.
    VaultUnusable,
    /// The policy has points copied into a vault tier, and the vault has none. Backups run all the same.
    VaultTierMissing,
    /// What is in the cluster can't be backed up that way.
    NotPossible,
}

impl Obstacle {
    /// No plan, because of this.
    pub(super) fn with(self, message: impl Into<String>) -> PlanError {
        PlanError::Impossible {
            obstacle: self,
            message: message.into(),
        }
    }
}

/// The instance and its hooks, as they stand now.
pub(super) struct Subject {
    /// The instance.
    pub(super) instance: BackupInstance,
    /// The hooks that it names.
    pub(super) hooks: Vec<BackupHook>,
}

impl Subject {
    /// Reads what a backup is of.
    pub(super) async fn read(client: &Client, backup: &Backup) -> Result<Self, PlanError> {
        let namespace = backup.namespace().unwrap_or_default();
        let name = &backup.spec.instance;
        let instance = Api::<BackupInstance>::namespaced(client.clone(), &namespace)
            .get_opt(name)
            .await
            .doing(format!("read BackupInstance {namespace}/{name}"))?
            .ok_or_else(|| {
                let message = format!("BackupInstance {name} doesn't exist in namespace {namespace}");
                Obstacle::InstanceInvalid.with(message)
            })?;
        Self::of(client, instance).await
    }

    /// Reads the hooks of an instance.
    pub(super) async fn of(client: &Client, instance: BackupInstance) -> Result<Self, PlanError> {
        let mut hooks = Vec::new();
        for reference in &instance.spec.backup_hooks {
            hooks.push(hook(client, reference).await?);
        }
        Ok(Self { instance, hooks })
    }

    /// What the instance takes.
    pub(super) fn filter(&self) -> Result<Filter, PlanError> {
        let filter = self.instance.spec.filter();
        filter.map_err(|problems| nonsense(Obstacle::InstanceInvalid, "the instance", &problems))
    }

    /// Which objects the instance stores.
    pub(super) fn inclusion(&self) -> Result<Inclusion, PlanError> {
        let inclusion = self.instance.spec.inclusion();
        inclusion.map_err(|problems| nonsense(Obstacle::InstanceInvalid, "the instance", &problems))
    }

    /// How much the instance allows.
    pub(super) fn limits(&self) -> Result<Limits, PlanError> {
        let limits = &self.instance.spec.limits;
        let parse = |text: &String| {
            Quantity::parse(text).ok_or_else(|| {
                Obstacle::InstanceInvalid.with(format!(
                    "limits.maxVolumeSize: `{text}` is no quantity; write for example 1Ti"
                ))
            })
        };
        Ok(Limits {
            volume_size: limits.max_volume_size.as_ref().map(parse).transpose()?,
            snapshots: limits.max_snapshots_per_volume,
        })
    }

    /// The hooks of each object, as they are decided about.
    pub(super) fn decided(&self) -> Result<Vec<Vec<Hook>>, PlanError> {
        let decide = |object: &BackupHook| {
            let name = format!(
                "BackupHook {}/{}",
                object.namespace().unwrap_or_default(),
                object.name_any()
            );
            let hooks = object.hooks();
            hooks.map_err(|problems| nonsense(Obstacle::HookInvalid, &name, &problems))
        };
        self.hooks.iter().map(decide).collect()
    }
}

fn nonsense(obstacle: Obstacle, what: &str, problems: &[Problem]) -> PlanError {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    obstacle.with(format!("{what} makes no sense: {}", problems.join("; ")))
}

async fn hook(
    client: &Client,
    HookReference { name, namespace }: &HookReference,
) -> Result<BackupHook, PlanError> {
    Api::<BackupHook>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
        .doing(format!("read BackupHook {namespace}/{name}"))?
        .ok_or_else(|| {
            Obstacle::HookMissing.with(format!(
                "BackupHook {namespace}/{name}, which the instance names, doesn't exist"
            ))
        })
}
