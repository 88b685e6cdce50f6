//! The plan of a restore: which objects of a recovery point, in which order, and what each becomes on its way into
//! the cluster. Nothing here asks the cluster anything; what exists there already is the business of whoever carries
//! the plan out.
//!
//! - `choice`: which objects a restore takes
//! - `mappings`: from original to target namespaces; `references`: the fields that name namespaces
//! - `survey`: what has to be known of a point before its objects are prepared; `problem`: why it is refused then
//! - `wave`: the order
//! - `left_out`: what is not created, and why
//! - `rewrite`: what each kind becomes: `metadata`, `service`, `workload`, `identity`, `definition`, `volume`, `claim`
//! - `data`: what there is of what volumes held; `helper`: how long what claims are made from is needed
//! - `conflict`: what becomes of objects that exist already and are different
//! - `comparison`: an object that exists already, and the one that would be created
//! - `turn`: which restores wait for each other
//! - `owners`: owner references, linked at the end
//! - `readiness`: whether what was restored runs
//! - `end`: sums and phase; `report`: what is told of each object
//! - `certainty`: how sure a preview is

mod certainty;
mod choice;
mod claim;
mod comparison;
mod conflict;
mod data;
mod definition;
mod end;
mod fields;
mod helper;
mod identity;
mod left_out;
mod mappings;
mod metadata;
mod owners;
mod problem;
mod readiness;
mod references;
mod report;
mod rewrite;
#[cfg(test)]
mod sample;
mod service;
mod survey;
mod turn;
mod volume;
mod wave;
mod workload;

use serde_json::Value;

pub use certainty::{Certainty, Doubt, DryRun, Foreseen, Refusal};
pub use choice::{Choice, Taken};
pub use claim::{CLAIM, Source, Warning};
pub use comparison::{PATCHED_BY, REPLACES};
pub use conflict::{Conflicts, NotReplaced, Replaced, Treatment};
pub use data::{Data, NoData, Snapshot};
pub use end::{End, Outcome, RestorePhase, Tally};
pub use helper::Filling;
pub use left_out::LeftOut;
pub use mappings::{MappingProblem, Mappings};
pub use owners::{Owner, links};
pub use problem::{Collisions, Problem};
pub use readiness::{Binding, Readiness};
pub use report::{Change, LateWarning, Mode, ObjectReport, Opening, Report, ReportLine, RuleReport};
pub use survey::Survey;
pub use turn::{Restoring, Targets, Wait};
pub use volume::Volumes;
pub use wave::Wave;

use crate::object::{GroupResource, ObjectId};

/// Label: a person or a tool opts an object in, by the name of an interception.
pub const INTERCEPT: &str = "clusterbackup.io/intercept";

/// Label: the restore that an object comes from, by its name or what of it goes into a label.
pub const RESTORE: &str = "clusterbackup.io/restore-name";

/// Annotation: the uid of that restore. Label of the snapshots that it makes claims from.
pub const RESTORE_UID: &str = "clusterbackup.io/restore-uid";

/// Annotation: the namespace that an object was backed up from, where it is not the one it is in.
pub const ORIGINAL_NAMESPACE: &str = "clusterbackup.io/original-namespace";

/// What a restore asks for, beside which objects.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who restores.
    pub restore: Restore,
    /// Where namespaces go.
    pub mappings: Mappings,
    /// What becomes of volumes.
    pub volumes: Volumes,
    /// What becomes of objects that exist already.
    pub conflicts: Conflicts,
}

/// A restore, as its objects name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What becomes of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// It is to be created.
    Create(Box<Ready>),
    /// It is not.
    LeftOut(LeftOut),
    /// It is a claim that was to come back with its data, and there is none: an empty one would be taken for the real one.
    WithoutData(NoData),
}

/// An object that is ready to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The object to send.
    pub object: Value,
    /// Where it was.
    pub origin: ObjectId,
    /// Where it goes.
    pub target: ObjectId,
    /// Its uid in the backup, by which other objects name it as their owner.
    pub uid: Option<String>,
    /// Its owners, to be linked when all of them are there.
    pub owners: Vec<Owner>,
    /// Of a claim that is filled from a snapshot: what has to be there before.
    pub source: Option<Source>,
    /// What it will lack.
    pub warning: Option<Warning>,
    /// Whether nobody asked for it but others that need it: what exists of it stays as it is.
    pub along: bool,
}

/// What becomes of an object of a recovery point.
pub fn prepare(object: Value, kind: &GroupResource, terms: &Terms, survey: &Survey) -> Prepared {
    let Some(origin) = metadata::id(kind, &object) else {
        return Prepared::LeftOut(LeftOut::Unreadable);
    };
    if let Some(reason) = left_out::reason(&origin, &object, terms, survey) {
        return Prepared::LeftOut(reason);
    }
    match claim::lacks(&origin, &object, terms, survey) {
        Some(reason) => Prepared::WithoutData(reason),
        None => Prepared::Create(Box::new(ready(object, origin, terms, survey))),
    }
}

fn ready(mut object: Value, origin: ObjectId, terms: &Terms, survey: &Survey) -> Ready {
    let target = terms.mappings.place(&origin);
    let uid = fields::text(&object, "/metadata/uid").map(str::to_owned);
    let owners = owners::of(&object);
    let source = claim::source(&origin, &object, &target, terms);
    let warning = claim::warning(&origin, &object, source.as_ref(), terms, survey);
    let along = survey.brings_along(&origin);
    rewrite::rewrite(&mut object, &origin, source.as_ref(), terms, survey);
    references::map(&mut object, &origin.kind, &terms.mappings);
    metadata::renew(&mut object, &origin, &target, terms);
    Ready {
        object,
        origin,
        target,
        uid,
        owners,
        source,
        warning,
        along,
    }
}
