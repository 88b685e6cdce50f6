//! `rules check`.

use serde_json::{Value, json};

use crate::running::Folder;

const BARE: &str = "\
version: v1
resourceModifierRules:
- conditions:
    groupResource: pvc
    resourceNameRegexp: ^data
  patches:
  - {operation: replace, path: metadata/name, value: data-restored}
";

const VALID: &str = "\
version: v1
resourceModifierRules:
- conditions: {groupResource: pods}
  patches:
  - {operation: remove, path: /spec/nodeName}
";

/// Rules in a ConfigMap, behind this key.
fn config_map(name: &str, rules: &str) -> String {
    let lines: Vec<_> = rules.lines().map(|line| format!("    {line}")).collect();
    let lines = lines.join("\n");
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  rules.yaml: |\n{lines}\n")
}

#[test]
fn every_problem_is_shown_at_its_place() {
    let ran = Folder::with(&[("rules.yaml", BARE)]).run(&["rules", "check", "rules.yaml"]);
    let expected = "\
error: there is no resource `pvc` in the core group
 --> rules.yaml:4:20
  |
4 |     groupResource: pvc
  |                    ^^^ resourceModifierRules[0].conditions.groupResource
  |
  = help: write `persistentvolumeclaims`

error: `resourceNameRegexp` is not a known field
 --> rules.yaml:5:5
  |
5 |     resourceNameRegexp: ^data
  |     ^^^^^^^^^^^^^^^^^^ resourceModifierRules[0].conditions.resourceNameRegexp
  |
  = help: did you mean `resourceNameRegex`?

error: a path must start with `/`
 --> rules.yaml:7:32
  |
7 |   - {operation: replace, path: metadata/name, value: data-restored}
  |                                ^^^^^^^^^^^^^ resourceModifierRules[0].patches[0].path
  |
  = help: write a path as in `/metadata/labels/example.com~1app`

not valid: 3 problems
";
    assert_eq!(ran.quietly(1), expected);
}

fn json_of(folder: &Folder, code: i32, arguments: &[&str]) -> Value {
    let arguments = [&["rules", "check", "-o", "json"], arguments].concat();
    serde_json::from_str(&folder.run(&arguments).quietly(code)).unwrap()
}

#[test]
fn places_are_those_of_the_file_wherever_the_rules_stand_in_it() {
    let in_list = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: rules}
  data:
    any-key: |-

      version: v1
      resourceModifierRules:
      - conditions: {groupResource: pvc}
        patches: [{operation: remove, path: /spec/volumeName}]
