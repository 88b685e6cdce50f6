//! What is told of interceptions and the webhook.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clusterbackup_api::{RestoreInterception, conditions};
use kube::ResourceExt;
use serde::Serialize;

use crate::metrics::{Counts, Outcomes};
use crate::output;

/// What is told.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    interceptions: Vec<Interception>,
    webhook: Webhook,
    /// What could not be read, and why.
    notes: Vec<String>,
}

/// How an interception stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Interception {
    name: String,
    /// `True`, `False` or `Unknown`.
    ready: String,
    reason: String,
    message: String,
    rules: Option<i32>,
    rules_hash: Option<String>,
    config_map: String,
    priority: i32,
    on_modifier_error: String,
    conflict_policy: String,
    /// What its rules did; none where that isn't known.
    results: Option<Outcomes>,
}

#[derive(Debug, Serialize)]
struct Webhook {
    replicas: Option<Replicas>,
    counts: Option<Totals>,
}

/// Of the webhook's Deployment.
#[derive(Debug, Serialize)]
pub(super) struct Replicas {
    pub(super) ready: i32,
    pub(super) wanted: i32,
}

/// Since the replicas started.
#[derive(Debug, Serialize)]
struct Totals {
    /// How many replicas told.
    replicas: usize,
    reviews: Outcomes,
    rules: Outcomes,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

impl Interception {
    pub(super) fn of(object: &RestoreInterception, counts: Option<&Counts>) -> Self {
        let name = object.name_any();
        let status = object.status.as_ref();
        let is_current = |observed: Option<i64>| observed == object.metadata.generation;
        let condition = status
            .filter(|status| is_current(status.observed_generation))
            .and_then(|status| conditions::find(&status.conditions, conditions::READY));
        let (ready, reason, message) = match condition {
            Some(condition) => (&*condition.status, &*condition.reason, &*condition.message),
            None => ("Unknown", "Pending", "the webhook has not looked at it yet"),
        };
        let reference = &object.spec.resource_modifier_reference;
        Self {
            ready: ready.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            rules: status.and_then(|status| status.rule_count),
            rules_hash: status.and_then(|status| status.rules_hash.clone()),
            config_map: format!("{}/{}", reference.namespace, reference.name),
            priority: object.spec.priority,
            on_modifier_error: format!("{:?}", object.spec.on_modifier_error),
            conflict_policy: format!("{:?}", object.spec.conflict_policy),
            results: counts.map(|counts| counts.by_interception.get(&name).cloned().unwrap_or_default()),
            name,
        }
    }

    fn cells(&self, wide: bool) -> Vec<String> {
        let mut cells = vec![
            self.name.clone(),
            self.ready.clone(),
            self.reason.clone(),
            self.rules
                .map_or_else(|| "-".to_owned(), |rules| rules.to_string()),
            self.results.as_ref().map_or_else(|| "?".to_owned(), listed),
        ];
        if wide {
            let hash = self.rules_hash.as_deref().unwrap_or("-");
            cells.extend([
                self.priority.to_string(),
                self.on_modifier_error.clone(),
                self.conflict_policy.clone(),
                self.config_map.clone(),
                hash.chars().take(12).collect(),
            ]);
        }
        cells
    }
}

impl Report {
    pub(super) fn new(
        mut interceptions: Vec<Interception>,
        replicas: Option<Replicas>,
        counts: Option<&Counts>,
        notes: Vec<String>,
    ) -> Self {
        interceptions.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        let counts = counts.map(|counts| Totals {
            replicas: counts.replicas,
            reviews: counts.reviews.clone(),
            rules: counts.rules.clone(),
        });
        Self {
            interceptions,
            webhook: Webhook { replicas, counts },
            notes,
        }
    }

    /// For people, in the order in which interceptions act.
    pub(super) fn print(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.interceptions.is_empty() {
            writeln!(out, "There is no RestoreInterception.")?;
        } else {
            self.print_interceptions(wide, out)?;
        }
        writeln!(out)?;
        self.webhook.print(out)?;
        for note in &self.notes {
            writeln!(out, "Note: {note}")?;
        }
        Ok(())
    }

