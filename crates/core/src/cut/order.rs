//! Single snapshots and groups, with their names. Names follow from the backup and the claims alone: a leader that
//! plans again, or an agent that starts again, means the same snapshots.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Class, Classes};
use crate::selection::{Claim, Name};

/// Label: a person has the claims of one value and namespace cut at one moment. Velero's word.
pub const VOLUME_GROUP: &str = "velero.io/volume-group";

/// Label: for as long as a backup runs, the claims of one group where no label of a person tells them.
pub const TEMPORARY_GROUP: &str = "clusterbackup.io/group";

/// A claim that is to be cut, with its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cuttable<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// The class for a single snapshot of it.
    pub class: &'a Class,
}

/// Claims that one cut takes, or that stay single: never parted between units or nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// The claims, all of one namespace and driver.
    pub claims: Vec<Cuttable<'a>>,
    /// The person's label, where it names just these claims.
    label: Option<&'a str>,
}

/// One snapshot, or one group of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The namespace of claims and snapshot.
    pub namespace: String,
    /// The name of the VolumeSnapshot or VolumeGroupSnapshot.
    pub snapshot: String,
    /// The VolumeSnapshotClass or VolumeGroupSnapshotClass.
    pub class: String,
    /// The driver.
    pub driver: String,
    /// The claims; one for a single snapshot.
    pub claims: Vec<String>,
    /// How a group is told.
    pub group: Option<Group>,
}

/// How the claims of a group are told from all others of their namespace: by one label, since the snapshot controller
/// reads nothing else of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// By [`VOLUME_GROUP`] with this value, which they carry anyway.
    Labelled(String),
    /// By [`TEMPORARY_GROUP`] with this value, which the leader puts on them and takes off again.
    Temporary(String),
}

/// What grouping and naming depend on.
#[derive(Debug, Clone, Copy)]
pub struct Cutter<'a> {
    /// The uid of the backup.
    pub backup: &'a str,
    /// The VolumeGroupSnapshotClasses.
    pub groups: &'a Classes,
    /// All claims of the cluster, or at least of the namespaces that are cut, those that are skipped included.
    pub all: &'a [Claim],
}

/// The most claims of one group: the report of all of them has to fit into the status of one object.
const MAX_GROUP: usize = 200;

impl Group {
    /// Whether a value of [`TEMPORARY_GROUP`] was put on a claim for this backup, so that a leader that comes after a
    /// crash finds what is to be taken off.
    pub fn is_temporary_of(value: &str, backup: &str) -> bool {
        let mut parts = value.rsplit('-');
        parts.nth(1) == Some(&digest(&[backup]))
    }

    /// The labels of the group.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let (key, value) = match self {
            Self::Labelled(value) => (VOLUME_GROUP, value),
            Self::Temporary(value) => (TEMPORARY_GROUP, value),
        };
        BTreeMap::from([(key.to_owned(), value.clone())])
    }
}

