//! Conditions: which objects a rule is for. Each rule makes `"hit"` of what it concerns.

use super::{Fails, Makes, Outcome, Refused, Row, Untouched, both};

const HIT: Outcome = Makes("\"hit\"");

const CONDITIONS: &[(&str, (Outcome, Outcome))] = &[
    // groupResource: dots separate, case counts, nothing is trimmed.
    ("groupResource: widgets.example.com", both(HIT)),
    ("groupResource: '*.example.com'", both(HIT)),
    ("groupResource: 'widgets.*.*'", both(HIT)),
    ("groupResource: '**'", both(HIT)),
    ("groupResource: '**.com'", both(HIT)),
    ("groupResource: 'w?dgets.example.com'", both(HIT)),
    ("groupResource: '[a-w]idgets.example.com'", both(HIT)),
    ("groupResource: '[!a]idgets.example.com'", both(HIT)),
    ("groupResource: '{widgets,gadgets}.example.com'", both(HIT)),
    ("groupResource: '{widgets.example.com,pods}'", both(HIT)),
    ("groupResource: '*'", both(Untouched)),
    ("groupResource: '*.*'", both(Untouched)),
    ("groupResource: pods", both(Untouched)),
    ("groupResource: widget.example.com", both(Untouched)),
    ("groupResource: Widgets.example.com", (Refused, Untouched)),
    ("groupResource: ' widgets.example.com'", (Refused, Untouched)),
    ("groupResource: pvc", (Refused, Untouched)),
    (
        "groupResource: persistentvolumeclaims.storage.k8s.io",
        both(Untouched),
    ),
    // resourceNameRegex: found anywhere.
    ("resourceNameRegex: mysql", both(HIT)),
    ("resourceNameRegex: ''", both(HIT)),
    ("resourceNameRegex: ^mysql", both(Untouched)),
    ("resourceNameRegex: '^my-mysql-0$'", both(HIT)),
    ("resourceNameRegex: '(?i)MYSQL'", both(HIT)),
    ("resourceNameRegex: MYSQL", both(Untouched)),
    (r"resourceNameRegex: '\Qmy-m\E'", both(HIT)),
    ("resourceNameRegex: 'my[[m-]mysql'", both(HIT)),
    ("resourceNameRegex: 'm{'", both(Untouched)),
    ("resourceNameRegex: '{my'", both(Untouched)),
    ("resourceNameRegex: 'y{,5}'", both(Untouched)),
    ("resourceNameRegex: '^[a&&m]y'", both(HIT)),
    (r"resourceNameRegex: '\pL+-\z'", both(Untouched)),
    (r"resourceNameRegex: '(?P<n>my)-(?<m>mysql)'", both(HIT)),
    ("resourceNameRegex: 'm**'", (Refused, Fails)),
    ("resourceNameRegex: 'm{1001}'", (Refused, Fails)),
    ("resourceNameRegex: '(?=my)'", (Refused, Fails)),
    (r"resourceNameRegex: '(m)\1'", (Refused, Fails)),
    (r"resourceNameRegex: '\C'", (Refused, Fails)),
    (r"resourceNameRegex: '\Z'", (Refused, Fails)),
    (r"resourceNameRegex: '\8'", (Refused, Fails)),
    // namespaces: the original one; nothing separates.
    ("namespaces: []", both(HIT)),
    ("namespaces: [ns.1]", both(HIT)),
    ("namespaces: [other, 'ns*']", both(HIT)),
    ("namespaces: ['*']", both(HIT)),
    ("namespaces: ['n?.[0-9]']", both(HIT)),
    ("namespaces: [other]", both(Untouched)),
    ("namespaces: [NS.1]", both(Untouched)),
    ("namespaces: [' ns.1']", both(Untouched)),
    ("namespaces: ['']", both(Untouched)),
    // labelSelector.
    ("labelSelector: null", both(HIT)),
    ("labelSelector: {}", both(HIT)),
    ("labelSelector: {matchLabels: {app: db}}", both(HIT)),
    ("labelSelector: {matchLabels: {app: web}}", both(Untouched)),
    (
        "labelSelector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}",
        both(HIT),
    ),
    (
        "labelSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}",
        both(Untouched),
    ),
    (
        "labelSelector: {matchExpressions: [{key: gone, operator: NotIn, values: [db]}]}",
        both(HIT),
    ),
    (
        "labelSelector: {matchExpressions: [{key: app, operator: Exists}]}",
        both(HIT),
    ),
    (
        "labelSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}",
        both(Untouched),
    ),
    // matches: a `test` that is quiet about a missing parent.
    ("matches: [{path: /spec/v, value: old}]", both(HIT)),
    ("matches: [{path: /spec/v, value: new}]", both(Untouched)),
    (
        "matches: [{path: /spec/v, value: old}, {path: /spec/n, value: '2'}]",
        both(Untouched),
    ),
    ("matches: [{path: /spec/n, value: '1'}]", both(HIT)),
    ("matches: [{path: /spec/n, value: '\"1\"'}]", both(Untouched)),
    ("matches: [{path: /spec/n, value: '1.0'}]", (HIT, Untouched)),
    ("matches: [{path: /spec/list, value: '[1, 2, 3]'}]", both(HIT)),
    (
        "matches: [{path: /spec/map, value: '{\"b\": [1], \"a\": 1}'}]",
        both(HIT),
    ),
    ("matches: [{path: /spec/list/-1, value: '3'}]", both(HIT)),
    ("matches: [{path: /spec/gone, value: a}]", both(Untouched)),
    ("matches: [{path: /spec/gone, value: 'null'}]", both(HIT)),
    ("matches: [{path: /spec/v, value: 'null'}]", both(Untouched)),
    ("matches: [{path: /gone/v, value: 'null'}]", both(Untouched)),
    ("matches: [{path: /spec/v/deeper, value: a}]", both(Untouched)),
    (
        "matches: [{path: /spec/list/9/deeper, value: a}]",
        both(Untouched),
    ),
    ("matches: [{path: /spec/gone}]", both(Untouched)),
    ("matches: [{path: /spec/list/9, value: a}]", both(Fails)),
    ("matches: [{path: /spec/list/-9, value: a}]", both(Fails)),
    ("matches: [{path: /spec/list/x, value: a}]", both(Fails)),
    ("matches: [{path: /spec/list/-, value: a}]", both(Fails)),
    ("matches: [{path: spec/v, value: old}]", (Refused, Untouched)),
];

