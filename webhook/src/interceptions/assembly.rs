//! From what a user wrote to what reviews decide with, and what the user is told. Pure.

use std::sync::Arc;

use clusterbackup_api::conditions::{self, Reason};
use clusterbackup_api::namespaces;
use clusterbackup_api::{
    ConflictPolicy, CustomResourceStrategy, OnModifierError, RestoreInterception, RestoreInterceptionSpec,
    RestoreInterceptionStatus, SkipAs,
};
use clusterbackup_core::glob::{Glob, Separator};
use clusterbackup_core::interception::{self, Interception, Matches, NamespaceMappings, Scope, Unusable};
use clusterbackup_core::modifier::{RuleSet, RuleSetHash};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::contents::{ConfigMapName, Contents};
use crate::metrics::RulesState;

/// An interception as reviews see it, and what there is to say of it.
#[derive(Debug)]
pub(super) struct Assembled {
    /// For reviews.
    pub interception: Arc<Interception>,
    /// For the status.
    pub report: Report,
}

/// What the user is told of an interception.
#[derive(Debug)]
pub(super) enum Report {
    /// Nothing yet: its rules have not been read.
    Pending,
    /// The rules of its ConfigMap are in force.
    Accepted(Arc<RuleSet>, String),
    /// They are not: why, and what to do.
    Refused(Reason, String),
}

/// What came of loading rules; another one whenever they were loaded anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Load {
    /// These are in force.
    Accepted(RuleSetHash),
    /// They are not: why.
    Refused(Reason, String),
}

impl Load {
    /// The reason in the `Ready` condition.
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::Accepted(_) => Reason::Ready,
            Self::Refused(reason, _) => *reason,
        }
    }
}

impl Report {
    /// What came of loading the rules, once they were read.
    pub(super) fn load(&self) -> Option<Load> {
        match self {
            Self::Pending => None,
            Self::Accepted(rules, _) => Some(Load::Accepted(*rules.hash())),
            Self::Refused(reason, message) => Some(Load::Refused(*reason, message.clone())),
        }
    }
}

impl Assembled {
    /// How the rules stand.
    pub(super) fn state(&self) -> RulesState {
        match (&self.interception.rules, &self.report) {
            (Ok(_), Report::Refused(..)) => RulesState::Stale,
            (Ok(_), Report::Accepted(..) | Report::Pending) => RulesState::Ready,
            (Err(Unusable::Missing { .. }), _) => RulesState::Missing,
            (Err(Unusable::Forbidden { .. }), _) => RulesState::Forbidden,
            (Err(Unusable::Unread(_)), _) => RulesState::Unread,
            (Err(Unusable::Specification(_) | Unusable::Invalid { .. } | Unusable::Unfit { .. }), _) => {
                RulesState::Invalid
            }
        }
    }
}

/// Puts a `RestoreInterception` and the contents of its ConfigMap together. `previous` are the rules that were in
/// force for it, from the same ConfigMap: a broken edit leaves them there, unless others are pinned by now.
pub(super) fn assemble(
    object: &RestoreInterception,
    contents: &Contents,
    previous: Option<&Arc<RuleSet>>,
    own_namespace: &str,
) -> Assembled {
    let spec = &object.spec;
    let mappings = NamespaceMappings::invert(
        spec.namespace_mappings
            .iter()
            .map(|(original, target)| (original.as_str(), target.as_str())),
    );
    let accepted = accepted(spec, &mappings, contents);
    let report = report(spec, &accepted);
    let previous = previous.filter(|rules| is_admitted(spec, &rules.hash().to_string()));
    let rules = match (&accepted, previous) {
        (Err(Unusable::Invalid { .. } | Unusable::Unfit { .. } | Unusable::Unread(_)), Some(last_good)) => {
            Ok(last_good.clone())
        }
        (Ok(rules), _) => Ok(rules.clone()),
        (Err(unusable), _) => Err(unusable.clone()),
    };
    let interception = Arc::new(Interception {
        name: object.name_any(),
        priority: spec.priority,
        matches: matches(object),
        scope: scope(spec, own_namespace),
        on_error: match spec.on_modifier_error {
            OnModifierError::Deny => interception::OnModifierError::Deny,
            OnModifierError::Warn => interception::OnModifierError::Warn,
        },
        conflict_policy: conflict_policy(spec),
        custom_resources: match spec.custom_resource_strategy {
            CustomResourceStrategy::Refuse => interception::CustomResourceStrategy::Refuse,
            CustomResourceStrategy::ListMapKeys => interception::CustomResourceStrategy::ListMapKeys,
        },
        mappings,
        velero_namespaces: spec.velero_namespaces.iter().cloned().collect(),
        rules,
    });
    Assembled { interception, report }
}

