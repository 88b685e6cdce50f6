//! `restore report`: what became of each object of a restore, as the vault keeps it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clusterbackup_api::Restore;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{Certainty, Mode, ObjectReport, Outcome, Report, ReportLine, Wave};
use clusterbackup_vault::restore_report::{self, ReportId};
use clusterbackup_vault::store::Store;
use futures::TryStreamExt as _;
use kube::ResourceExt as _;
use serde_json::Value;

use super::{Restores, page};
use crate::arguments::restore::{Report as Arguments, ReportOutput};
use crate::arguments::store::Reading;
use crate::mask::Mask;
use crate::store::{self, Wanted, told};
use crate::words::counted;
use crate::{Error, cluster};

const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WAVE: Style = Style::new().bold();

/// More fields of one object are counted only.
const MOST_FIELDS: usize = 20;

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let Arguments { name, reading, .. } = arguments;
    let restore = cluster::run(async |client| Restores::at(&reading.place, client).get(name).await)?;
    let mut objects = load(&restore, reading)?;
    if !arguments.show_secrets {
        objects = hide(objects);
    }
    show(&objects, &restore, arguments.output, out)
}

/// Reads the report of a restore from its vault.
pub(super) fn load(restore: &Restore, reading: &Reading) -> Result<Report, Error> {
    let status = restore.status.clone().unwrap_or_default();
    let report = status.report.unwrap_or_default();
    if report.folder.is_none() {
        let missing = report
            .missing
            .unwrap_or_else(|| "it has not ended yet".to_owned());
        return Err(told(&format!(
            "the restore {} has no report: {missing}",
            restore.name_any()
        )));
    }
    let point = &restore.spec.recovery_point;
    let id = ReportId::new(
        crate::points::id(point)?,
        crate::points::id(&restore.uid().unwrap_or_default())?,
    );
    let namespace = restore.namespace();
    store::run(&reading.store, namespace.as_deref(), async |vaults| {
        let store = vaults.open(Wanted::Point(point)).await?;
        read(&store, &id, reading.identity.as_deref()).await
    })
}

async fn read(store: &Store, id: &ReportId, identity: Option<&str>) -> Result<Report, Error> {
    let identity = store::identity(identity)?;
    let lines = restore_report::read::<ReportLine>(store, id, identity.as_ref()).await;
    let mut lines = lines.map_err(|error| told(&error))?;
    let mut report = Report::default();
    while let Some(line) = lines.try_next().await.map_err(|error| told(&error))? {
        report.add(line);
    }
    Ok(report)
}

/// The same without what Secrets hold.
pub(super) fn hide(mut report: Report) -> Report {
    for object in report.objects_mut() {
        let Some(before) = &object.before else { continue };
        let mask = Mask::of([before]);
        object.before = Some(mask.object(before));
    }
    for object in report
        .objects_mut()
        .filter(|object| object.target.kind.as_str() == "secrets")
    {
        for change in object.rules.iter_mut().flat_map(|rule| &mut rule.changes) {
            for value in [&mut change.before, &mut change.after].into_iter().flatten() {
                *value = Value::from("***");
            }
        }
    }
    report
}

pub(super) fn show(
    report: &Report,
    restore: &Restore,
    form: ReportOutput,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match form {
        ReportOutput::Table => Ok(table(report, out)?),
        ReportOutput::Json => report.objects().try_for_each(|object| {
            serde_json::to_writer(&mut *out, object).map_err(io::Error::from)?;
            Ok(writeln!(out)?)
        }),
        ReportOutput::Html => Ok(page::write(report, restore, out)?),
    }
}

fn table(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut wave: Option<Wave> = None;
    for object in report.objects() {
        if wave.replace(object.wave) != Some(object.wave) {
            writeln!(out, "{WAVE}{}{WAVE:#}", object.wave)?;
        }
        row(object, mode(report), out)?;
    }
    let count = counted(report.objects().len(), "object");
    let sums = sums(report).map(|(name, number)| format!("{number} {name}"));
    writeln!(out, "\n{count}: {}", sums.collect::<Vec<_>>().join(", "))
}

/// Whether it is of a preview.
pub(super) fn mode(report: &Report) -> Mode {
    report
        .opening
        .as_ref()
        .map_or(Mode::Apply, |opening| opening.mode)
}

/// How many objects met which outcome, and how sure that is.
pub(super) fn sums(report: &Report) -> impl Iterator<Item = (&'static str, usize)> {
    let mode = mode(report);
    let outcomes = Outcome::ALL.map(|outcome| {
        let met = report.objects().filter(|object| object.outcome == outcome);
        (word(outcome, mode), met.count())
    });
    let sure = ["Certain", "Likely", "Unknown"].map(|name| {
        let so = |object: &&ObjectReport| object.certainty.is_some_and(|certainty| certainty.name() == name);
        (name, report.objects().filter(so).count())
    });
    let all = outcomes.into_iter().chain(sure);
    all.filter(|(_, number)| *number > 0)
}

