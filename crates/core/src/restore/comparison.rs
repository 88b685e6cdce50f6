//! Whether an object that exists already is the one that would be created.

use serde_json::Value;

use super::{ORIGINAL_NAMESPACE, RESTORE_UID, Ready, fields};
use crate::clash::{Existing, Outcome};
use crate::patch::Draft;

impl Ready {
    /// Whether the object in the cluster differs from this one in anything that this one says. What the cluster has
    /// beyond that, and what tells of restores, doesn't count.
    pub fn differs(&self, live: &Value) -> bool {
        let mut object = self.object.clone();
        fields::remove(
            &mut object,
            "/metadata/annotations",
            &[ORIGINAL_NAMESPACE, RESTORE_UID],
        );
        let existing = Existing::new(&self.target.kind, live, None);
        let mut draft = Draft::new(object);
        // Too large to be compared is not the same.
        existing.add_onto(&mut draft).is_err() || !existing.fields(draft.value(), Outcome::Changed).is_empty()
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
            assert_eq!(ready.differs(&live), differs, "{live}");
        }
    }
}
