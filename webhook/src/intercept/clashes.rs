//! What became of the fields in which a restored object and the one in the cluster differ: for people, and for the audit
//! log. Paths alone, never a value.

use std::collections::BTreeMap;

use clusterbackup_core::clash::{Field, Outcome, Reason};
use clusterbackup_core::interception::Subject;
use serde::Serialize;

/// A warning is cut at 256 bytes; the list in it is to end before.
const WARNING_BYTES: usize = 230;

const AUDITED_FIELDS: usize = 64;
const AUDITED_BYTES: usize = 4 << 10;

/// Tells which fields the cluster has otherwise than the restored object says. What that merely leaves out stays, too,
/// but is nobody's loss.
pub(super) fn warning(subject: &Subject<'_>, fields: &[Field]) -> Option<String> {
    let kept: Vec<String> = fields
        .iter()
        .filter_map(|field| Some(format!("{} ({})", field.path, overruled(field)?.name())))
        .collect();
    if kept.is_empty() {
        return None;
    }
    let changed = fields.iter().filter(|field| field.outcome == Outcome::Changed);
    let told = format!(
        "{subject}: restored fields: {}; kept from the cluster: ",
        changed.count()
    );
    let mut room = WARNING_BYTES.saturating_sub(told.len());
    let fitting = kept.iter().take_while(|entry| {
        let left = room.checked_sub(entry.len() + ", ".len());
        room = left.unwrap_or_default();
        left.is_some()
    });
    let listed = fitting.count().max(1);
    let list = kept[..listed].join(", ");
    Some(match kept.len() - listed {
        0 => format!("{told}{list}"),
        more => format!("{told}{list} and {more} more"),
    })
}

fn overruled(field: &Field) -> Option<Reason> {
    let reason = field.outcome.reason();
    reason.filter(|reason| !matches!(reason, Reason::LeftOut | Reason::Skipped))
}

/// Everything counted, and of the fields that the restored object has a say in as many as somebody may read.
#[derive(Debug, Serialize)]
struct Audited<'a> {
    counts: BTreeMap<&'static str, usize>,
    fields: Vec<AuditedField<'a>>,
}

#[derive(Debug, Serialize)]
struct AuditedField<'a> {
    path: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The fields for the audit log, as JSON.
pub(super) fn audit(fields: &[Field]) -> Result<String, serde_json::Error> {
    let mut counts = BTreeMap::new();
    for field in fields {
        let what = field
            .outcome
            .reason()
            .map_or_else(|| field.outcome.name(), Reason::name);
        *counts.entry(what).or_default() += 1;
    }
    let mut room = AUDITED_BYTES;
    let fields = fields
        .iter()
        .filter(|field| field.outcome == Outcome::Changed || overruled(field).is_some())
        .take(AUDITED_FIELDS)
        .map_while(|field| {
            room = room.checked_sub(field.path.len())?;
            Some(AuditedField {
                path: &field.path,
                outcome: field.outcome.name(),
                reason: field.outcome.reason().map(Reason::name),
            })
        })
        .collect();
    serde_json::to_string(&Audited { counts, fields })
}

#[cfg(test)]
mod tests {
    use clusterbackup_core::object::{GroupResource, ObjectName};

    use super::*;

    fn field(path: &str, outcome: Outcome) -> Field {
        Field {
            path: path.to_owned(),
            outcome,
        }
    }

    fn told(fields: &[Field]) -> Option<String> {
        let group_resource = GroupResource::new("", "services");
        let subject = Subject {
            group_resource: &group_resource,
            name: ObjectName::Exact("web"),
            namespace: Some("shop"),
        };
        warning(&subject, fields)
    }

    #[test]
    fn people_are_told_what_the_cluster_keeps_against_the_restored_object() {
        let fields = [
            field("/spec/ports/0/port", Outcome::Changed),
            field("/spec/selector", Outcome::Changed),
            field("/spec/type", Outcome::Changed),
            field("/spec/clusterIP", Outcome::Kept(Reason::Allocated)),
            field("/spec/ipFamilies", Outcome::Kept(Reason::Immutable)),
            field("/spec/externalName", Outcome::Kept(Reason::LeftOut)),
        ];
        let warning = told(&fields).unwrap();
        assert_eq!(
            warning,
            "services shop/web: restored fields: 3; kept from the cluster: /spec/clusterIP (Allocated), \
             /spec/ipFamilies (Immutable)"
        );
        let reference = include_str!("../../../docs/rules.md");
        assert!(reference.contains(&warning), "docs/rules.md shows another");
        for nobodys_loss in [&[][..], &fields[..3], &fields[5..]] {
            assert_eq!(told(nobodys_loss), None);
        }
    }

    #[test]
    fn what_is_told_does_not_grow_with_the_fields() {
        let fields: Vec<_> = (0..5000)
            .map(|index| field(&format!("/spec/{index}"), Outcome::Kept(Reason::Immutable)))
            .collect();
        let warning = told(&fields).unwrap();
        assert!(warning.len() <= 256 && warning.ends_with(" more"), "{warning}");
        let audited = audit(&fields).unwrap();
        assert!(audited.len() < 2 * AUDITED_BYTES, "{}", audited.len());
        assert!(
            audited
                .starts_with(r#"{"counts":{"Immutable":5000},"fields":[{"path":"/spec/0","outcome":"Kept","#),
            "{audited}"
        );
        let endless = [field(&"x".repeat(1 << 20), Outcome::Changed)];
        assert_eq!(
            audit(&endless).unwrap(),
            r#"{"counts":{"Changed":1},"fields":[]}"#
        );
    }
}
