//! `rp delete` and `rp undelete`: ask the leader for what is to become of a recovery point.

use std::io::Write;

use clusterbackup_api::recovery_point::{PointState, RecoveryPointStatus, VERIFIED, Wanted};
use clusterbackup_api::{RecoveryPoint, conditions};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::api;
use crate::Error;
use crate::arguments::backup::Place;
use crate::arguments::points::{Delete, Undelete};
use crate::cluster::{self, answer};

pub(super) fn delete(arguments: &Delete, out: &mut dyn Write) -> Result<(), Error> {
    let Delete { name, place, yes } = arguments;
    if !yes {
        let how =
            format!("this deletes the data of RecoveryPoint {name}: say --yes if that is what you want");
        return Err(Error::Cluster(how));
    }
    ask(name, place, Wanted::Deleted)?;
    Ok(writeln!(
        out,
        "recoverypoint.clusterbackup.io/{name} is to be deleted; `rp describe {name}` says until when it can be had back, or why \
         it stays"
    )?)
}

pub(super) fn undelete(arguments: &Undelete, out: &mut dyn Write) -> Result<(), Error> {
    let Undelete { name, place } = arguments;
    let point = ask(name, place, Wanted::Present)?;
    let state = point.status.and_then(|status| status.state);
    let said = match state {
        Some(PointState::Deleted) => "is to be undeleted, and then stays",
        Some(PointState::Purging) => "is being purged already",
        Some(PointState::Available) | None => "stays, whatever its policy says",
    };
    Ok(writeln!(out, "recoverypoint.clusterbackup.io/{name} {said}")?)
}

/// What is decided about a point.
pub(super) fn print(point: &RecoveryPoint, out: &mut dyn Write) -> Result<(), Error> {
    let Some(status) = &point.status else {
        return Ok(());
    };
    if let Some(state) = status.state {
        write!(out, "State:     {state:?}")?;
        match &status.purge_after {
            Some(after) => writeln!(out, ", and can be had back until {}", after.0)?,
            None => writeln!(out)?,
        }
    }
    if !status.tiers.is_empty() {
        let tiers = status.tiers.iter().map(|in_tier| match &in_tier.expires_at {
            Some(expires) => format!("{} (until {})", in_tier.tier, expires.0),
            None => in_tier.tier.to_string(),
        });
        writeln!(out, "Tiers:     {}", tiers.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(waits) = &status.awaits_copy {
        writeln!(out, "Copy:      {waits}")?;
    }
    if let Some(cluster) = &status.adopted_by {
        writeln!(out, "Adopted:   by cluster {cluster}")?;
    }
    if let Some(expires) = &status.expires_at {
        writeln!(out, "Expires:   {}", expires.0)?;
    }
    if let Some(because) = &status.kept_because {
        writeln!(out, "Kept:      {because}")?;
    }
    print_verified(status, out)
}

/// What came of reading all of it again.
fn print_verified(status: &RecoveryPointStatus, out: &mut dyn Write) -> Result<(), Error> {
    let when = match &status.verified_at {
        Some(at) => format!("at {}", at.0),
        None => "never".to_owned(),
    };
    match conditions::find(&status.conditions, VERIFIED) {
        Some(said) if said.status == "True" => writeln!(out, "Verified:  {when}")?,
        Some(said) => writeln!(out, "Verified:  {when}; {}: {}", said.reason, said.message)?,
        None => writeln!(out, "Verified:  {when}")?,
    }
    Ok(())
}

/// Writes down what is wanted of a point; answers what it was before the leader has seen that.
fn ask(name: &str, place: &Place, wanted: Wanted) -> Result<RecoveryPoint, Error> {
    cluster::run(async |client| {
        let points = api(client, place);
        let namespace = points.namespace().unwrap_or_default();
        let patch = Patch::Merge(json!({ "spec": { "wanted": wanted } }));
        let parameters = PatchParams::default();
        let asked = points.patch(name, &parameters, &patch);
        let asked = answer("patch recoverypoints.clusterbackup.io", namespace, asked).await;
        asked.map_err(Error::Cluster)
    })
}