impl Cutter<'_> {
    /// What has to stay together because a person labelled it so; everything else by itself.
    pub fn bundles<'a>(&self, cuttable: &[Cuttable<'a>]) -> Vec<Bundle<'a>> {
        let mut labelled: BTreeMap<_, Vec<Cuttable<'a>>> = BTreeMap::new();
        let mut bundles = Vec::new();
        for &cuttable in cuttable {
            let label = cuttable.claim.labels.get(VOLUME_GROUP).map(String::as_str);
            let driver = cuttable.class.driver.as_str();
            match label.filter(|value| !value.is_empty() && self.groups.of(driver).is_ok()) {
                Some(value) => labelled
                    .entry((&cuttable.claim.name.namespace, value, driver))
                    .or_default()
                    .push(cuttable),
                None => bundles.push(Bundle {
                    claims: vec![cuttable],
                    label: None,
                }),
            }
        }
        bundles.extend(labelled.into_iter().flat_map(|((namespace, value, _), claims)| {
            let carries = |claim: &&Claim| {
                claim.name.namespace == *namespace
                    && claim.labels.get(VOLUME_GROUP).is_some_and(|label| label == value)
            };
            let alone = claims.len() <= MAX_GROUP && self.all.iter().filter(carries).count() == claims.len();
            let bundle = |claims: &[Cuttable<'a>]| Bundle {
                claims: claims.to_vec(),
                label: alone.then_some(value),
            };
            claims.chunks(MAX_GROUP).map(bundle).collect::<Vec<_>>()
        }));
        bundles.sort_by(|left, right| left.names().cmp(right.names()));
        bundles
    }

    /// The cuts of a unit: what a person labelled as one, the rest of each namespace and driver as one where the
    /// driver can, single snapshots where it can't.
    pub fn cuts(&self, unit: &str, bundles: &[Bundle<'_>]) -> Vec<Cut> {
        let mut together: BTreeMap<_, Vec<Cuttable<'_>>> = BTreeMap::new();
        let mut grouped = Vec::new();
        for bundle in bundles {
            match bundle.claims.as_slice() {
                [single] => together
                    .entry((&single.claim.name.namespace, &single.class.driver))
                    .or_default()
                    .push(*single),
                several => grouped.push((several.to_vec(), bundle.label)),
            }
        }
        let (several, single): (Vec<_>, Vec<_>) = together
            .into_iter()
            .partition(|((_, driver), claims)| claims.len() > 1 && self.groups.of(driver).is_ok());
        for (_, claims) in several {
            grouped.extend(claims.chunks(MAX_GROUP).map(|claims| (claims.to_vec(), None)));
        }
        let single = single.into_iter().flat_map(|(_, claims)| claims);
        let mut cuts: Vec<Cut> = single.map(|claim| self.single(claim)).collect();
        let groups = grouped.into_iter();
        cuts.extend(groups.filter_map(|(claims, label)| self.group(unit, &claims, label)));
        cuts.sort_by(|left, right| (&left.namespace, &left.claims).cmp(&(&right.namespace, &right.claims)));
        cuts
    }

    /// A snapshot of one claim.
    pub fn single(&self, Cuttable { claim, class }: Cuttable<'_>) -> Cut {
        let Name { namespace, name } = &claim.name;
        Cut {
            namespace: namespace.clone(),
            snapshot: snapshot_name(name, &[self.backup, namespace, name]),
            class: class.name.clone(),
            driver: class.driver.clone(),
            claims: vec![name.clone()],
            group: None,
        }
    }

    fn group(&self, unit: &str, claims: &[Cuttable<'_>], label: Option<&str>) -> Option<Cut> {
        let first = claims.first()?;
        let class = self.groups.of(&first.class.driver).ok()?;
        let namespace = &first.claim.name.namespace;
        let names: BTreeSet<&str> = claims.iter().map(|one| one.claim.name.name.as_str()).collect();
        let mut parts = vec![self.backup, namespace];
        parts.extend(&names);
        let temporary = || Group::Temporary(format!("{unit}-{}-{}", digest(&[self.backup]), digest(&parts)));
        let group = label.map_or_else(temporary, |label| Group::Labelled(label.to_owned()));
        Some(Cut {
            namespace: namespace.clone(),
            snapshot: snapshot_name("group", &parts),
            class: class.name.clone(),
            driver: class.driver.clone(),
            claims: names.into_iter().map(str::to_owned).collect(),
            group: Some(group),
        })
    }
}

impl Bundle<'_> {
    /// The claims' names.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.claims.iter().map(|cuttable| &cuttable.claim.name)
    }
}

/// A name of at most 63 characters, so that it can also be the value of a label.
pub(crate) fn snapshot_name(hint: &str, parts: &[&str]) -> String {
    let digest = digest(parts);
    let hint: String = hint.chars().take(63 - 1 - digest.len()).collect();
    format!("{}-{digest}", hint.trim_end_matches(['.', '-']))
}

