//! What claims are made from: how long it is needed.

use serde_json::Value;

use super::fields::text;

/// How far a claim is that something stands ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// There is no such claim, or it asks for something else.
    Absent,
    /// It waits for its volume.
    Waiting,
    /// It has its volume.
    Done,
}

impl Filling {
    /// How far a claim is that is made from the VolumeSnapshot of that name.
    pub fn of(claim: Option<&Value>, snapshot: &str) -> Self {
        match claim {
            Some(claim) if text(claim, "/status/phase") == Some("Bound") => Self::Done,
            Some(claim) if text(claim, "/spec/dataSource/name") == Some(snapshot) => Self::Waiting,
            _ => Self::Absent,
        }
    }

    /// Whether the snapshot has to stay. `under_way` is whether its restore may still create the claim.
    pub const fn needs_source(self, under_way: bool) -> bool {
        match self {
            Self::Absent => under_way,
            Self::Waiting => true,
            Self::Done => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_claim_is_made_from_stays_until_it_has_its_volume_or_nobody_creates_it_any_more() {
        let claim = |from: &str, phase: &str| {
            Some(
                json!({ "spec": { "dataSource": { "kind": "VolumeSnapshot", "name": from } }, "status": { "phase": phase } }),
            )
        };
        for (claim, under_way, expected) in [
            (claim("data-1", "Pending"), true, true),
            (claim("data-1", "Pending"), false, true),
            (claim("data-1", "Bound"), true, false),
            (claim("data-1", "Bound"), false, false),
            (claim("other", "Pending"), true, true),
            (claim("other", "Pending"), false, false),
            (None, true, true),
            (None, false, false),
        ] {
            let needed = Filling::of(claim.as_ref(), "data-1").needs_source(under_way);
            assert_eq!(needed, expected, "{claim:?} {under_way}");
        }
    }
}
