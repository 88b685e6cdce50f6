//! What `docs/rules.md` and the README show is true: examples are valid, tables say what happens, refusals read as
//! printed.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use clusterbackup_core::interception::{
    Case, Concerned, ConflictPolicy, CustomResourceStrategy, Interception, MODIFIED, Matches,
    NamespaceMappings, OnModifierError, Scope, Subject, Verdict, decide,
};
use clusterbackup_core::modifier::{Problem, Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use clusterbackup_core::yaml;
use serde_json::{Value, json};

const RULES: &str = include_str!("../../../docs/rules.md");
const README: &str = include_str!("../../../README.md");

/// The fenced blocks of a page: what stands behind the fence, and the text in it.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), is_open) {
            (Some(info), false) => blocks.push((info, String::new())),
            (None, true) => {
                let (_, text) = blocks.last_mut().expect("a block is open");
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
        is_open ^= line.trim_start().starts_with("```");
    }
    assert!(!is_open, "a fence is not closed");
    blocks
}

/// The rows of the table whose header begins with this cell, the header itself first.
fn table(first_cell: &str) -> Vec<Vec<String>> {
    let header = format!("| {first_cell} |");
    let lines = RULES.lines().skip_while(|line| !line.starts_with(&header));
    let rows = lines.take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.filter(|line| !line.starts_with("|---")).map(cells).collect();
    assert!(rows.len() > 1, "there is no table {header}");
    rows
}

fn cells(line: &str) -> Vec<String> {
    let cells = line.trim_matches('|').split(" | ");
    cells
        .map(|cell| without_backticks(cell.trim()).to_owned())
        .collect()
}

/// The text of a cell that is code as a whole, in one pair of backticks or (around text that has some) two.
fn without_backticks(cell: &str) -> &str {
    let inside = |open, close| cell.strip_prefix(open)?.strip_suffix(close);
    inside("`` ", " ``")
        .or_else(|| inside("`", "`").filter(|code: &&str| !code.contains('`')))
        .unwrap_or(cell)
}

/// From a fragment, as it stands in a table, to a rule set that has it.
type SetWith = fn(&str) -> String;

fn set(rule: &str) -> String {
    format!("version: v1\nresourceModifierRules:\n- {rule}\n")
}

/// A set of one rule with a condition.
fn with_condition(condition: &str) -> String {
    let group_resource = if condition.starts_with("groupResource") {
        ""
    } else {
        "groupResource: pods, "
    };
    let patches = "patches: [{operation: remove, path: /spec/x}]";
    set(&format!(
        "{{conditions: {{{group_resource}{condition}}}, {patches}}}"
    ))
}

/// A set of one rule with a patch.
fn with_patch(patch: &str) -> String {
    set(&format!(
        "{{conditions: {{groupResource: pods}}, patches: [{patch}]}}"
    ))
}

/// A set of one rule with a merge patch.
fn with_patch_data(data: &str) -> String {
    set(&format!(
        "{{conditions: {{groupResource: pods}}, mergePatches: [{{patchData: {data}}}]}}"
    ))
}

/// A set of one rule with a strategic patch.
fn with_strategic_patch(data: &str) -> String {
    set(&format!(
        "{{conditions: {{groupResource: pods}}, strategicPatches: [{{patchData: {data}}}]}}"
    ))
}

/// What it says of a problem, without the place.
fn said(problem: &Problem) -> String {
    let hint = problem.hint.as_ref();
    hint.map_or_else(
        || problem.message.clone(),
        |hint| format!("{}; {hint}", problem.message),
    )
}

fn problems(text: &str) -> Vec<String> {
    RuleSet::parse(text)
        .err()
        .map_or_else(Vec::new, |problems| problems.iter().map(said).collect())
}

fn warnings(text: &str) -> Vec<String> {
    RuleSet::parse(text)
        .expect(text)
        .warnings()
        .iter()
        .map(said)
        .collect()
}

