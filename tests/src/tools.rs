//! The programs of a control plane: taken from `KUBEBUILDER_ASSETS`, or built once from the Go modules in
//! `tests/tools` into a cache that is keyed by all that goes into the build.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::progress::Progress;
use crate::workspace;

/// The Kubernetes version that `tests/tools/kubernetes/go.mod` asks for.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

const ENVIRONMENT: [(&str, &str); 3] = [
    ("GOFLAGS", "-mod=readonly -buildvcs=false"),
    ("GOTOOLCHAIN", "local"),
    ("CGO_ENABLED", "0"),
];

const GO_MISSING: &str = "Go is missing, with which the control plane is built: install Go 1.26 or newer \
    (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, \
    kube-controller-manager and kubectl";

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
        let found = [ETCD, KUBERNETES].iter().all(|module| {
            let built = module.folder().is_ok_and(|folder| folder.is_dir());
            built
                || module
                    .programs
                    .iter()
                    .all(|(program, _)| provided(program).is_some())
        });
        let go = Command::new("go").arg("version").stdin(Stdio::null()).output();
        (!found && go.is_err()).then(|| GO_MISSING.to_owned())
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

/// A Go module of `tests/tools` and the programs that are built from it, each with its package.
struct Module {
    name: &'static str,
    programs: &'static [(&'static str, &'static str)],
}

const ETCD: Module = Module {
    name: "etcd",
    programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
};

const KUBERNETES: Module = Module {
    name: "kubernetes",
    programs: &[
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        (
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
};

/// The program as `KUBEBUILDER_ASSETS` has it.
fn provided(program: &str) -> Option<PathBuf> {
    let file = Path::new(&std::env::var_os("KUBEBUILDER_ASSETS")?).join(program);
    file.is_file().then_some(file)
}

impl Module {
    fn locate(&self, program: &str) -> Result<PathBuf> {
        provided(program).map_or_else(|| Ok(self.built()?.join(program)), Ok)
    }

    /// Where this module's programs are once they are built.
    fn folder(&self) -> Result<PathBuf> {
        Ok(workspace::cache()?
            .join("tools")
            .join(format!("{}-{}", self.name, self.key()?)))
    }

    /// The folder with this module's programs, built if it isn't there yet.
    fn built(&self) -> Result<PathBuf> {
        let folder = self.folder()?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let cache = folder.parent().context("the cache has no folder")?;
        fs::create_dir_all(cache).with_context(|| format!("failed to create {}", cache.display()))?;
        // Test binaries run side by side: one builds, the others wait for it.
        let lock = File::create(folder.with_added_extension("lock"))?;
        lock.lock().context("failed to lock the tool cache")?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let unfinished = tempfile::Builder::new().prefix(".building-").tempdir_in(cache)?;
        for (program, package) in self.programs {
            self.build(package, &unfinished.path().join(program))?;
        }
        // Renamed when complete, so that an interrupted build is never taken for a finished one.
        fs::rename(unfinished.keep(), &folder)?;
        Ok(folder)
    }

    fn sources(&self) -> PathBuf {
        workspace::root().join("tests/tools").join(self.name)
    }

    fn key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for file in ["go.mod", "go.sum"] {
            let path = self.sources().join(file);
            hash.update(fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?);
        }
        hash.update(format!("{ENVIRONMENT:?} {} {:?}", linker_flags(), self.programs));
        Ok(hash
            .finalize()
            .iter()
            .take(6)
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            }))
    }

    fn build(&self, package: &str, program: &Path) -> Result<()> {
        let name = program.file_name().unwrap_or_default().display();
        let _shown = Progress::start(&format!("building {name} (once; it stays in the cache)"));
        let output = Command::new("go")
            .current_dir(self.sources())
            .envs(ENVIRONMENT)
            .args(["build", "-trimpath", "-ldflags", &linker_flags(), "-o"])
            .arg(program)
            .arg(package)
            .stdin(Stdio::null())
            .output();
        let output = match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("{GO_MISSING}"),
            other => other.context("failed to run go")?,
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "failed to build {name} ({}):\n{stderr}",
            output.status
        );
        Ok(())
    }
}

/// Kubernetes takes its version from two packages at link time; without them the server calls itself v0.0.0.
fn linker_flags() -> String {
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
