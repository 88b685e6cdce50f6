//! What patches do to the object. JSON patches are about its list, its map and its text; `/spec` is looked at.

use super::{Fails, Makes, Outcome, Refused, Row, Untouched, both};

/// Operations, and what they make of `[1, 2, 3]`.
const ON_A_LIST: &[(&str, (Outcome, Outcome))] = &[
    (
        "{operation: add, path: /spec/list/0, value: '9'}",
        both(Makes("[9,1,2,3]")),
    ),
    (
        "{operation: add, path: /spec/list/3, value: '9'}",
        both(Makes("[1,2,3,9]")),
    ),
    (
        "{operation: add, path: /spec/list/-, value: '9'}",
        both(Makes("[1,2,3,9]")),
    ),
    (
        "{operation: add, path: /spec/list/-1, value: '9'}",
        both(Makes("[1,2,3,9]")),
    ),
    ("{operation: add, path: /spec/list/4, value: '9'}", both(Fails)),
    ("{operation: add, path: /spec/list/x, value: '9'}", both(Fails)),
    (
        "{operation: replace, path: /spec/list/0, value: '9'}",
        both(Makes("[9,2,3]")),
    ),
    (
        "{operation: replace, path: /spec/list/-1, value: '9'}",
        both(Makes("[1,2,9]")),
    ),
    (
        "{operation: replace, path: /spec/list/3, value: '9'}",
        both(Fails),
    ),
    (
        "{operation: replace, path: /spec/list/-, value: '9'}",
        both(Fails),
    ),
    ("{operation: remove, path: /spec/list/0}", both(Makes("[2,3]"))),
    ("{operation: remove, path: /spec/list/-1}", both(Makes("[1,2]"))),
    ("{operation: remove, path: /spec/list/-4}", both(Fails)),
    (
        "{operation: move, from: /spec/list/0, path: /spec/list/2}",
        both(Makes("[2,3,1]")),
    ),
    (
        "{operation: move, from: /spec/list/0, path: /spec/list/-}",
        both(Makes("[2,3,1]")),
    ),
    (
        "{operation: copy, from: /spec/list/0, path: /spec/list/-}",
        both(Makes("[1,2,3,1]")),
    ),
    (
        "{operation: copy, from: /spec/list/9, path: /spec/list/-}",
        both(Fails),
    ),
    // All of it or nothing; the first operation that doesn't go through decides.
    (
        "{operation: test, path: /spec/n, value: '1'}, {operation: remove, path: /spec/list/0}",
        both(Makes("[2,3]")),
    ),
    (
        "{operation: remove, path: /spec/list/0}, {operation: test, path: /spec/n, value: '2'}",
        both(Untouched),
    ),
    (
        "{operation: remove, path: /spec/list/0}, {operation: test, path: /spec/gone, value: a}",
        both(Untouched),
    ),
    (
        "{operation: remove, path: /spec/list/0}, {operation: test, path: /gone/v, value: a}",
        both(Fails),
    ),
    (
        "{operation: remove, path: /spec/list/0}, {operation: remove, path: /spec/gone}",
        both(Fails),
    ),
    (
        "{operation: remove, path: /spec/gone}, {operation: test, path: /spec/n, value: '2'}",
        both(Fails),
    ),
    (
        "{operation: test, path: /spec/n, value: '2'}, {operation: remove, path: /spec/gone}",
        both(Untouched),
    ),
    ("{operation: test, path: /spec/list/9, value: '2'}", both(Fails)),
    ("{operation: test, path: /spec/list/9/a, value: '2'}", both(Fails)),
    (
        "{operation: test, path: /spec/gone, value: 'null'}",
        both(Untouched),
    ),
    (
        "{operation: test, path: /spec/list, value: '[1, 2, 3]'}, {operation: remove, path: /spec/list/0}",
        both(Makes("[2,3]")),
    ),
    (
        "{operation: test, path: /spec/list, value: '[1.0, 2, 3]'}, {operation: remove, path: /spec/list/0}",
        (Makes("[2,3]"), Untouched),
    ),
    (
        "{operation: test, path: /spec/text, value: '\"a\\/b\"'}, {operation: remove, path: /spec/list/0}",
        both(Makes("[2,3]")),
    ),
];

