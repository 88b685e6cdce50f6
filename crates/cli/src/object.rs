//! The objects that rules are tried on, as rules see them.

use clusterbackup_core::interception::Subject;
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::yaml::{self, YamlError};
use serde_json::Value;
use thiserror::Error;

use crate::input::{Input, shown};
use crate::kinds::{self, Kind, Scope};

/// Where a namespaced object without a namespace goes, as with `kubectl`.
const DEFAULT_NAMESPACE: &str = "default";

/// An object and what a rule can ask of it beside its content.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) value: Value,
    pub(crate) group_resource: GroupResource,
    name: Name,
    /// Where it goes; none for a cluster-scoped object.
    pub(crate) namespace: Option<String>,
    /// What had to be guessed.
    pub(crate) notes: Vec<String>,
}

#[derive(Debug)]
enum Name {
    Exact(String),
    Prefix(String),
}

/// Why a file holds no objects to try rules on. Never shows a value.
#[derive(Debug, Error)]
#[error("{}: {cause}", shown(.file))]
pub(crate) struct ObjectError {
    file: String,
    cause: ObjectCause,
}

#[derive(Debug, Error)]
enum ObjectCause {
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error("there is no object in it; give a file with Kubernetes objects")]
    Empty,
    #[error("object {0} is none of Kubernetes': it needs an apiVersion, a kind and metadata")]
    NotAnObject(usize),
    #[error("object {0} has no name; give it a metadata.name or a metadata.generateName")]
    NoName(usize),
    #[error(
        "--resource {resource} is for one kind of its group, but there are {kinds}; give them in files of their own"
    )]
    SeveralKinds { resource: GroupResource, kinds: String },
    #[error("--resource {resource} fits none of the objects, which are {kinds}")]
    NoneOfGroup { resource: GroupResource, kinds: String },
}

impl Object {
    /// All objects of a file, those in Lists too; at least one. `resource` is what those of its group are.
    pub(crate) fn all(input: &Input, resource: Option<&GroupResource>) -> Result<Vec<Self>, ObjectError> {
        read(&input.text, resource).map_err(|cause| ObjectError {
            file: input.file.clone(),
            cause,
        })
    }

    /// What is known of its name.
    pub(crate) fn name(&self) -> ObjectName<'_> {
        match &self.name {
            Name::Exact(name) => ObjectName::Exact(name),
            Name::Prefix(prefix) => ObjectName::Prefix(prefix),
        }
    }

    /// The object as messages name it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            group_resource: &self.group_resource,
            name: self.name(),
            namespace: self.namespace.as_deref(),
        }
    }

    /// What conditions are judged on, for an object that was backed up in `original`, or where it goes.
    pub(crate) fn target<'a>(&'a self, original: Option<&'a str>) -> Target<'a> {
        let namespace = self.namespace.as_deref();
        Target {
            group_resource: &self.group_resource,
            name: self.name(),
            original_namespace: namespace.map(|namespace| original.unwrap_or(namespace)),
        }
    }

    /// Whether the other one is this one in another state.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let identity = |object: &Self| {
            (
                object.group_resource.clone(),
                object.namespace.clone(),
                object.name().known().to_owned(),
            )
        };
        identity(self) == identity(other)
    }
}

fn read(text: &str, resource: Option<&GroupResource>) -> Result<Vec<Object>, ObjectCause> {
    let values: Vec<Value> = yaml::to_json_documents(text)?
        .into_iter()
        .flat_map(items)
        .collect();
    if values.is_empty() {
        return Err(ObjectCause::Empty);
    }
    let kinds: Vec<Kind> = values
        .iter()
        .zip(1..)
        .map(|(value, number)| Kind::of(value).ok_or(ObjectCause::NotAnObject(number)))
        .collect::<Result<_, _>>()?;
    if let Some(resource) = resource {
        check_resource(resource, &kinds)?;
    }
    values
        .into_iter()
        .zip(kinds)
        .zip(1..)
        .map(|((value, kind), number)| object(value, &kind, resource, number))
        .collect()
}

/// The items of a List, else the object itself.
fn items(mut document: Value) -> Vec<Value> {
    let is_list = document["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match document.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => items,
        Some(items) => {
            document["items"] = items;
            vec![document]
        }
        None => vec![document],
    }
}

/// `--resource` names what one kind is called; of several, all but one would be called wrongly.
fn check_resource(resource: &GroupResource, kinds: &[Kind]) -> Result<(), ObjectCause> {
    let list = |kinds: &[&Kind]| {
        let mut names: Vec<_> = kinds.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let of_group: Vec<&Kind> = kinds
        .iter()
        .filter(|kind| kind.group == resource.group())
        .collect();
    match of_group.as_slice() {
        [] => Err(ObjectCause::NoneOfGroup {
            resource: resource.clone(),
            kinds: list(&kinds.iter().collect::<Vec<_>>()),
        }),
        [first, others @ ..] if others.iter().any(|other| other.kind != first.kind) => {
            Err(ObjectCause::SeveralKinds {
                resource: resource.clone(),
                kinds: list(&of_group),
            })
        }
        _ => Ok(()),
    }
}

fn object(
    value: Value,
    kind: &Kind,
    resource: Option<&GroupResource>,
    number: usize,
) -> Result<Object, ObjectCause> {
    let text = |field: &str| value["metadata"][field].as_str().filter(|text| !text.is_empty());
    let name = match (text("name"), text("generateName")) {
        (Some(name), _) => Name::Exact(name.to_owned()),
        (None, Some(prefix)) => Name::Prefix(prefix.to_owned()),
        (None, None) => return Err(ObjectCause::NoName(number)),
    };
    let mut notes = Vec::new();
    let given = resource.filter(|resource| resource.group() == kind.group);
    let group_resource = given.cloned().unwrap_or_else(|| {
        let guess = kind.plural();
        if !kinds::is_built_in(&kind.group) {
            notes.push(format!(
                "{kind} is taken for {guess}; name it by --resource if it is another"
            ));
        }
        guess
    });
    let namespace = match (text("namespace"), kind.scope()) {
        (_, Scope::Cluster) | (None, Scope::Unknown) => None,
        (Some(namespace), _) => Some(namespace.to_owned()),
        (None, Scope::Namespace) => {
            notes.push(format!(
                "it has no namespace, and is taken to be in {DEFAULT_NAMESPACE}"
            ));
            Some(DEFAULT_NAMESPACE.to_owned())
        }
    };
    Ok(Object {
        value,
        group_resource,
        name,
        namespace,
        notes,
    })
}
