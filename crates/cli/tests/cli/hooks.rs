//! `hooks check`.

use serde_json::Value;

use crate::running::Folder;

const HEAD: &str = "\
apiVersion: clusterbackup.dataprotection.microsoft.com/v1alpha1
kind: BackupHook
metadata: {name: db, namespace: shop}
spec:
";

fn checked(spec: &str, code: i32) -> String {
    let text = format!("{HEAD}{spec}");
    Folder::with(&[("hooks.yaml", &text)])
        .run(&["hooks", "check", "hooks.yaml"])
        .quietly(code)
}

#[test]
fn valid_hooks_are_shown_as_they_will_run() {
    let shown = checked(
        "
  backupHook:
  - name: quiesce
    excludedNamespaces:
    labelSelector:
    preHooks:
    - exec: {command: [/bin/freeze, now]}
    postHooks:
    - exec: {container: db, command: [/bin/thaw], onError: Continue, timeout: 1m}
",
        0,
    );
    let expected = "\
shop/db/quiesce: valid
  pre   in the first container: [\"/bin/freeze\", \"now\"], onError Fail, 30s
  post  in db: [\"/bin/thaw\"], onError Continue, 1m
";
    assert_eq!(shown, expected);
}

#[test]
fn the_flat_shape_gets_the_corrected_form_at_its_place() {
    let shown = checked("  preHooks:\n  - exec: {command: [a]}\n", 1);
    assert!(shown.contains("--> hooks.yaml:5:3"), "{shown}");
    assert!(shown.contains("spec: {backupHook: [{name: hook1"), "{shown}");
}

#[test]
fn everything_that_is_wrong_is_shown_at_its_place() {
    let text = format!(
        "{HEAD}{}",
        "
  backupHook:
  - name: a
    preHook: []
    preHooks:
    - exec: {command: /bin/sync, timeout: 30}
    - exec: {command: [a], onError: Ignore, execTimeout: 1s}
    - exec: {timeout: soon}
"
    );
    let folder = Folder::with(&[("hooks.yaml", &text)]);
    let told = folder
        .run(&["hooks", "check", "-o", "json", "hooks.yaml"])
        .quietly(1);
    let told: Value = serde_json::from_str(&told).unwrap();
    let places = told["problems"].as_array().unwrap().iter().map(|problem| {
        let number = |field: &str| problem[field].as_u64().unwrap();
        (
            number("line"),
            number("column"),
            problem["field"].as_str().unwrap(),
        )
    });
    let places: Vec<_> = places.collect();
    assert_eq!(
        places,
        [
            (8, 5, "spec.backupHook[0].preHook"),
            (10, 23, "spec.backupHook[0].preHooks[0].exec.command"),
            (10, 43, "spec.backupHook[0].preHooks[0].exec.timeout"),
            (11, 37, "spec.backupHook[0].preHooks[1].exec.onError"),
            (11, 45, "spec.backupHook[0].preHooks[1].exec.execTimeout"),
            (12, 23, "spec.backupHook[0].preHooks[2].exec.timeout"),
            (12, 13, "spec.backupHook[0].preHooks[2].exec"),
        ]
    );
}

#[test]
fn what_the_schema_cannot_say_has_its_place_too() {
    let shown = checked(
        "
  backupHook:
  - name: a
    includedNamespaces: ['[']
    preHooks: [{exec: {command: [a]}}]
",
        1,
    );
    assert!(
        shown.contains("`[` is not closed") && shown.contains("--> hooks.yaml:8:26"),
        "{shown}"
    );
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    let shown = checked(
        "  backupHook: [{name: a, preHooks: [{exec: {command: [a], timeout: 50s}}]}]\n",
        0,
    );
    assert!(shown.contains("preHooks without postHooks"), "{shown}");
    assert!(shown.contains("spec.freeze.maxFreeze above 1m10s"), "{shown}");
}

#[test]
fn a_file_without_hooks_is_no_success() {
    let folder = Folder::with(&[("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")]);
    let shown = folder.run(&["hooks", "check", "pod.yaml"]).quietly(1);
    assert!(shown.contains("there is no hook"), "{shown}");
    assert!(checked("", 1).contains("there is no spec"));
}
