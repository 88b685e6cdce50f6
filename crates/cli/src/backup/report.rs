//! What is told of a backup: the leader's summary, and what the nodes say of pods and hooks.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clusterbackup_api::backup::{BackupPhase, BackupStatus, VolumeReport};
use clusterbackup_api::node_task::{ExecOutcome, PodReport};
use clusterbackup_api::{Backup, NodeTask};
use kube::ResourceExt as _;
use serde::Serialize;

use super::words::{command, millis, stored, thaw};
use crate::output;
use crate::runs::print_times;

const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    namespace: String,
    name: String,
    instance: String,
    #[serde(flatten)]
    status: BackupStatus,
    /// Those with hooks.
    pods: Vec<Pod>,
    /// What could not be read, and what else there is to know.
    notes: Vec<String>,
}

/// A pod, as its node tells of it.
#[derive(Debug, Serialize)]
struct Pod {
    node: String,
    #[serde(flatten)]
    report: PodReport,
}

impl Report {
    pub(super) fn of(backup: &Backup, tasks: &[NodeTask], notes: Vec<String>) -> Self {
        let pods_of = |task: &NodeTask| {
            let node = task.spec.node_name.clone();
            let units = task.status.iter().flat_map(|status| status.units.clone());
            let reports = units.flat_map(|unit| unit.pods);
            let pods = reports.map(move |report| Pod {
                node: node.clone(),
                report,
            });
            pods.collect::<Vec<_>>()
        };
        let mut pods: Vec<_> = tasks.iter().flat_map(pods_of).collect();
        pods.sort_by(|a, b| key(a).cmp(&key(b)));
        Self {
            namespace: backup.namespace().unwrap_or_default(),
            name: backup.name_any(),
            instance: backup.spec.instance.clone(),
            status: backup.status.clone().unwrap_or_default(),
            pods,
            notes,
        }
    }

    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        self.print_summary(out)?;
        self.print_volumes(out)?;
        self.print_barriers(out)?;
        self.print_pods(out)?;
        if !self.status.warnings.is_empty() {
            writeln!(out, "\nWarnings:")?;
        }
        for warning in &self.status.warnings {
            writeln!(out, "  {DOUBTFUL}{warning}{DOUBTFUL:#}")?;
        }
        for note in &self.notes {
            writeln!(out, "\nNote: {note}")?;
        }
        Ok(())
    }

    fn print_summary(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            namespace,
            name,
            instance,
            status,
            ..
        } = self;
        writeln!(out, "Backup:    {namespace}/{name}, of the instance {instance}")?;
        let (style, phase) = match status.phase {
            None => (DOUBTFUL, "no leader has taken it up yet".to_owned()),
            Some(phase @ (BackupPhase::Failed | BackupPhase::Cancelled)) => (BAD, format!("{phase:?}")),
            Some(phase @ BackupPhase::CompletedWithWarnings) => (DOUBTFUL, format!("{phase:?}")),
            Some(phase) => (GOOD, format!("{phase:?}")),
        };
        writeln!(out, "Phase:     {style}{phase}{style:#}")?;
        if let Some(message) = &status.message {
            writeln!(out, "           {message}")?;
        }
        print_times(status.started_at.as_ref(), status.finished_at.as_ref(), out)?;
        let counts = &status.counts;
        writeln!(
            out,
            "Pods:      {} with hooks, {} running freely",
            counts.pods, counts.thawed
        )?;
        writeln!(
            out,
            "Hooks:     {} commands, {} succeeded, {} failed",
            counts.hooks, counts.hooks_succeeded, counts.hooks_failed
        )?;
        writeln!(
            out,
            "Volumes:   {} claims, {} cut, {} skipped, {} failed",
            counts.claims, counts.taken, counts.skipped, counts.failed
        )?;
        let Some(objects) = &status.objects else {
            return Ok(());
        };
        let point = status.recovery_point.as_deref().unwrap_or("none");
        writeln!(
            out,
            "Objects:   {}, in the recovery point {point}",
            stored(objects)
        )
    }

    fn print_volumes(&self, out: &mut dyn Write) -> io::Result<()> {
        let volumes = &self.status.volumes;
        if volumes.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let head = ["NAMESPACE", "CLAIM", "SNAPSHOT", "CONSISTENCY", "REMARK"];
        output::table(&head, volumes.iter().map(volume), out)
    }

    fn print_barriers(&self, out: &mut dyn Write) -> io::Result<()> {
        let barriers = &self.status.barriers;
        if barriers.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let rows = barriers.iter().map(|barrier| {
            vec![
                barrier.unit.clone(),
                if barrier.met { "met" } else { "broken" }.to_owned(),
                barrier.skew_millis.map_or_else(unknown, millis),
                listed(&barrier.broken_by),
            ]
        });
        output::table(&["UNIT", "BARRIER", "SKEW", "BROKEN BY"], rows, out)
    }

    fn print_pods(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.pods.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let head = ["POD", "NODE", "FROZEN", "THAW", "HOOKS"];
        output::table(&head, self.pods.iter().map(Pod::cells), out)?;
        for pod in &self.pods {
            for exec in pod.report.execs.iter().filter(|exec| is_bad(exec.outcome)) {
                writeln!(out, "  {BAD}{}{BAD:#}", command(&pod.report, exec))?;
            }
        }
        Ok(())
    }
}

