//! The programs of a control plane, of CSI, promtool and servers of blobs: taken from `KUBEBUILDER_ASSETS`, or built once from
//! what `tests/tools` asks for.

mod csi;
mod module;
mod peers;
mod stores;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;

pub use self::csi::CsiTools;
use self::module::{Module, stripped};
pub use self::peers::Peers;
pub use self::stores::StoreTools;

/// The Kubernetes version that `tests/tools/kubernetes/go.mod` asks for.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// etcd.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub apiserver: PathBuf,
    /// kube-controller-manager.
    pub controller_manager: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
}

impl Tools {
    /// What keeps the programs from being there, as what to do about it.
    pub fn obstacle() -> Option<String> {
        module::obstacle(&[&ETCD, &KUBERNETES, &PROMETHEUS])
    }

    /// Finds the programs, and builds those that are missing. Blocks, for minutes when the cache is empty.
    pub fn locate() -> Result<Self> {
        Ok(Self {
            etcd: ETCD.locate("etcd")?,
            apiserver: KUBERNETES.locate("kube-apiserver")?,
            controller_manager: KUBERNETES.locate("kube-controller-manager")?,
            kubectl: KUBERNETES.locate("kubectl")?,
        })
    }
}

/// What nodes run on, beside what Debian has.
#[derive(Clone, Debug)]
pub struct NodeTools {
    /// kube-scheduler.
    pub scheduler: PathBuf,
    /// kubelet.
    pub kubelet: PathBuf,
    /// kube-proxy.
    pub proxy: PathBuf,
}

impl NodeTools {
    /// What keeps the programs from being there, as what to do about it.
    pub fn obstacle() -> Option<String> {
        module::obstacle(&[&KUBERNETES_NODES])
    }

    /// Finds the programs, and builds those that are missing. Blocks, for a minute when the cache is empty.
    pub fn locate() -> Result<Self> {
        Ok(Self {
            scheduler: KUBERNETES_NODES.locate("kube-scheduler")?,
            kubelet: KUBERNETES_NODES.locate("kubelet")?,
            proxy: KUBERNETES_NODES.locate("kube-proxy")?,
        })
    }
}

/// promtool, which checks metrics and alerts. Not among [`Tools`], since no cluster needs it.
pub fn promtool() -> Result<PathBuf> {
    PROMETHEUS.locate("promtool")
}

const ETCD: Module = Module {
    name: "etcd",
    tags: "",
    programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
    linker_flags: kubernetes_version,
};

const KUBERNETES: Module = Module {
    name: "kubernetes",
    tags: "",
    programs: &[
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        (
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    linker_flags: kubernetes_version,
};

/// Of the same module, but built on its own: who runs no nodes needs none of it.
const KUBERNETES_NODES: Module = Module {
    name: "kubernetes",
    tags: "",
    programs: &[
        ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
        ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ],
    linker_flags: kubernetes_version,
};

/// Without service discovery, which takes the clients of twenty clouds to build.
const PROMETHEUS: Module = Module {
    name: "prometheus",
    tags: "remove_all_sd",
    programs: &[("promtool", "github.com/prometheus/prometheus/cmd/promtool")],
    linker_flags: stripped,
};

/// Kubernetes takes its version from two packages at link time; without them the server calls itself v0.0.0.
fn kubernetes_version() -> String {
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", KUBERNETES_VERSION),
            ("gitMajor", "1"),
            ("gitMinor", "36"),
            ("gitTreeState", "clean"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            let _ = write!(flags, " -X {package}.{name}={value}");
        }
    }
    flags
}
