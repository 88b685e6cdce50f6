//! A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager as plain processes.
//!
//! A test says [`Cluster::start`] and has a running API server; [`Webhook::install`] puts the shipped manifests into
//! it, [`Webhook::start`] runs the built webhook under its shipped `ServiceAccount`. Whatever was started ends with
//! the value that stands for it, and with the process that made it, however that process ends.

pub mod agent;
pub mod apiserver;
pub mod browser;
pub mod cluster;
pub mod cri;
pub mod csi;
pub mod daemon;
pub mod image;
pub mod kubeconfig;
pub mod leader;
pub mod manifests;
pub mod memory;
pub mod metrics;
pub mod namespace;
pub mod nodes;
pub mod openapi;
pub mod packages;
pub mod pki;
pub mod plugin;
pub mod point;
pub mod ports;
pub mod probe;
pub mod process;
pub mod program;
pub mod progress;
pub mod promtool;
pub mod runner;
pub mod stage;
pub mod steps;
pub mod stores;
pub mod tools;
pub mod velero;
pub mod wait;
pub mod webhook;
pub mod workspace;
pub mod writer;

pub use cluster::Cluster;
pub use cri::CriFixture;
pub use csi::Csi;
pub use daemon::Daemon;
pub use namespace::TestNamespace;
pub use nodes::Nodes;
pub use promtool::Promtool;
pub use stores::Stores;
pub use wait::eventually;
pub use webhook::{Replica, ReplicaOptions, Webhook};
pub use writer::Writer;
