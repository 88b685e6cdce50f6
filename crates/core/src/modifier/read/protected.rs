//! What rules may not change: an admission webhook can give an object neither another kind nor another
//! namespace.

use serde_json::Value;

use super::field::{Field, Report};
use crate::patch::Pointer;
use crate::yaml::{Content, Entry, Node};

/// The fields, and what to do instead.
const PROTECTED: [(&[&str], &str); 3] = [
    (
        &["apiVersion"],
        "restore the object as it is and convert it afterwards",
    ),
    (&["kind"], "restore the object as it is and convert it afterwards"),
    (
        &["metadata", "namespace"],
        "use the namespaceMappings of the interception or of the restore",
    ),
];

/// Refuses a path that a patch writes to or takes away, if a protected field is there, below or above.
pub(super) fn check_path(field: &Field<'_>, path: &Pointer, report: &mut Report) {
    for (protected, instead) in PROTECTED {
        let protected_path = Pointer::from_tokens(protected.iter().copied());
        if protected_path.contains(path) {
            report.refuse(
                field,
                format!("a rule can't change {}", protected.join(".")),
                instead,
            );
        } else if path.contains(&protected_path) {
            let message = format!(
                "a rule can't replace {path} as a whole, which holds {}",
                protected.join(".")
            );
            report.refuse(field, message, "name the fields to change");
        }
    }
}

/// Refuses a strategic patch whose directives would take a protected field away.
pub(super) fn check_directives(field: &Field<'_>, patch: &Value, report: &mut Report) {
    for (protected, _) in PROTECTED {
        let mut node = patch;
        for (depth, key) in protected.iter().enumerate() {
            let drops = |kept: &Value| {
                !kept
                    .as_array()
                    .is_some_and(|kept| kept.iter().any(|name| name == key))
            };
            if node.get("$patch").is_some() || node.get("$retainKeys").is_some_and(drops) {
                let holder = if depth == 0 {
                    "the object".to_owned()
                } else {
                    protected[..depth].join(".")
                };
                let message = format!("a rule can't drop {} from {holder}", protected.join("."));
                report.refuse(field, message, "name the fields to change");
                return;
            }
            let Some(inner) = node.get(*key) else { break };
            node = inner;
        }
    }
}

/// Refuses a merge patch that names a protected field, or replaces what holds one.
pub(super) fn check_merge(field: &Field<'_>, patch: &Node, report: &mut Report) {
    for (protected, instead) in PROTECTED {
        let mut node = patch;
        for (depth, key) in protected.iter().enumerate() {
            let Content::Mapping(entries) = &node.content else {
                let message = format!("a rule can't replace {} as a whole", protected[..depth].join("."));
                report.refuse(field, message, "name the fields to change");
                break;
            };
            let Some(Entry { value, .. }) = entries.iter().find(|entry| entry.name == *key) else {
                break;
            };
            node = value;
            if depth + 1 == protected.len() {
                report.refuse(
                    field,
                    format!("a rule can't change {}", protected.join(".")),
                    instead,
                );
            }
        }
    }
}
