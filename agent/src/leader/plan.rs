//! What a backup has to do, found by reading the cluster; nothing is changed by it. What is selected, frozen together
//! and cut is decided in `clusterbackup_core`.

mod orders;
pub(super) mod read;

use clusterbackup_api::backup_instance::Freeze;
use clusterbackup_api::{Backup, NodeTask};
use clusterbackup_core::cut::{Class, Classes, Cuttable, Cutter, Group, SkipReason, TEMPORARY_GROUP, judge};
use clusterbackup_core::freeze::{self, PlannedPod, Units};
use clusterbackup_core::hook::{Hook, remarks, resolve};
use clusterbackup_core::selection::{Claim, Name, Selection};
use kube::ResourceExt as _;

pub(super) use self::read::classes;
use super::error::DriveError;
use super::subject::{Obstacle, PlanError, Subject};
use super::terms::Terms;
use super::world::World;

/// What a person has to do before any claim can be cut.
const NO_KINDS: &str = "the cluster has no VolumeSnapshotClasses, so no claim can be cut: install the CRDs of CSI \
                        snapshots, the snapshot controller, and a class for your driver";

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
    /// Whether objects are stored beside.
    pub(super) stores: bool,
}

/// Plans the backup.
pub(super) async fn plan(world: &World, backup: &Backup, subject: &Subject) -> Result<Plan, PlanError> {
    let spec = &subject.instance.spec;
    let Terms {
        filter,
        limits,
        hooks,
    } = Terms::of(&world.client, subject).await?;

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
        return Err(Obstacle::NotPossible.with(format!(
            "there is nothing to back up: the namespaces {} don't exist",
            selection.missing.join(", ")
        )));
    }

    let mut plan = Plan {
        stores: spec.vault.is_some(),
        ..Plan::default()
    };
    let classes = read::classes(&world.client).await?;
    if classes.is_none() && !selection.claims.is_empty() {
        plan.warnings.push(NO_KINDS.to_owned());
    }
    let classes = classes.unwrap_or_default();
    let groups = group_classes(world, backup, &claims).await?;
    let uid = backup.uid().unwrap_or_default();
    let cutter = Cutter {
        backup: &uid,
        groups: &groups,
        all: &claims,
    };
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
        .filter_map(|claim| claim.labels.get(TEMPORARY_GROUP))
        .any(|value| !Group::is_temporary_of(value, &uid));
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
        if !self.stores
            && selection.pods.is_empty()
            && selection.claims.is_empty()
            && selection.excluded.is_empty()
        {
            self.warnings
                .push("nothing was selected: no pod and no claim matches the instance".to_owned());
        }
    }

    /// The claims that can be cut; the others are skipped.
    fn judge<'a, 'c>(
        &mut self,
        selection: &Selection<'a>,
        judge: impl Fn(&Claim) -> Result<&'c Class, SkipReason>,
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
        freeze: &Freeze,
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
        let limits = freeze::Limits {
            max_freeze: freeze.max_freeze,
            cut: freeze.cut_limit,
        };
        for unit in &units {
            freeze::check(&limits, unit)
                .map_err(|too_long| Obstacle::NotPossible.with(too_long.to_string()))?;
        }
        let orders = orders::Orders::new(backup, world.epoch, freeze);
        self.tasks = orders.tasks(units, unattended);
        self.labels = orders::temporary_labels(&self.tasks);
        Ok(())
    }
}
