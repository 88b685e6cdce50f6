//! A restore in the words by which core decides. Whatever makes no sense is listed with its place, all of it at once.

use clusterbackup_core::duration::Span;
use clusterbackup_core::inclusion::ClusterScope;
use clusterbackup_core::object::ObjectId;
use clusterbackup_core::restore::{self, Choice, Conflicts, Data, Mappings, Replaced, Terms, Volumes};
use clusterbackup_core::selection::Filter;
use kube::ResourceExt as _;

use super::{ConflictPolicy, ObjectReference, PersistentVolumeRestoreMode, Restore};
use crate::problem::{self, Problem};

/// Nobody looks at a restore that runs for longer.
const LONGEST_WAIT: Span = Span::seconds(24 * 3600);

impl Restore {
    /// Which objects it takes, and what becomes of them; or everything that is wrong with that. Which data of volumes there is,
    /// only the point can tell: none, as long as nobody has asked it.
    pub fn decided(&self) -> Result<(Choice, Terms), Vec<Problem>> {
        let spec = &self.spec;
        let mut problems = Vec::new();
        let namespaces = problem::namespaces(
            "spec",
            spec.included_namespaces.as_deref(),
            spec.excluded_namespaces.as_deref(),
            &mut problems,
        );
        let labels = problem::labels("spec", spec.label_selector.as_ref(), &mut problems);
        let types = problem::types(
            spec.included_resource_types.as_deref(),
            spec.excluded_resource_types.as_deref(),
            &mut problems,
        );
        let mappings = self.mappings(&mut problems);
        let conflicts = self.conflicts(&mut problems);
        if spec.readiness_timeout > LONGEST_WAIT {
            problems.push(Problem {
                field: "spec.readinessTimeout".to_owned(),
                message: "at most 24h".to_owned(),
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let filter = Filter { namespaces, labels };
        let choice = Choice {
            cluster_scope: ClusterScope::of(spec.include_cluster_scope_resources, &filter),
            filter,
            types,
            objects: spec.objects.iter().map(ObjectId::from).collect(),
        };
        let restore = restore::Restore {
            name: self.name_any(),
            uid: self.uid().unwrap_or_default(),
        };
        let volumes = match spec.persistent_volume_restore_mode {
            PersistentVolumeRestoreMode::RestoreWithVolumeData => Volumes::With(Data::new()),
            PersistentVolumeRestoreMode::RestoreWithoutVolumeData => Volumes::Without,
        };
        Ok((
            choice,
            Terms {
                restore,
                mappings,
                volumes,
                conflicts,
            },
        ))
    }

    fn conflicts(&self, problems: &mut Vec<Problem>) -> Conflicts {
        match self.spec.conflict_policy {
            ConflictPolicy::Skip => Conflicts::Skip,
            ConflictPolicy::Fail => Conflicts::Fail,
            ConflictPolicy::Patch => Conflicts::Patch,
            ConflictPolicy::Replace => match Replaced::parse(&self.spec.replaced_resource_types) {
                Ok(replaced) => Conflicts::Replace(replaced),
                Err(bad) => {
                    problems.extend(bad.into_iter().map(|(at, problem)| Problem {
                        field: match at {
                            Some(at) => format!("spec.replacedResourceTypes[{at}]"),
                            None => "spec.replacedResourceTypes".to_owned(),
                        },
                        message: problem.to_string(),
                    }));
                    Conflicts::Skip
                }
            },
        }
    }

    fn mappings(&self, problems: &mut Vec<Problem>) -> Mappings {
        let pairs = self.spec.namespace_mappings.iter();
        let mappings = Mappings::parse(pairs.map(|(from, to)| (from.as_str(), to.as_str())));
        mappings.unwrap_or_else(|bad| {
            problems.extend(bad.into_iter().map(|problem| Problem {
                field: "spec".to_owned(),
                message: problem.to_string(),
            }));
            Mappings::default()
        })
    }
}

impl From<&ObjectReference> for ObjectId {
    fn from(reference: &ObjectReference) -> Self {
        Self {
            kind: reference.group_resource.as_str().into(),
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn restore(mut spec: Value) -> Restore {
        spec["recoveryPoint"] = json!("a");
        let object = json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "Restore",
            "metadata": { "name": "friday", "namespace": "home", "uid": "7" },
            "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn everything_that_makes_no_sense_is_listed_at_once() {
        let spec = json!({
            "includedNamespaces": ["[open"],
            "includedResourceTypes": ["*", "pods"],
            "labelSelector": { "matchLabels": { "app": "not a value" } },
            "namespaceMappings": { "shop": "kube-system" },
            "readinessTimeout": "25h",
        });
        let problems = restore(spec).decided().unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        for field in [
            "spec.includedNamespaces[0]",
            "spec.includedResourceTypes and",
            "spec.labelSelector",
            "namespaceMappings: nothing is ever restored into kube-system",
            "spec.readinessTimeout",
        ] {
            assert!(
                told.iter().any(|problem| problem.contains(field)),
                "{field}: {told:#?}"
            );
        }
    }

    #[test]
    fn single_objects_are_named_by_kind_namespace_and_name() {
        let objects = json!([
            { "groupResource": "deployments.apps", "namespace": "shop", "name": "web" },
            { "groupResource": "namespaces", "name": "shop" },
        ]);
        let (choice, terms) = restore(json!({ "objects": objects })).decided().unwrap();
        let named: Vec<_> = choice.objects.iter().map(|object| object.kind.as_str()).collect();
        assert_eq!(named, ["deployments.apps", "namespaces"]);
        assert_eq!(
            (terms.restore.name.as_str(), terms.restore.uid.as_str()),
            ("friday", "7")
        );
        assert_eq!(choice.cluster_scope, ClusterScope::All);
    }

    #[test]
    fn of_some_namespaces_only_what_they_need_is_restored_outside_of_them() {
        for (spec, expected) in [
            (json!({ "includedNamespaces": ["shop"] }), ClusterScope::Belonging),
            (
                json!({ "includedNamespaces": ["shop"], "includeClusterScopeResources": true }),
                ClusterScope::All,
            ),
            (
                json!({ "includeClusterScopeResources": false }),
                ClusterScope::None,
            ),
        ] {
            let (choice, _) = restore(spec.clone()).decided().unwrap();
            assert_eq!(choice.cluster_scope, expected, "{spec}");
        }
    }
}
