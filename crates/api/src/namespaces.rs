//! The namespaces that mean something to us.

/// The namespace of the shipped installation: webhook and leader.
pub const OWN: &str = "clusterbackup-system";

/// The namespace of the nodes' agents and of the tasks that the leader gives them.
pub const AGENTS: &str = "clusterbackup-agents";

/// Where the door is shut: what keeps the control plane and ourselves running must never wait for us.
pub const EXCLUDED: [&str; 4] = [OWN, AGENTS, "kube-system", "kube-node-lease"];