    fn print_interceptions(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut head = vec!["NAME", "READY", "REASON", "RULES", "RESULTS"];
        if wide {
            head.extend(["PRIORITY", "ON ERROR", "CONFLICT", "CONFIGMAP", "HASH"]);
        }
        let rows = self
            .interceptions
            .iter()
            .map(|interception| interception.cells(wide));
        output::table(&head, rows, out)?;
        for interception in self
            .interceptions
            .iter()
            .filter(|interception| interception.ready != "True")
        {
            let Interception { name, message, .. } = interception;
            writeln!(out, "\n{BAD}{name}{BAD:#}: {message}")?;
        }
        Ok(())
    }
}

impl Webhook {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(Replicas { ready, wanted }) = &self.replicas {
            let style = if ready >= wanted && *ready > 0 { GOOD } else { BAD };
            writeln!(
                out,
                "Webhook:  {style}{ready} of {wanted} replicas ready{style:#}"
            )?;
        } else {
            writeln!(out, "Webhook:  {BAD}not found{BAD:#}")?;
        }
        let Some(counts) = &self.counts else {
            return writeln!(out, "Counts:   not known");
        };
        writeln!(out, "Reviews:  {}", listed(&counts.reviews))?;
        writeln!(out, "Rules:    {}", listed(&counts.rules))?;
        let replicas = crate::words::counted(counts.replicas, "replica");
        writeln!(out, "          as counted by {replicas} since they started")
    }
}

/// `3 applied, 1 failed`, without what never happened.
fn listed(outcomes: &Outcomes) -> String {
    let happened: Vec<_> = outcomes
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    if happened.is_empty() {
        return "none".to_owned();
    }
    happened.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn interception(name: &str, priority: i32, status: &serde_json::Value) -> RestoreInterception {
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "RestoreInterception",
            "metadata": {"name": name, "generation": 2},
            "spec": {"priority": priority, "resourceModifierReference": {"name": "rules", "namespace": "team"}},
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn condition(status: &str, reason: &str, message: &str) -> serde_json::Value {
        json!({"type": "Ready", "status": status, "reason": reason, "message": message,
               "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    fn report(counts: Option<&Counts>, notes: Vec<String>) -> Report {
        let ready = json!({"observedGeneration": 2, "ruleCount": 3, "rulesHash": "0123456789abcdef",
                           "conditions": [condition("True", "Ready", "in force")]});
        let missing =
            json!({"observedGeneration": 2, "conditions": [condition("False", "RulesMissing", "create it")]});
        let unseen = json!({"observedGeneration": 1, "conditions": [condition("True", "Ready", "in force")]});
        let objects = [
            interception("unseen", 7, &unseen),
            interception("shop", 0, &ready),
            interception("till", -1, &missing),
        ];
        let rows = objects
            .iter()
            .map(|object| Interception::of(object, counts))
            .collect();
        Report::new(rows, Some(Replicas { ready: 1, wanted: 2 }), counts, notes)
    }

    fn printed(report: &Report, wide: bool) -> String {
        output::plain(|out| report.print(wide, out))
    }

    fn counts() -> Counts {
        let mut counts = Counts::default();
        counts.add(
            "clusterbackup_rule_results_total{interception=\"shop\",rule=\"0\",patch=\"json\",outcome=\"applied\"} 4\n\
             clusterbackup_rule_results_total{interception=\"shop\",rule=\"0\",patch=\"json\",outcome=\"failed\"} 0\n\
             clusterbackup_reviews_total{door=\"intercept\",outcome=\"changed\"} 4\n",
        );
        counts
    }

    #[test]
    fn people_see_what_stands_in_the_way_and_what_was_done() {
        let expected = "\
NAME     READY     REASON         RULES   RESULTS     PRIORITY   ON ERROR   CONFLICT   CONFIGMAP    HASH
till     False     RulesMissing   -       none        -1         Deny       Skip       team/rules   -
shop     True      Ready          3       4 applied   0          Deny       Skip       team/rules   0123456789ab
unseen   Unknown   Pending        -       none        7          Deny       Skip       team/rules   -

till: create it

unseen: the webhook has not looked at it yet

Webhook:  1 of 2 replicas ready
Reviews:  4 changed
Rules:    4 applied
          as counted by 1 replica since they started
";
        assert_eq!(printed(&report(Some(&counts()), Vec::new()), true), expected);
    }

    #[test]
    fn what_is_not_known_is_told() {
        let out = printed(&report(None, vec!["you may not list pods".to_owned()]), false);
        assert!(
            out.contains("shop     True      Ready          3       ?\n"),
            "{out}"
        );
        assert!(
            out.ends_with("Counts:   not known\nNote: you may not list pods\n"),
            "{out}"
        );
    }

    #[test]
    fn programs_see_the_same() {
        let report = serde_json::to_value(report(Some(&counts()), Vec::new())).unwrap();
        let shop = json!({
            "name": "shop", "ready": "True", "reason": "Ready", "message": "in force", "rules": 3,
            "rulesHash": "0123456789abcdef", "configMap": "team/rules", "priority": 0, "onModifierError": "Deny",
            "conflictPolicy": "Skip",
            "results": {"applied": 4, "failed": 0},
        });
        assert_eq!(report["interceptions"][1], shop);
        let webhook = json!({
            "replicas": {"ready": 1, "wanted": 2},
            "counts": {"replicas": 1, "reviews": {"changed": 4}, "rules": {"applied": 4, "failed": 0}},
        });
        assert_eq!(report["webhook"], webhook);
    }
}