/// The rules of the ConfigMap, if the specification can be carried out, they are the ones it pins, and objects can
/// meet each of them.
fn accepted(spec: &RestoreInterceptionSpec, mappings: &NamespaceMappings, contents: &Contents) -> Contents {
    let problems = spec.problems();
    if !problems.is_empty() {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        return Err(Unusable::Specification(problems.join("; ")));
    }
    let rules = contents.clone()?;
    let reference = &spec.resource_modifier_reference;
    let unfit = |reason| Unusable::Unfit {
        configmap: ConfigMapName::from(reference).to_string(),
        reason,
    };
    if let Some(pin) = &reference.sha256
        && *pin != rules.hash().to_string()
    {
        return Err(unfit(format!(
            "its rules have the digest {}, and spec.resourceModifierReference.sha256 pins {pin}; review them and change \
             the pin, or restore them",
            rules.hash()
        )));
    }
    // A Restore of Velero may map any namespace to another.
    if !spec.velero_namespaces.is_empty() {
        return Ok(rules);
    }
    let unreachable = mappings.unreachable(&rules, &namespaces::EXCLUDED);
    if unreachable.is_empty() {
        return Ok(rules);
    }
    Err(unfit(unreachable.join("; ")))
}

/// Whether the specification admits rules with this digest.
fn is_admitted(spec: &RestoreInterceptionSpec, digest: &str) -> bool {
    let pin = spec.resource_modifier_reference.sha256.as_ref();
    pin.is_none_or(|pin| pin == digest)
}

fn report(spec: &RestoreInterceptionSpec, accepted: &Contents) -> Report {
    let unusable = match accepted {
        Ok(rules) => {
            let configmap = ConfigMapName::from(&spec.resource_modifier_reference);
            let message = format!("{} rules from ConfigMap {configmap} are in force", rules.len());
            return Report::Accepted(rules.clone(), message);
        }
        Err(unusable) => unusable,
    };
    let (reason, consequence) = match unusable {
        Unusable::Unread(_) => return Report::Pending,
        Unusable::Specification(_) => (Reason::InterceptionInvalid, REFUSED),
        Unusable::Missing { .. } => (Reason::RulesMissing, REFUSED),
        Unusable::Forbidden { .. } => (Reason::RulesForbidden, REFUSED),
        Unusable::Invalid { .. } | Unusable::Unfit { .. } => (Reason::RulesInvalid, kept(spec)),
    };
    Report::Refused(reason, format!("{unusable}; {consequence}"))
}

const REFUSED: &str = "objects it matches are refused";

/// The same on every replica, whatever each of them remembers.
const fn kept(spec: &RestoreInterceptionSpec) -> &'static str {
    match spec.resource_modifier_reference.sha256 {
        None => {
            "replicas that hold the last good rules keep them in force, others refuse the objects it matches"
        }
        Some(_) => {
            "replicas that hold the pinned rules keep them in force, others refuse the objects it matches"
        }
    }
}

fn matches(object: &RestoreInterception) -> Matches {
    let matches = &object.spec.matches;
    let own_name = [object.name_any()];
    let labels = if matches.intercept_labels.is_empty() {
        own_name.as_slice()
    } else {
        &matches.intercept_labels
    };
    Matches {
        intercept_labels: globs(labels),
        velero_restores: globs(&matches.velero_restores),
        requester: matches.requester.clone(),
    }
}