pub(super) fn rows() -> Vec<Row> {
    let one = CONDITIONS.iter().map(|(condition, (ours, velero))| {
        let any = if condition.starts_with("groupResource") {
            ""
        } else {
            "groupResource: '**', "
        };
        Row {
            rules: format!(
                "version: v1\nresourceModifierRules:\n- conditions: {{{any}{condition}}}\n  \
                 patches: [{{operation: replace, path: /spec/v, value: hit}}]\n"
            ),
            pointer: "/spec/v",
            ours: *ours,
            velero: *velero,
        }
    });
    one.chain(orders()).collect()
}

/// All conditions see the object as it came; what rules do adds up.
fn orders() -> Vec<Row> {
    let step = |from: &str, to: &str| {
        format!(
            "- conditions: {{groupResource: '**', matches: [{{path: /spec/v, value: {from}}}]}}\n  \
             patches: [{{operation: replace, path: /spec/v, value: {to}}}]\n"
        )
    };
    [
        (step("old", "premium") + &step("premium", "gold"), "\"premium\""),
        (step("old", "premium") + &step("old", "gold"), "\"gold\""),
        (step("gone", "premium") + &step("old", "gold"), "\"gold\""),
    ]
    .map(|(rules, made)| Row {
        rules: format!("version: v1\nresourceModifierRules:\n{rules}"),
        pointer: "/spec/v",
        ours: Makes(made),
        velero: Makes(made),
    })
    .into()
}
