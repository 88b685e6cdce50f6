//! A running cluster, and the ways into it.

mod audit;
mod control_plane;
mod network;
mod site;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::Kubeconfig;
use kube::{Api, Client};
use tokio::process::Command;

use self::control_plane::{ControlPlane, Ground};
pub(crate) use self::network::{Network, run};
use self::site::{Apis, Site};
use crate::kubeconfig::{self, Caller};
use crate::pki::{Identity, Pki};
use crate::process::Warden;
use crate::tools::Tools;
use crate::{TestNamespace, workspace};

/// Attempts of the start: another program may take a free port before ours binds it.
const ATTEMPTS: u32 = 3;
const TOKEN_LIFETIME: Duration = Duration::from_hours(12);

/// etcd, kube-apiserver and kube-controller-manager, by themselves on loopback or with nodes in a network of their own.
/// Ends when dropped, the control plane before its network.
pub struct Cluster {
    control_plane: ControlPlane,
    site: Site,
    admin: Client,
    admin_identity: Identity,
    pki: Pki,
    tools: Tools,
    logs: PathBuf,
    warden: Arc<Warden>,
}

/// What `kubectl` said.
#[derive(Debug)]
pub struct KubectlOutput {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl KubectlOutput {
    /// Standard output, or an error with what kubectl complained about.
    pub fn success(self) -> Result<String> {
        ensure!(
            self.code == Some(0),
            "kubectl failed (exit code {:?}): {}{}",
            self.code,
            self.stderr,
            self.stdout
        );
        Ok(self.stdout)
    }
}

impl Cluster {
    /// Starts a cluster and waits until it serves. The first call on a machine builds the programs.
    pub async fn start() -> Result<Self> {
        Self::start_with(Apis::Usual).await
    }

    /// The same, with every API and feature on that Kubernetes has.
    pub async fn start_with_every_api() -> Result<Self> {
        Self::start_with(Apis::Every).await
    }

    /// The same as the usual one, but its API server forgets what was a few seconds ago: no list can be continued as late.
    pub async fn start_forgetful() -> Result<Self> {
        Self::start_with(Apis::Forgetful).await
    }

    /// In a network namespace where nodes can join it.
    pub(crate) async fn start_for_nodes() -> Result<Self> {
        let tools = tokio::task::spawn_blocking(Tools::locate).await??;
        let (warden, logs) = (Warden::new()?, new_logs_folder()?);
        let site = Site::Network(Box::new(Network::start(&warden, &logs).await?));
        Self::start_at(site, tools, warden, logs).await
    }

