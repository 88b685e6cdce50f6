//! One compiled rule.

use super::value::Operand;
use crate::glob::Glob;
use crate::patch::Pointer;
use crate::pattern::Pattern;
use crate::selector::LabelSelector;

/// Index of a rule in `resourceModifierRules`, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub(super) usize);

impl From<RuleIndex> for usize {
    fn from(index: RuleIndex) -> Self {
        index.0
    }
}

impl std::fmt::Display for RuleIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A rule: which objects it is for, and what it does to them.
#[derive(Debug)]
pub struct Rule {
    pub(super) line: usize,
    pub(super) conditions: Conditions,
    pub(super) patches: Patches,
}

/// The kinds of patches; a rule has patches of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchKind {
    /// `patches`: RFC 6902.
    Json,
    /// `mergePatches`: RFC 7396.
    Merge,
    /// `strategicPatches`: Kubernetes' own.
    Strategic,
}

/// What has to hold of an object; all of it.
#[derive(Debug)]
pub(super) struct Conditions {
    pub(super) group_resource: Glob,
    pub(super) name: Option<Pattern>,
    /// Original namespaces; none given means all.
    pub(super) namespaces: Vec<Glob>,
    pub(super) labels: LabelSelector,
    pub(super) matches: Vec<Match>,
}

/// A value that the object has to have.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) path: Pointer,
    pub(super) value: Operand,
}

#[derive(Debug)]
pub(super) enum Patches {
    Json(Vec<Operation>),
    Merge(Vec<Operand>),
    Strategic(Vec<Operand>),
}

/// One operation of `patches`.
#[derive(Debug)]
pub(super) enum Operation {
    Add { path: Pointer, value: Operand },
    Remove { path: Pointer },
    Replace { path: Pointer, value: Operand },
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test { path: Pointer, value: Operand },
}

impl Operation {
    pub(super) const fn from(&self) -> Option<&Pointer> {
        match self {
            Self::Move { from, .. } | Self::Copy { from, .. } => Some(from),
            Self::Add { .. } | Self::Remove { .. } | Self::Replace { .. } | Self::Test { .. } => None,
        }
    }

    pub(super) const fn path(&self) -> &Pointer {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Move { path, .. }
            | Self::Copy { path, .. }
            | Self::Test { path, .. } => path,
        }
    }
}

impl Rule {
    /// Whether it reads or writes a place, something in it, or something that holds it.
    pub(super) fn touches(&self, place: &Pointer) -> bool {
        let is_near = |path: &Pointer| path.contains(place) || place.contains(path);
        let is_asked_for = self.conditions.matches.iter().any(|wanted| is_near(&wanted.path));
        is_asked_for
            || match &self.patches {
                Patches::Json(operations) => operations
                    .iter()
                    .any(|operation| is_near(operation.path()) || operation.from().is_some_and(is_near)),
                Patches::Merge(patches) | Patches::Strategic(patches) => {
                    patches.iter().any(|patch| patch.reaches(place))
                }
            }
    }

    /// The line of the text on which it begins.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The glob over group-resources as it was written.
    pub fn group_resource(&self) -> &str {
        self.conditions.group_resource.as_str()
    }

    /// The original namespaces it is for, if it names each of them; `None` where it has globs or is for all.
    pub fn named_namespaces(&self) -> Option<Vec<&str>> {
        let namespaces = &self.conditions.namespaces;
        (!namespaces.is_empty()).then(|| namespaces.iter().map(Glob::exact).collect())?
    }

    /// The kind of its patches.
    pub const fn patch_kind(&self) -> PatchKind {
        match self.patches {
            Patches::Json(_) => PatchKind::Json,
            Patches::Merge(_) => PatchKind::Merge,
            Patches::Strategic(_) => PatchKind::Strategic,
        }
    }
}
