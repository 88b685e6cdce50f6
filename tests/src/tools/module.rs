//! Programs that are built from a Go module of `tests/tools`, once, into a cache that is keyed by all that goes into
//! the build.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::progress::Progress;
use crate::workspace;

const ENVIRONMENT: [(&str, &str); 3] = [
    ("GOFLAGS", "-mod=readonly -buildvcs=false"),
    ("GOTOOLCHAIN", "local"),
    ("CGO_ENABLED", "0"),
];

const GO_MISSING: &str = "Go is missing, with which the control plane is built: install Go 1.26 or newer \
    (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, \
    kube-controller-manager, kubectl and promtool";

/// A Go module of `tests/tools` and the programs that are built from it.
pub(super) struct Module {
    pub(super) name: &'static str,
    /// Build tags, separated by commas.
    pub(super) tags: &'static str,
    /// Each with its package.
    pub(super) programs: &'static [(&'static str, &'static str)],
    pub(super) linker_flags: fn() -> String,
}

impl Module {
    /// Programs that are built as they come.
    pub(super) const fn plain(name: &'static str, programs: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            name,
            tags: "",
            programs,
            linker_flags: stripped,
        }
    }

    /// A program of it, built if it isn't there yet.
    pub(super) fn locate(&self, program: &str) -> Result<PathBuf> {
        provided(program).map_or_else(|| Ok(self.built()?.join(program)), Ok)
    }

    /// Whether nothing is left to be built.
    pub(super) fn is_there(&self) -> bool {
        self.folder().is_ok_and(|folder| folder.is_dir())
            || self
                .programs
                .iter()
                .all(|(program, _)| provided(program).is_some())
    }

    /// Where its `go.mod` and `go.sum` are.
    pub(super) fn sources(&self) -> PathBuf {
        workspace::root().join("tests/tools").join(self.name)
    }

    /// Where this module's programs are once they are built. All that lies in its folder goes into them.
    fn folder(&self) -> Result<PathBuf> {
        let sources = self.sources();
        let mut files = fs::read_dir(&sources)
            .with_context(|| format!("failed to read {}", sources.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        files.sort();
        let flags = (self.linker_flags)();
        let settings = format!("{ENVIRONMENT:?} {flags} {:?}{}", self.programs, self.tags);
        cached(self.name, &files, &settings)
    }

    /// The folder with this module's programs, built if it isn't there yet.
    fn built(&self) -> Result<PathBuf> {
        made_once(self.folder()?, |unfinished| {
            for (program, package) in self.programs {
                let output = unfinished.join(program);
                let flags = ["-ldflags", &(self.linker_flags)(), "-tags", self.tags];
                build(&self.sources(), package, &output, &flags)?;
            }
            Ok(())
        })
    }
}

/// The linker flags of a program that says nothing of its version.
pub(super) fn stripped() -> String {
    "-s -w".to_owned()
}

/// What keeps the programs of these modules from being there, as what to do about it.
pub(super) fn obstacle(modules: &[&Module]) -> Option<String> {
    let go = || Command::new("go").arg("version").stdin(Stdio::null()).output();
    let is_there = modules.iter().all(|module| module.is_there());
    (!is_there && go().is_err()).then(|| GO_MISSING.to_owned())
}

/// The program as `KUBEBUILDER_ASSETS` has it.
fn provided(program: &str) -> Option<PathBuf> {
    let file = Path::new(&std::env::var_os("KUBEBUILDER_ASSETS")?).join(program);
    file.is_file().then_some(file)
}

/// The folder of the cache for what is built of these files in this way.
pub(super) fn cached(name: &str, files: &[PathBuf], settings: &str) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(file).with_context(|| format!("failed to read {}", file.display()))?);
    }
    hash.update(settings);
    let digest = hash.finalize();
    let key = digest.iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok(workspace::cache()?.join("tools").join(format!("{name}-{key}")))
}

/// A folder of the cache, filled by `make` if it isn't there yet.
pub(super) fn made_once(folder: PathBuf, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
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
    make(unfinished.path())?;
    // Renamed when complete, so that an interrupted build is never taken for a finished one.
    fs::rename(unfinished.keep(), &folder)?;
    Ok(folder)
}

/// The sources of a module that the one in `sources` depends on: a folder of Go's own cache, which is read-only.
pub(super) fn downloaded(sources: &Path, module: &str) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Download {
        #[serde(rename = "Dir")]
        folder: PathBuf,
    }
    let answer = run(go(sources).args(["mod", "download", "-json", module]))?;
    let download: Download = serde_json::from_str(&answer)?;
    Ok(download.folder)
}

/// Copies files without their permissions, so that the copy of a read-only folder can be removed again.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("failed to read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Builds a program of a package that the module in `sources` has or depends on.
pub(super) fn build(sources: &Path, package: &str, program: &Path, flags: &[&str]) -> Result<()> {
    let name = program.file_name().unwrap_or_default().display();
    let _shown = Progress::start(&format!("building {name} (once; it stays in the cache)"));
    let mut go = go(sources);
    go.args(["build", "-trimpath"])
        .args(flags)
        .arg("-o")
        .arg(program)
        .arg(package);
    run(&mut go).with_context(|| format!("failed to build {name}"))?;
    Ok(())
}

/// Go, as it builds the programs.
pub(super) fn go(sources: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(sources).envs(ENVIRONMENT).stdin(Stdio::null());
    go
}

/// What Go wrote to its standard output.
pub(super) fn run(go: &mut Command) -> Result<String> {
    let output = match go.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("{GO_MISSING}"),
        other => other.context("failed to run go")?,
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "go: {}:\n{stderr}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
