//! What a restore has to do, found by reading the index of the point: the objects themselves are read wave by wave, so that
//! memory is bounded by a segment and not by the point.

use std::collections::{BTreeMap, BTreeSet};

use clusterbackup_api::Restore;
use clusterbackup_api::access::Read;
use clusterbackup_api::requester::Requester;
use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{
    Collisions, Prepared, Problem, Survey, Targets, Terms, Volumes, Wave, prepare,
};
use clusterbackup_vault::point::{IndexEntry, PointReader, survey};
use futures::TryStreamExt as _;

use super::{source, volumes};
use crate::leader::point_failure::PointFailure;
use crate::leader::reach::{Reachable, Wanted};
use crate::leader::world::World;

/// What is to be done.
pub(super) struct Plan {
    /// What objects become.
    pub(super) terms: Terms,
    /// What is known of the point.
    pub(super) survey: Survey,
    /// What of it the requester may read.
    pub(super) reachable: Reachable,
    /// How many objects are taken.
    pub(super) total: u64,
    /// The waves that have objects.
    pub(super) waves: BTreeSet<Wave>,
    /// Whether it is asked for objects outside of namespaces.
    pub(super) cluster: bool,
    /// The namespaces that objects go into, and those that they come from.
    pub(super) namespaces: BTreeMap<String, BTreeSet<String>>,
}

impl Plan {
    /// Plans a restore from a point.
    pub(super) async fn make(
        world: &World,
        restore: &Restore,
        requester: &Requester,
        reader: &PointReader,
    ) -> Result<Self, PointFailure> {
        let (choice, mut terms) = restore.decided().map_err(|problems| listed(&problems))?;
        if let Volumes::With(known) = &mut terms.volumes {
            *known = volumes::known(world, reader).await?;
        }
        let survey = survey(reader, &choice).await?;
        refuse(&survey.problems(&choice, &terms))?;
        let mut plan = Self {
            reachable: Reachable::everything(requester, Read::Get),
            terms,
            survey,
            total: 0,
            waves: BTreeSet::new(),
            cluster: false,
            namespaces: BTreeMap::new(),
        };
        let wanted = plan.count(reader).await?;
        plan.refuse_collisions(reader).await?;
        plan.reachable = source::reachable(world, requester, reader.manifest(), wanted).await?;
        if let Volumes::With(known) = &mut plan.terms.volumes {
            volumes::withhold(known, &plan.reachable);
        }
        Ok(plan)
    }

    /// Whether an object is restored.
    pub(super) fn takes(&self, entry: &IndexEntry) -> bool {
        self.survey.takes(&entry.id())
    }

    /// Whether an object is restored in this wave.
    pub(super) fn has_its_turn(&self, entry: &IndexEntry, wave: Wave) -> bool {
        self.survey.wave(&entry.group_resource.as_str().into()) == wave && self.takes(entry)
    }

    /// What it writes to.
    pub(super) fn targets(&self) -> Targets {
        Targets {
            namespaces: self.namespaces.keys().cloned().collect(),
            cluster: self.cluster,
        }
    }

    /// Why the requester doesn't get an object, if he may not read it.
    pub(super) fn refusal(&self, origin: &ObjectId) -> Option<String> {
        let namespace = scope(origin);
        let refused = !self.reachable.allows(&origin.kind, namespace);
        refused.then(|| self.reachable.refusal(namespace))
    }

    /// Counts what is taken, and says what has to be read for that.
    async fn count(&mut self, reader: &PointReader) -> Result<Wanted, PointFailure> {
        let mut wanted = Wanted::default();
        let mut entries = reader.entries();
        while let Some(entry) = entries.try_next().await? {
            if !self.takes(&entry) {
                continue;
            }
            let origin = entry.id();
            self.total += 1;
            self.waves.insert(self.survey.wave(&origin.kind));
            let target = self.terms.mappings.place(&origin);
            if let Some(namespace) = scope(&origin) {
                let into = scope(&target).unwrap_or_default().to_owned();
                self.namespaces
                    .entry(into)
                    .or_default()
                    .insert(namespace.to_owned());
                wanted.namespaces.insert(namespace.to_owned());
                if origin.kind == Kind::claims() && matches!(self.terms.volumes, Volumes::With(_)) {
                    wanted.data.insert(namespace.to_owned());
                }
                wanted.inside.insert(origin.kind);
            } else {
                self.cluster |= !self.survey.brings_along(&origin);
                wanted.outside.insert(origin.kind);
            }
        }
        if !self.namespaces.is_empty() {
            self.waves.insert(Wave::Namespaces);
        }
        Ok(wanted)
    }

    /// Refuses namespaces that become one where two of their objects would.
    async fn refuse_collisions(&self, reader: &PointReader) -> Result<(), PointFailure> {
        let merged = self.namespaces.values().filter(|origins| origins.len() > 1);
        let merged: BTreeSet<&String> = merged.flatten().collect();
        if merged.is_empty() {
            return Ok(());
        }
        let is_merged =
            |entry: &IndexEntry| entry.namespace.as_ref().is_some_and(|from| merged.contains(from));
        let mut collisions = Collisions::default();
        let mut objects = reader.objects(|entry| is_merged(entry) && self.takes(entry));
        while let Some(entry) = objects.try_next().await? {
            let kind = entry.group_resource.as_str().into();
            let object = serde_json::from_slice(&entry.json).unwrap_or_default();
            if let Prepared::Create(ready) = prepare(object, &kind, &self.terms, &self.survey) {
                refuse(&Vec::from_iter(collisions.note(&ready.origin, &ready.target)))?;
            }
        }
        Ok(())
    }
}

fn refuse(problems: &[Problem]) -> Result<(), PointFailure> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(listed(problems))
}

fn listed(problems: &[impl ToString]) -> PointFailure {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    PointFailure::Final(problems.join("; "))
}

/// The namespace that an object is in; a Namespace counts as being in itself.
pub(super) fn scope(object: &ObjectId) -> Option<&str> {
    if object.kind == Kind::namespaces() {
        return Some(&object.name);
    }
    object.namespace.as_deref()
}
