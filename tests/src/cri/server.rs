//! The socket: reads requests, and answers with what the node knows.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clusterbackup_agent::runtime::Target;
use clusterbackup_agent::runtime::cri::messages::{
    CONTAINER, Call, Container, ContainerState, ContainerStatus, ContainerStatusRequest,
    ContainerStatusResponse, ExecSyncRequest, ExecSyncResponse, ListContainersRequest,
    ListContainersResponse, ListPodSandboxRequest, ListPodSandboxResponse, NAMESPACE, POD, PodSandbox, UID,
};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::{Node, container, exec};

/// What listens at the socket.
pub(super) struct Server {
    accepting: AbortHandle,
    breaks: broadcast::Sender<()>,
}

impl Server {
    pub(super) fn start(socket: &Path, node: Arc<Node>) -> Result<Self> {
        let listener = UnixListener::bind(socket).context("failed to listen")?;
        let breaks = broadcast::Sender::new(1);
        let breaking = breaks.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (node, mut broken) = (Arc::clone(&node), breaking.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(stream, node) => {}
                        _ = broken.recv() => {}
                    }
                });
            }
        });
        Ok(Self {
            accepting: accepting.abort_handle(),
            breaks,
        })
    }

    /// Breaks all connections.
    pub(super) fn disconnect(&self) {
        // Fails if there is none.
        let _ = self.breaks.send(());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.disconnect();
    }
}

async fn serve(stream: UnixStream, node: Arc<Node>) {
    let service = service_fn(|request| {
        let node = Arc::clone(&node);
        async move { Ok::<_, Infallible>(answer(node, request).await) }
    });
    // A caller that hangs up is no concern of the runtime.
    let _ = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(node: Arc<Node>, request: http::Request<Incoming>) -> http::Response<Body> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default();
    match method {
        ListContainersRequest::METHOD => unary::<ListContainersRequest>(node, request).await,
        ListPodSandboxRequest::METHOD => unary::<ListPodSandboxRequest>(node, request).await,
        ContainerStatusRequest::METHOD => unary::<ContainerStatusRequest>(node, request).await,
        ExecSyncRequest::METHOD => unary::<ExecSyncRequest>(node, request).await,
        other => Status::unimplemented(other).into_http(),
    }
}

/// A request that this runtime can answer.
trait Answered: Call {
    fn answer(self, node: &Node) -> impl Future<Output = Result<Self::Answer, Status>> + Send;
}

async fn unary<C: Answered>(node: Arc<Node>, request: http::Request<Incoming>) -> http::Response<Body> {
    let service = tower::service_fn(move |request: Request<C>| {
        let node = Arc::clone(&node);
        async move {
            node.awake().await;
            let answer = request.into_inner().answer(&node).await;
            node.awake().await;
            answer.map(Response::new)
        }
    });
    let codec = ProstCodec::<C::Answer, C>::default();
    Grpc::new(codec).unary(service, request).await
}

impl Answered for ListContainersRequest {
    async fn answer(self, node: &Node) -> Result<ListContainersResponse, Status> {
        let filter = self.filter.unwrap_or_default();
        let mut containers = Vec::new();
        for container in node.containers().iter_mut() {
            let listed = listed(container);
            let state = filter.state.is_none_or(|wanted| wanted.state == listed.state);
            if state && has(&listed.labels, &filter.label_selector) {
                containers.push(listed);
            }
        }
        Ok(ListContainersResponse { containers })
    }
}

impl Answered for ListPodSandboxRequest {
    async fn answer(self, node: &Node) -> Result<ListPodSandboxResponse, Status> {
        let filter = self.filter.unwrap_or_default();
        let mut items: Vec<PodSandbox> = Vec::new();
        for container in node.containers().iter() {
            let target = &container.spec.target;
            let labels: HashMap<_, _> = pod_labels(target).into();
            let known = items.iter().any(|sandbox| sandbox.id == target.uid);
            if !known && has(&labels, &filter.label_selector) {
                items.push(PodSandbox {
                    id: target.uid.clone(),
                    labels,
                });
            }
        }
        Ok(ListPodSandboxResponse { items })
    }
}

impl Answered for ContainerStatusRequest {
    async fn answer(self, node: &Node) -> Result<ContainerStatusResponse, Status> {
        let mut containers = node.containers();
        let container = containers
            .iter_mut()
            .find(|container| container.id == self.container_id)
            .ok_or_else(|| Status::not_found("an error occurred when try to find container: not found"))?;
        let info = json!({ "pid": container.application.id().unwrap_or_default() });
        Ok(ContainerStatusResponse {
            status: Some(ContainerStatus {
                id: container.id.clone(),
                state: listed(container).state,
            }),
            info: [("info".to_owned(), info.to_string())].into(),
        })
    }
}

impl Answered for ExecSyncRequest {
    async fn answer(self, node: &Node) -> Result<ExecSyncResponse, Status> {
        let _counted = node.calls.begin();
        exec::run(node, self).await
    }
}

fn listed(container: &mut container::Container) -> Container {
    let state = if container.runs() {
        ContainerState::Running
    } else {
        ContainerState::Exited
    };
    let target = &container.spec.target;
    let mut labels: HashMap<_, _> = pod_labels(target).into();
    labels.insert(CONTAINER.to_owned(), target.container.clone());
    Container {
        id: container.id.clone(),
        state: state.into(),
        created_at: container.created_at,
        labels,
    }
}

fn pod_labels(target: &Target) -> [(String, String); 3] {
    [
        (NAMESPACE, &target.namespace),
        (POD, &target.pod),
        (UID, &target.uid),
    ]
    .map(|(key, value)| (key.to_owned(), value.clone()))
}

fn has(labels: &HashMap<String, String>, wanted: &HashMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}