fn conflict_policy(spec: &RestoreInterceptionSpec) -> interception::ConflictPolicy {
    match (spec.conflict_policy, spec.skip_as) {
        (ConflictPolicy::Patch, _) => interception::ConflictPolicy::Patch,
        (ConflictPolicy::Skip, SkipAs::Silent) => {
            interception::ConflictPolicy::Skip(interception::SkipAs::Silent)
        }
        (ConflictPolicy::Skip, SkipAs::Deny) => {
            interception::ConflictPolicy::Skip(interception::SkipAs::Deny)
        }
    }
}

fn scope(spec: &RestoreInterceptionSpec, own_namespace: &str) -> Scope {
    let home = &spec.resource_modifier_reference.namespace;
    if home == own_namespace {
        return Scope::Unlimited;
    }
    Scope::Limited {
        home: home.clone(),
        target_namespaces: globs(&spec.target_namespaces),
        allow_cluster_scoped: spec.allow_cluster_scoped,
        allow_privileged_kinds: spec.allow_privileged_kinds,
    }
}

/// The valid ones; an invalid one makes the specification invalid, so that nothing is decided without it.
fn globs(texts: &[String]) -> Vec<Glob> {
    texts
        .iter()
        .filter_map(|text| Glob::parse(text, Separator::None).ok())
        .collect()
}