/// Ten characters that differ when the parts do.
fn digest(parts: &[&str]) -> String {
    let mut digest = format!("{:x}", Sha256::digest(parts.join("/")));
    digest.truncate(10);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::sample::classes;
    use crate::selection::sample::{claim, labels};

    const DRIVER: &str = "csi.example.com";

    fn labelled(name: &str, group: &str) -> Claim {
        Claim {
            labels: labels(&[(VOLUME_GROUP, group)]),
            ..claim(name)
        }
    }

    /// The cuts of one unit with these claims, of which `cut` are cut: `namespace: claims` and how they are told.
    fn cuts(all: &[Claim], cut: usize, groups: &Classes) -> Vec<(String, Option<Group>)> {
        let classes = classes(&[DRIVER]);
        let class = classes.of(DRIVER).unwrap();
        let cutter = Cutter {
            backup: "4f1c",
            groups,
            all,
        };
        let cuttable: Vec<_> = all[..cut].iter().map(|claim| Cuttable { claim, class }).collect();
        let cuts = cutter.cuts("u0", &cutter.bundles(&cuttable));
        let told = |cut: Cut| (format!("{}: {}", cut.namespace, cut.claims.join(" ")), cut.group);
        cuts.into_iter().map(told).collect()
    }

    fn is_temporary(group: Option<&Group>) -> bool {
        matches!(group, Some(Group::Temporary(_)))
    }

    #[test]
    fn without_a_group_class_every_claim_is_cut_by_itself() {
        let all = [
            claim("shop/b"),
            claim("shop/a"),
            labelled("shop/c", "g"),
            labelled("shop/d", "g"),
        ];
        let cuts = cuts(&all, 4, &classes(&[]));
        let names: Vec<_> = cuts.iter().map(|(names, _)| names.as_str()).collect();
        assert_eq!(names, ["shop: a", "shop: b", "shop: c", "shop: d"]);
        assert!(cuts.iter().all(|(_, group)| group.is_none()));
    }

    #[test]
    fn a_driver_that_can_cuts_the_claims_of_a_unit_and_namespace_as_one() {
        let all = [
            claim("shop/b"),
            claim("shop/a"),
            claim("bank/a"),
            claim("shop/unbound"),
        ];
        let cuts = cuts(&all, 3, &classes(&[DRIVER]));
        assert_eq!(cuts[0], ("bank: a".to_owned(), None));
        assert_eq!(cuts[1].0, "shop: a b");
        assert!(is_temporary(cuts[1].1.as_ref()), "{cuts:?}");
    }

    #[test]
    fn a_persons_label_makes_a_group() {
        let all = [
            labelled("shop/a", "g"),
            labelled("shop/b", "g"),
            claim("shop/c"),
            labelled("bank/a", "g"),
        ];
        let cuts = cuts(&all, 4, &classes(&[DRIVER]));
        let group = Some(Group::Labelled("g".to_owned()));
        let expected = [("bank: a", None), ("shop: a b", group), ("shop: c", None)];
        assert_eq!(cuts, expected.map(|(names, group)| (names.to_owned(), group)));
    }

    #[test]
    fn a_label_that_also_names_a_claim_that_is_not_cut_gives_way_to_a_temporary_one() {
        let all = [
            labelled("shop/a", "g"),
            labelled("shop/b", "g"),
            labelled("shop/unbound", "g"),
        ];
        let cuts = cuts(&all, 2, &classes(&[DRIVER]));
        assert_eq!(cuts[0].0, "shop: a b");
        assert!(is_temporary(cuts[0].1.as_ref()), "{cuts:?}");
    }

    #[test]
    fn two_groups_never_carry_the_same_temporary_label() {
        let mut all = ["a", "b", "c", "d"].map(|name| labelled(&format!("shop/{name}"), "g"));
        all[2].volume = None;
        let drivers = classes(&[DRIVER, "other.example.com"]);
        let of = |driver: &str| drivers.of(driver).unwrap();
        let cutter = Cutter {
            backup: "4f1c",
            groups: &drivers,
            all: &all,
        };
        let driver = |number: usize| if number < 2 { DRIVER } else { "other.example.com" };
        let cuttable = all.iter().enumerate().map(|(number, claim)| Cuttable {
            claim,
            class: of(driver(number)),
        });
        let cuts = cutter.cuts("u0", &cutter.bundles(&cuttable.collect::<Vec<_>>()));
        let groups: Vec<_> = cuts.iter().filter_map(|cut| cut.group.as_ref()).collect();
        assert_eq!(groups.len(), 2);
        for group in &groups {
            let Group::Temporary(value) = group else {
                unreachable!("{group:?}");
            };
            assert!(
                value.len() <= 63 && Group::is_temporary_of(value, "4f1c"),
                "{value}"
            );
            assert!(!Group::is_temporary_of(value, "5a2d"), "{value}");
        }
        assert_ne!(groups[0], groups[1]);
    }

    #[test]
    fn a_group_is_never_larger_than_a_report() {
        let all: Vec<Claim> = (0..250)
            .map(|number| claim(&format!("shop/{number:03}")))
            .collect();
        let labelled: Vec<Claim> = (0..250)
            .map(|number| labelled(&format!("shop/{number:03}"), "g"))
            .collect();
        for all in [all, labelled] {
            let cuts = cuts(&all, 250, &classes(&[DRIVER]));
            assert_eq!(cuts.len(), 2);
            assert!(cuts.iter().all(|(_, group)| is_temporary(group.as_ref())));
            assert_ne!(cuts[0].1, cuts[1].1);
        }
    }

    #[test]
    fn names_follow_from_backup_and_claim_and_fit_into_a_label() {
        let classes = classes(&[DRIVER]);
        let class = classes.of(DRIVER).unwrap();
        let name = |backup, claim: &Claim| {
            let cutter = Cutter {
                backup,
                groups: &classes,
                all: &[],
            };
            cutter.single(Cuttable { claim, class }).snapshot
        };
        let long = claim(&format!("shop/{}.{}", "a".repeat(51), "b".repeat(200)));
        for claim in [claim("shop/data"), long.clone()] {
            let first = name("4f1c", &claim);
            assert!(first.len() <= 63, "{first}");
            assert!(!first.contains(".-"), "{first}");
            assert_eq!(first, name("4f1c", &claim));
            assert_ne!(first, name("5a2d", &claim));
        }
        assert!(name("4f1c", &claim("shop/data")).starts_with("data-"));
        assert_ne!(
            name("4f1c", &claim("shop/data")),
            name("4f1c", &claim("bank/data"))
        );
    }
}
