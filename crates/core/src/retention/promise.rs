//! Whether a point that lies in a vault was ever promised to anybody.
//!
//! A leader commits a point when it has looked whether it still leads. One that sleeps just then may commit when the next
//! leader has ended the Backup without a point, and has removed its snapshots.

use crate::report::BackupPhase;

/// The Backup that a point is of, as it stands in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// Where it stands, if anybody has looked at it.
    pub phase: Option<BackupPhase>,
    /// Whether it says that it has the point.
    pub names_it: bool,
}

/// Whether a point was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It was, as far as anybody knows.
    Given,
    /// Its Backup is at work.
    Open,
    /// Its Backup ended without it.
    Never,
}

/// Whether a point was promised; `maker`: its Backup, if it is still there.
pub fn promise(maker: Option<Maker>) -> Promise {
    let Some(Maker { phase, names_it }) = maker else {
        return Promise::Given;
    };
    match phase {
        None | Some(BackupPhase::Planning | BackupPhase::Running) => Promise::Open,
        Some(BackupPhase::Failed | BackupPhase::Cancelled) if !names_it => Promise::Never,
        Some(_) => Promise::Given,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_promised_unless_its_backup_ended_without_it() {
        use BackupPhase::{Cancelled, Completed, CompletedWithWarnings, Failed, Planning, Running};
        assert_eq!(promise(None), Promise::Given);
        for (phase, named, unnamed) in [
            (None, Promise::Open, Promise::Open),
            (Some(Planning), Promise::Open, Promise::Open),
            (Some(Running), Promise::Open, Promise::Open),
            (Some(Completed), Promise::Given, Promise::Given),
            (Some(CompletedWithWarnings), Promise::Given, Promise::Given),
            (Some(Failed), Promise::Given, Promise::Never),
            (Some(Cancelled), Promise::Given, Promise::Never),
        ] {
            for (names_it, right) in [(true, named), (false, unnamed)] {
                let maker = Maker { phase, names_it };
                assert_eq!(promise(Some(maker)), right, "{maker:?}");
            }
        }
    }
}
