//! The namespaces that no object is ever intercepted in.

/// The namespace of the shipped installation.
pub const OWN: &str = "clusterbackup-system";

/// Where the door is shut: what keeps the control plane and ourselves running must never wait for us.
pub const EXCLUDED: [&str; 3] = [OWN, "kube-system", "kube-node-lease"];