";
    let behind_others = format!(
        "kind: Namespace\napiVersion: v1\n---\n{}",
        config_map("rules", BARE)
    );
    let quoted =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "r"}, "data": {"r": BARE}});
    for (name, text, places) in [
        ("bare", BARE.to_owned(), vec![(4, 20), (5, 5), (7, 32)]),
        (
            "windows",
            BARE.replace('\n', "\r\n"),
            vec![(4, 20), (5, 5), (7, 32)],
        ),
        (
            "ConfigMap",
            config_map("rules", BARE),
            vec![(9, 24), (10, 9), (12, 36)],
        ),
        ("documents", behind_others, vec![(12, 24), (13, 9), (15, 36)]),
        ("List", in_list.to_owned(), vec![(12, 37)]),
        // Not line by line in the file: where the text begins.
        ("quoted", quoted.to_string(), vec![(1, 32); 3]),
    ] {
        let report = json_of(&Folder::with(&[("rules", &text)]), 1, &["rules"]);
        let found: Vec<_> = report["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| {
                (
                    problem["line"].as_u64().unwrap(),
                    problem["column"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, places, "{name}: {report:#}");
    }
}

#[test]
fn programs_get_file_line_column_rule_message_and_hint() {
    let warned = VALID.replace("pods", "gizmos");
    let folder = Folder::with(&[("bad.yaml", BARE), ("warned.yaml", &warned)]);
    let report = json_of(&folder, 1, &["bad.yaml", "warned.yaml", "missing.yaml"]);
    assert_eq!(report["valid"], false);
    let first = json!({
        "file": "bad.yaml", "line": 4, "column": 20, "rule": 0,
        "message": "there is no resource `pvc` in the core group", "hint": "write `persistentvolumeclaims`",
    });
    assert_eq!(report["problems"][0], first);
    let last = json!({
        "file": "missing.yaml", "line": null, "column": null, "rule": null,
        "message": "it can't be read: No such file or directory (os error 2)", "hint": null,
    });
    assert_eq!(report["problems"][3], last);
    let warning = json!({
        "file": "warned.yaml", "line": 3, "column": 31, "rule": 0,
        "message": "no resource `gizmos` is known in the core group",
        "hint": "add the group if it has one, as in `gizmos.example.com`",
    });
    assert_eq!(report["warnings"], json!([warning]));
}

#[test]
fn valid_rules_are_counted_and_warnings_dont_count() {
    let warned = VALID.replace("pods", "gizmos");
    let both = format!("{}---\n{}", config_map("one", VALID), config_map("two", &warned));
    let folder = Folder::with(&[("both.yaml", &both), ("bare.yaml", VALID)]);
    let out = folder
        .run(&["rules", "check", "both.yaml", "bare.yaml"])
        .quietly(0);
    assert!(out.starts_with("warning: no resource `gizmos` is known"), "{out}");
    let sets = "\
both.yaml: ConfigMap one: valid, 1 rule
both.yaml: ConfigMap two: valid, 1 rule
bare.yaml: valid, 1 rule
";
    assert!(out.ends_with(sets), "{out}");
    assert_eq!(
        json_of(&folder, 0, &["bare.yaml"]),
        json!({"valid": true, "problems": [], "warnings": []})
    );
}

#[test]
fn standard_input_is_a_file() {
    let folder = Folder::with(&[]);
    let ran = folder.run_with(&config_map("rules", VALID), &["rules", "check", "-"]);
    assert_eq!(ran.quietly(0), "<stdin>: ConfigMap rules: valid, 1 rule\n");
    let ran = folder.run_with(BARE, &["rules", "check", "-", "-o", "json"]);
    let report: Value = serde_json::from_str(&ran.quietly(1)).unwrap();
    assert_eq!(report["problems"][0]["file"], "-");
}

#[test]
fn a_file_that_holds_no_rules_is_one_clear_problem() {
    let object = "{apiVersion: v1, kind: Service, metadata: {name: s}}";
    let keys =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\ndata: {a: 'resourceModifierRules', b: x}\n";
    let nested = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\ndata:\n  rules:\n    version: v1\n";
    let folder = Folder::with(&[
        ("empty", ""),
        ("comment", "# nothing\n---\n"),
        ("service", object),
        ("mixed", &format!("{object}\n---\n{VALID}")),
        ("keys", keys),
        ("nested", nested),
    ]);
    folder.write("binary", &[0x7f, b'E', b'L', b'F', 0xff, 0xfe]);
    folder.write("zeros", &[0; 4096]);
    folder.write("huge", &vec![b'#'; (64 << 20) + 1]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for (file, line, message) in [
        ("empty", json!(1), "the text is empty"),
        ("comment", json!(1), "the text is empty"),
        (
            "service",
            json!(1),
            "there are no rules in here, only objects of kind Service",
        ),
        (
            "mixed",
            json!(3),
            "this document is no Kubernetes object, but others in the file are",
        ),
        (
            "keys",
            json!(4),
            "ConfigMap r can't be used: it has 2 data keys (a, b); keep one, and one ConfigMap for each rule set",
        ),
        (
            "nested",
            json!(6),
            "ConfigMap r can't be used: the value is no text; write `|` after its key",
        ),
        (
            "binary",
            json!(null),
            "it is no text (byte 4 is not UTF-8); give a YAML or JSON file",
        ),
        (
            "zeros",
            json!(null),
            "it is no text (byte 0 is a control character); give a YAML or JSON file",
        ),
        ("huge", json!(null), "it has more than 64 MiB; split it"),
        ("folder", json!(null), "it is a directory; name the files in it"),
    ] {
        let report = json_of(&folder, 1, &[file]);
        let problems = report["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 1, "{report:#}");
        assert_eq!(
            (&problems[0]["line"], &problems[0]["message"]),
            (&line, &json!(message))
        );
        let shown = folder.run(&["rules", "check", file]).quietly(1);
        assert!(shown.contains(message) && shown.contains(file), "{shown}");
    }
}

#[test]
fn nothing_in_a_file_reaches_the_terminal_as_a_command_to_it() {
    let rules = BARE
        .replace("pvc", "\"\u{1b}[2Jpvc\"")
        .replace("metadata/name", "\u{9b}31m");
    let out = Folder::with(&[("rules", &rules)])
        .run(&["rules", "check", "rules"])
        .quietly(1);
    assert!(!out.contains(['\u{1b}', '\u{9b}']), "{out:?}");
}

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::with(&[("rules", BARE)]);
    assert!(!folder.run(&["rules", "check", "rules"]).out.contains('\u{1b}'));
}
