//! Which pods are new by a restore: those that it has created, and those that controllers make which it has created. A pod
//! may be seen before it is known that its controller was created.

use std::collections::{BTreeMap, BTreeSet};

/// What a restore has created, and the pods that are new by that, all by their uids.
#[derive(Debug, Default)]
pub struct Lineage {
    /// What was created, with its new pods.
    created: BTreeMap<String, BTreeSet<String>>,
    /// Pods that nothing which was created accounts for yet, by themselves and by each of their controllers.
    unaccounted: BTreeMap<String, BTreeSet<String>>,
}

impl Lineage {
    /// A pod is seen, with its controllers: its own, that one's, and so on. Whether it is new.
    pub fn see(&mut self, pod: &str, controllers: &[String]) -> bool {
        let line = || std::iter::once(pod).chain(controllers.iter().map(String::as_str));
        let mut is_new = false;
        for uid in line() {
            if let Some(pods) = self.created.get_mut(uid) {
                pods.insert(pod.to_owned());
                is_new = true;
            }
        }
        if !is_new {
            for uid in line() {
                self.unaccounted
                    .entry(uid.to_owned())
                    .or_default()
                    .insert(pod.to_owned());
            }
        }
        is_new
    }

    /// Something was created. The pods that were seen before and are new by that.
    pub fn create(&mut self, uid: &str) -> BTreeSet<String> {
        let new = self.unaccounted.remove(uid).unwrap_or_default();
        self.created
            .entry(uid.to_owned())
            .or_default()
            .extend(new.iter().cloned());
        new
    }

    /// How many new pods something that was created has had.
    pub fn pods(&self, uid: &str) -> usize {
        self.created.get(uid).map_or(0, BTreeSet::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controllers(uids: &[&str]) -> Vec<String> {
        uids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pod_is_new_that_the_restore_or_a_controller_of_the_restore_has_made() {
        let mut lineage = Lineage::default();
        for uid in ["lonely", "deployment"] {
            assert!(lineage.create(uid).is_empty());
        }
        for (pod, above, is_new) in [
            ("lonely", &[][..], true),
            ("of-a-deployment", &["replica-set", "deployment"], true),
            ("of-an-older-one", &["other-set", "other"], false),
            ("of-nobody", &[], false),
        ] {
            assert_eq!(lineage.see(pod, &controllers(above)), is_new, "{pod}");
        }
        assert_eq!(lineage.pods("deployment"), 1);
    }

    #[test]
    fn a_pod_that_is_seen_before_its_controller_is_known_is_new_from_then_on() {
        let mut lineage = Lineage::default();
        let above = controllers(&["replica-set", "deployment"]);
        assert!(!lineage.see("early", &above));
        assert!(lineage.create("another").is_empty());
        assert_eq!(lineage.create("deployment"), BTreeSet::from(["early".to_owned()]));
        assert!(lineage.see("early", &above));
        assert!(lineage.see("late", &above));
        assert_eq!(lineage.pods("deployment"), 2);
    }
}
