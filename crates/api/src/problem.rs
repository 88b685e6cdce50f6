//! What is wrong with a spec beyond what its schema can say, and the parts that several kinds share to find it: texts
//! that name namespaces and labels are read into what core decides by.

use std::fmt;

use clusterbackup_core::glob::{Glob, Separator};
use clusterbackup_core::inclusion::Types;
use clusterbackup_core::selection::Namespaces;
use clusterbackup_core::selector::{self, Operator, Requirement, SelectorError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Something in a spec that the schema can't refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, from the object's root, for example `spec.match.veleroRestores[0]`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// Finds the globs that don't parse.
pub(crate) fn check_globs(field: &str, globs: &[String], problems: &mut Vec<Problem>) {
    for (index, glob) in globs.iter().enumerate() {
        if let Err(error) = Glob::parse(glob, Separator::None) {
            problems.push(Problem {
                field: format!("{field}[{index}]"),
                message: error.to_string(),
            });
        }
    }
}

/// The namespaces that `includedNamespaces` and `excludedNamespaces` below `parent` name. Where they name none, the
/// problems say why.
pub(crate) fn namespaces(
    parent: &str,
    included: Option<&[String]>,
    excluded: Option<&[String]>,
    problems: &mut Vec<Problem>,
) -> Namespaces {
    let (included, excluded) = (included.unwrap_or_default(), excluded.unwrap_or_default());
    let known = problems.len();
    check_globs(&format!("{parent}.includedNamespaces"), included, problems);
    check_globs(&format!("{parent}.excludedNamespaces"), excluded, problems);
    if problems.len() > known {
        return Namespaces::default();
    }
    Namespaces::parse(included, excluded).unwrap_or_else(|error| {
        problems.push(Problem {
            field: parent.to_owned(),
            message: error.to_string(),
        });
        Namespaces::default()
    })
}

/// The kinds that `includedResourceTypes` and `excludedResourceTypes` name. Where they name none, the problems say why.
pub(crate) fn types(
    included: Option<&[String]>,
    excluded: Option<&[String]>,
    problems: &mut Vec<Problem>,
) -> Types {
    let types = Types::parse(included.unwrap_or_default(), excluded.unwrap_or_default());
    types.unwrap_or_else(|bad| {
        problems.push(Problem {
            field: "spec.includedResourceTypes and spec.excludedResourceTypes".to_owned(),
            message: bad.to_string(),
        });
        Types::default()
    })
}

/// What `labelSelector` below `parent` demands. Where it makes no sense, the problems say why.
pub(crate) fn labels(
    parent: &str,
    selector: Option<&LabelSelector>,
    problems: &mut Vec<Problem>,
) -> selector::LabelSelector {
    let mut requirements = Vec::new();
    let mut take = |field: String, requirement: Result<Requirement, SelectorError>| match requirement {
        Ok(requirement) => requirements.push(requirement),
        Err(error) => problems.push(Problem {
            field: format!("{parent}.labelSelector.{field}"),
            message: error.to_string(),
        }),
    };
    let equal = selector.and_then(|selector| selector.match_labels.as_ref());
    for (key, value) in equal.into_iter().flatten() {
        let requirement = Requirement::new(key.clone(), Operator::In(vec![value.clone()]));
        take(format!("matchLabels[{key}]"), requirement);
    }
    let demands = selector.and_then(|selector| selector.match_expressions.as_ref());
    for (index, demand) in demands.into_iter().flatten().enumerate() {
        let operator = Operator::parse(&demand.operator, demand.values.clone().unwrap_or_default());
        let requirement = operator.and_then(|operator| Requirement::new(demand.key.clone(), operator));
        take(format!("matchExpressions[{index}]"), requirement);
    }
    selector::LabelSelector::new(requirements)
}