/// What the rules make of an object, and what became of each.
fn apply(text: &str, object: &Value) -> (Value, Vec<RuleOutcome>) {
    let rules = RuleSet::parse(text).expect(text);
    let group_resource = GroupResource::new("", "pods");
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact("web"),
        original_namespace: Some("shop"),
    };
    let mut draft = Draft::new(object.clone());
    let results = rules.apply(
        &rules.select(&target, object),
        &mut draft,
        &Rename::Allowed.into(),
    );
    let outcomes = results.into_iter().map(|result| result.outcome).collect();
    (draft.into_parts().0, outcomes)
}

#[test]
fn the_examples_are_valid_and_give_no_warning() {
    let mut count = 0;
    for (_, text) in blocks(RULES)
        .iter()
        .chain(&blocks(README))
        .filter(|(info, _)| *info == "yaml")
    {
        let documents = yaml::to_json_documents(text).expect(text);
        let in_config_maps = documents
            .iter()
            .filter(|document| document["kind"] == "ConfigMap")
            .map(|config_map| config_map["data"]["rules.yaml"].as_str().expect(text));
        let plain = text.starts_with("version: v1").then_some(text.as_str());
        for rules in in_config_maps.chain(plain) {
            assert_eq!(warnings(rules), Vec::<String>::new(), "{rules}");
            count += 1;
        }
    }
    assert!(count > 10, "only {count} rule sets were found");
}

#[test]
fn what_is_shown_as_refused_is_refused_as_shown() {
    let blocks = blocks(RULES);
    let refused: Vec<_> = blocks
        .windows(2)
        .filter(|pair| pair[0].0 == "yaml refused")
        .collect();
    assert!(!refused.is_empty());
    for pair in refused {
        let problems = RuleSet::parse(&pair[0].1).map(|_| "nothing is refused");
        assert_eq!(
            problems.map_err(|problems| problems.to_string()),
            Err(pair[1].1.trim_end().to_owned())
        );
    }
}

#[test]
fn group_resources_match_as_the_table_says() {
    let rows = table("groupResource");
    let (header, rows) = rows.split_first().expect("a table has a header");
    for row in rows {
        let rules =
            RuleSet::parse(&with_condition(&format!("groupResource: \"{}\"", row[0]))).expect(&row[0]);
        for (resource, expected) in header.iter().zip(row).skip(1) {
            let (name, group) = resource.split_once('.').unwrap_or((resource, ""));
            let target = Target {
                group_resource: &GroupResource::new(group, name),
                name: ObjectName::Exact("web"),
                original_namespace: None,
            };
            let holds = !rules.select(&target, &json!({})).is_empty();
            assert_eq!(
                if holds { "yes" } else { "no" },
                expected,
                "{} {resource}",
                row[0]
            );
        }
    }
}

#[test]
fn values_become_what_the_table_says() {
    for row in table("value").iter().skip(1) {
        for (path, expected) in [("/spec/x", &row[1]), ("/metadata/labels/x", &row[2])] {
            let text = set(&format!(
                "conditions: {{groupResource: pods}}\n  patches:\n  - operation: add\n    path: {path}\n    value: {}",
                row[0]
            ));
            if expected == "refused" {
                assert!(!problems(&text).is_empty(), "{text}");
                continue;
            }
            let (object, _) = apply(&text, &json!({"metadata": {"labels": {}}, "spec": {}}));
            let expected: Value = serde_json::from_str(expected).expect(expected);
            assert_eq!(object.pointer(path), Some(&expected), "{text}");
        }
    }
}

