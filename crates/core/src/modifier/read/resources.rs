//! Whether a `groupResource` can match anything. What can't is refused; what most likely doesn't is warned
//! about, because custom resources may have almost any name.

use super::field::{Field, Report};
use crate::glob::Glob;

/// A built-in resource: its group, its name, and what people call it instead.
struct Known {
    group: &'static str,
    resource: &'static str,
    also: &'static [&'static str],
}

const fn known(group: &'static str, resource: &'static str, also: &'static [&'static str]) -> Known {
    Known {
        group,
        resource,
        also,
    }
}

/// The core group is complete, as it can't be extended; of the others, what restores are about.
const KNOWN: [Known; 46] = [
    known("", "bindings", &["binding"]),
    known("", "componentstatuses", &["componentstatus", "cs"]),
    known("", "configmaps", &["configmap", "cm"]),
    known("", "endpoints", &["endpoint", "ep"]),
    known("", "events", &["event", "ev"]),
    known("", "limitranges", &["limitrange", "limits"]),
    known("", "namespaces", &["namespace", "ns"]),
    known("", "nodes", &["node", "no"]),
    known(
        "",
        "persistentvolumeclaims",
        &["persistentvolumeclaim", "pvc", "pvcs"],
    ),
    known("", "persistentvolumes", &["persistentvolume", "pv", "pvs"]),
    known("", "pods", &["pod", "po"]),
    known("", "podtemplates", &["podtemplate"]),
    known("", "replicationcontrollers", &["replicationcontroller", "rc"]),
    known("", "resourcequotas", &["resourcequota", "quota"]),
    known("", "secrets", &["secret"]),
    known("", "serviceaccounts", &["serviceaccount", "sa"]),
    known("", "services", &["service", "svc"]),
    known(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        &["customresourcedefinition", "crd", "crds"],
    ),
    known("apiregistration.k8s.io", "apiservices", &["apiservice"]),
    known("apps", "controllerrevisions", &["controllerrevision"]),
    known("apps", "daemonsets", &["daemonset", "ds"]),
    known("apps", "deployments", &["deployment", "deploy"]),
    known("apps", "replicasets", &["replicaset", "rs"]),
    known("apps", "statefulsets", &["statefulset", "sts"]),
    known(
        "autoscaling",
        "horizontalpodautoscalers",
        &["horizontalpodautoscaler", "hpa"],
    ),
    known("batch", "cronjobs", &["cronjob", "cj"]),
    known("batch", "jobs", &["job"]),
    known(
        "certificates.k8s.io",
        "certificatesigningrequests",
        &["certificatesigningrequest", "csr"],
    ),
    known("coordination.k8s.io", "leases", &["lease"]),
    known("discovery.k8s.io", "endpointslices", &["endpointslice"]),
    known("networking.k8s.io", "ingressclasses", &["ingressclass"]),
    known("networking.k8s.io", "ingresses", &["ingress", "ing"]),
    known(
        "networking.k8s.io",
        "networkpolicies",
        &["networkpolicy", "netpol"],
    ),
    known("node.k8s.io", "runtimeclasses", &["runtimeclass"]),
    known("policy", "poddisruptionbudgets", &["poddisruptionbudget", "pdb"]),
    known(
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        &["clusterrolebinding"],
    ),
    known("rbac.authorization.k8s.io", "clusterroles", &["clusterrole"]),
    known("rbac.authorization.k8s.io", "rolebindings", &["rolebinding"]),
    known("rbac.authorization.k8s.io", "roles", &["role"]),
    known("scheduling.k8s.io", "priorityclasses", &["priorityclass", "pc"]),
    known(
        "snapshot.storage.k8s.io",
        "volumesnapshotclasses",
        &["volumesnapshotclass"],
    ),
    known(
        "snapshot.storage.k8s.io",
        "volumesnapshotcontents",
        &["volumesnapshotcontent"],
    ),
    known("snapshot.storage.k8s.io", "volumesnapshots", &["volumesnapshot"]),
    known("storage.k8s.io", "csidrivers", &["csidriver"]),
    known("storage.k8s.io", "storageclasses", &["storageclass", "sc"]),
    known("storage.k8s.io", "volumeattachments", &["volumeattachment"]),
];

