//! Which namespaces and claims have a recent backup that can be trusted, and what the others lack.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::cut::Consistency;
use crate::selection::{Claim, Filter, Name, Namespace, is_excluded};

/// How old a backup is that still counts as recent, where nobody says otherwise: one a day, and an hour to make it.
pub const RECENT: Duration = Duration::from_hours(25);

/// What is known of an instance.
#[derive(Debug, Clone)]
pub struct Protection {
    /// What it takes.
    pub filter: Filter,
    /// Whether the objects are stored in a vault.
    pub vault: bool,
    /// Whether volumes are cut.
    pub volumes: bool,
    /// Its newest run that left something to restore from.
    pub newest: Option<Run>,
}

/// A run that left something to restore from.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// How long ago it ended, in seconds.
    pub age: u64,
    /// Whether nothing is missing.
    pub complete: bool,
    /// The claims that it has cut, and what for the cuts can be trusted.
    pub cuts: BTreeMap<Name, Consistency>,
}

/// What is lacking, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Gap {
    /// There is a recent backup, and what it holds of this stands in the cluster's own storage alone.
    LocalOnly,
    /// There is a recent backup, and the application was not frozen for it.
    CrashConsistent,
    /// The recent backup misses something.
    Incomplete,
    /// An instance takes the claim, and its recent backup has no snapshot of it.
    NotCut,
    /// An instance takes it, and its last backup is too old.
    Stale,
    /// An instance takes it, and no backup has ended well.
    NeverBackedUp,
    /// No instance takes it.
    Unprotected,
}

impl Gap {
    /// Every one, for tables and metrics.
    pub const ALL: [Self; 7] = [
        Self::LocalOnly,
        Self::CrashConsistent,
        Self::Incomplete,
        Self::NotCut,
        Self::Stale,
        Self::NeverBackedUp,
        Self::Unprotected,
    ];

    /// Whether there is no recent backup to go back to.
    pub const fn is_grave(self) -> bool {
        matches!(
            self,
            Self::NotCut | Self::Stale | Self::NeverBackedUp | Self::Unprotected
        )
    }
}

/// Something that is to be backed up.
#[derive(Debug, Clone, Copy)]
pub enum Covered<'a> {
    /// A namespace, and the objects in it.
    Namespace(&'a Namespace),
    /// A claim, and what is on its volume.
    Claim(&'a Claim),
}

/// What each namespace lacks, and each claim in them, in the order of the namespaces.
pub fn survey<'a>(
    namespaces: &'a [Namespace],
    claims: &'a [Claim],
    protections: &[Protection],
    recent: u64,
) -> Vec<(Covered<'a>, Option<Gap>)> {
    let mut inside = BTreeMap::<&str, Vec<&Claim>>::new();
    for claim in claims {
        inside.entry(&claim.name.namespace).or_default().push(claim);
    }
    let mut found = Vec::new();
    for namespace in namespaces {
        let gap = of_namespace(namespace, protections, recent);
        found.push((Covered::Namespace(namespace), gap));
        let claims = inside.get(&*namespace.name).into_iter().flatten();
        found.extend(claims.map(|claim| {
            let gap = of_claim(claim, namespace, protections, recent);
            (Covered::Claim(claim), gap)
        }));
    }
    found
}

/// What a namespace lacks by the best that any instance does for it; nothing where all is well, or where a person leaves it
/// out.
fn of_namespace(namespace: &Namespace, protections: &[Protection], recent: u64) -> Option<Gap> {
    if is_excluded(&namespace.labels) {
        return None;
    }
    let taken = |protection: &&Protection| {
        !protection
            .filter
            .namespaces(std::slice::from_ref(namespace))
            .is_empty()
    };
    least(protections.iter().filter(taken).map(|protection| {
        let run = recent_run(protection, recent)?;
        if !run.complete {
            return Err(Gap::Incomplete);
        }
        if protection.vault {
            Ok(())
        } else {
            Err(Gap::LocalOnly)
        }
    }))
}

/// The same for a claim in a namespace. That a selected pod mounts it takes it as well, which only its run knows.
fn of_claim(claim: &Claim, namespace: &Namespace, protections: &[Protection], recent: u64) -> Option<Gap> {
    if is_excluded(&claim.labels) || is_excluded(&namespace.labels) {
        return None;
    }
    let namespaces = std::slice::from_ref(namespace);
    let takes = |protection: &&Protection| {
        let cut = |run: &Run| run.cuts.contains_key(&claim.name);
        let selected = protection
            .filter
            .select(namespaces, &[], std::slice::from_ref(claim));
        protection.volumes && (!selected.claims.is_empty() || protection.newest.as_ref().is_some_and(cut))
    };
    least(protections.iter().filter(takes).map(|protection| {
        let run = recent_run(protection, recent)?;
        Err(match run.cuts.get(&claim.name) {
            None => Gap::NotCut,
            Some(Consistency::CrashConsistent) => Gap::CrashConsistent,
            // Until volume data itself is moved.
            Some(Consistency::ApplicationConsistent) => Gap::LocalOnly,
        })
    }))
}