#[test]
fn strategic_patches_do_what_the_table_says() {
    let read = |text: &str| yaml::to_json_documents(text).expect(text).remove(0);
    for row in table("in the spec").iter().skip(1) {
        let text = with_strategic_patch(&format!("{{spec: {}}}", row[1]));
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": read(&row[0])});
        let (object, outcomes) = apply(&text, &pod);
        assert_eq!(outcomes, [RuleOutcome::Applied], "{text}");
        assert_eq!(object["spec"], read(&row[2]), "{text}");
        assert_eq!(warnings(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_operations_shown_do_something() {
    let object = json!({"metadata": {"name": "web", "labels": {"a": "x"}}, "spec": {"replicas": 3, "volumeName": "pv"}});
    for row in table("operation").iter().skip(1) {
        let (_, outcomes) = apply(&with_patch(&row[1]), &object);
        let expected = match row[0].as_str() {
            "test" => RuleOutcome::Unchanged,
            _ => RuleOutcome::Applied,
        };
        assert_eq!(outcomes, [expected], "{}", row[1]);
    }
}

#[test]
fn problems_are_told_as_the_tables_say() {
    let places: [(&str, SetWith); 6] = [
        ("refused as a text", str::to_owned),
        ("refused as a rule", set),
        ("refused in conditions", with_condition),
        ("refused in patches", with_patch),
        ("refused as patchData", with_patch_data),
        ("refused as a strategic patch", with_strategic_patch),
    ];
    for (header, text_with) in places {
        for row in table(header).iter().skip(1) {
            assert_eq!(problems(&text_with(&row[0])), [row[1].as_str()], "{}", row[0]);
        }
    }
}

#[test]
fn warnings_are_told_as_the_tables_say() {
    let places: [(&str, SetWith); 4] = [
        ("warned about in conditions", with_condition),
        ("warned about in patches", with_patch),
        ("warned about as patchData", with_patch_data),
        ("warned about as a strategic patch", with_strategic_patch),
    ];
    for (header, text_with) in places {
        for row in table(header).iter().skip(1) {
            assert_eq!(warnings(&text_with(&row[0])), [row[1].as_str()], "{}", row[0]);
        }
    }
}

/// The verdict of the interception that the page tells of.
fn review(on_error: OnModifierError, rules: &str) -> Verdict {
    let interception = Interception {
        name: "shop-to-staging".to_owned(),
        priority: 0,
        matches: Matches::default(),
        scope: Scope::Unlimited,
        on_error,
        conflict_policy: ConflictPolicy::default(),
        custom_resources: CustomResourceStrategy::default(),
        mappings: NamespaceMappings::default(),
        velero_namespaces: BTreeSet::new(),
        rules: Ok(Arc::new(RuleSet::parse(rules).expect(rules))),
    };
    let subject = Subject {
        group_resource: &GroupResource::new("", "persistentvolumeclaims"),
        name: ObjectName::Exact("data"),
        namespace: Some("shop-staging"),
    };
    let case = Case {
        subject,
        rename: Rename::Allowed,
        object: json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "standard"}}),
        existing: None,
        custom: None,
    };
    decide(&[Concerned::from(&interception)], case)
}

#[test]
fn a_refusal_and_a_mark_look_as_shown() {
    let rules = "version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  patches:
  - {operation: replace, path: /spec/storageClassName, value: premium}
  - {operation: remove, path: /spec/volumeName}
- conditions: {groupResource: pods}
  mergePatches: [{patchData: {spec: {x: y}}}]
- conditions: {groupResource: persistentvolumeclaims}
  mergePatches: [{patchData: {spec: {storageClassName: standard}}}]
";
    let refusal = review(OnModifierError::Deny, rules)
        .outcome
        .expect_err("a rule fails");
    assert!(RULES.contains(&format!("\n{refusal}\n")), "{refusal}");

    let rules = rules.replace("  - {operation: remove, path: /spec/volumeName}\n", "");
    let decision = review(OnModifierError::Deny, &rules)
        .outcome
        .expect("no rule fails");
    let mark = decision.object["metadata"]["annotations"][MODIFIED]
        .as_str()
        .expect("it is marked");
    let shown: Vec<_> = blocks(RULES)
        .into_iter()
        .filter(|(info, _)| *info == "json")
        .collect();
    assert_eq!(shown, [("json", format!("{mark}\n"))]);
}