/// The group whose objects no webhook sees.
const UNSEEN_GROUP: &str = "admissionregistration.k8s.io";

/// What never comes through our door: questions in the shape of objects, and our own kinds, whose rules could lock
/// their own way out.
const SHUT_OUT_GROUPS: [&str; 3] = [
    "authentication.k8s.io",
    "authorization.k8s.io",
    "clusterbackup.io",
];

/// What never comes through our door, and is restored by nobody: notes and heartbeats.
const SHUT_OUT: [&str; 3] = ["events", "events.events.k8s.io", "leases.coordination.k8s.io"];

impl Known {
    fn is_called(&self, name: &str) -> bool {
        self.resource == name || self.also.contains(&name)
    }

    fn full_name(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }
}

pub(super) fn check(field: &Field<'_>, glob: &Glob, report: &mut Report) {
    let text = glob.as_str();
    if text
        .contains(|character: char| character.is_whitespace() || character.is_uppercase() || character == '/')
    {
        let lower: String = text.to_lowercase().split_whitespace().collect();
        let name = lower.split('/').next().unwrap_or_default();
        let hint = format!("write the resource and its group, as in `deployments.apps`; perhaps `{name}`");
        report.refuse(field, "no resource has blanks, capitals or `/` in its name", hint);
    } else if let Some(hint) = shut_out(text) {
        report.refuse(field, "the rule could never be applied", hint);
    } else if text == "*.*" {
        let hint = "write `**` for everything";
        report.warn(
            field,
            "`*.*` matches no resource of the core group, and only groups without a dot",
            hint,
        );
    } else if let Some(exact) = glob.exact() {
        match exact.split_once('.') {
            None => check_core(field, exact, report),
            Some((resource, group)) => check_grouped(field, resource, group, report),
        }
    }
}

/// What to do about a rule that is only for what no rule is ever applied to.
fn shut_out(text: &str) -> Option<&'static str> {
    let group = text.split_once('.').map_or("", |(_, group)| group);
    if group == UNSEEN_GROUP {
        Some("remove the rule: the API server shows objects of this group to no webhook")
    } else if SHUT_OUT_GROUPS.contains(&group) || SHUT_OUT.contains(&text) {
        Some("remove the rule: objects of this kind are never intercepted")
    } else {
        None
    }
}

fn check_core(field: &Field<'_>, name: &str, report: &mut Report) {
    let mut namesakes = KNOWN.iter().filter(|known| known.is_called(name));
    match namesakes.next() {
        Some(known) if known.group.is_empty() && known.resource == name => {}
        Some(known) => {
            let message = format!("there is no resource `{name}` in the core group");
            report.refuse(field, message, format!("write `{}`", known.full_name()));
        }
        None => {
            let message = format!("no resource `{name}` is known in the core group");
            report.warn(
                field,
                message,
                format!("add the group if it has one, as in `{name}.example.com`"),
            );
        }
    }
}

fn check_grouped(field: &Field<'_>, resource: &str, group: &str, report: &mut Report) {
    let is_known_group = KNOWN.iter().any(|known| known.group == group);
    let exists = KNOWN
        .iter()
        .any(|known| known.group == group && known.resource == resource);
    if !is_known_group || exists {
        return;
    }
    let namesake = KNOWN
        .iter()
        .filter(|known| known.is_called(resource))
        .max_by_key(|known| known.group == group);
    if let Some(namesake) = namesake {
        let message = format!("the group `{group}` most likely has no resource `{resource}`");
        report.warn(field, message, format!("write `{}`", namesake.full_name()));
    }
}
