//! What can be known to be wrong is said when rules are read: all of it, with place and remedy.
#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::fmt::Write;

use clusterbackup_core::modifier::{Problem, RuleSet};

/// A rule set of one rule for `group_resource` with more lines of conditions and the patches.
fn rule(group_resource: &str, conditions: &str, patches: &str) -> String {
    let mut text = format!(
        "version: v1\nresourceModifierRules:\n- conditions:\n    groupResource: \"{group_resource}\"\n"
    );
    for line in conditions.lines() {
        writeln!(text, "    {line}").expect("strings can be written to");
    }
    for line in patches.lines() {
        writeln!(text, "  {line}").expect("strings can be written to");
    }
    text
}

fn patch(operation: &str) -> String {
    rule("pods", "", &format!("patches:\n- {operation}"))
}

fn merge(data: &str) -> String {
    rule("pods", "", &format!("mergePatches:\n- patchData: {data}"))
}

const REMOVE: &str = "patches:\n- {operation: remove, path: /spec/x}";

fn problems(text: &str) -> Vec<String> {
    match RuleSet::parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(Problem::to_string).collect(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    match RuleSet::parse(text) {
        Ok(rules) => rules.warnings().iter().map(Problem::to_string).collect(),
        Err(problems) => panic!("{text}\n{problems}"),
    }
}

/// The text has exactly one problem, and its message begins and ends like this.
fn assert_refused(text: &str, start: &str, end: &str) {
    let problems = problems(text);
    let [problem] = problems.as_slice() else {
        panic!("{text}\n{problems:#?}")
    };
    assert!(
        problem.starts_with(start) && problem.ends_with(end),
        "{text}\n{problem}"
    );
}

#[test]
fn the_document_has_to_be_one_of_ours() {
    for (text, start, end) in [
        (
            "",
            "line 1, column 1: the text is empty",
            "write `version: v1` and resourceModifierRules",
        ),
        ("a: [", "line 1, column 4: not valid YAML", ""),
        (
            "- 1",
            "line 1, column 1: an object is expected here",
            "resourceModifierRules",
        ),
        (
            "version: v2\nresourceModifierRules: []",
            "line 1, column 10: version: the version is not known",
            "`version: v1`",
        ),
        (
            "version: v1\n",
            "line 1, column 1: resourceModifierRules is missing",
            "write at least one rule",
        ),
        (
            "version: v1\nresourceModifierRules:\n",
            "line 1, column 1: resourceModifierRules is missing",
            "rule",
        ),
        (
            "version: v1\nresourceModifierRules: []",
            "line 2, column 24: resourceModifierRules: there is no rule",
            "rule",
        ),
        (
            "version: v1\nresourceModifierRules: {}",
            "line 2, column 24: resourceModifierRules: a list is expected",
            "",
        ),
    ] {
        let found = problems(text);
        assert!(
            found
                .iter()
                .any(|problem| problem.starts_with(start) && problem.ends_with(end)),
            "{text}\n{found:#?}"
        );
    }
}

#[test]
fn a_second_document_is_refused() {
    let text = format!("{}---\nmore: 1\n", rule("pods", "", REMOVE));
    assert_refused(
        &text,
        "line 8, column 1: a second YAML document begins here",
        "of the first",
    );
    assert_eq!(
        problems(&format!("---\n{}---\n", rule("pods", "", REMOVE))),
        Vec::<String>::new()
    );
}

#[test]
fn fields_are_known_and_given_once() {
    let text = rule("pods", "resourceNameRegexp: a\nzzz: 1", REMOVE);
    assert_eq!(
        problems(&text),
        [
            "line 5, column 5: resourceModifierRules[0].conditions.resourceNameRegexp: `resourceNameRegexp` is not a \
             known field; did you mean `resourceNameRegex`?",
            "line 6, column 5: resourceModifierRules[0].conditions.zzz: `zzz` is not a known field; known are \
             groupResource, resourceNameRegex, namespaces, labelSelector, matches",
        ]
    );
    assert_refused(
        &rule("pods", "namespaces: [a]\nNamespaces: [b]", REMOVE),
        "line 6, column 5",
        "keep one of the two",
    );
    assert_refused(
        &rule("pods", "namespaces: [a]\nnamespaces: [b]", REMOVE),
        "line 6, column 5",
        "keep one of the two",
    );
}

#[test]
fn the_case_of_field_names_and_of_the_version_does_not_matter() {
    let text = rule("pods", "Namespaces: [a]", REMOVE).replace("version: v1", "Version: V1");
    assert_eq!(warnings(&text), Vec::<String>::new());
}

#[test]
fn conditions_are_checked() {
    for (conditions, start, end) in [
        (
            "resourceNameRegex: 'a('",
            "line 5, column 24: resourceModifierRules[0].conditions.resourceNameRegex: the regular expression is malformed: unclosed group",
            "no back-references",
        ),
        (
            "resourceNameRegex: '(?=a)'",
            "line 5, column 24",
            "no back-references",
        ),
        (
            "resourceNameRegex: [a]",
            "line 5, column 24",
            "text is expected here",
        ),
        (
            "namespaces: [ok, '[']",
            "line 5, column 22: resourceModifierRules[0].conditions.namespaces[1]: the pattern is malformed",
            "`[` is not closed",
        ),
        (
            "namespaces: default",
            "line 5, column 17: resourceModifierRules[0].conditions.namespaces: a list is expected here",
            "`- `",
        ),
        (
            "labelSelector: {matchLabels: {'a b': c}}",
            "line 5, column 42: resourceModifierRules[0].conditions.labelSelector.matchLabels.a b: `a b` is no label key",
            "",
        ),
        (
            "labelSelector: {matchLabels: {a: 'b c'}}",
            "line 5, column 38",
            "",
        ),
        (
            "labelSelector: {matchExpressions: [{key: a, operator: Within, values: [b]}]}",
            "line 5, column 40",
            "use In, NotIn, Exists or DoesNotExist",
        ),
        (
            "labelSelector: {matchExpressions: [{key: a, operator: In}]}",
            "line 5, column 40",
            "need at least one value",
        ),
        (
            "labelSelector: {app: db}",
            "line 5, column 21: resourceModifierRules[0].conditions.labelSelector.app: `app` is not a known field",
            "matchLabels, matchExpressions",
        ),
        (
            "matches: [{value: a}]",
            "line 5, column 15: resourceModifierRules[0].conditions.matches[0]: path is missing",
            "`/spec/replicas`",
        ),
        (
            "matches: [{path: spec, value: a}]",
            "line 5, column 22: resourceModifierRules[0].conditions.matches[0].path: a path must start with `/`",
            "`/metadata/labels/example.com~1app`",
        ),
        (
            "matches: [{path: /spec, value: '007'}]",
            "line 5, column 36: resourceModifierRules[0].conditions.matches[0].value: the value looks like a number",
            "",
        ),
    ] {
        assert_refused(&rule("pods", conditions, REMOVE), start, end);
    }
}

#[test]
fn patches_are_checked() {
    let path = "resourceModifierRules[0].patches[0]";
    for (operation, start, end) in [
        (
            "{path: /a}",
            format!("line 6, column 5: {path}: operation is missing"),
            "copy, test",
        ),
        (
            "{operation: Replace, path: /a, value: b}",
            format!("line 6, column 17: {path}.operation: there is no operation `Replace`"),
            "write it in lower case: `replace`",
        ),
        (
            "{operation: delete, path: /a}",
            format!("line 6, column 17: {path}.operation: there is no operation `delete`"),
            "copy, test",
        ),
        (
            "{operation: remove}",
            format!("line 6, column 5: {path}: path is missing"),
            "`/spec/replicas`",
        ),
        (
            "{operation: remove, path: ''}",
            format!("line 6, column 5: {path}: path is missing"),
            "`/spec/replicas`",
        ),
        (
            "{operation: remove, path: a}",
            format!("line 6, column 31: {path}.path: a path must start with `/`"),
            "app`",
        ),
        (
            "{operation: remove, path: /a~2}",
            format!("line 6, column 31: {path}.path: `~` must be written as `~0`"),
            "app`",
        ),
        (
            "{operation: move, path: /a}",
            format!("line 6, column 5: {path}: from is missing"),
            "`/spec/replicas`",
        ),
        (
            "{operation: copy, from: '', path: /a}",
            format!("line 6, column 5: {path}: from is missing"),
            "`/spec/replicas`",
        ),
        (
            "{operation: remove, path: /a, vaule: b}",
            format!("line 6, column 35: {path}.vaule: `vaule` is not a known field"),
            "did you mean `value`?",
        ),
        (
            "{operation: add, path: /a, value: 'TRUE'}",
            format!("line 6, column 39: {path}.value: a boolean is written"),
            "for a string",
        ),
        (
            "{operation: add, path: /a, value: '007'}",
            format!("line 6, column 39: {path}.value: the value looks like a number"),
            "for a string",
        ),
        (
            "{operation: add, path: /a, value: '{{ tpl }}'}",
            format!("line 6, column 39: {path}.value: the value starts like a JSON object"),
            "for a string",
        ),
        (
            "{operation: add, path: /a, value: .inf}",
            format!("line 6, column 39: {path}.value: the value looks like a number"),
            "for a string",
        ),
        (
            "{operation: add, path: /a, value: {b: .nan}}",
            format!("line 6, column 39: {path}.value: the value looks like a number"),
            "for a string",
        ),
    ] {
        assert_refused(&patch(operation), &start, end);
    }
}

#[test]
fn values_are_judged_by_what_the_rule_is_for() {
    let with = |group_resource, path| {
        rule(
            group_resource,
            "",
            &format!("patches:\n- {{operation: add, path: {path}, value: '007'}}"),
        )
    };
    for (group_resource, path, fits) in [
        ("configmaps", "/data/x", true),
        ("secrets", "/stringData/x", true),
        ("{configmaps,pods}", "/data/x", true),
        ("**", "/data/x", true),
        ("pods", "/data/x", false),
        ("*.apps", "/data/x", false),
        ("pods", "/metadata/labels/x", true),
        ("configmaps", "/spec/x", false),
    ] {
        assert_eq!(
            problems(&with(group_resource, path)).is_empty(),
            fits,
            "{group_resource} {path}"
        );
    }
}

#[test]
fn a_rule_has_patches_of_one_kind() {
    let nothing = "changes nothing; give it patches, mergePatches or strategicPatches";
    assert_refused(
        &rule("pods", "", ""),
        "line 3, column 3: resourceModifierRules[0]: the rule",
        nothing,
    );
    assert_refused(
        &rule("pods", "", "patches: []\nmergePatches: []"),
        "line 3, column 3",
        nothing,
    );
    let both = format!("{REMOVE}\nmergePatches:\n- patchData: '{{}}'");
    assert_refused(
        &rule("pods", "", &both),
        "line 8, column 5: resourceModifierRules[0].mergePatches",
        "same conditions",
    );
    let empty_other = format!("{REMOVE}\nmergePatches: []\nstrategicPatches:");
    assert_eq!(problems(&rule("pods", "", &empty_other)), Vec::<String>::new());
}

#[test]
fn patch_data_is_checked() {
    for (data, start, end) in [
        (
            "",
            "line 6, column 5: resourceModifierRules[0].mergePatches[0]: patchData is missing",
            "as JSON or YAML",
        ),
        (
            "''",
            "line 6, column 16: resourceModifierRules[0].mergePatches[0].patchData: patchData holds 0 documents",
            "one object",
        ),
        ("'null'", "line 6, column 16", "exactly one object"),
        ("'[1]'", "line 6, column 16", "as JSON or YAML"),
        ("text", "line 6, column 16", "as JSON or YAML"),
        ("[1]", "line 6, column 16", "as JSON or YAML"),
        (
            "|\n    a: 1\n    ---\n    b: 2",
            "line 7, column 7",
            "exactly one object",
        ),
        (
            "|\n    a: 1\n    b: [",
            "line 7, column 7: resourceModifierRules[0].mergePatches[0].patchData: line 2, column 4 of patchData: not valid YAML",
            "",
        ),
        (
            "|\n    {\n     \"a\": 1,\n     \"a\": 2}",
            "line 7, column 7: resourceModifierRules[0].mergePatches[0].patchData: line 3, column 2 of patchData: the key `a` was already given on line 2",
            "",
        ),
    ] {
        assert_refused(&merge(data), start, end);
    }
    for data in [
        "{}",
        "{spec: {x: 1}}",
        "'{\"spec\": {\"x\": null}}'",
        "|\n    spec:\n      x: 1",
    ] {
        assert_eq!(warnings(&merge(data)), Vec::<String>::new(), "{data}");
    }
}

#[test]
fn rules_keep_namespace_kind_and_version() {
    for (operation, end) in [
        (
            "{operation: replace, path: /metadata/namespace, value: x}",
            "namespaceMappings of the interception or of the restore",
        ),
        ("{operation: remove, path: /metadata/namespace}", "of the restore"),
        (
            "{operation: add, path: /metadata/namespace/x, value: x}",
            "of the restore",
        ),
        (
            "{operation: add, path: /metadata, value: {name: x}}",
            "name the fields to change",
        ),
        (
            "{operation: move, from: /metadata, path: /spec/x}",
            "name the fields to change",
        ),
        (
            "{operation: move, from: /kind, path: /spec/x}",
            "convert it afterwards",
        ),
        (
            "{operation: copy, from: /spec/x, path: /kind}",
            "convert it afterwards",
        ),
        (
            "{operation: replace, path: /apiVersion, value: v2}",
            "convert it afterwards",
        ),
    ] {
        assert_refused(&patch(operation), "line 6, column", end);
    }
    for (data, end) in [
        ("{kind: X}", "convert it afterwards"),
        ("{apiVersion: v2}", "convert it afterwards"),
        ("'{\"metadata\": {\"namespace\": null}}'", "of the restore"),
        ("{metadata: null}", "name the fields to change"),
        ("{metadata: x}", "name the fields to change"),
    ] {
        assert_refused(&merge(data), "line 6, column 16", end);
    }
    for allowed in [
        "{operation: test, path: /kind, value: Pod}",
        "{operation: copy, from: /metadata, path: /spec/x}",
        "{operation: add, path: /metadata~1namespace, value: x}",
        "{operation: replace, path: /spec/kind, value: x}",
        "{operation: replace, path: /metadata/name, value: x}",
    ] {
        assert_eq!(problems(&patch(allowed)), Vec::<String>::new(), "{allowed}");
    }
}

#[test]
fn group_resources_that_cannot_match_are_refused() {
    for (group_resource, end) in [
        ("pvc", "write `persistentvolumeclaims`"),
        ("persistentvolumeclaim", "write `persistentvolumeclaims`"),
        ("deployments", "write `deployments.apps`"),
        ("deploy", "write `deployments.apps`"),
        ("ConfigMaps", "perhaps `configmaps`"),
        (" configmaps", "perhaps `configmaps`"),
        ("apps/v1", "perhaps `apps`"),
        ("[", "`[` is not closed"),
        ("{a", "`{` is not closed"),
        (
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
            "to no webhook",
        ),
        ("*.admissionregistration.k8s.io", "to no webhook"),
        ("events", "never intercepted"),
        ("leases.coordination.k8s.io", "never intercepted"),
        ("restoreinterceptions.clusterbackup.io", "never intercepted"),
        ("*.authorization.k8s.io", "never intercepted"),
    ] {
        assert_refused(&rule(group_resource, "", REMOVE), "line 4, column 20", end);
    }
    assert_refused(
        &rule("", "", REMOVE),
        "line 4, column 5: resourceModifierRules[0].conditions: groupResource is missing",
        "",
    );
}

#[test]
fn group_resources_that_hardly_match_are_warned_about() {
    for (group_resource, end) in [
        ("*.*", "write `**` for everything"),
        (
            "persistentvolumeclaims.storage.k8s.io",
            "write `persistentvolumeclaims`",
        ),
        ("deployment.apps", "write `deployments.apps`"),
        ("deployments.batch", "write `deployments.apps`"),
        ("widgets", "as in `widgets.example.com`"),
    ] {
        let found = warnings(&rule(group_resource, "", REMOVE));
        let [warning] = found.as_slice() else {
            panic!("{group_resource}: {found:?}")
        };
        assert!(
            warning.starts_with("line 4, column 20") && warning.ends_with(end),
            "{warning}"
        );
    }
    for fine in [
        "pods",
        "*",
        "**",
        "*.apps",
        "deployments.apps",
        "widgets.example.com",
        "deployments.example.com",
    ] {
        assert_eq!(warnings(&rule(fine, "", REMOVE)), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn what_is_hardly_meant_is_warned_about() {
    for (text, end) in [
        (
            patch("{operation: add, path: /a}"),
            "in quotes, \"null\" for null",
        ),
        (
            patch("{operation: add, path: /a, value: null}"),
            "in quotes, \"null\" for null",
        ),
        (
            patch(r"{operation: add, path: /a, value: 'C:\new'}"),
            "write two where one is meant",
        ),
        (merge("'{on: 1}'"), "put it in quotes if it is meant as written"),
        (
            rule("pods", "namespaces: [no]", REMOVE),
            "put it in quotes if it is meant as written",
        ),
    ] {
        let found = warnings(&text);
        assert!(
            matches!(found.as_slice(), [warning] if warning.ends_with(end)),
            "{text}\n{found:#?}"
        );
    }
}

#[test]
fn all_problems_are_found_at_once() {
    let text = r#"version: v3
resourceModifierRules:
- conditions:
    groupResource: pvc
    resourceNameRegex: "("
    matches:
    - path: spec
  patches:
  - operation: Replace
    path: nowhere
- patches: []
"#;
    let found = problems(text);
    let lines: Vec<_> = found
        .iter()
        .filter_map(|problem| problem.split(',').next())
        .collect();
    assert_eq!(
        lines,
        [
            "line 1", "line 4", "line 5", "line 7", "line 9", "line 10", "line 11", "line 11"
        ],
        "{found:#?}"
    );
}

#[test]
fn problems_name_their_rule_and_serialise() {
    let problems = RuleSet::parse(&patch("{operation: remove, path: a}")).expect_err("is invalid");
    let json = serde_json::to_value(&problems).expect("problems serialise");
    assert_eq!(json[0]["rule"], 0);
    assert_eq!(json[0]["line"], 6);
    assert_eq!(json[0]["field"], "resourceModifierRules[0].patches[0].path");
}

#[test]
fn sizes_are_bounded() {
    let long = format!("{}# {}", rule("pods", "", REMOVE), "x".repeat(1 << 20));
    assert_refused(&long, "line 1, column 1: the text has", "1048576 are allowed");
    let many = format!("version: v1\nresourceModifierRules:\n{}", "- {}\n".repeat(1001));
    assert_refused(
        &many,
        "line 3, column 3: resourceModifierRules: 1001 rules are too many",
        "several sets",
    );
    let wrong = format!("version: v1\nresourceModifierRules:\n{}", "- {}\n".repeat(1000));
    assert_eq!(problems(&wrong).len(), 100);
    let operations = rule(
        "pods",
        "",
        &format!("patches:\n{}", "- {operation: remove, path: /a}\n".repeat(1001)),
    );
    assert_refused(&operations, "line 6, column 5", "at most 1000 are allowed");
    assert_refused(
        &"[".repeat(100_000),
        "line 1, column 65",
        "nested more than 64 levels deep",
    );
}
