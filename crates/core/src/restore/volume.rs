//! Volumes: which of them come back as they are, and for which claims there are snapshots.

use serde_json::Value;

use super::fields::{annotation, remove, text};
use super::{Data, LeftOut, NoData, Snapshot};
use crate::selection::Name;

/// What becomes of volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volumes {
    /// Claims that had a volume made for them get an empty one.
    Without,
    /// Claims get what they held.
    With(Data),
}

/// What a volume of a point says of how it was made, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    claim: Option<Name>,
    /// Whether what it holds outlives the claim.
    retained: bool,
    /// Whether a provisioner made it.
    provisioned: bool,
}

impl Volumes {
    /// What a claim is filled from.
    pub(super) fn snapshot(&self, claim: &Name) -> Option<&Snapshot> {
        self.data(claim)?.ok()
    }

    /// What there is of what a claim held; none where that isn't asked for.
    pub(super) fn data(&self, claim: &Name) -> Option<Result<&Snapshot, NoData>> {
        match self {
            Self::Without => None,
            Self::With(data) => Some(match data.get(claim) {
                Some(Ok(snapshot)) => Ok(snapshot),
                Some(Err(reason)) => Err(*reason),
                None => Err(NoData::NotStored),
            }),
        }
    }
}

impl Holding {
    pub(super) fn of(volume: &Value) -> Self {
        let claim = text(volume, "/spec/claimRef/namespace").zip(text(volume, "/spec/claimRef/name"));
        Self {
            claim: claim.map(|(namespace, name)| Name::new(namespace, name)),
            retained: text(volume, "/spec/persistentVolumeReclaimPolicy") == Some("Retain"),
            provisioned: annotation(volume, "pv.kubernetes.io/provisioned-by").is_some(),
        }
    }

    /// Why the volume is not restored as it is, if it isn't.
    pub(super) fn left_out(&self, volumes: &Volumes) -> Option<LeftOut> {
        let is_without = matches!(volumes, Volumes::Without);
        if self
            .claim
            .as_ref()
            .is_some_and(|claim| volumes.snapshot(claim).is_some())
        {
            Some(LeftOut::FromSnapshot)
        } else if !self.retained || (self.provisioned && is_without) {
            Some(LeftOut::Provisioned)
        } else {
            None
        }
    }
}

/// Takes from a volume what bound it to a claim that is gone; it waits for the one of the same name.
pub(super) fn rewrite(volume: &mut Value) {
    remove(
        volume,
        "/metadata/annotations",
        &["pv.kubernetes.io/bound-by-controller"],
    );
    remove(volume, "/spec/claimRef", &["resourceVersion", "uid"]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::{kind, ready, terms};
    use super::super::{RESTORE_UID, Survey, prepare};

    #[test]
    fn a_volume_that_comes_back_waits_for_the_claim_of_the_same_name() {
        let volume = json!({"metadata": {"name": "pv-1", "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"},
                "finalizers": ["kubernetes.io/pv-protection"]},
            "spec": {"persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "a"},
                "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data", "uid": "u", "resourceVersion": "7"}}});
        let terms = terms(&[("shop", "staging")]);
        let ready = ready(prepare(
            volume,
            &kind("persistentvolumes"),
            &terms,
            &Survey::default(),
        ));
        let claim = json!({"kind": "PersistentVolumeClaim", "namespace": "staging", "name": "data"});
        assert_eq!(ready.object["spec"]["claimRef"], claim);
        assert_eq!(ready.object["metadata"].get("finalizers"), None);
        assert_eq!(
            ready.object["metadata"]["annotations"],
            json!({RESTORE_UID: "7f1c"})
        );
    }
}
