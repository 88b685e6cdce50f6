//! Owner references. The uid in one is another cluster's, or of an object that is gone: created with it, an object would
//! be collected as garbage. So references are taken off, and put back with new uids when everything is there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Survey;
use super::fields::{is_true, items, text};
use crate::object::ObjectId;

/// An owner that an object had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its uid in the backup.
    uid: String,
    /// The reference as it was.
    reference: Value,
}

/// The owners of an object of a point.
pub(super) fn of(object: &Value) -> Vec<Owner> {
    let owner = |reference: &Value| {
        Some(Owner {
            uid: text(reference, "/uid")?.to_owned(),
            reference: reference.clone(),
        })
    };
    items(object, "/metadata/ownerReferences")
        .filter_map(owner)
        .collect()
}

/// The owner that an object of a point is made by.
pub(super) fn controller(object: &ObjectId, content: &Value, survey: &Survey) -> Option<ObjectId> {
    let owner = items(content, "/metadata/ownerReferences").find(|owner| is_true(owner, "/controller"))?;
    let group = text(owner, "/apiVersion")?
        .rsplit_once('/')
        .map_or("", |(group, _)| group);
    let kind = survey.resource(group, text(owner, "/kind")?);
    let name = text(owner, "/name")?.to_owned();
    let inside = ObjectId {
        kind,
        namespace: object.namespace.clone(),
        name,
    };
    let outside = ObjectId {
        namespace: None,
        ..inside.clone()
    };
    Some(if survey.takes(&outside) { outside } else { inside })
}

/// The patch that gives an object, as it is in the cluster now, those of its owners that this restore has created; `uids`
/// are theirs, by the ones in the backup. None, if there is nothing to add. It is a JSON merge patch, which fails with a
/// conflict when the object has changed meanwhile.
pub fn links(owners: &[Owner], uids: &BTreeMap<String, String>, object: &Value) -> Option<Value> {
    let mut references: Vec<Value> = items(object, "/metadata/ownerReferences").cloned().collect();
    let before = references.len();
    for owner in owners {
        let Some(uid) = uids.get(&owner.uid) else {
            continue;
        };
        let is_there = references.iter().any(|one| text(one, "/uid") == Some(uid));
        // Another controller has adopted it meanwhile, and there can be but one.
        let is_taken = is_true(&owner.reference, "/controller")
            && references.iter().any(|one| is_true(one, "/controller"));
        if !is_there && !is_taken {
            let mut reference = owner.reference.clone();
            reference["uid"] = uid.as_str().into();
            references.push(reference);
        }
    }
    let version = text(object, "/metadata/resourceVersion")?;
    (references.len() > before)
        .then(|| json!({"metadata": {"ownerReferences": references, "resourceVersion": version}}))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{id, kind};
    use super::*;

    fn owner(uid: &str, controller: bool) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": uid, "controller": controller})
    }

    fn owned(references: &[Value]) -> Value {
        json!({"metadata": {"resourceVersion": "7", "ownerReferences": references}})
    }

    #[test]
    fn an_object_is_linked_to_owners_that_this_restore_has_created_and_to_no_others() {
        let uids = BTreeMap::from([("old-a".to_owned(), "new-a".to_owned())]);
        let patch = |references: Vec<Value>| json!({"metadata": {"ownerReferences": references, "resourceVersion": "7"}});
        for (had, has, expected) in [
            (
                vec![owner("old-a", true)],
                vec![],
                Some(patch(vec![owner("new-a", true)])),
            ),
            (vec![owner("old-b", true)], vec![], None),
            (
                vec![owner("old-a", false), owner("old-b", false)],
                vec![],
                Some(patch(vec![owner("new-a", false)])),
            ),
            (vec![owner("old-a", true)], vec![owner("new-a", true)], None),
            (vec![owner("old-a", true)], vec![owner("adopter", true)], None),
            (
                vec![owner("old-a", false)],
                vec![owner("adopter", true)],
                Some(patch(vec![owner("adopter", true), owner("new-a", false)])),
            ),
            (vec![], vec![owner("other", false)], None),
        ] {
            let owners = of(&owned(&had));
            assert_eq!(links(&owners, &uids, &owned(&has)), expected, "{had:?}");
        }
    }

    #[test]
    fn a_controller_is_known_by_its_kind_and_name() {
        let mut survey = Survey::default();
        let definition =
            json!({"spec": {"group": "example.com", "names": {"kind": "Index", "plural": "indices"}}});
        let crd = id(
            "customresourcedefinitions.apiextensions.k8s.io",
            "indices.example.com",
        );
        survey.note(&crd, &definition);
        for (api_version, named, expected) in [
            ("apps/v1", "ReplicaSet", "replicasets.apps"),
            ("v1", "ReplicationController", "replicationcontrollers"),
            (
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "networkpolicies.networking.k8s.io",
            ),
            ("networking.k8s.io/v1", "Ingress", "ingresses.networking.k8s.io"),
            ("example.com/v1", "Index", "indices.example.com"),
        ] {
            let reference =
                json!({"apiVersion": api_version, "kind": named, "name": "web", "controller": true});
            let found = controller(&id("pods", "shop/web-1"), &owned(&[reference]), &survey).unwrap();
            assert_eq!(found.kind, kind(expected), "{api_version} {named}");
        }
        let plain = owned(&[owner("a", false)]);
        assert_eq!(controller(&id("pods", "shop/web-1"), &plain, &survey), None);
    }
}
