//! What the requester may not do to an object that exists.

use clusterbackup_core::inclusion::Kind;
use clusterbackup_core::restore::Ready;
use kube::core::Status;

use super::object::Fate;

/// Whether the requester may not do that to any object of the kind. Whoever refuses a single object says so in other words.
pub(super) fn lacks(status: &Status) -> bool {
    let says = |part: &str| status.message.contains(part);
    status.is_forbidden() && says(" cannot ") && says(" resource \"")
}

/// What becomes of an object that he may not change. Of a Namespace, that it is there is enough.
pub(super) fn without(ready: &Ready, verb: &str, status: &Status) -> Fate {
    let kind = &ready.target.kind;
    let reason = format!(
        "it exists and is different, and who asks for the restore may not {verb} it: have the verb {verb} on {kind} granted, or \
         restore with conflictPolicy Skip. {}",
        status.message
    );
    if *kind == Kind::namespaces() {
        Fate::Skipped(reason)
    } else {
        Fate::Failed(reason.into())
    }
}
