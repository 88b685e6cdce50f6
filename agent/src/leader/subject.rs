//! Which instance and hooks a backup is of, as they stand now.

use clusterbackup_api::backup_instance::HookReference;
use clusterbackup_api::{Backup, BackupHook, BackupInstance, Problem};
use clusterbackup_core::cut::Limits;
use clusterbackup_core::hook::Hook;
use clusterbackup_core::quantity::Quantity;
use clusterbackup_core::selection::Filter;
use kube::{Api, ResourceExt as _};

use super::error::{Doing as _, DriveError};
use super::world::World;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// A person has to change something first.
    #[error("{0}")]
    Impossible(String),
    /// The cluster could not be read.
    #[error(transparent)]
    Unread(#[from] DriveError),
}

/// The instance and its hooks, as they stand now.
pub(super) struct Subject {
    /// The instance.
    pub(super) instance: BackupInstance,
    /// The hooks that it names.
    pub(super) hooks: Vec<BackupHook>,
}

impl Subject {
    /// Reads them.
    pub(super) async fn read(world: &World, backup: &Backup) -> Result<Self, PlanError> {
        let namespace = backup.namespace().unwrap_or_default();
        let name = &backup.spec.instance;
        let instance = Api::<BackupInstance>::namespaced(world.client.clone(), &namespace)
            .get_opt(name)
            .await
            .doing(format!("read BackupInstance {namespace}/{name}"))?
            .ok_or_else(|| {
                PlanError::Impossible(format!(
                    "BackupInstance {name} doesn't exist in namespace {namespace}"
                ))
            })?;
        let mut hooks = Vec::new();
        for reference in &instance.spec.backup_hooks {
            hooks.push(hook(world, reference).await?);
        }
        Ok(Self { instance, hooks })
    }

    /// What the instance takes.
    pub(super) fn filter(&self) -> Result<Filter, PlanError> {
        let filter = self.instance.spec.filter();
        filter.map_err(|problems| nonsense("the instance", &problems))
    }

    /// How much the instance allows.
    pub(super) fn limits(&self) -> Result<Limits, PlanError> {
        let limits = &self.instance.spec.limits;
        let parse = |text: &String| {
            Quantity::parse(text).ok_or_else(|| {
                PlanError::Impossible(format!(
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
            object.hooks().map_err(|problems| nonsense(&name, &problems))
        };
        self.hooks.iter().map(decide).collect()
    }
}

fn nonsense(what: &str, problems: &[Problem]) -> PlanError {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    PlanError::Impossible(format!("{what} makes no sense: {}", problems.join("; ")))
}

async fn hook(
    world: &World,
    HookReference { name, namespace }: &HookReference,
) -> Result<BackupHook, PlanError> {
    Api::<BackupHook>::namespaced(world.client.clone(), namespace)
        .get_opt(name)
        .await
        .doing(format!("read BackupHook {namespace}/{name}"))?
        .ok_or_else(|| {
            PlanError::Impossible(format!(
                "BackupHook {namespace}/{name}, which the instance names, doesn't exist"
            ))
        })
}
