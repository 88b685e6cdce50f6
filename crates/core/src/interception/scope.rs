//! Which objects the rules of a namespace may rewrite. Whoever edits the ConfigMap rewrites objects that
//! somebody mightier creates, and no escalation check of the API server stops it: so a rule set reaches no
//! further than its own namespace, unless the (cluster-scoped) interception says so.

use serde_json::Value;
use thiserror::Error;

use crate::glob::Glob;
use crate::object::GroupResource;

/// How far the rules of an interception reach.
#[derive(Debug)]
pub enum Scope {
    /// Rules from our own namespace are the administrators': unlimited.
    Unlimited,
    /// Rules from any other namespace.
    Limited {
        /// The namespace the rules live in; always in reach.
        home: String,
        /// Further namespaces in reach.
        target_namespaces: Vec<Glob>,
        /// Whether cluster-scoped objects are.
        allow_cluster_scoped: bool,
        /// Whether objects are that grant rights, or extend or guard the API.
        allow_privileged_kinds: bool,
    },
}

/// Why rules may not rewrite an object; names the field that would allow it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutOfScope {
    /// The object is in a namespace that isn't listed.
    #[error(
        "rules from namespace {home} don't reach namespace {namespace}; list it in spec.targetNamespaces"
    )]
    Namespace {
        /// Where the rules live.
        home: String,
        /// Where the object is.
        namespace: String,
    },
    /// The object has no namespace.
    #[error("rules from namespace {home} don't reach cluster-scoped objects; set spec.allowClusterScoped")]
    ClusterScoped {
        /// Where the rules live.
        home: String,
    },
    /// The object grants rights, or extends or guards the API.
    #[error("rules from namespace {home} don't reach {kind}; set spec.allowPrivilegedKinds")]
    Privileged {
        /// Where the rules live.
        home: String,
        /// The group-resource, or what makes the object privileged.
        kind: String,
    },
}

/// API groups whose every kind grants rights, or extends or guards the API.
const PRIVILEGED_GROUPS: [&str; 6] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "clusterbackup.io",
    "rbac.authorization.k8s.io",
];

const TOKEN_SECRET: &str = "kubernetes.io/service-account-token";

impl Scope {
    /// Whether rules in this scope may rewrite an object, as it was or as it has become: a rule could make a
    /// token Secret of an ordinary one.
    ///
    /// # Errors
    /// Why not, and which field of the interception would allow it.
    pub fn permits(
        &self,
        group_resource: &GroupResource,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<(), OutOfScope> {
        let Self::Limited {
            home,
            target_namespaces,
            allow_cluster_scoped,
            allow_privileged_kinds,
        } = self
        else {
            return Ok(());
        };
        match namespace {
            None if !allow_cluster_scoped => return Err(OutOfScope::ClusterScoped { home: home.clone() }),
            Some(namespace)
                if namespace != home && !target_namespaces.iter().any(|glob| glob.matches(namespace)) =>
            {
                return Err(OutOfScope::Namespace {
                    home: home.clone(),
                    namespace: namespace.to_owned(),
                });
            }
            _ => {}
        }
        match privilege(group_resource, object) {
            Some(kind) if !allow_privileged_kinds => Err(OutOfScope::Privileged {
                home: home.clone(),
                kind,
            }),
            _ => Ok(()),
        }
    }
}

/// What makes an object privileged, if anything does.
fn privilege(group_resource: &GroupResource, object: &Value) -> Option<String> {
    if PRIVILEGED_GROUPS.contains(&group_resource.group()) {
        return Some(group_resource.to_string());
    }
    let token_secret = group_resource.as_str() == "secrets"
        && object.get("type").and_then(Value::as_str) == Some(TOKEN_SECRET);
    token_secret.then(|| format!("Secrets of type {TOKEN_SECRET}"))
}
