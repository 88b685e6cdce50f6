//! A report as one page: for people to read and to send on. It loads nothing and runs nothing, so that it looks the same
//! wherever it is opened, for as long as it is kept.

#[cfg(test)]
pub(super) mod sample;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use clusterbackup_api::Restore;
use clusterbackup_core::restore::{Certainty, Mode, ObjectReport, Outcome, Report, RuleReport};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt as _;
use serde_json::Value;

use super::report::{called, mode, word};
use crate::words::counted;

const STYLE: &str = include_str!("page/style.css");

/// More fields of one object, and more characters of a value, are not shown.
const MOST_FIELDS: usize = 200;
const LONGEST: usize = 2000;

/// A text as HTML shows it.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// Objects that are shown together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    outcome: Outcome,
    /// In a preview.
    certainty: Option<&'static str>,
}

impl Group {
    fn of(object: &ObjectReport) -> Self {
        Self {
            outcome: object.outcome,
            certainty: object.certainty.map(Certainty::name),
        }
    }

    /// What a link leads to.
    fn anchor(self) -> String {
        let certainty = self.certainty.map(|name| format!("-{}", name.to_lowercase()));
        format!("{:?}{}", self.outcome, certainty.unwrap_or_default()).to_lowercase()
    }
}

/// Writes the page.
pub(super) fn write(report: &Report, restore: &Restore, out: &mut dyn Write) -> io::Result<()> {
    let mut groups = BTreeMap::<Group, Vec<&ObjectReport>>::new();
    for object in report.objects() {
        groups.entry(Group::of(object)).or_default().push(object);
    }
    let mode = mode(report);
    head(report, restore, mode, out)?;
    summary(&groups, mode, out)?;
    for (group, objects) in &groups {
        section(*group, objects, mode, out)?;
    }
    writeln!(out, "</main>\n</body>\n</html>")
}

fn head(report: &Report, restore: &Restore, mode: Mode, out: &mut dyn Write) -> io::Result<()> {
    let what = match mode {
        Mode::Apply => "Restore",
        Mode::Preview => "Preview of a restore",
    };
    let (name, namespace) = (restore.name_any(), restore.namespace().unwrap_or_default());
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{what}: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{what}</h1>\n<dl>",
        title = Text(&format!("{namespace}/{name}")),
    )?;
    let status = restore.status.clone().unwrap_or_default();
    let mappings = restore.spec.namespace_mappings.iter();
    let mapped = mappings
        .map(|(from, to)| format!("{from} to {to}"))
        .collect::<Vec<_>>()
        .join(", ");
    let time = |time: Option<MicroTime>| {
        time.map(|MicroTime(time)| format!("{time:.0}"))
            .unwrap_or_default()
    };
    for (term, text) in [
        ("Restore", format!("{namespace}/{name}")),
        ("Recovery point", restore.spec.recovery_point.clone()),
        (
            "In the name of",
            report
                .opening
                .as_ref()
                .map(|opening| opening.requester.clone())
                .unwrap_or_default(),
        ),
        ("Namespaces", mapped),
        (
            "What exists and differs",
            format!("{:?}", restore.spec.conflict_policy),
        ),
        ("Began", time(status.started_at)),
        ("Ended", time(status.finished_at)),
        (
            "Result",
            report.end.map(|phase| format!("{phase:?}")).unwrap_or_default(),
        ),
        ("Message", status.message.unwrap_or_default()),
    ] {
        if !text.is_empty() {
            writeln!(out, "<dt>{term}</dt><dd>{}</dd>", Text(&text))?;
        }
    }
    writeln!(out, "</dl>")
}

