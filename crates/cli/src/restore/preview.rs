//! `restore preview`: what a restore would make of each object of a recovery point. With `--offline`, decided by what restores
//! without asking a cluster: objects are read wave by wave, and shown as they are read.
//!
//! - `fate`: what becomes of one object
//! - `print`: how that is shown
//! - `online`: what the leader finds out by dry runs

mod fate;
mod online;
mod print;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::Restore;
use clusterbackup_core::restore::{Collisions, Survey, Terms, Volumes, Wave};
use clusterbackup_vault::point::{PointReader, data, survey};
use futures::TryStreamExt as _;
use serde_json::json;

use self::fate::{Fate, RuleFile};
use self::print::Printer;
use super::create::asked;
use crate::Error;
use crate::arguments::restore::{Preview, PreviewOutput};
use crate::store::{self, told};

/// A rule failed on an object.
const RULE_FAILED: u8 = 3;

pub(super) fn run(arguments: &Preview, out: &mut dyn Write) -> Result<ExitCode, Error> {
    if !arguments.offline {
        return online::run(arguments, out);
    }
    if arguments.output == PreviewOutput::Html {
        return Err(told(
            &"there is no page of what is found out offline: leave out --offline, or -o html",
        ));
    }
    let restore: Restore = serde_json::from_value(json!({
        "apiVersion": "clusterbackup.io/v1alpha1",
        "kind": "Restore",
        "metadata": { "name": "preview" },
        "spec": asked(&arguments.point, &arguments.asked),
    }))
    .map_err(|error| told(&error))?;
    let rules = arguments.rules.iter().map(|file| RuleFile::read(file));
    let rules = rules.collect::<Result<Vec<_>, _>>()?;
    let identity = store::identity(arguments.reading.identity.as_deref())?;
    let mut printer = Printer::new(arguments.output, out);
    let (choice, mut terms) = match restore.decided() {
        Ok(decided) => decided,
        Err(problems) => return printer.refused(&problems),
    };
    let namespace = arguments.reading.place.namespace.as_deref();
    store::run(&arguments.reading.store, namespace, async |vaults| {
        let point = vaults.point(&arguments.point, identity).await?;
        if let Volumes::With(known) = &mut terms.volumes {
            *known = data(&point).await.map_err(|error| told(&error))?;
        }
        let survey = survey(&point, &choice).await.map_err(|error| told(&error))?;
        let problems = survey.problems(&choice, &terms);
        if !problems.is_empty() {
            return printer.refused(&problems);
        }
        let plan = Plan {
            terms: &terms,
            survey: &survey,
            rules: &rules,
            show_secrets: arguments.show_secrets,
        };
        plan.show(&point, &mut printer).await
    })
}

/// What decides about each object.
struct Plan<'p> {
    terms: &'p Terms,
    survey: &'p Survey,
    rules: &'p [RuleFile<'p>],
    show_secrets: bool,
}

impl Plan<'_> {
    async fn show(&self, point: &PointReader, printer: &mut Printer<'_>) -> Result<ExitCode, Error> {
        let (mut problems, mut rule_failed) = (Vec::new(), false);
        let mut collisions = Collisions::default();
        for wave in self.waves(point).await? {
            let turn = |kind: &str| self.survey.wave(&kind.into()) == wave;
            let mut objects =
                point.objects(|line| turn(&line.group_resource) && self.survey.takes(&line.id()));
            while let Some(entry) = objects.try_next().await.map_err(|error| told(&error))? {
                let fate = Fate::of(&entry, wave, self)?;
                if let Some(target) = &fate.created_as {
                    problems.extend(collisions.note(&entry.id(), target));
                }
                rule_failed |= fate.rule_fails();
                printer.show(&fate)?;
            }
        }
        if !problems.is_empty() {
            return printer.refused(&problems);
        }
        printer.end()?;
        Ok(if rule_failed {
            ExitCode::from(RULE_FAILED)
        } else {
            ExitCode::SUCCESS
        })
    }

    /// The waves that have objects.
    async fn waves(&self, point: &PointReader) -> Result<BTreeSet<Wave>, Error> {
        let mut waves = BTreeSet::new();
        let mut entries = point.entries();
        while let Some(line) = entries.try_next().await.map_err(|error| told(&error))? {
            let object = line.id();
            if self.survey.takes(&object) {
                waves.insert(self.survey.wave(&object.kind));
            }
        }
        Ok(waves)
    }
}
