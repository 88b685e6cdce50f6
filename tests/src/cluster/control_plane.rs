//! The processes of a control plane: their command lines, and when each of them is ready.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};

use super::audit;
use super::network::SERVICES;
use super::site::Site;
use crate::kubeconfig::{self, Caller};
use crate::pki::{Identity, Pki};
use crate::process::{Process, Warden};
use crate::tools::Tools;
use crate::{eventually, probe};

/// Far above the usual seconds: a machine that builds at the same time is slow, not broken.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What the processes of a control plane are made with.
pub(super) struct Ground<'a> {
    pub(super) tools: &'a Tools,
    pub(super) warden: &'a Arc<Warden>,
    pub(super) logs: &'a Path,
    pub(super) pki: &'a Pki,
    pub(super) site: &'a Site,
}

/// Dropped in this order: who depends on another goes first.
pub(super) struct ControlPlane {
    controller_manager: Process,
    apiserver: Process,
    etcd: Process,
    address: SocketAddr,
    admin: Client,
}

impl ControlPlane {
    pub(super) async fn start(ground: &Ground<'_>, admin: &Identity) -> Result<Self> {
        let Ground {
            warden, logs, pki, ..
        } = *ground;
        let (etcd, store) = start_etcd(ground).await?;

        let address = ground.site.endpoint(6443)?;
        let mut command = apiserver_command(ground, store, address);
        command.args(audit::flags(logs)?);
        let apiserver = Process::start(warden, logs, "kube-apiserver", command)?;
        let url = format!("https://{address}");
        let admin = kubeconfig::kubeconfig(&url, &pki.authority(), &Caller::Certificate(admin))?;
        let admin = kubeconfig::client(admin).await?;
        apiserver.while_running(wait_ready(&admin)).await?;

        let manager = pki.client("system:kube-controller-manager", None)?;
        let config = warden.folder().join("controller-manager.kubeconfig");
        kubeconfig::write(
            &kubeconfig::kubeconfig(&url, &pki.authority(), &Caller::Certificate(&manager))?,
            &config,
        )?;
        let command = controller_manager_command(ground, &config);
        let controller_manager = Process::start(warden, logs, "kube-controller-manager", command)?;
        controller_manager
            .while_running(wait_for_default_namespace(&admin))
            .await?;
        Ok(Self {
            controller_manager,
            apiserver,
            etcd,
            address,
            admin,
        })
    }

    /// Kills the API server, carries `work` out, and starts it again.
    pub(super) async fn without_api_server<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        self.apiserver.end()?;
        let done = work.await;
        self.apiserver.start_again()?;
        self.apiserver.while_running(wait_ready(&self.admin)).await?;
        Ok(done)
    }

    /// Kills etcd, carries `work` out, and starts it again over what it had stored.
    pub(super) async fn without_etcd<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        self.etcd.end()?;
        let done = work.await;
        self.etcd.start_again()?;
        self.apiserver.while_running(wait_ready(&self.admin)).await?;
        Ok(done)
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(super) fn process_ids(&self) -> Vec<u32> {
        [&self.controller_manager, &self.apiserver, &self.etcd]
            .map(Process::id)
            .to_vec()
    }
}

async fn start_etcd(ground: &Ground<'_>) -> Result<(Process, SocketAddr)> {
    let (clients, peers) = (ground.site.endpoint(2379)?, ground.site.endpoint(2380)?);
    let mut command = ground.site.command(&ground.tools.etcd);
    let data = ground.warden.folder().join("etcd");
    command
        .arg(format!("--data-dir={}", data.display()))
        .arg("--name=n0")
        .arg("--unsafe-no-fsync")
        .arg(format!("--listen-client-urls=http://{clients}"))
        .arg(format!("--advertise-client-urls=http://{clients}"))
        .arg(format!("--listen-peer-urls=http://{peers}"))
        .arg(format!("--initial-advertise-peer-urls=http://{peers}"))
        .arg(format!("--initial-cluster=n0=http://{peers}"));
    let etcd = Process::start(ground.warden, ground.logs, "etcd", command)?;
    let ready = eventually("etcd is ready", START_LIMIT, || async move {
        let (status, body) = probe::get(clients, "/readyz").await?;
        ensure!(status == 200, "/readyz answers {status}: {body}");
        Ok(())
    });
    etcd.while_running(ready).await?;
    Ok((etcd, clients))
}

fn apiserver_command(ground: &Ground<'_>, store: SocketAddr, address: SocketAddr) -> Command {
    let file = |flag: &str, name: &str| format!("--{flag}={}", ground.pki.file(name).display());
    let mut command = ground.site.command(&ground.tools.apiserver);
    command
        .arg(format!("--etcd-servers=http://{store}"))
        .arg(format!("--bind-address={}", address.ip()))
        .arg(format!("--secure-port={}", address.port()))
        .arg(format!("--service-cluster-ip-range={SERVICES}"))
        .arg("--allow-privileged=true")
        .arg("--authorization-mode=Node,RBAC")
        .arg("--enable-admission-plugins=NodeRestriction")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg("--profiling=false")
        .arg(file("client-ca-file", "ca.crt"))
        .arg(file("tls-cert-file", "serving.crt"))
        .arg(file("tls-private-key-file", "serving.key"))
        .arg(file("service-account-key-file", "tokens.pub"))
        .arg(file("service-account-signing-key-file", "tokens.key"))
        .arg(file("kubelet-client-certificate", "kubelet-client.crt"))
        .arg(file("kubelet-client-key", "kubelet-client.key"))
        .args(ground.site.flags());
    command
}

fn controller_manager_command(ground: &Ground<'_>, kubeconfig: &Path) -> Command {
    let file = |flag: &str, file: &Path| format!("--{flag}={}", file.display());
    let mut command = ground.site.command(&ground.tools.controller_manager);
    command
        .arg(file("kubeconfig", kubeconfig))
        // Nobody calls it, so it listens nowhere.
        .arg("--secure-port=0")
        .arg("--leader-elect=false")
        .arg("--use-service-account-credentials")
        .arg(file(
            "service-account-private-key-file",
            &ground.pki.file("tokens.key"),
        ))
        .arg(file("root-ca-file", &ground.pki.file("ca.crt")))
        .arg("--kube-api-qps=500")
        .arg("--kube-api-burst=500");
    command
}

async fn wait_ready(admin: &Client) -> Result<()> {
    eventually("the API server is ready", START_LIMIT, || async {
        let request = Request::get("/readyz?verbose").body(Vec::new())?;
        // kube turns a status of failure into an error with the body, which lists the checks.
        admin.request_text(request).await.map(drop).context("/readyz")
    })
    .await
}

async fn wait_for_default_namespace(admin: &Client) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), "default");
    eventually(
        "the default namespace has its ServiceAccount",
        START_LIMIT,
        || async {
            accounts
                .get("default")
                .await
                .map(drop)
                .context("get ServiceAccount default/default")
        },
    )
    .await
}
