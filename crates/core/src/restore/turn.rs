//! Whose turn it is: restores of which one changes what another one brings wait for each other.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

/// What a restore writes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// The namespaces that objects go into.
    pub namespaces: BTreeSet<String>,
    /// Whether it is asked for objects outside of namespaces.
    pub cluster: bool,
}

/// A restore that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// `namespace/name`.
    pub name: String,
    /// When it was made, as text that sorts.
    pub made: String,
    /// Whether it changes what exists.
    pub writes: bool,
    /// Whether it has had its turn.
    pub began: bool,
    /// None while it isn't known.
    pub targets: Option<Targets>,
}

/// What a restore waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait<'r> {
    other: &'r Restoring,
    place: Place<'r>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'r> {
    Namespace(&'r str),
    Cluster,
    Unknown,
}

impl Restoring {
    /// What it has to wait for among the others. Those that only create come to terms with each other: whatever one has created
    /// is there for the other.
    pub fn waits<'r>(&'r self, others: impl IntoIterator<Item = &'r Self>) -> Option<Wait<'r>> {
        if self.began {
            return None;
        }
        let mut others = others.into_iter().filter(|other| self.writes || other.writes);
        others.find_map(|other| {
            let place = match (&self.targets, &other.targets) {
                (Some(ours), Some(theirs)) => ours.overlap(theirs)?,
                _ => Place::Unknown,
            };
            let is_first = other.began || (other.targets.is_some() && other.order(self).is_lt());
            is_first.then_some(Wait { other, place })
        })
    }

    fn order(&self, other: &Self) -> Ordering {
        (&self.made, &self.name).cmp(&(&other.made, &other.name))
    }
}

impl Targets {
    fn overlap<'t>(&'t self, other: &'t Self) -> Option<Place<'t>> {
        let mut common = self.namespaces.intersection(&other.namespaces);
        match common.next() {
            Some(namespace) => Some(Place::Namespace(namespace)),
            None if self.cluster && other.cluster => Some(Place::Cluster),
            None => None,
        }
    }
}

/// For people.
impl fmt::Display for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.other.name;
        match self.place {
            Place::Namespace(namespace) => {
                write!(
                    f,
                    "it waits for Restore {name}, which brings objects into namespace {namespace} as well"
                )
            }
            Place::Cluster => write!(
                f,
                "it waits for Restore {name}, which brings objects outside of namespaces as well"
            ),
            Place::Unknown => write!(
                f,
                "it waits for Restore {name}, of which it isn't known yet where it brings objects"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Option<(&[&str], bool)> = Some((&["shop"], false));

    fn restoring(name: &str, writes: bool, began: bool, targets: Option<(&[&str], bool)>) -> Restoring {
        Restoring {
            name: format!("home/{name}"),
            made: format!("2026-11-22T00:00:{:02}Z", name.len()),
            writes,
            began,
            targets: targets.map(|(namespaces, cluster)| Targets {
                namespaces: namespaces.iter().map(ToString::to_string).collect(),
                cluster,
            }),
        }
    }

    #[test]
    fn a_restore_waits_for_another_one_only_where_one_changes_what_the_other_brings() {
        // The longer a name, the younger is what has it.
        let later = |writes, targets| restoring("later", writes, false, targets);
        let first = |writes, began, targets| restoring("first-of-all", writes, began, targets);
        let early = |writes, began, targets| restoring("a", writes, began, targets);
        for (ours, other, waits) in [
            // Both only create.
            (later(false, SHOP), early(false, true, SHOP), None),
            // One of them changes what exists.
            (
                later(true, SHOP),
                early(false, true, SHOP),
                Some("namespace shop"),
            ),
            (
                later(false, SHOP),
                early(true, true, SHOP),
                Some("namespace shop"),
            ),
            (later(true, SHOP), early(true, true, SHOP), Some("namespace shop")),
            // Elsewhere.
            (
                later(true, SHOP),
                early(true, true, Some((&["bank"], false))),
                None,
            ),
            (
                later(true, SHOP),
                early(true, true, Some((&["bank"], true))),
                None,
            ),
            (
                later(true, Some((&["shop"], true))),
                early(true, true, Some((&["bank"], true))),
                Some("outside of namespaces"),
            ),
            (
                later(true, Some((&["a", "shop"], true))),
                early(true, true, Some((&["b", "shop"], true))),
                Some("namespace shop"),
            ),
            // Who has begun goes on, whoever is older.
            (later(true, SHOP), first(true, true, SHOP), Some("namespace shop")),
            (
                restoring("later", true, true, SHOP),
                early(true, true, SHOP),
                None,
            ),
            // Of two that wait, the older one is first.
            (
                later(true, SHOP),
                early(true, false, SHOP),
                Some("namespace shop"),
            ),
            (later(true, SHOP), first(true, false, SHOP), None),
            // Whose targets aren't known: it has begun under another leader, or is still being planned.
            (
                later(true, SHOP),
                early(true, true, None),
                Some("isn't known yet"),
            ),
            (later(false, SHOP), early(false, true, None), None),
            (later(true, SHOP), early(true, false, None), None),
        ] {
            let told = ours.waits([&other]).map(|wait| wait.to_string());
            match waits {
                None => assert_eq!(told, None, "{ours:?} {other:?}"),
                Some(part) => {
                    let told = told.unwrap_or_default();
                    assert!(
                        told.contains(part) && told.contains(&other.name),
                        "{told}: {ours:?} {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn of_restores_in_each_others_way_one_at_least_goes_on() {
        let all: Vec<_> = ["a", "bb", "ccc"]
            .iter()
            .map(|name| restoring(name, true, false, SHOP))
            .collect();
        let waits = |ours: &Restoring| ours.waits(all.iter().filter(|other| *other != ours)).is_some();
        let going: Vec<_> = all
            .iter()
            .filter(|ours| !waits(ours))
            .map(|ours| ours.name.as_str())
            .collect();
        assert_eq!(going, ["home/a"]);
    }
}
