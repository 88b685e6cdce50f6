//! Lists: which element meets which, and where they end up.

use clusterbackup_core::patch::strategic::Fault;
use serde_json::{Value, json};

use super::{check_pod, faults, merged};

/// Containers or volumes with nothing but these names.
fn names(names: &str) -> Value {
    names
        .chars()
        .map(|name| json!({"name": name.to_string()}))
        .collect()
}

fn containers(list: &Value) -> Value {
    json!({ "containers": list })
}

#[test]
fn lists_of_scalars() {
    for (present, patch, expected) in [
        (
            json!(["a", "b"]),
            json!({"finalizers": ["c"]}),
            json!(["c", "a", "b"]),
        ),
        (
            json!(["a", "b", "c"]),
            json!({"finalizers": ["b", "x"]}),
            json!(["a", "b", "x", "c"]),
        ),
        (
            json!(["a", "b", "a"]),
            json!({"finalizers": ["a"]}),
            json!(["a", "b"]),
        ),
        (
            json!(["a", "b"]),
            json!({"$deleteFromPrimitiveList/finalizers": ["a", "x"]}),
            json!(["b"]),
        ),
        (
            json!(["a"]),
            json!({"$deleteFromPrimitiveList/finalizers": ["a"]}),
            json!([]),
        ),
        (
            json!(["a"]),
            json!({"$deleteFromPrimitiveList/finalizers": "a"}),
            json!(["a"]),
        ),
        (
            json!(["a", "b"]),
            json!({"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}),
            json!(["c", "b"]),
        ),
        (
            json!(["a", "b", "c"]),
            json!({"$setElementOrder/finalizers": ["c", "a"]}),
            json!(["b", "c", "a"]),
        ),
        (
            json!(["a"]),
            json!({"$setElementOrder/finalizers": ["b", "a"], "finalizers": ["b"]}),
            json!(["b", "a"]),
        ),
        (json!(["a"]), json!({"finalizers": []}), json!(["a"])),
    ] {
        let object = json!({"metadata": {"finalizers": present}});
        let result = merged("Pod", object, &json!({"metadata": patch})).unwrap();
        assert_eq!(result["metadata"]["finalizers"], expected, "{patch} on {present}");
    }
    let argument = |args: Value| json!({"containers": [{"name": "a", "args": args}]});
    check_pod(&[
        // Where they don't merge, the new one takes the place of the old, but deletions still work.
        (
            argument(json!(["a", "b"])),
            argument(json!(["c"])),
            argument(json!(["c"])),
        ),
        (
            argument(json!(["a", "b"])),
            json!({"containers": [{"name": "a", "$deleteFromPrimitiveList/args": ["a"]}]}),
            argument(json!(["b"])),
        ),
        (
            argument(json!(["a", "b"])),
            json!({"containers": [{"name": "a", "$setElementOrder/args": ["b", "a"]}]}),
            argument(json!(["b", "a"])),
        ),
        (
            json!({}),
            json!({"$deleteFromPrimitiveList/args": ["a"]}),
            json!({}),
        ),
        (json!({}), json!({"$setElementOrder/containers": []}), json!({})),
    ]);
}

#[test]
fn lists_of_objects_are_merged_by_key() {
    check_pod(&[
        (
            containers(&json!([{"name": "a", "image": "1", "tty": true}])),
            containers(&json!([{"name": "a", "image": "2"}])),
            containers(&json!([{"name": "a", "image": "2", "tty": true}])),
        ),
        // What is new goes to the front.
        (
            containers(&names("n")),
            containers(&names("s")),
            containers(&names("sn")),
        ),
        (
            containers(&names("abc")),
            containers(&names("bx")),
            containers(&names("abxc")),
        ),
        (
            containers(&names("abc")),
            containers(&names("xc")),
            containers(&names("xabc")),
        ),
        (
            containers(&names("abc")),
            containers(&names("ca")),
            containers(&names("bca")),
        ),
        (
            containers(&names("ab")),
            containers(&json!([])),
            containers(&names("ab")),
        ),
        (
            containers(&json!([])),
            containers(&names("a")),
            containers(&names("a")),
        ),
    ]);
}

#[test]
fn directives_of_lists() {
    check_pod(&[
        (
            containers(&names("abab")),
            containers(&json!([{"name": "a", "$patch": "delete"}])),
            containers(&names("bb")),
        ),
        (
            containers(&names("a")),
            containers(&json!([{"name": "x", "$patch": "delete"}])),
            containers(&names("a")),
        ),
        (
            containers(&names("a")),
            containers(&json!([{"name": "a", "$patch": "delete"}])),
            containers(&json!([])),
        ),
        (
            containers(&json!([{"name": "a", "image": "1"}])),
            containers(&json!([{"name": "a", "tty": true}, {"name": "a", "$patch": "delete"}])),
            containers(&json!([{"name": "a", "tty": true}])),
        ),
        (
            containers(&names("ab")),
            containers(&json!([{"name": "x"}, {"$patch": "replace", "name": "lost"}])),
            containers(&names("x")),
        ),
        (
            containers(&names("ab")),
            containers(&json!([{"$patch": "replace"}])),
            containers(&json!([])),
        ),
        // What is deleted and added again is new.
        (
            containers(&names("abc")),
            containers(&json!([{"name": "c", "tty": true}, {"name": "c", "$patch": "delete"}])),
            containers(&json!([{"name": "c", "tty": true}, {"name": "a"}, {"name": "b"}])),
        ),
    ]);
}

#[test]
fn odd_lists_of_objects() {
    check_pod(&[
        // Two of one key in the patch: the second is merged into the first.
        (
            containers(&json!([])),
            containers(&json!([{"name": "a", "image": "1"}, {"name": "a", "tty": true}])),
            containers(&json!([{"name": "a", "image": "1", "tty": true}])),
        ),
        // The first of two in the object is merged.
        (
            containers(&names("aa")),
            containers(&json!([{"name": "a", "tty": true}])),
            containers(&json!([{"name": "a", "tty": true}, {"name": "a"}])),
        ),
        // A list that isn't there is taken as it is: no key is asked for.
        (
            json!({}),
            containers(&json!([{"tty": true}, {"$patch": "replace"}])),
            containers(&json!([{"tty": true}])),
        ),
        // New elements of a list that is there keep their nulls.
        (
            json!({"volumes": [{"name": "a"}]}),
            json!({"volumes": [{"name": "b", "nfs": null, "emptyDir": {}}]}),
            json!({"volumes": [{"name": "b", "nfs": null, "emptyDir": {}}, {"name": "a"}]}),
        ),
    ]);
}

#[test]
fn lists_that_can_not_be_merged() {
    let list = |list: Value| json!({"spec": {"containers": list}});
    let no_name = || Fault::MissingKey("name".to_owned());
    faults(&[
        (
            "Pod",
            list(names("a")),
            list(json!([{"image": "x"}])),
            "/spec/containers",
            no_name(),
        ),
        (
            "Pod",
            list(names("a")),
            list(json!([{"$patch": "delete"}])),
            "/spec/containers",
            no_name(),
        ),
        (
            "Pod",
            list(json!([{"image": "x"}])),
            list(names("a")),
            "/spec/containers",
            no_name(),
        ),
        (
            "Pod",
            list(names("a")),
            list(json!([{"$patch": "merge", "name": "a"}])),
            "/spec/containers",
            Fault::BadPatchDirective,
        ),
        (
            "Pod",
            list(names("a")),
            list(json!([{"$patch": "x", "name": "a"}])),
            "/spec/containers",
            Fault::BadPatchDirective,
        ),
        (
            "Pod",
            list(names("a")),
            list(json!([null])),
            "/spec/containers",
            Fault::MixedList,
        ),
        (
            "Pod",
            list(names("a")),
            list(json!([[]])),
            "/spec/containers",
            Fault::MixedList,
        ),
        (
            "Pod",
            list(json!([])),
            list(json!([[]])),
            "/spec/containers",
            Fault::MixedList,
        ),
        (
            "Pod",
            list(json!([])),
            list(json!(["a"])),
            "/spec/containers",
            Fault::MixedList,
        ),
        (
            "Pod",
            json!({"metadata": {"finalizers": ["a"]}}),
            json!({"metadata": {"finalizers": [1]}}),
            "/metadata/finalizers",
            Fault::MixedList,
        ),
        (
            "Pod",
            list(json!([{"name": "a", "image": "x"}])),
            list(json!([{"name": "a", "env": []}, {"name": "a", "$retainKeys": 1}])),
            "/spec/containers/0",
            Fault::RetainKeys,
        ),
    ]);
}

#[test]
fn the_order_of_elements_can_be_given() {
    let patch = |order: &str, list: &str| json!({"$setElementOrder/containers": names(order), "containers": names(list)});
    let containers = |list: &str| json!({"containers": names(list)});
    check_pod(&[
        (containers("ab"), patch("abx", "x"), containers("abx")),
        (containers("abc"), patch("cb", ""), containers("acb")),
        (containers("abcd"), patch("dx", "x"), containers("abcdx")),
        (
            containers("ab"),
            json!({"$setElementOrder/containers": names("ba")}),
            containers("ba"),
        ),
        (json!({}), patch("ba", "ba"), containers("ba")),
        (
            containers("ab"),
            json!({"$setElementOrder/containers": names("b"), "containers": [{"name": "a", "$patch": "delete"}]}),
            containers("b"),
        ),
    ]);
    let object = || json!({"spec": containers("ab")});
    faults(&[
        (
            "Pod",
            object(),
            json!({"spec": patch("ab", "ba")}),
            "/spec/containers",
            Fault::ElementOrder,
        ),
        (
            "Pod",
            object(),
            json!({"spec": patch("a", "x")}),
            "/spec/containers",
            Fault::ElementOrder,
        ),
        (
            "Pod",
            object(),
            json!({"spec": {"$setElementOrder/containers": [{}]}}),
            "/spec/containers",
            Fault::MissingKey("name".to_owned()),
        ),
        (
            "Pod",
            object(),
            json!({"spec": {"$setElementOrder": []}}),
            "/spec",
            Fault::BadListDirective("$setElementOrder"),
        ),
        (
            "Pod",
            object(),
            json!({"spec": {"$setElementOrder/containers": "a"}}),
            "/spec",
            Fault::BadListDirective("$setElementOrder"),
        ),
        (
            "Pod",
            object(),
            json!({"spec": {"$deleteFromPrimitiveList": []}}),
            "/spec",
            Fault::BadListDirective("$deleteFromPrimitiveList"),
        ),
    ]);
}
