//! What decisions need to know of a namespace, a pod and a claim.

use std::collections::BTreeMap;
use std::fmt;

use crate::quantity::Quantity;

/// Namespace and name of an object; ordered and written as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// A namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: Name,
    /// Its uid.
    pub uid: String,
    /// The node that it is bound to.
    pub node: Option<String>,
    /// Where it stands.
    pub phase: PodPhase,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its containers, in the order of the spec.
    pub containers: Vec<String>,
    /// Its init containers with `restartPolicy: Always`, in the order of the spec.
    pub sidecars: Vec<String>,
    /// The claims that it mounts, those of its generic ephemeral volumes among them.
    pub claims: Vec<String>,
}

/// Where a pod stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PodPhase {
    /// Not all containers have been started.
    Pending,
    /// Bound to a node, at least one container runs.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
    /// The node can't be asked.
    Unknown,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it stands.
    pub phase: ClaimPhase,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// The volume that it names, if there is such a volume.
    pub volume: Option<Volume>,
    /// How many snapshots of it there are.
    pub snapshots: u32,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimPhase {
    /// It has no volume yet.
    Pending,
    /// It has a volume.
    Bound,
    /// Its volume is gone.
    Lost,
}

/// A claim's volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its CSI driver; none for a volume of another kind.
    pub driver: Option<String>,
    /// Its size.
    pub capacity: Option<Quantity>,
}

impl Name {
    /// The name of an object.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Pod {
    /// The node where commands can run in it: it runs there and nobody is deleting it.
    pub fn runs_on(&self) -> Option<&str> {
        let runs = self.phase == PodPhase::Running && !self.deleting;
        self.node.as_deref().filter(|_| runs)
    }

    /// The claims that it mounts, by their full names.
    pub fn mounts(&self) -> impl Iterator<Item = Name> {
        self.claims
            .iter()
            .map(|claim| Name::new(&self.name.namespace, claim))
    }
}