fn recent_run(protection: &Protection, recent: u64) -> Result<&Run, Gap> {
    let run = protection.newest.as_ref().ok_or(Gap::NeverBackedUp)?;
    if run.age > recent {
        Err(Gap::Stale)
    } else {
        Ok(run)
    }
}

fn least(found: impl Iterator<Item = Result<(), Gap>>) -> Option<Gap> {
    let gaps = found.map(Result::err);
    // No gap is less than any.
    gaps.min().unwrap_or(Some(Gap::Unprotected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::Namespaces;
    use crate::selection::sample::{claim, labels, name};

    const RECENT: u64 = 100;

    fn protection(run: Option<Run>) -> Protection {
        let filter = Filter {
            namespaces: Namespaces::parse(&["shop".to_owned()], &[]).unwrap(),
            ..Filter::default()
        };
        Protection {
            filter,
            vault: true,
            volumes: true,
            newest: run,
        }
    }

    fn backed_up(age: u64, complete: bool, cuts: &[(&str, Consistency)]) -> Protection {
        let cuts = cuts
            .iter()
            .map(|(claim, consistency)| (name(claim), *consistency));
        protection(Some(Run {
            age,
            complete,
            cuts: cuts.collect(),
        }))
    }

    fn namespace(called: &str) -> Namespace {
        Namespace {
            name: called.to_owned(),
            ..Namespace::default()
        }
    }

    #[test]
    fn a_namespace_lacks_what_its_best_instance_does_not_do() {
        let good = || backed_up(1, true, &[]);
        let without_vault = || Protection {
            vault: false,
            ..good()
        };
        let partial = || backed_up(1, false, &[]);
        for (called, protections, gap) in [
            ("shop", vec![good()], None),
            ("shop", vec![without_vault()], Some(Gap::LocalOnly)),
            ("shop", vec![partial()], Some(Gap::Incomplete)),
            ("shop", vec![backed_up(RECENT, true, &[])], None),
            ("shop", vec![backed_up(RECENT + 1, true, &[])], Some(Gap::Stale)),
            ("shop", vec![protection(None)], Some(Gap::NeverBackedUp)),
            ("shop", vec![], Some(Gap::Unprotected)),
            ("other", vec![good()], Some(Gap::Unprotected)),
            ("shop", vec![protection(None), partial(), good()], None),
            ("shop", vec![partial(), without_vault()], Some(Gap::LocalOnly)),
        ] {
            let found = of_namespace(&namespace(called), &protections, RECENT);
            assert_eq!(found, gap, "{called} {protections:?}");
        }
        let left_out = Namespace {
            labels: labels(&[(crate::selection::EXCLUDE, "true")]),
            ..namespace("other")
        };
        assert_eq!(of_namespace(&left_out, &[], RECENT), None);
    }

    #[test]
    fn a_claim_lacks_what_its_best_cut_is_not() {
        let (frozen, crash) = (Consistency::ApplicationConsistent, Consistency::CrashConsistent);
        let without_volumes = Protection {
            volumes: false,
            ..backed_up(1, true, &[])
        };
        for (protections, gap) in [
            (vec![backed_up(1, true, &[("shop/data", frozen)])], Gap::LocalOnly),
            (
                vec![backed_up(1, true, &[("shop/data", crash)])],
                Gap::CrashConsistent,
            ),
            (vec![backed_up(1, true, &[("shop/other", frozen)])], Gap::NotCut),
            (
                vec![backed_up(RECENT + 1, true, &[("shop/data", frozen)])],
                Gap::Stale,
            ),
            (vec![protection(None)], Gap::NeverBackedUp),
            (vec![without_volumes], Gap::Unprotected),
            (
                vec![
                    backed_up(1, true, &[("shop/data", crash)]),
                    backed_up(1, true, &[("shop/data", frozen)]),
                ],
                Gap::LocalOnly,
            ),
        ] {
            let found = of_claim(&claim("shop/data"), &namespace("shop"), &protections, RECENT);
            assert_eq!(found, Some(gap), "{protections:?}");
        }
        let mut left_out = claim("shop/data");
        left_out.labels = labels(&[(crate::selection::EXCLUDE, "true")]);
        assert_eq!(of_claim(&left_out, &namespace("shop"), &[], RECENT), None);
    }

    #[test]
    fn a_survey_tells_of_each_namespace_and_of_the_claims_in_it() {
        let namespaces = [namespace("other"), namespace("shop")];
        let claims = [claim("shop/data"), claim("nowhere/data"), claim("other/data")];
        let protections = [backed_up(1, true, &[])];
        let found = survey(&namespaces, &claims, &protections, RECENT);
        let words = found.iter().map(|(covered, gap)| match covered {
            Covered::Namespace(namespace) => (namespace.name.clone(), *gap),
            Covered::Claim(claim) => (claim.name.to_string(), *gap),
        });
        let expected = [
            ("other", Some(Gap::Unprotected)),
            ("other/data", Some(Gap::Unprotected)),
            ("shop", None),
            ("shop/data", Some(Gap::NotCut)),
        ];
        let expected = expected.map(|(name, gap)| (name.to_owned(), gap));
        assert_eq!(words.collect::<Vec<_>>(), expected);
    }
}
