//! Container images, made without Docker: one archive each, that `ctr images import` takes.

mod archive;
mod authorities;
mod program;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use self::archive::{Contents, Layout, Platform};
pub use self::program::Build;
use crate::workspace;

/// `nonroot` of the usual minimal images; the Deployments ask for the same.
const NOBODY: &str = "65532:65532";

/// The programs that have an image.
const PROGRAMS: [&str; 2] = ["clusterbackup-webhook", "clusterbackup-agent"];

/// The one of them that speaks with stores outside of the cluster.
const TRAVELLER: &str = "clusterbackup-agent";

/// What applications of tests are made of: Debian's static busybox.
const BUSYBOX: &str = "/bin/busybox";

/// A finished image.
#[derive(Clone, Debug)]
pub struct Image {
    tag: String,
    digest: String,
    file: PathBuf,
}

impl Image {
    /// `name:version`.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The digest of its manifest: what `name@sha256:…` means.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The archive.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// The images of the programs of this workspace, built statically. Blocks, for minutes the first time.
pub fn of_programs(build: Build) -> Result<Vec<Image>> {
    let platform = Platform::here()?;
    let folder = program::built(&PROGRAMS, build, platform)?;
    PROGRAMS
        .iter()
        .map(|name| of_program(name, &folder.join(name), platform))
        .collect()
}

fn of_program(name: &str, program: &Path, platform: Platform) -> Result<Image> {
    let program = read(program)?;
    let layout = Layout {
        name,
        version: env!("CARGO_PKG_VERSION"),
        platform,
        config: json!({
            "User": NOBODY,
            "Entrypoint": [format!("/{name}")],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
                "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
            },
        }),
    };
    let mut files = vec![(name.to_owned(), Contents::Program(&program))];
    let authorities = authorities::bundle()?;
    if name == TRAVELLER {
        files.push((
            authorities::FILE.to_owned(),
            Contents::Data(authorities.as_bytes()),
        ));
    }
    write(&layout, &files)
}

/// `busybox:1`: an application of a test is a script for its shell.
pub fn busybox() -> Result<Image> {
    of_busybox("busybox", json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] }))
}

/// `pause:1`: what holds a pod's namespaces.
pub fn pause() -> Result<Image> {
    of_busybox("pause", json!({ "Entrypoint": ["/bin/sleep", "infinity"] }))
}

fn of_busybox(name: &str, config: Value) -> Result<Image> {
    let program = read(Path::new(BUSYBOX))?;
    let commands = std::process::Command::new(BUSYBOX)
        .arg("--list")
        .output()
        .context("failed to ask busybox for its commands")?;
    let commands = String::from_utf8(commands.stdout)?;
    let links = commands
        .lines()
        .filter(|command| *command != "busybox")
        .map(|command| (format!("bin/{command}"), Contents::Link("busybox")));
    let files: Vec<_> = [("bin/busybox".to_owned(), Contents::Program(&program))]
        .into_iter()
        .chain(links)
        .collect();
    let layout = Layout {
        name,
        version: "1",
        platform: Platform::here()?,
        config,
    };
    write(&layout, &files)
}

fn write(layout: &Layout<'_>, files: &[(String, Contents<'_>)]) -> Result<Image> {
    let archive = layout.archive(files)?;
    let folder = workspace::target()?.join("image");
    let file = folder.join(format!("{}.tar", layout.name));
    // Renamed when complete: another program may be reading the one that is there.
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
    let unfinished = tempfile::Builder::new().tempdir_in(&folder)?;
    let new = unfinished.path().join("image.tar");
    fs::write(&new, &archive.bytes).with_context(|| format!("failed to write {}", new.display()))?;
    fs::rename(&new, &file)?;
    Ok(Image {
        tag: layout.tag(),
        digest: archive.digest,
        file,
    })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("failed to read {}", file.display()))
}
