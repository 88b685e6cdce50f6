//! Whether anything that is there stands against a restore that is to fail then.

use std::sync::atomic::{AtomicU64, Ordering};

use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::restore::{Certainty, ObjectReport, Prepared, prepare};
use clusterbackup_vault::point::Entry;
use futures::{StreamExt as _, TryStreamExt as _};

use super::super::object::Fate;
use super::{AT_ONCE, Work};
use crate::leader::point_failure::PointFailure;

impl Work<'_> {
    /// Looks for objects that are there and different, before anything is created.
    pub(super) async fn look(&self) -> Result<(), PointFailure> {
        let clashes = AtomicU64::new(0);
        let objects = self.reader.objects(|entry| self.plan.takes(entry));
        let objects = objects.take_until(self.stop.cancelled());
        objects
            .try_for_each_concurrent(AT_ONCE, async |entry| {
                if let Some(report) = self.clash(&entry).await {
                    let certainty = self.preview.is_some().then_some(Certainty::Certain);
                    clashes.fetch_add(1, Ordering::Relaxed);
                    self.progress.record(ObjectReport { certainty, ..report });
                }
                Ok(())
            })
            .await?;
        match clashes.into_inner() {
            0 => Ok(()),
            number => Err(PointFailure::Final(format!(
                "{number} objects exist already and are different, or can't be compared: nothing is restored, since \
                 spec.conflictPolicy is Fail"
            ))),
        }
    }

    async fn clash(&self, entry: &Entry) -> Option<ObjectReport> {
        let origin = entry.id();
        // One that is there is what it should be: there.
        if origin.kind == Kind::namespaces() {
            return None;
        }
        let object = serde_json::from_slice(&entry.json).ok()?;
        let prepared = prepare(object, &origin.kind, &self.plan.terms, &self.plan.survey);
        let (Prepared::Create(ready), None) = (prepared, self.plan.refusal(&origin)) else {
            return None;
        };
        let wave = self.plan.survey.wave(&origin.kind);
        match self.creator.look(&ready).await {
            Ok(Some(fate @ Fate::Skipped(_))) => Some(fate.report(&ready, wave)),
            Err(reason) => Some(Fate::Skipped(reason).report(&ready, wave)),
            Ok(_) => None,
        }
    }
}