/// The status that says so, merged into the one that is there; `None` while there is nothing to say. Depends on
/// nothing but what the cluster holds, so that replicas agree; what each of them says for itself is not in it.
pub(super) fn status(
    object: &RestoreInterception,
    report: &Report,
    now: Time,
) -> Option<RestoreInterceptionStatus> {
    let mut status = object.status.clone().unwrap_or_default();
    status.replicas.clear();
    let (reason, message) = match report {
        Report::Pending => return None,
        Report::Accepted(rules, message) => {
            status.rule_count = i32::try_from(rules.len()).ok();
            status.rules_hash = Some(rules.hash().to_string());
            (Reason::Ready, message)
        }
        Report::Refused(reason, message) => {
            let keeps =
                |digest: &String| *reason == Reason::RulesInvalid && is_admitted(&object.spec, digest);
            if !status.rules_hash.as_ref().is_some_and(keeps) {
                status.rule_count = None;
                status.rules_hash = None;
            }
            (*reason, message)
        }
    };
    let generation = object.metadata.generation;
    status.observed_generation = generation;
    conditions::merge(
        &mut status.conditions,
        conditions::ready(reason, message, generation, now),
    );
    Some(status)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    const RULES: &str = "
version: v1
resourceModifierRules:
- {conditions: {groupResource: pods}, patches: [{operation: remove, path: /a}]}
";

    fn interception(spec: Value) -> RestoreInterception {
        let mut spec = spec;
        spec["resourceModifierReference"]["name"] = json!("rules");
        spec["resourceModifierReference"]["namespace"] = json!("team");
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1",
            "kind": "RestoreInterception",
            "metadata": { "name": "shop", "generation": 3 },
            "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn good() -> Arc<RuleSet> {
        Arc::new(RuleSet::parse(RULES).unwrap())
    }

    fn broken() -> Contents {
        let problems = RuleSet::parse("version: v2").unwrap_err();
        Err(Unusable::Invalid {
            configmap: "team/rules".to_owned(),
            problems,
        })
    }

    fn missing() -> Contents {
        Err(Unusable::Missing {
            configmap: "team/rules".to_owned(),
        })
    }

    fn now() -> Time {
        Time(Timestamp::from_second(1_000).unwrap())
    }

    #[test]
    fn what_the_user_is_told_and_whether_objects_are_decided() {
        let plain = || interception(json!({}));
        let pinned = || interception(json!({ "resourceModifierReference": { "sha256": "0".repeat(64) } }));
        let bad_glob = || interception(json!({ "match": { "veleroRestores": ["["] } }));
        let table = [
            (plain(), Ok(good()), Some("Ready"), true),
            (plain(), broken(), Some("RulesInvalid"), false),
            (plain(), missing(), Some("RulesMissing"), false),
            (pinned(), Ok(good()), Some("RulesInvalid"), false),
            (bad_glob(), Ok(good()), Some("InterceptionInvalid"), false),
            (plain(), Err(Unusable::Unread("later".to_owned())), None, false),
        ];
        for (object, contents, reason, usable) in table {
            let assembled = assemble(&object, &contents, None, "clusterbackup-system");
            assert_eq!(assembled.interception.rules.is_ok(), usable, "{reason:?}");
            let status = status(&object, &assembled.report, now());
            let told = status.map(|status| status.conditions[0].reason.clone());
            assert_eq!(told.as_deref(), reason);
        }
    }

    #[test]
    fn a_broken_edit_leaves_the_last_good_rules_in_force_and_a_deletion_does_not() {
        let previous = good();
        for (contents, in_force, state) in [
            (broken(), true, RulesState::Stale),
            (missing(), false, RulesState::Missing),
        ] {
            let assembled = assemble(
                &interception(json!({})),
                &contents,
                Some(&previous),
                "clusterbackup-system",
            );
            assert_eq!(assembled.interception.rules.is_ok(), in_force, "{contents:?}");
            assert_eq!(assembled.state(), state);
        }
    }

    #[test]
    fn what_a_restore_of_velero_may_map_is_not_called_unreachable() {
        let rules = RULES.replace(
            "groupResource: pods",
            "groupResource: pods, namespaces: [kube-system]",
        );
        let contents = Ok(Arc::new(RuleSet::parse(&rules).unwrap()));
        for (spec, is_ready) in [
            (json!({}), false),
            (json!({ "veleroNamespaces": ["velero"] }), true),
        ] {
            let assembled = assemble(&interception(spec), &contents, None, "clusterbackup-system");
            assert_eq!(matches!(assembled.report, Report::Accepted(..)), is_ready);
        }
    }

    #[test]
    fn rules_that_are_not_the_pinned_ones_are_not_fallen_back_to() {
        let previous = good();
        for (pin, in_force) in [
            (RuleSetHash::of(RULES).to_string(), true),
            ("0".repeat(64), false),
        ] {
            let object = interception(json!({ "resourceModifierReference": { "sha256": pin } }));
            let assembled = assemble(&object, &broken(), Some(&previous), "clusterbackup-system");
            assert_eq!(assembled.interception.rules.is_ok(), in_force, "{pin}");
            let Report::Refused(Reason::RulesInvalid, told) = assembled.report else {
                panic!("{:?}", assembled.report)
            };
            assert!(told.contains("hold the pinned rules"), "{told}");
        }
    }

    #[test]
    fn the_status_shows_the_last_accepted_rules_until_there_are_none() {
        let mut object = interception(json!({}));
        let mut tell = |contents: &Contents| {
            let report = assemble(&object, contents, None, "clusterbackup-system").report;
            object.status = status(&object, &report, now());
            object.status.clone().unwrap()
        };
        let hash = Some(RuleSetHash::of(RULES).to_string());
        assert_eq!(tell(&Ok(good())).rules_hash, hash);
        assert_eq!(tell(&broken()).rules_hash, hash);
        let gone = tell(&missing());
        assert_eq!(
            (gone.rules_hash, gone.rule_count, gone.observed_generation),
            (None, None, Some(3))
        );
    }

    #[test]
    fn only_rules_of_our_own_namespace_are_unlimited() {
        for (own, unlimited) in [("team", true), ("clusterbackup-system", false)] {
            let assembled = assemble(&interception(json!({})), &Ok(good()), None, own);
            assert_eq!(
                matches!(assembled.interception.scope, Scope::Unlimited),
                unlimited
            );
        }
    }

    #[test]
    fn an_interception_answers_to_its_own_name_unless_it_lists_others() {
        let answers = |spec: Value, label: &str| {
            let assembled = assemble(&interception(spec), &Ok(good()), None, "clusterbackup-system");
            assembled
                .interception
                .matches
                .intercept_labels
                .iter()
                .any(|glob| glob.matches(label))
        };
        assert!(answers(json!({}), "shop"));
        assert!(!answers(
            json!({ "match": { "interceptLabels": ["till-*"] } }),
            "shop"
        ));
        assert!(answers(
            json!({ "match": { "interceptLabels": ["till-*"] } }),
            "till-1"
        ));
    }
}
