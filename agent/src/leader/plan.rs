//! What a backup has to do, found by reading the cluster; nothing is changed by it. What is selected, frozen together
//! and cut is decided in `clusterbackup_core`.

mod kinds;
mod orders;
mod read;

use clusterbackup_api::backup_instance::HookReference;
use clusterbackup_api::{Backup, BackupHook, BackupInstance, NodeTask};
use clusterbackup_core::cut::{Classes, Cuttable, Cutter, SkipReason, judge};
use clusterbackup_core::freeze::{self, PlannedPod, Units};
use clusterbackup_core::hook::{Hook, remarks, resolve};
use clusterbackup_core::selection::{Claim, Name, Selection};
use kube::{Api, ResourceExt as _};

use super::error::{Doing as _, DriveError};
use super::world::World;

/// What a backup has to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The nodes' work, and the leader's own, not made yet.
    pub(super) tasks: Vec<NodeTask>,
    /// Labels to put on claims before: the claim, and the value of the label.
    pub(super) labels: Vec<(Name, String)>,
    /// Claims that are not cut.
    pub(super) skipped: Vec<(Name, SkipReason)>,
    /// What is not as it should be.
    pub(super) warnings: Vec<String>,
}

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

/// Plans the backup.
pub(super) async fn plan(world: &World, backup: &Backup, subject: &Subject) -> Result<Plan, PlanError> {
    let impossible = PlanError::Impossible;
    let spec = &subject.instance.spec;
    let filter = kinds::filter(spec).map_err(impossible)?;
    let limits = kinds::limits(&spec.limits).map_err(impossible)?;
    let hooks = kinds::hooks(&subject.hooks).map_err(impossible)?;

    let cluster = read::namespaces(&world.client).await?;
    let namespaces = filter.namespaces(&cluster);
    let pods = read::pods(&world.client, &namespaces).await?;
    let claims = if spec.snapshot_volumes {
        read::claims(&world.client, &namespaces, limits.snapshots.is_some()).await?
    } else {
        Vec::new()
    };
    let selection = filter.select(&cluster, &pods, &claims);
    if namespaces.is_empty() && !selection.missing.is_empty() {
        return Err(PlanError::Impossible(format!(
            "there is nothing to back up: the namespaces {} don't exist",
            selection.missing.join(", ")
        )));
    }

    let classes = read::classes(&world.client).await?;
    let groups = group_classes(world, backup, &claims).await?;
    let uid = backup.uid().unwrap_or_default();
    let cutter = Cutter {
        backup: &uid,
        groups: &groups,
        all: &claims,
    };
    let mut plan = Plan::default();
    plan.look_at(&selection, &hooks);
    let cuttable = plan.judge(&selection, |claim| judge(claim, &limits, &classes));
    let planned: Vec<_> = selection
        .pods
        .iter()
        .map(|pod| PlannedPod {
            pod,
            commands: resolve(&hooks, pod),
        })
        .collect();
    let bundles = cutter.bundles(&cuttable);
    let units = freeze::units(&planned, &bundles, spec.freeze.barrier, &cutter);
    plan.order(backup, world, &spec.freeze, units)?;
    Ok(plan)
}

/// The classes for groups. None as long as another backup's temporary label is on a claim: a label has one value, and
/// single snapshots don't need it.
async fn group_classes(world: &World, backup: &Backup, claims: &[Claim]) -> Result<Classes, DriveError> {
    let uid = backup.uid().unwrap_or_default();
    let foreign = claims
        .iter()
        .filter_map(|claim| claim.labels.get(clusterbackup_core::cut::TEMPORARY_GROUP))
        .any(|value| !clusterbackup_core::cut::Group::is_temporary_of(value, &uid));
    if foreign {
        return Ok(Classes::default());
    }
    read::group_classes(&world.client).await
}

impl Plan {
    /// What a person should look at before anything is done.
    fn look_at(&mut self, selection: &Selection<'_>, hooks: &[Hook]) {
        let missing = selection.missing.iter();
        self.warnings
            .extend(missing.map(|name| format!("namespace {name}, which the instance names, doesn't exist")));
        self.warnings
            .extend(remarks(hooks).into_iter().map(|remark| remark.to_string()));
        if selection.pods.is_empty() && selection.claims.is_empty() && selection.excluded.is_empty() {
            self.warnings
                .push("nothing was selected: no pod and no claim matches the instance".to_owned());
        }
    }

    /// The claims that can be cut; the others are skipped.
    fn judge<'a, 'c>(
        &mut self,
        selection: &Selection<'a>,
        judge: impl Fn(&Claim) -> Result<&'c clusterbackup_core::cut::Class, SkipReason>,
    ) -> Vec<Cuttable<'a>>
    where
        'c: 'a,
    {
        let excluded = selection.excluded.iter();
        self.skipped
            .extend(excluded.map(|claim| (claim.name.clone(), SkipReason::Excluded)));
        let mut cuttable = Vec::new();
        for claim in &selection.claims {
            match judge(claim) {
                Ok(class) => cuttable.push(Cuttable { claim, class }),
                Err(reason) => self.skipped.push((claim.name.clone(), reason)),
            }
        }
        cuttable
    }

    /// Makes tasks of the units.
    fn order(
        &mut self,
        backup: &Backup,
        world: &World,
        freeze: &clusterbackup_api::backup_instance::Freeze,
        units: Units,
    ) -> Result<(), PlanError> {
        let Units {
            units,
            unattended,
            refused,
            problems,
        } = units;
        self.warnings.extend(problems.iter().map(ToString::to_string));
        let refused = refused.into_iter();
        self.skipped
            .extend(refused.map(|claim| (claim, SkipReason::HookFailed)));
        let limits = kinds::freeze(freeze);
        for unit in &units {
            freeze::check(&limits, unit).map_err(|too_long| PlanError::Impossible(too_long.to_string()))?;
        }
        let orders = orders::Orders::new(backup, world.epoch, freeze);
        self.tasks = orders.tasks(units, unattended);
        self.labels = orders::temporary_labels(&self.tasks);
        Ok(())
    }
}
