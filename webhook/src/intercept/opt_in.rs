//! How a request opts its object in: the door's conditions, once more from the inside.

use clusterbackup_api::labels;
use clusterbackup_core::interception::{OptIn, is_control_plane};

use crate::review::{AdmissionRequest, Metadata};

/// The labels that count for a request, and none if the door should not have let it through. An update has an `existing`
/// object.
pub(super) fn opt_in<'a>(
    request: &'a AdmissionRequest<'_>,
    metadata: &'a Metadata<'_>,
    existing: Option<&Metadata<'_>>,
) -> Option<OptIn<'a>> {
    let velero_restore = metadata.label(labels::VELERO_RESTORE);
    let username = request.user_info.username.as_ref();
    let is_for_us = !is_control_plane(username);
    let Some(existing) = existing else {
        return is_for_us.then(|| OptIn {
            intercept: metadata.label(labels::INTERCEPT),
            velero_restore,
            username,
        });
    };
    let by_another_restore = velero_restore != existing.label(labels::VELERO_RESTORE);
    (is_for_us && velero_restore.is_some() && by_another_restore && !metadata.has_controller()).then_some(
        OptIn {
            intercept: None,
            velero_restore,
            username,
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The labels that count, of an object labelled so before and after.
    fn counted(
        operation: &str,
        username: &str,
        before: &Value,
        after: &Value,
    ) -> Option<[Option<String>; 2]> {
        let body = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "kind": { "group": "", "kind": "ConfigMap" },
                "resource": { "group": "", "resource": "configmaps" },
                "operation": operation,
                "userInfo": { "username": username },
                "object": { "metadata": after },
                "oldObject": { "metadata": before },
            },
        });
        let body = body.to_string();
        let request = AdmissionRequest::parse(body.as_bytes()).unwrap();
        let after = Metadata::parse(request.object).unwrap();
        let before = request.existing().map(Metadata::parse).transpose().unwrap();
        let opt_in = opt_in(&request, &after, before.as_ref())?;
        Some([opt_in.intercept, opt_in.velero_restore].map(|label| label.map(str::to_owned)))
    }

    #[test]
    fn only_what_the_door_is_for_opts_in() {
        let bare = json!({});
        let restored = |by: &str| json!({ "labels": { labels::VELERO_RESTORE: by } });
        let both = json!({ "labels": { labels::VELERO_RESTORE: "two", labels::INTERCEPT: "shop" } });
        let mut owned = restored("two");
        owned["ownerReferences"] = json!([{ "controller": false }, { "controller": true }]);
        let mut companion = restored("two");
        companion["ownerReferences"] = json!([{}, { "controller": null }]);
        let (jane, node) = ("jane", "system:node:one");
        let two = [None, Some("two")];
        for (operation, username, before, after, wanted) in [
            ("CREATE", jane, &bare, &both, Some([Some("shop"), Some("two")])),
            ("CREATE", jane, &bare, &owned, Some(two)),
            ("CREATE", node, &bare, &both, None),
            ("UPDATE", jane, &bare, &restored("two"), Some(two)),
            ("UPDATE", jane, &restored("one"), &restored("two"), Some(two)),
            ("UPDATE", jane, &restored("one"), &both, Some(two)),
            ("UPDATE", jane, &restored("two"), &both, None),
            ("UPDATE", jane, &restored("two"), &bare, None),
            ("UPDATE", jane, &bare, &bare, None),
            ("UPDATE", jane, &bare, &owned, None),
            ("UPDATE", jane, &bare, &companion, Some(two)),
            ("UPDATE", node, &bare, &restored("two"), None),
        ] {
            let wanted = wanted.map(|labels| labels.map(|label| label.map(str::to_owned)));
            let counted = counted(operation, username, before, after);
            assert_eq!(counted, wanted, "{operation} by {username}: {before} to {after}");
        }
    }
}
