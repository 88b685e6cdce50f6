//! Whole rule texts: what is checked before a restore begins, and what only we check then.

use super::{Fails, Makes, Outcome, Refused, Row, Untouched, both};

const RULES: &[(&str, (Outcome, Outcome))] = &[
    // Of the set.
    ("{resourceModifierRules: [RULE]}", both(Refused)),
    ("{version: v2, resourceModifierRules: [RULE]}", both(Refused)),
    (
        "{version: V1, resourceModifierRules: [RULE]}",
        both(Makes("\"hit\"")),
    ),
    ("{version: v1}", both(Refused)),
    ("{version: v1, resourceModifierRules: []}", both(Refused)),
    (
        "{version: v1, resourceModifierRules: [RULE], more: 1}",
        both(Refused),
    ),
    (
        "{version: v1, version: v1, resourceModifierRules: [RULE]}",
        both(Refused),
    ),
    (
        "{VERSION: v1, resourcemodifierrules: [RULE]}",
        both(Makes("\"hit\"")),
    ),
    (
        "{version: v1, resourceModifierRules: [RULE]}\n---\nmore",
        (Refused, Makes("\"hit\"")),
    ),
    ("[RULE]", both(Refused)),
    // Of a rule.
    ("{version: v1, resourceModifierRules: [{PATCHES}]}", both(Refused)),
    (
        "{version: v1, resourceModifierRules: [{conditions: {}, PATCHES}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: ''}, PATCHES}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, PATCHES, mergePatches: [{patchData: '{}'}]}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, PATCHES, mergePatches: []}]}",
        both(Makes("\"hit\"")),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, PATCHES, more: 1}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{Conditions: {GroupResource: '**'}, PATCHES}]}",
        both(Makes("\"hit\"")),
    ),
    // Of conditions.
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '[a'}, PATCHES}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '{a'}, PATCHES}]}",
        (Refused, Untouched),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '**', resourceNameRegex: '(a'}, PATCHES}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '**', labelSelector: {matchExpressions: [{key: a, operator: Within}]}}, PATCHES}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '**', matches: [{value: a}]}, PATCHES}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '**', namespaces: ['{b', 'ns*']}, PATCHES}]}",
        (Refused, Makes("\"hit\"")),
    ),
    (
        "{version: v1, resourceModifierRules: [{conditions: {groupResource: '**', namespaces: ['[a', 'ns*']}, PATCHES}]}",
        (Refused, Untouched),
    ),
    // Of operations.
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{path: /spec/v, value: hit}]}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{operation: delete, path: /spec/v}]}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{operation: remove}]}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{operation: remove, path: ''}]}]}",
        both(Refused),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{operation: Replace, path: /spec/v, value: hit}]}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{operation: move, path: /spec/v}]}]}",
        (Refused, Fails),
    ),
    (
        "{version: v1, resourceModifierRules: [{CONDITIONS, patches: [{operation: remove, path: spec/v}]}]}",
        (Refused, Fails),
    ),
];

pub(super) fn rows() -> Vec<Row> {
    let conditions = "conditions: {groupResource: '**'}";
    let patches = "patches: [{operation: replace, path: /spec/v, value: hit}]";
    let row = |(text, (ours, velero)): &(&str, (Outcome, Outcome))| Row {
        rules: text
            .replace("RULE", "{CONDITIONS, PATCHES}")
            .replace("CONDITIONS", conditions)
            .replace("PATCHES", patches),
        pointer: "/spec/v",
        ours: *ours,
        velero: *velero,
    };
    RULES.iter().map(row).collect()
}
