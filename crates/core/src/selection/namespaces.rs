//! The namespaces that an instance or a hook names: names or globs, what is left out wins.

use crate::glob::{Glob, GlobError, Separator};

/// Namespaces that no backup ever takes: the control plane's and ours.
pub const PROTECTED: [&str; 5] = [
    "clusterbackup-agents",
    "clusterbackup-system",
    "kube-node-lease",
    "kube-public",
    "kube-system",
];

/// Some of a cluster's namespaces.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    /// Empty: all.
    included: Vec<Glob>,
    excluded: Vec<Glob>,
}

/// A text that names no namespaces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no namespaces: {problem}")]
pub struct BadNamespace {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: GlobError,
}

impl Namespaces {
    /// The namespaces that match one of `included` (none at all: every namespace) and none of `excluded`.
    pub fn parse(included: &[String], excluded: &[String]) -> Result<Self, BadNamespace> {
        let globs = |texts: &[String]| texts.iter().map(|text| glob(text)).collect::<Result<_, _>>();
        Ok(Self {
            included: globs(included)?,
            excluded: globs(excluded)?,
        })
    }

    /// Whether a namespace is among them; those that no backup ever takes are not.
    pub fn takes(&self, namespace: &str) -> bool {
        let named = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(namespace));
        !PROTECTED.contains(&namespace)
            && (self.included.is_empty() || named(&self.included))
            && !named(&self.excluded)
    }

    /// The namespaces that are named as they are, without globs.
    pub fn exact(&self) -> impl Iterator<Item = &str> {
        self.included
            .iter()
            .filter_map(Glob::exact)
            .filter(|name| self.takes(name))
    }

    /// Whether nothing was said that leaves any out, beside those that no backup ever takes.
    pub fn is_everything(&self) -> bool {
        let all = |glob: &Glob| matches!(glob.as_str(), "*" | "**");
        self.excluded.is_empty() && (self.included.is_empty() || self.included.iter().all(all))
    }

    /// Whether namespaces can be among them that are not named: rights on the named ones are not enough.
    pub fn open(&self) -> bool {
        self.included.is_empty() || self.included.iter().any(|glob| glob.exact().is_none())
    }
}

fn glob(text: &str) -> Result<Glob, BadNamespace> {
    Glob::parse(text, Separator::None).map_err(|problem| BadNamespace {
        text: text.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces(included: &[&str], excluded: &[&str]) -> Result<Namespaces, BadNamespace> {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Namespaces::parse(&texts(included), &texts(excluded))
    }

    #[test]
    fn it_is_told_on_which_namespaces_rights_are_needed() {
        for (included, excluded, open, exact) in [
            (&[][..], &[][..], true, &[][..]),
            (&["a", "b"], &[], false, &["a", "b"]),
            (&["a", "b"], &["b"], false, &["a"]),
            (&["a", "team-*"], &[], true, &["a"]),
            (&["a", "kube-system"], &[], false, &["a"]),
        ] {
            let namespaces = namespaces(included, excluded).unwrap();
            assert_eq!(namespaces.open(), open, "{included:?}");
            assert_eq!(namespaces.exact().collect::<Vec<_>>(), exact, "{included:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_glob_is_refused_by_name() {
        let problem = namespaces(&["fine", "[open"], &[]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "`[open` names no namespaces: `[` is not closed"
        );
    }
}
