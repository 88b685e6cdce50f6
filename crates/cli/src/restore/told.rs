//! What is told of a restore.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clusterbackup_api::Restore;
use clusterbackup_api::restore::{ObjectProblem, ReportStatus, RestorePhase};
use kube::ResourceExt as _;

use crate::output;
use crate::runs::print_times;

const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// For people.
pub(super) fn print(restore: &Restore, out: &mut dyn Write) -> io::Result<()> {
    let status = restore.status.clone().unwrap_or_default();
    let namespace = restore.namespace().unwrap_or_default();
    let (name, point) = (restore.name_any(), &restore.spec.recovery_point);
    writeln!(
        out,
        "Restore:   {namespace}/{name}, of the recovery point {point}"
    )?;
    if let Some(requester) = &restore.spec.requester {
        writeln!(out, "Requester: {}", requester.username)?;
    }
    let (style, phase) = match status.phase {
        None => (DOUBTFUL, "no leader has taken it up yet".to_owned()),
        Some(phase @ (RestorePhase::Failed | RestorePhase::Cancelled)) => (BAD, format!("{phase:?}")),
        Some(phase @ RestorePhase::CompletedWithWarnings) => (DOUBTFUL, format!("{phase:?}")),
        Some(phase) => (GOOD, format!("{phase:?}")),
    };
    writeln!(out, "Phase:     {style}{phase}{style:#}")?;
    if let Some(message) = &status.message {
        writeln!(out, "           {message}")?;
    }
    print_times(status.started_at.as_ref(), status.finished_at.as_ref(), out)?;
    for (from, to) in &restore.spec.namespace_mappings {
        writeln!(out, "Mapped:    {from} to {to}")?;
    }
    if let Some(rules) = &restore.spec.resource_modifier_reference {
        let rules_namespace = rules.namespace.as_ref().unwrap_or(&namespace);
        writeln!(out, "Rules:     ConfigMap {rules_namespace}/{}", rules.name)?;
    }
    writeln!(out, "Objects:   {}", status.counts)?;
    if let Some(readiness) = &status.readiness {
        writeln!(out, "Ready:     {readiness}")?;
    }
    if let Some(hooks) = status.hooks {
        writeln!(out, "Hooks:     {hooks}")?;
    }
    if let Some(report) = &status.report {
        print_report(&name, report, out)?;
    }
    if status.problems.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let head = ["ACTION", "KIND", "NAMESPACE", "NAME", "REASON"];
    output::table(&head, status.problems.iter().map(row), out)
}

fn print_report(name: &str, report: &ReportStatus, out: &mut dyn Write) -> io::Result<()> {
    if report.folder.is_some() {
        writeln!(out, "Report:    `kubectl clusterbackup restore report {name}`")?;
    }
    match &report.missing {
        Some(missing) => writeln!(
            out,
            "           {DOUBTFUL}the report is missing{DOUBTFUL:#}: {missing}"
        ),
        None => Ok(()),
    }
}

fn row(problem: &ObjectProblem) -> Vec<String> {
    vec![
        format!("{:?}", problem.action),
        problem.group_resource.clone(),
        problem.namespace.clone().unwrap_or_else(|| "-".to_owned()),
        problem.name.clone(),
        problem.message.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_see_what_is_not_restored_and_why() {
        let restore: Restore = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "Restore",
            "metadata": { "name": "friday", "namespace": "home" },
            "spec": {
                "recoveryPoint": "p",
                "namespaceMappings": { "shop": "again" },
                "resourceModifierReference": { "name": "rules" },
                "requester": { "username": "jane" },
            },
            "status": {
                "phase": "CompletedWithWarnings",
                "message": "1 of 2 objects are created, 1 failed",
                "startedAt": "2026-11-21T18:14:00.000000Z",
                "finishedAt": "2026-11-21T18:14:03.000000Z",
                "counts": { "total": 2, "created": 1, "failed": 1 },
                "readiness": { "awaited": 3, "ready": 3 },
                "hooks": { "total": 3, "succeeded": 1, "failed": 1, "notRun": 1 },
                "report": { "folder": "restores/p/r" },
                "problems": [{
                    "groupResource": "roles.rbac.authorization.k8s.io", "namespace": "again", "name": "web",
                    "action": "Failed", "message": "the API server refuses it",
                }],
            },
        }))
        .unwrap();
        let expected = "\
Restore:   home/friday, of the recovery point p
Requester: jane
Phase:     CompletedWithWarnings
           1 of 2 objects are created, 1 failed
Began:     2026-11-21T18:14:00Z, took 3s
Mapped:    shop to again
Rules:     ConfigMap home/rules
Objects:   1 of 2 objects are created, 1 failed
Ready:     3 of 3 objects are ready
Hooks:     1 of 3 commands have run well, 1 failed, 1 did not run
Report:    `kubectl clusterbackup restore report friday`

ACTION   KIND                              NAMESPACE   NAME   REASON
Failed   roles.rbac.authorization.k8s.io   again       web    the API server refuses it
";
        assert_eq!(output::plain(|out| print(&restore, out)), expected);
    }
}
