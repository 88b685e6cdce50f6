//! Who the webhook is to the API server, and how it is given the right to read.

/// The ServiceAccount under which the webhook reads.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Our own namespace, whose rules are the administrators'.
    pub namespace: String,
    /// The webhook's ServiceAccount in it.
    pub service_account: String,
    /// The pod of this replica.
    pub pod: String,
}

/// A shipped ClusterRole that is bound in one namespace at a time.
#[derive(Debug, Clone, Copy)]
pub struct Role(&'static str);

impl Role {
    /// Reading the ConfigMaps that hold rules.
    pub const RULES_READER: Self = Self("clusterbackup-rules-reader");
    /// Reading Velero's Restores.
    pub const VELERO_READER: Self = Self("clusterbackup-velero-reader");
}

impl Identity {
    /// The exact command that gives it `role` in `namespace`.
    pub fn remedy(&self, Role(role): Role, namespace: &str) -> String {
        format!(
            "kubectl -n {namespace} create rolebinding {role} --clusterrole={role} --serviceaccount={}:{}",
            self.namespace, self.service_account
        )
    }
}
