//! Objects and rules that fit them more or less.
//!
//! - `objects`: what the rules are for
//! - `conditions`: names and patterns
//! - `values`: paths, and values for what is there
//! - `patch_data`: merge patches and strategic patches

mod conditions;
mod objects;
mod patch_data;
mod values;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use self::conditions::{NAMESPACES, PATTERNS, REGEXES, SELECTORS};
use self::objects::objects;
use self::patch_data::{merge_patch, strategic_patch};
use self::values::{located_value, path};
use super::rules::{Match, Operation, Patches, Rule};

/// An object and rules for it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) group_resource: &'static str,
    pub(crate) object: Value,
    pub(crate) rules: Vec<Rule>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    select(objects()).prop_flat_map(|(group_resource, object)| {
        vec(rule(group_resource, &object), 1..4).prop_map(move |rules| Case {
            group_resource,
            object: object.clone(),
            rules,
        })
    })
}

fn rule(group_resource: &'static str, object: &Value) -> impl Strategy<Value = Rule> + use<> {
    let pattern = prop_oneof![
        6 => Just(group_resource.to_owned()),
        4 => Just("**".to_owned()),
        3 => select(PATTERNS).prop_map(str::to_owned),
    ];
    let matches = condition(object);
    (
        pattern,
        weighted(0.3, select(REGEXES)),
        weighted(0.3, vec(select(NAMESPACES), 0..3)),
        weighted(0.2, select(SELECTORS)),
        prop_oneof![3 => Just(Vec::new()), 1 => vec(matches, 1..3)],
        patches(object),
    )
        .prop_map(
            |(group_resource, name_regex, namespaces, label_selector, matches, patches)| Rule {
                group_resource,
                name_regex,
                namespaces,
                label_selector,
                matches,
                patches,
            },
        )
}

fn condition(object: &Value) -> impl Strategy<Value = Match> + use<> {
    located_value(object, true).prop_map(|(path, value)| Match { path, value })
}

fn patches(object: &Value) -> impl Strategy<Value = Patches> + use<> {
    prop_oneof![
        12 => vec(operation(object), 1..4).prop_map(Patches::Json),
        4 => vec(merge_patch(), 1..3).prop_map(Patches::Merge),
        4 => vec(strategic_patch(), 1..3).prop_map(Patches::Strategic),
        1 => Just(Patches::None),
    ]
}

fn operation(object: &Value) -> impl Strategy<Value = Operation> + use<> {
    let name = prop_oneof![
        12 => select(&["add", "remove", "replace", "move", "copy", "test", "test"][..]),
        1 => select(&["Replace", "delete"][..]),
    ];
    (
        located_value(object, false),
        located_value(object, true),
        path(object),
        0..10_u8,
        name,
    )
        .prop_map(|((path, value), (compared_path, compared), from, odd, name)| {
            let takes_from = matches!(name, "move" | "copy");
            // One in ten has `from` where it has no meaning, or lacks it.
            let from = (takes_from != (odd == 0)).then_some(from);
            let (path, value) = if name == "test" {
                (compared_path, compared)
            } else {
                (path, value)
            };
            Operation {
                name,
                from,
                path,
                value,
            }
        })
}