/// How many objects of each group, with links to them.
fn summary(groups: &BTreeMap<Group, Vec<&ObjectReport>>, mode: Mode, out: &mut dyn Write) -> io::Result<()> {
    let sure: &[Option<&str>] = match mode {
        Mode::Apply => &[None],
        Mode::Preview => &[Some("Certain"), Some("Likely"), Some("Unknown")],
    };
    let all: usize = groups.values().map(Vec::len).sum();
    writeln!(
        out,
        "<table class=\"sums\">\n<caption>{}</caption>\n<tr><th></th>",
        counted(all, "object")
    )?;
    for name in sure {
        writeln!(out, "<th scope=\"col\">{}</th>", name.unwrap_or("objects"))?;
    }
    writeln!(out, "</tr>")?;
    for outcome in Outcome::ALL {
        if !groups.keys().any(|group| group.outcome == outcome) {
            continue;
        }
        writeln!(
            out,
            "<tr class=\"{outcome:?}\"><th scope=\"row\">{}</th>",
            word(outcome, mode)
        )?;
        for name in sure {
            let certainty = *name;
            match groups.get_key_value(&Group { outcome, certainty }) {
                Some((group, objects)) => {
                    writeln!(
                        out,
                        "<td><a href=\"#{}\">{}</a></td>",
                        group.anchor(),
                        objects.len()
                    )?;
                }
                None => writeln!(out, "<td></td>")?,
            }
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table>")
}

fn section(group: Group, objects: &[&ObjectReport], mode: Mode, out: &mut dyn Write) -> io::Result<()> {
    let sure = group.certainty.map(|name| format!(", {}", name.to_lowercase()));
    writeln!(
        out,
        "<section id=\"{}\" class=\"{:?}\">\n<h2>{}{} <small>{}</small></h2>",
        group.anchor(),
        group.outcome,
        word(group.outcome, mode),
        sure.unwrap_or_default(),
        counted(objects.len(), "object"),
    )?;
    let mut wave = None;
    for object in objects {
        if wave.replace(object.wave) != Some(object.wave) {
            writeln!(out, "<h3>{}</h3>", object.wave)?;
        }
        entry(object, out)?;
    }
    writeln!(out, "</section>")
}

fn entry(object: &ObjectReport, out: &mut dyn Write) -> io::Result<()> {
    let name = Text(called(object)).to_string();
    let doubt = object
        .certainty
        .and_then(Certainty::doubt)
        .map(|doubt| doubt.to_string());
    let said = object
        .message
        .iter()
        .chain(&doubt)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    let said = match said.as_str() {
        "" => String::new(),
        said => format!(" <span class=\"why\">{}</span>", Text(said)),
    };
    let is_plain = object.fields.is_empty() && object.rules.is_empty() && object.before.is_none();
    let warnings = object.warnings.iter().chain(&object.server_warnings);
    let warnings: Vec<_> = warnings
        .map(|text| format!("<p class=\"warning\">{}</p>", Text(text)))
        .collect();
    let warnings = warnings.concat();
    if is_plain {
        return writeln!(
            out,
            "<div class=\"object\"><code>{name}</code>{said}{warnings}</div>"
        );
    }
    writeln!(
        out,
        "<details class=\"object\"><summary><code>{name}</code>{said}{warnings}</summary>"
    )?;
    for rule in &object.rules {
        write_rule(rule, out)?;
    }
    if !object.fields.is_empty() {
        writeln!(
            out,
            "<table class=\"fields\"><tr><th>field</th><th>what becomes of it</th></tr>"
        )?;
        for field in object.fields.iter().take(MOST_FIELDS) {
            let fate = match field.outcome.reason() {
                None => "changes".to_owned(),
                Some(reason) => format!("stays: {reason}"),
            };
            writeln!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td></tr>",
                Text(&field.path),
                Text(fate)
            )?;
        }
        writeln!(out, "</table>")?;
        if let Some(more @ 1..) = object.fields.len().checked_sub(MOST_FIELDS) {
            writeln!(out, "<p>and {} more</p>", counted(more, "field"))?;
        }
    }
    if let Some(before) = &object.before {
        let before = serde_saphyr::to_string(before).map_err(io::Error::other)?;
        writeln!(
            out,
            "<details><summary>as it was before</summary><pre>{}</pre></details>",
            Text(before)
        )?;
    }
    writeln!(out, "</details>")
}

fn write_rule(rule: &RuleReport, out: &mut dyn Write) -> io::Result<()> {
    let message = rule.message.as_ref().map(|message| format!(": {message}"));
    let said = format!(
        "rule {}: {:?}{}",
        rule.rule,
        rule.fate,
        message.unwrap_or_default()
    );
    writeln!(out, "<p class=\"rule\">{}</p>", Text(said))?;
    if rule.changes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<table class=\"fields\"><tr><th>field</th><th>before</th><th>after</th></tr>"
    )?;
    for change in &rule.changes {
        writeln!(
            out,
            "<tr><td><code>{}</code></td><td><del>{}</del></td><td><ins>{}</ins></td></tr>",
            Text(&change.path),
            Text(shown(change.before.as_ref())),
            Text(shown(change.after.as_ref())),
        )?;
    }
    writeln!(out, "</table>")
}

/// A value, or nothing; what is too long is cut off.
fn shown(value: Option<&Value>) -> String {
    let text = value.map(Value::to_string).unwrap_or_default();
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page() -> String {
        let restore: Restore = serde_json::from_value(json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "Restore",
            "metadata": {"name": "friday", "namespace": "home"},
            "spec": {"recoveryPoint": "p", "namespaceMappings": {"shop": "again"}},
        }))
        .unwrap();
        let mut page = Vec::new();
        write(&sample::report(), &restore, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn the_page_loads_and_runs_nothing_whatever_objects_are_called() {
        let page = page();
        for forbidden in [
            "<script", "http:", "https:", "src=", "url(", "@import", "<link", "onload",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("jane &lt;jane@example.com&gt;") && page.contains("no &lt;right&gt;"));
    }

    #[test]
    fn every_link_leads_to_its_objects() {
        let page = page();
        let links = page
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let links: Vec<_> = links.collect();
        assert_eq!(
            links,
            [
                "failed-certain",
                "patched-certain",
                "created-certain",
                "created-likely"
            ]
        );
        for link in links {
            assert!(page.contains(&format!("<section id=\"{link}\"")), "{link}");
        }
    }
}
