//! What becomes of objects that are in the cluster already and are different there.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::object::GroupResource;

/// What a restore does about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// They stay as they are.
    #[default]
    Skip,
    /// They stay as they are, and nothing is restored at all.
    Fail,
    /// They get what the restored object says, field by field.
    Patch,
    /// Those of some kinds are deleted and created anew, the others patched.
    Replace(Replaced),
}

/// What becomes of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It stays as it is.
    Leave,
    /// It gets what the restored object says, field by field.
    Patch,
    /// It is deleted, and created anew.
    Replace,
}

/// Kinds of which objects are deleted and created anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced(BTreeSet<GroupResource>);

/// A kind of which objects are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotReplaced {
    /// None is named.
    #[error(
        "name the kinds whose objects may be deleted, such as jobs.batch: with conflictPolicy Replace nothing else is"
    )]
    None,
    /// A pattern may take more than whoever wrote it thinks of.
    #[error(
        "{0:?} is no kind: what may be deleted is named one by one, as plural name and group, such as jobs.batch"
    )]
    Pattern(String),
    /// Data would go with it.
    #[error("{kind} are never deleted by a restore: {loss}; take them out of the list, and they are patched")]
    Data {
        /// The kind.
        kind: GroupResource,
        /// What would go.
        loss: &'static str,
    },
}

/// Kinds whose objects hold data or others.
const HOLDING: [(&str, &str); 6] = [
    ("namespaces", "everything in them would go"),
    ("persistentvolumeclaims", "the data of their volumes would go"),
    ("persistentvolumes", "the data on them would go"),
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "all objects of their kinds would go",
    ),
    (
        "volumesnapshots.snapshot.storage.k8s.io",
        "the data in them would go",
    ),
    (
        "volumesnapshotcontents.snapshot.storage.k8s.io",
        "the data in them would go",
    ),
];

impl Conflicts {
    /// What becomes of an object of that kind.
    pub fn treatment(&self, kind: &GroupResource) -> Treatment {
        match self {
            Self::Skip | Self::Fail => Treatment::Leave,
            Self::Replace(replaced) if replaced.0.contains(kind) => Treatment::Replace,
            Self::Patch | Self::Replace(_) => Treatment::Patch,
        }
    }

    /// Whether what exists may be changed.
    pub const fn writes(&self) -> bool {
        matches!(self, Self::Patch | Self::Replace(_))
    }
}

impl Replaced {
    /// Reads the kinds; everything that is wrong with them, each with its place in the list.
    pub fn parse(kinds: &[String]) -> Result<Self, Vec<(Option<usize>, NotReplaced)>> {
        if kinds.is_empty() {
            return Err(vec![(None, NotReplaced::None)]);
        }
        let problems = kinds.iter().enumerate();
        let problems: Vec<_> = problems
            .filter_map(|(at, kind)| Some((Some(at), problem(kind)?)))
            .collect();
        if problems.is_empty() {
            Ok(Self(kinds.iter().map(|kind| kind.as_str().into()).collect()))
        } else {
            Err(problems)
        }
    }
}

fn problem(kind: &str) -> Option<NotReplaced> {
    let is_name = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "-.".contains(character)
    };
    if kind.is_empty() || !kind.chars().all(is_name) {
        return Some(NotReplaced::Pattern(kind.to_owned()));
    }
    let (_, loss) = HOLDING.iter().find(|(holding, _)| *holding == kind)?;
    Some(NotReplaced::Data {
        kind: kind.into(),
        loss,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kinds: &[&str]) -> Result<Replaced, Vec<String>> {
        let kinds: Vec<_> = kinds.iter().map(ToString::to_string).collect();
        Replaced::parse(&kinds).map_err(|problems| {
            let said = problems.iter().map(|(at, problem)| format!("{at:?} {problem}"));
            said.collect()
        })
    }

    #[test]
    fn an_object_is_deleted_only_if_its_kind_is_named() {
        let jobs = || "jobs.batch".into();
        let config = || "configmaps".into();
        let replace = Conflicts::Replace(parsed(&["jobs.batch"]).unwrap());
        for (conflicts, kind, treatment, writes) in [
            (&Conflicts::Skip, jobs(), Treatment::Leave, false),
            (&Conflicts::Fail, jobs(), Treatment::Leave, false),
            (&Conflicts::Patch, jobs(), Treatment::Patch, true),
            (&replace, jobs(), Treatment::Replace, true),
            (&replace, config(), Treatment::Patch, true),
        ] {
            assert_eq!(conflicts.treatment(&kind), treatment, "{conflicts:?} {kind}");
            assert_eq!(conflicts.writes(), writes, "{conflicts:?}");
        }
    }

    #[test]
    fn what_holds_data_is_never_deleted_and_neither_is_what_nobody_named() {
        for (kinds, said) in [
            (
                &["persistentvolumeclaims"][..],
                "Some(0) persistentvolumeclaims are never deleted by a restore: the data",
            ),
            (
                &["configmaps", "namespaces"],
                "Some(1) namespaces are never deleted",
            ),
            (&["persistentvolumes"], "never deleted"),
            (
                &["customresourcedefinitions.apiextensions.k8s.io"],
                "all objects of their kinds",
            ),
            (&["*"], "Some(0) \"*\" is no kind"),
            (&["jobs.*"], "is no kind"),
            (&[""], "is no kind"),
            (&[], "None name the kinds"),
        ] {
            let problems = parsed(kinds).unwrap_err();
            assert!(problems[0].contains(said), "{kinds:?}: {problems:?}");
        }
    }
}