/// Operations, and what they make of `{"a": 1, "b": [1]}`.
const ON_A_MAP: &[(&str, (Outcome, Outcome))] = &[
    (
        "{operation: add, path: /spec/map/c, value: '2'}",
        both(Makes(r#"{"a":1,"b":[1],"c":2}"#)),
    ),
    (
        "{operation: add, path: /spec/map/a, value: '2'}",
        both(Makes(r#"{"a":2,"b":[1]}"#)),
    ),
    ("{operation: add, path: /spec/map/c/d, value: '2'}", both(Fails)),
    (
        "{operation: replace, path: /spec/map/a, value: '2'}",
        both(Makes(r#"{"a":2,"b":[1]}"#)),
    ),
    ("{operation: replace, path: /spec/map/c, value: '2'}", both(Fails)),
    (
        "{operation: remove, path: /spec/map/a}",
        both(Makes(r#"{"b":[1]}"#)),
    ),
    ("{operation: remove, path: /spec/map/c}", both(Fails)),
    ("{operation: remove, path: /spec/map/a/deeper}", both(Fails)),
    (
        "{operation: move, from: /spec/map/a, path: /spec/map/c}",
        both(Makes(r#"{"b":[1],"c":1}"#)),
    ),
    (
        "{operation: copy, from: /spec/map/b/0, path: /spec/map/c}",
        both(Makes(r#"{"a":1,"b":[1],"c":1}"#)),
    ),
    (
        "{operation: add, path: /spec/map/x~1y, value: '2'}",
        both(Makes(r#"{"a":1,"b":[1],"x/y":2}"#)),
    ),
    (
        "{operation: add, path: /spec/map/x~0y, value: '2'}",
        both(Makes(r#"{"a":1,"b":[1],"x~y":2}"#)),
    ),
    (
        r#"{operation: add, path: '/spec/map/x"y', value: '2'}"#,
        (Makes(r#"{"a":1,"b":[1],"x\"y":2}"#), Fails),
    ),
    (
        "{operation: replace, path: /spec/map/a, value: '1'}",
        both(Untouched),
    ),
    (
        "{operation: replace, path: /kind, value: Other}",
        (Refused, Makes(r#"{"a":1,"b":[1]}"#)),
    ),
    ("{operation: remove, path: /kind}", (Refused, Fails)),
];

/// Merge patches, and what they make of the same map.
const MERGED: &[(&str, (Outcome, Outcome))] = &[
    (
        r#"'{"spec": {"map": {"c": 2}}}'"#,
        both(Makes(r#"{"a":1,"b":[1],"c":2}"#)),
    ),
    (
        r#""spec: {map: {c: 2}}""#,
        both(Makes(r#"{"a":1,"b":[1],"c":2}"#)),
    ),
    (
        "{spec: {map: {c: 2}}}",
        (Makes(r#"{"a":1,"b":[1],"c":2}"#), Refused),
    ),
    (r#"'{"spec": {"map": {"a": null}}}'"#, both(Makes(r#"{"b":[1]}"#))),
    (r#"'{"spec": {"map": {"gone": null}}}'"#, both(Untouched)),
    (
        r#"'{"spec": {"map": {"b": [2, 3]}}}'"#,
        both(Makes(r#"{"a":1,"b":[2,3]}"#)),
    ),
    (r#"'{"spec": {"map": "text"}}'"#, both(Makes(r#""text""#))),
    (
        r#"'{"spec": {"map": {"c": {"d": null, "e": 1}}}}'"#,
        both(Makes(r#"{"a":1,"b":[1],"c":{"e":1}}"#)),
    ),
    (
        r#"'{"spec": {"map": {"c": [{"d": null}]}}}'"#,
        (
            Makes(r#"{"a":1,"b":[1],"c":[{"d":null}]}"#),
            Makes(r#"{"a":1,"b":[1],"c":[{}]}"#),
        ),
    ),
    (
        r#""spec: {map: {on: 2}}""#,
        both(Makes(r#"{"a":1,"b":[1],"true":2}"#)),
    ),
    (
        r#"'{"spec": {"map": {"a": 2, "a": 3}}}'"#,
        (Refused, Makes(r#"{"a":3,"b":[1]}"#)),
    ),
    (
        r#""spec: {map: {a: 2}}\n---\nspec: {map: {a: 3}}""#,
        (Refused, Makes(r#"{"a":2,"b":[1]}"#)),
    ),
    ("'{}'", both(Untouched)),
    ("''", (Refused, Fails)),
    ("'null'", (Refused, Fails)),
    ("text", (Refused, Fails)),
    ("'[1]'", (Refused, Fails)),
    ("'{'", (Refused, Fails)),
];

/// Strategic patches of a kind that isn't built in; of those that are, the generator makes thousands.
const STRATEGIC: &[(&str, (Outcome, Outcome))] = &[
    (r#"'{"spec": {"map": {"c": 2}}}'"#, both(Fails)),
    (r#"'{"spec": {"map": {"a": 2, "a": 3}}}'"#, (Refused, Fails)),
    ("text", (Refused, Fails)),
];

pub(super) fn rows() -> Vec<Row> {
    let rows = |table: &[(&str, (Outcome, Outcome))], pointer, rule: fn(&str) -> String| -> Vec<Row> {
        let row = |(patch, (ours, velero)): &(&str, (Outcome, Outcome))| Row {
            rules: format!(
                "version: v1\nresourceModifierRules:\n- conditions: {{groupResource: '**'}}\n  {}\n",
                rule(patch)
            ),
            pointer,
            ours: *ours,
            velero: *velero,
        };
        table.iter().map(row).collect()
    };
    let json = |patches: &str| format!("patches: [{patches}]");
    [
        rows(ON_A_LIST, "/spec/list", json),
        rows(ON_A_MAP, "/spec/map", json),
        rows(MERGED, "/spec/map", |data| {
            format!("mergePatches: [{{patchData: {data}}}]")
        }),
        rows(STRATEGIC, "/spec/map", |data| {
            format!("strategicPatches: [{{patchData: {data}}}]")
        }),
    ]
    .concat()
}