/// What became of an object, or would.
pub(super) const fn word(outcome: Outcome, mode: Mode) -> &'static str {
    match (outcome, mode) {
        (Outcome::Failed, Mode::Apply) => "failed",
        (Outcome::Failed, Mode::Preview) => "fail",
        (Outcome::Replaced, Mode::Apply) => "replaced",
        (Outcome::Replaced, Mode::Preview) => "replace",
        (Outcome::Patched, Mode::Apply) => "patched",
        (Outcome::Patched, Mode::Preview) => "patch",
        (Outcome::Created, Mode::Apply) => "created",
        (Outcome::Created, Mode::Preview) => "create",
        (Outcome::Skipped, Mode::Apply) => "skipped",
        (Outcome::Skipped, Mode::Preview) => "skip",
        (Outcome::LeftOut, _) => "left out",
        (Outcome::Unchanged, _) => "unchanged",
    }
}

/// `deployments.apps shop/web as again/web`.
pub(super) fn called(object: &ObjectReport) -> String {
    let ObjectReport { origin, target, .. } = object;
    if origin == target {
        return origin.to_string();
    }
    let ObjectId { namespace, name, .. } = target;
    let place = namespace.as_ref().map(|namespace| format!("{namespace}/"));
    format!("{origin} as {}{name}", place.unwrap_or_default())
}

fn row(object: &ObjectReport, mode: Mode, out: &mut dyn Write) -> io::Result<()> {
    let style = match object.outcome {
        Outcome::Created | Outcome::Patched | Outcome::Replaced | Outcome::Unchanged => GOOD,
        Outcome::Skipped | Outcome::LeftOut => DOUBTFUL,
        Outcome::Failed => BAD,
    };
    let word = word(object.outcome, mode);
    let message = object.message.as_ref().map(|message| format!(": {message}"));
    writeln!(
        out,
        "  {style}{word}{style:#}{:gap$}  {}{}{}",
        "",
        called(object),
        message.unwrap_or_default(),
        sureness(object.certainty),
        gap = "unchanged".len() - word.len()
    )?;
    let fields = object
        .fields
        .iter()
        .take(MOST_FIELDS)
        .map(|field| match field.outcome.reason() {
            None => format!("{} changes", field.path),
            Some(reason) => format!("{} stays: {reason}", field.path),
        });
    let untold = object.fields.len().saturating_sub(MOST_FIELDS);
    let untold = (untold > 0).then(|| format!("and {} more", counted(untold, "field")));
    let rules = object.rules.iter().map(|rule| {
        let message = rule.message.as_ref().map(|message| format!(": {message}"));
        format!(
            "rule {}: {:?}{}",
            rule.rule,
            rule.fate,
            message.unwrap_or_default()
        )
    });
    for line in fields.chain(untold).chain(rules) {
        writeln!(out, "             {line}")?;
    }
    for warning in object.warnings.iter().chain(&object.server_warnings) {
        writeln!(out, "             {DOUBTFUL}warning{DOUBTFUL:#}: {warning}")?;
    }
    Ok(())
}

fn sureness(certainty: Option<Certainty>) -> String {
    match certainty {
        None | Some(Certainty::Certain) => String::new(),
        Some(Certainty::Likely(doubt)) => format!(" ({DOUBTFUL}likely{DOUBTFUL:#}: {doubt})"),
        Some(Certainty::Unknown(doubt)) => format!(" ({DOUBTFUL}unknown{DOUBTFUL:#}: {doubt})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::page::sample;
    use super::*;
    use crate::output;

    #[test]
    fn people_see_wave_by_wave_what_becomes_of_each_object() {
        let expected = "\
Config
  create     configmaps shop/settings as again/settings
             warning: v1 ConfigMap is old
  fail       secrets shop/keys as again/keys: no <right>
Pods
  create     pods shop/one as again/one (likely: a quota counts it, with the others together)
Controllers
  patch      deployments.apps shop/web as again/web
             /spec/replicas changes
             /spec/selector stays: it can't be changed
             rule 0: Applied

4 objects: 1 fail, 1 patch, 2 create, 3 Certain, 1 Likely
";
        assert_eq!(output::plain(|out| table(&sample::report(), out)), expected);
    }

    #[test]
    fn what_secrets_hold_is_hidden() {
        let mut report = Report::default();
        let id = ObjectId {
            kind: "secrets".into(),
            namespace: Some("shop".to_owned()),
            name: "keys".to_owned(),
        };
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"key": "Y2FuYXJ5"}});
        let mut object = ObjectReport::new(id.clone(), id, Wave::Config, Outcome::Patched);
        object.before = Some(secret);
        object.rules = serde_json::from_value(json!([
            {"rule": 0, "fate": "Applied", "changes": [{"path": "/data/key", "before": "Y2FuYXJ5", "after": "Y2FuYXJ5"}]}
        ]))
        .unwrap();
        report.add(ReportLine::Object(Box::new(object)));
        let shown = serde_json::to_string(&hide(report).objects().collect::<Vec<_>>()).unwrap();
        assert!(!shown.contains("Y2FuYXJ5") && shown.contains("***"), "{shown}");
    }
}
