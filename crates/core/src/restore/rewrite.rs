//! What each kind becomes.

use serde_json::Value;

use super::fields::remove;
use super::{Source, Survey, Terms, claim, definition, identity, service, volume, workload};
use crate::object::ObjectId;

/// Takes out of an object what only held where it was, and rewires what is different where it goes. Its metadata is
/// still as it was stored.
pub(super) fn rewrite(
    object: &mut Value,
    origin: &ObjectId,
    source: Option<&Source>,
    terms: &Terms,
    survey: &Survey,
) {
    match origin.kind.as_str() {
        "services" => service::rewrite(object),
        "pods" => workload::pod(object),
        "jobs.batch" => workload::job(object),
        "serviceaccounts" => identity::account(object, &origin.name),
        "secrets" => identity::secret(object),
        "clusterroles.rbac.authorization.k8s.io" => identity::role(object),
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            identity::binding(object, &terms.mappings);
        }
        "persistentvolumes" => volume::rewrite(object),
        "persistentvolumeclaims" => claim::rewrite(object, source, terms, survey),
        // The API server gives a Namespace the finalizer by which it deletes what is in it.
        "namespaces" => remove(object, "", &["spec"]),
        // Who held it holds nothing any more.
        "leases.coordination.k8s.io" => {
            remove(
                object,
                "/spec",
                &["acquireTime", "holderIdentity", "leaseTransitions", "renewTime"],
            );
        }
        "customresourcedefinitions.apiextensions.k8s.io" => definition::custom_kind(object),
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => definition::webhooks(object),
        _ => {}
    }
}
