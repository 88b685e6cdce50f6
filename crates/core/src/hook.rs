//! Backup and restore hooks: commands that run in an application's containers around a cut or after a restore.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a hook that fails means for the run it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnError {
    /// The failure is reported; the run goes on and ends with warnings.
    Continue,
    /// The pod's further hooks don't run, and its volumes are not cut.
    Fail,
}
