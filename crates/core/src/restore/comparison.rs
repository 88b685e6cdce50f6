//! An object that exists already, and the one that would be created: whether they differ, and what the restored one makes of it.

use serde_json::Value;

use super::{ORIGINAL_NAMESPACE, RESTORE, RESTORE_UID, Ready, fields};
use crate::clash::{Existing, Field, Outcome};
use crate::custom_kind::CustomKind;
use crate::interception::{self, Case, Subject, Verdict};
use crate::modifier::Rename;
use crate::object::ObjectName;
use crate::patch::Draft;

/// Annotation: the uid of the restore that last changed an object which it had not created.
pub const PATCHED_BY: &str = "clusterbackup.io/patched-by-restore";

/// Annotation: the uid of the object that was deleted to make room for this one.
pub const REPLACES: &str = "clusterbackup.io/replaces-uid";

impl Ready {
    /// Whether the object in the cluster differs from this one in anything that this one says. What the cluster has
    /// beyond that, and what tells of restores, doesn't count.
    pub fn differs(&self, live: &Value, custom: Option<&CustomKind>) -> bool {
        let existing = Existing::new(&self.target.kind, live, custom);
        let mut draft = Draft::new(self.content());
        // Too large to be compared is not the same.
        existing.add_onto(&mut draft).is_err() || !existing.fields(draft.value(), Outcome::Changed).is_empty()
    }

    /// What this one makes of the object in the cluster, field by field.
    pub fn onto(&self, live: &Value, custom: Option<&CustomKind>) -> Verdict {
        let case = Case {
            subject: Subject {
                group_resource: &self.target.kind,
                name: ObjectName::Exact(&self.target.name),
                namespace: self.target.namespace.as_deref(),
            },
            rename: Rename::Allowed,
            object: self.content(),
            existing: Some(live.clone()),
            custom,
        };
        interception::preview(&[], case)
    }

    /// The fields in which this one differs that takes the place of the object in the cluster.
    pub fn instead_of(&self, live: &Value, custom: Option<&CustomKind>) -> Vec<Field> {
        Existing::new(&self.target.kind, live, custom).fields(&self.content(), Outcome::Changed)
    }

    /// The object without what tells of restores: one that exists isn't this restore's, and has not opted in to anything.
    fn content(&self) -> Value {
        let mut object = self.object.clone();
        fields::remove(
            &mut object,
            "/metadata/annotations",
            &[ORIGINAL_NAMESPACE, RESTORE_UID],
        );
        fields::remove(&mut object, "/metadata/labels", &[RESTORE]);
        object
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::{prepared, ready};
    use super::*;

    #[test]
    fn only_what_the_restored_object_says_can_differ() {
        let stored = || {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
                "spec": {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}})
        };
        let ready = ready(prepared("services", stored(), &[]));
        let live = |change: &dyn Fn(&mut Value)| {
            let mut live = stored();
            live["metadata"]["uid"] = "u".into();
            live["metadata"]["resourceVersion"] = "7".into();
            live["status"] = json!({"loadBalancer": {}});
            change(&mut live);
            live
        };
        for (change, differs) in [
            ((&|_: &mut Value| {}) as &dyn Fn(&mut Value), false),
            (&|live| live["spec"]["clusterIP"] = "10.0.0.9".into(), false),
            (&|live| live["metadata"]["labels"]["more"] = "yes".into(), false),
            (
                &|live| live["metadata"]["labels"]["velero.io/restore-name"] = "old".into(),
                false,
            ),
            (
                &|live| live["metadata"]["annotations"] = json!({"more": "yes", RESTORE_UID: "old"}),
                false,
            ),
            (&|live| live["metadata"]["labels"]["app"] = "db".into(), true),
            (&|live| live["spec"]["ports"][0]["port"] = 81.into(), true),
            (&|live| live["spec"]["type"] = "LoadBalancer".into(), true),
        ] {
            let live = live(change);
            assert_eq!(ready.differs(&live, None), differs, "{live}");
        }
    }
}