impl Pod {
    fn cells(&self) -> Vec<String> {
        let Self { node, report } = self;
        let done = report
            .execs
            .iter()
            .filter(|exec| exec.outcome == ExecOutcome::Succeeded)
            .count();
        vec![
            format!("{}/{}", report.namespace, report.name),
            node.clone(),
            report.frozen_millis.map_or_else(unknown, millis),
            thaw(report.thaw).to_owned(),
            format!("{done} of {} succeeded", report.execs.len()),
        ]
    }
}

/// By which pods are sorted.
fn key(pod: &Pod) -> (&str, &str) {
    (&pod.report.namespace, &pod.report.name)
}

/// Whether a person should look at it.
const fn is_bad(outcome: ExecOutcome) -> bool {
    !matches!(outcome, ExecOutcome::Succeeded | ExecOutcome::Running)
}

fn volume(volume: &VolumeReport) -> Vec<String> {
    let skipped = volume.skipped.map(|reason| format!("skipped: {reason:?}"));
    let remark: Vec<_> = skipped.into_iter().chain(volume.message.clone()).collect();
    vec![
        volume.namespace.clone(),
        volume.claim.clone(),
        volume.snapshot.clone().unwrap_or_else(unknown),
        volume
            .consistency
            .map_or_else(unknown, |consistency| format!("{consistency:?}")),
        remark.join(": "),
    ]
}

fn unknown() -> String {
    "-".to_owned()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return unknown();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::given;
    use super::*;

    fn printed(report: &Report) -> String {
        output::plain(|out| report.print(out))
    }

    #[test]
    fn people_see_volumes_hooks_and_what_went_wrong() {
        let report = Report::of(&given::backup(), &given::tasks(), Vec::new());
        let expected = "\
Backup:    shop/nightly-1, of the instance nightly
Phase:     CompletedWithWarnings
           1 of 3 claims is not cut
Began:     2026-11-21T18:14:00Z, took 9s
Pods:      2 with hooks, 2 running freely
Hooks:     4 commands, 3 succeeded, 1 failed
Volumes:   3 claims, 1 cut, 1 skipped, 1 failed

NAMESPACE   CLAIM   SNAPSHOT   CONSISTENCY             REMARK
shop        data    data-1     ApplicationConsistent
shop        nfs     -          -                       skipped: NotCsi: its volume is not from a CSI driver
shop        till    -          -                       a pre hook failed

UNIT   BARRIER   SKEW   BROKEN BY
u1     met       12ms   -

POD           NODE     FROZEN    THAW              HOOKS
shop/db-0     node-1   1s500ms   by the watchdog   2 of 2 succeeded
shop/till-0   node-2   600ms     done              1 of 2 succeeded
  pre hook shop/hooks/quiesce in shop/till-0 (main) took longer than it may: ended after 500ms, and some of what it \
had started lives on: over 500ms
    | locked\u{fffd}[2J
    | out

Warnings:
  shop/till could not be frozen
";
        assert_eq!(printed(&report), expected);
    }

    #[test]
    fn programs_see_the_status_and_every_pod() {
        let report = Report::of(&given::backup(), &given::tasks(), vec!["a note".to_owned()]);
        let told = serde_json::to_value(&report).unwrap();
        assert_eq!(told["phase"], "CompletedWithWarnings");
        assert_eq!(told["volumes"][1]["skipped"], "NotCsi");
        assert_eq!(told["pods"][0]["node"], "node-1");
        assert_eq!(told["pods"][0]["thaw"], "ByWatchdog");
        assert_eq!(told["pods"][1]["execs"][0]["killed"], "Escaped");
        assert_eq!(told["notes"], json!(["a note"]));
    }

    #[test]
    fn what_is_not_known_is_told() {
        let mut backup = given::backup();
        backup.status = None;
        let out = printed(&Report::of(&backup, &[], vec!["you may not list it".to_owned()]));
        assert!(
            out.contains("Phase:     no leader has taken it up yet\n"),
            "{out}"
        );
        assert!(out.ends_with("\nNote: you may not list it\n"), "{out}");
    }
}
