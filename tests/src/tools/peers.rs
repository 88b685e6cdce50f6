//! Velero and what it needs, to compare ourselves with: its server with the plugin for S3, an S3 server, and its rule
//! engine as a program of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::module::{self, Module, stripped};
use super::stores;
use crate::workspace;

const VELERO_MODULE: &str = "github.com/vmware-tanzu/velero";

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Velero, which is its own server and client.
    pub velero: PathBuf,
    /// Velero's plugin that stores backups in S3.
    pub s3_plugin: PathBuf,
    /// A server of S3 over a folder.
    pub s3_server: PathBuf,
}

impl Peers {
    /// What keeps the programs from being there, as what to do about it.
    pub fn obstacle() -> Option<String> {
        module::obstacle(&[&VELERO, &S3_PLUGIN, &stores::S3_SERVER])
    }

    /// Finds the programs, and builds those that are missing. Blocks, for minutes when the cache is empty.
    pub fn locate() -> Result<Self> {
        Ok(Self {
            velero: VELERO.locate("velero")?,
            s3_plugin: S3_PLUGIN.locate("velero-plugin-for-aws")?,
            s3_server: stores::s3_server()?,
        })
    }

    /// Velero's rule engine behind `tests/tools/velero-engine/main.go`. Built like the others.
    pub fn rule_engine() -> Result<PathBuf> {
        let main = workspace::root().join("tests/tools/velero-engine/main.go");
        let sources = VELERO.sources();
        let files = [sources.join("go.mod"), sources.join("go.sum"), main.clone()];
        let folder = module::made_once(module::cached(ENGINE, &files, "")?, |unfinished| {
            let workshop = unfinished.join("module");
            copy_of_velero_with(&main, &workshop)?;
            let package = format!("{VELERO_MODULE}/cmd/{ENGINE}");
            module::build(
                &workshop,
                &package,
                &unfinished.join(ENGINE),
                &["-ldflags", "-s -w"],
            )?;
            Ok(fs::remove_dir_all(workshop)?)
        })?;
        Ok(folder.join(ENGINE))
    }
}

const ENGINE: &str = "velero-engine";

/// Its `go.mod` repeats the replacements of Velero's own, as the plugin's does: those of a module that is depended on
/// don't count.
const VELERO: Module = Module {
    name: "velero",
    tags: "",
    programs: &[("velero", "github.com/vmware-tanzu/velero/cmd/velero")],
    linker_flags: || format!("-s -w -X {VELERO_MODULE}/pkg/buildinfo.Version={VELERO_VERSION}"),
};

const S3_PLUGIN: Module = Module {
    name: "velero-aws",
    tags: "",
    programs: &[(
        "velero-plugin-for-aws",
        "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws",
    )],
    linker_flags: stripped,
};

/// The version that `tests/tools/velero/go.mod` asks for.
const VELERO_VERSION: &str = "v1.18.3";

/// Makes a module in `workshop` that builds Velero from a copy into which a program was put: packages that are internal
/// to a module can only be imported inside of it, and Go's own cache of modules may not be written to.
fn copy_of_velero_with(main: &Path, workshop: &Path) -> Result<()> {
    let sources = VELERO.sources();
    let downloaded = module::downloaded(&sources, VELERO_MODULE)?;

    let copy = workshop.join("velero");
    for part in ["internal", "pkg", "third_party"] {
        module::copy_folder(&downloaded.join(part), &copy.join(part))?;
    }
    fs::write(copy.join("go.mod"), fs::read(downloaded.join("go.mod"))?)?;
    let program = copy.join("cmd").join(ENGINE);
    fs::create_dir_all(&program)?;
    fs::copy(main, program.join("main.go"))?;

    let module = fs::read_to_string(sources.join("go.mod"))?;
    fs::write(
        workshop.join("go.mod"),
        format!("{module}\nreplace {VELERO_MODULE} => ./velero\n"),
    )?;
    fs::copy(sources.join("go.sum"), workshop.join("go.sum"))?;
    Ok(())
}
