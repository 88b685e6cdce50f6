//! The messages of the Container Runtime Interface (`runtime.v1`) that are used here, as far as their fields are.
//!
//! Written by hand, so that a build needs no protoc; a field that is not named here is skipped when it comes.

use std::collections::HashMap;

use prost::Message;

/// The service that every path begins with.
pub const SERVICE: &str = "runtime.v1.RuntimeService";

/// The label of the pod's namespace, on sandboxes and containers.
pub const NAMESPACE: &str = "io.kubernetes.pod.namespace";
/// The label of the pod's name.
pub const POD: &str = "io.kubernetes.pod.name";
/// The label of the pod's uid.
pub const UID: &str = "io.kubernetes.pod.uid";
/// The label of the container's name.
pub const CONTAINER: &str = "io.kubernetes.container.name";

/// A request and what answers it.
pub trait Call: Message + Default + 'static {
    /// The answer.
    type Answer: Message + Default + 'static;
    /// The name of the method.
    const METHOD: &str;
}

/// States of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ContainerState {
    /// Made, not started.
    Created = 0,
    /// Running.
    Running = 1,
    /// Over.
    Exited = 2,
    /// Not known.
    Unknown = 3,
}

/// Which containers.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListContainersRequest {
    /// Unset: all of them.
    #[prost(message, optional, tag = "1")]
    pub filter: Option<ContainerFilter>,
}

/// What a listed container is like.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ContainerFilter {
    /// In this state.
    #[prost(message, optional, tag = "2")]
    pub state: Option<ContainerStateValue>,
    /// With all of these labels.
    #[prost(map = "string, string", tag = "4")]
    pub label_selector: HashMap<String, String>,
}

/// A state that may be unset.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ContainerStateValue {
    /// The state.
    #[prost(enumeration = "ContainerState", tag = "1")]
    pub state: i32,
}

/// The containers.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListContainersResponse {
    /// In no order.
    #[prost(message, repeated, tag = "1")]
    pub containers: Vec<Container>,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Container {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Its state.
    #[prost(enumeration = "ContainerState", tag = "6")]
    pub state: i32,
    /// When it was made, in nanoseconds of the wall clock.
    #[prost(int64, tag = "7")]
    pub created_at: i64,
    /// What kubelet calls it.
    #[prost(map = "string, string", tag = "8")]
    pub labels: HashMap<String, String>,
}

/// Which container, and how much of it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ContainerStatusRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// With what only this runtime says, in `info`.
    #[prost(bool, tag = "2")]
    pub verbose: bool,
}

/// A container's status.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ContainerStatusResponse {
    /// What every runtime says.
    #[prost(message, optional, tag = "1")]
    pub status: Option<ContainerStatus>,
    /// What only this one says: under `info` a JSON object, with the `pid` of the first process.
    #[prost(map = "string, string", tag = "2")]
    pub info: HashMap<String, String>,
}

/// What every runtime says of a container.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ContainerStatus {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Its state.
    #[prost(enumeration = "ContainerState", tag = "3")]
    pub state: i32,
}

/// Which sandboxes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListPodSandboxRequest {
    /// Unset: all of them.
    #[prost(message, optional, tag = "1")]
    pub filter: Option<PodSandboxFilter>,
}

/// What a listed sandbox is like.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PodSandboxFilter {
    /// With all of these labels.
    #[prost(map = "string, string", tag = "3")]
    pub label_selector: HashMap<String, String>,
}

/// The sandboxes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListPodSandboxResponse {
    /// In no order.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<PodSandbox>,
}

/// What a pod is to the runtime: the frame that its containers run in.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PodSandbox {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What kubelet calls it.
    #[prost(map = "string, string", tag = "5")]
    pub labels: HashMap<String, String>,
}

/// A command to run and wait for.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ExecSyncRequest {
    /// In this container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// Program and arguments.
    #[prost(string, repeated, tag = "2")]
    pub cmd: Vec<String>,
    /// In seconds; 0: none.
    #[prost(int64, tag = "3")]
    pub timeout: i64,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ExecSyncResponse {
    /// What it wrote.
    #[prost(bytes = "vec", tag = "1")]
    pub stdout: Vec<u8>,
    /// What it wrote as errors.
    #[prost(bytes = "vec", tag = "2")]
    pub stderr: Vec<u8>,
    /// Its exit code; of a signal 128 + its number.
    #[prost(int32, tag = "3")]
    pub exit_code: i32,
}

impl Call for ListContainersRequest {
    type Answer = ListContainersResponse;
    const METHOD: &str = "ListContainers";
}

impl Call for ContainerStatusRequest {
    type Answer = ContainerStatusResponse;
    const METHOD: &str = "ContainerStatus";
}

impl Call for ListPodSandboxRequest {
    type Answer = ListPodSandboxResponse;
    const METHOD: &str = "ListPodSandbox";
}

impl Call for ExecSyncRequest {
    type Answer = ExecSyncResponse;
    const METHOD: &str = "ExecSync";
}
