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

impl Group {
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
        bundles.extend(labelled.into_iter().map(|((namespace, value, _), claims)| {
            let carries = |claim: &&Claim| {
                claim.name.namespace == *namespace
                    && claim.labels.get(VOLUME_GROUP).is_some_and(|label| label == value)
            };
            let alone = self.all.iter().filter(carries).count() == claims.len();
            Bundle {
                claims,
                label: alone.then_some(value),
            }
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
        grouped.extend(several.into_iter().map(|(_, claims)| (claims, None)));
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
        let temporary = || Group::Temporary(format!("{unit}-{}", digest(&parts)));
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
fn snapshot_name(hint: &str, parts: &[&str]) -> String {
    let digest = digest(parts);
    let hint: String = hint.chars().take(63 - 1 - digest.len()).collect();
    format!("{}-{digest}", hint.trim_end_matches(['.', '-']))
}

/// Ten characters that differ when the parts do.
fn digest(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("/"));
    hash.iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}