    async fn start_with(apis: Apis) -> Result<Self> {
        let tools = tokio::task::spawn_blocking(Tools::locate).await??;
        let mut attempt = 1;
        loop {
            let (warden, logs) = (Warden::new()?, new_logs_folder()?);
            match Self::start_at(Site::Loopback(apis), tools.clone(), warden, logs).await {
                Err(error)
                    if attempt < ATTEMPTS && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn start_at(site: Site, tools: Tools, warden: Arc<Warden>, logs: PathBuf) -> Result<Self> {
        let pki = Pki::new(&warden.folder().join("pki"), site.address())?;
        let admin_identity = pki.client("admin", Some("system:masters"))?;
        let ground = Ground {
            tools: &tools,
            warden: &warden,
            logs: &logs,
            pki: &pki,
            site: &site,
        };
        let control_plane = ControlPlane::start(&ground, &admin_identity).await?;
        let config = kubeconfig::kubeconfig(
            &control_plane.url(),
            &pki.authority(),
            &Caller::Certificate(&admin_identity),
        )?;
        kubeconfig::write(&config, &warden.folder().join("admin.kubeconfig"))?;
        let admin = kubeconfig::client(config).await?;
        Ok(Self {
            control_plane,
            site,
            admin,
            admin_identity,
            pki,
            tools,
            logs,
            warden,
        })
    }

    /// A client with every right.
    pub fn admin(&self) -> Client {
        self.admin.clone()
    }

    /// The kubeconfig file with every right.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.folder().join("admin.kubeconfig")
    }

    /// A client of an existing `ServiceAccount`, under whatever RBAC it has.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<Client> {
        kubeconfig::client(self.service_account_config(namespace, name, None).await?).await
    }

    /// A kubeconfig file of an existing `ServiceAccount`, for another program.
    pub async fn kubeconfig_for(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let file = self.folder().join(format!("{namespace}-{name}.kubeconfig"));
        kubeconfig::write(&self.service_account_config(namespace, name, None).await?, &file)?;
        Ok(file)
    }

    /// A kubeconfig file of a `ServiceAccount` by the token of a pod (name and uid), which says on which node it is.
    pub async fn kubeconfig_for_pod(
        &self,
        namespace: &str,
        name: &str,
        pod: (&str, &str),
    ) -> Result<PathBuf> {
        let file = self.folder().join(format!("{namespace}-{}.kubeconfig", pod.0));
        let config = self.service_account_config(namespace, name, Some(pod)).await?;
        kubeconfig::write(&config, &file)?;
        Ok(file)
    }

    /// A client of any user in any groups, beside `system:authenticated`, where everybody is.
    pub async fn user(&self, name: &str, groups: &[&str]) -> Result<Client> {
        let groups: Vec<&str> = groups.iter().copied().chain(["system:authenticated"]).collect();
        let caller = Caller::Impersonated {
            by: &self.admin_identity,
            user: name,
            groups: &groups,
        };
        kubeconfig::client(self.kubeconfig(&caller)?).await
    }

    /// Runs kubectl with every right.
    pub async fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<KubectlOutput> {
        self.kubectl_as(&self.admin_kubeconfig(), arguments).await
    }

    /// Runs kubectl with another kubeconfig.
    pub async fn kubectl_as<S: AsRef<OsStr>>(
        &self,
        kubeconfig: &Path,
        arguments: &[S],
    ) -> Result<KubectlOutput> {
        let mut command = Command::new(&self.tools.kubectl);
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--cache-dir")
            .arg(self.folder().join("kubectl"))
            .args(arguments)
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("failed to run kubectl")?;
        Ok(KubectlOutput {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// A new namespace, which is deleted when the guard is dropped.
    pub async fn namespace(&self, prefix: &str) -> Result<TestNamespace> {
        TestNamespace::create(self.admin(), prefix).await
    }

    /// The programs this cluster runs on; `kubectl` for people who want to look around.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The folder with a log of every process.
    pub fn logs_dir(&self) -> &Path {
        &self.logs
    }

    /// What the API server has noted of what was done to Secrets.
    pub fn audit_log(&self) -> Result<String> {
        let file = audit::log(&self.logs);
        std::fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))
    }

    /// The working folder, which goes with the cluster.
    pub fn folder(&self) -> &Path {
        self.warden.folder()
    }

    /// The process ids of the control plane.
    pub fn process_ids(&self) -> Vec<u32> {
        self.control_plane.process_ids()
    }

    /// Kills the API server, carries `work` out, and starts it again: the same one, on the same address.
    pub async fn without_api_server<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.control_plane.without_api_server(work).await?
    }

    /// Kills etcd, carries `work` out, and starts it again over what it had stored.
    pub async fn without_etcd<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.control_plane.without_etcd(work).await?
    }

    /// The network namespace that it shares with nodes.
    pub(crate) fn network(&self) -> Result<&Network> {
        match &self.site {
            Site::Network(network) => Ok(network),
            Site::Loopback(_) => bail!("this cluster is on loopback, where no node can join it"),
        }
    }

    /// A kubeconfig file of somebody with a client certificate, for another program.
    pub(crate) fn kubeconfig_of(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let identity = self.pki.client(user, group)?;
        let file = self
            .folder()
            .join(format!("{}.kubeconfig", user.replace(':', "-")));
        kubeconfig::write(&self.kubeconfig(&Caller::Certificate(&identity))?, &file)?;
        Ok(file)
    }

    pub(crate) fn pki(&self) -> &Pki {
        &self.pki
    }

    pub(crate) fn warden(&self) -> &Arc<Warden> {
        &self.warden
    }

    fn kubeconfig(&self, caller: &Caller<'_>) -> Result<Kubeconfig> {
        kubeconfig::kubeconfig(&self.control_plane.url(), &self.pki.authority(), caller)
    }

    async fn service_account_config(
        &self,
        namespace: &str,
        name: &str,
        pod: Option<(&str, &str)>,
    ) -> Result<Kubeconfig> {
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                bound_object_ref: pod.map(|(name, uid)| BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(name.to_owned()),
                    uid: Some(uid.to_owned()),
                }),
                expiration_seconds: Some(i64::try_from(TOKEN_LIFETIME.as_secs())?),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(self.admin(), namespace);
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("failed to get a token for ServiceAccount {namespace}/{name}"))?;
        let token = answer
            .status
            .and_then(|status| status.token)
            .context("the API server made no token")?;
        self.kubeconfig(&Caller::Token(&token))
    }
}

/// `target/cluster-logs/<process>-<number>`: kept after the cluster, since that is when one looks.
fn new_logs_folder() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let all = workspace::target()?.join("cluster-logs");
    remove_old(&all);
    let folder = all.join(format!("{}-{number}", std::process::id()));
    if folder.exists() {
        // An earlier program had the same process id.
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
    Ok(folder)
}

/// Logs of another day only fill the disk. What can't be removed stays; no test depends on it.
fn remove_old(folder: &Path) {
    const KEPT: Duration = Duration::from_hours(24);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > KEPT)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
