//! The CSI project's programs, its suite of tests for drivers, and the driver in `tests/tools/csi-driver`.

use std::path::PathBuf;

use anyhow::Result;

use super::module::{self, Module};

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct CsiTools {
    /// Makes volumes for claims.
    pub provisioner: PathBuf,
    /// Has the driver make the cuts that contents ask for.
    pub snapshotter: PathBuf,
    /// Makes contents for snapshots.
    pub snapshot_controller: PathBuf,
    /// The driver.
    pub driver: PathBuf,
    /// A folder with the kinds of snapshots, as YAML files.
    pub kinds: PathBuf,
}

impl CsiTools {
    /// What keeps the programs from being there, as what to do about it.
    pub fn obstacle() -> Option<String> {
        module::obstacle(&[&PROVISIONER, &SNAPSHOTTER, &DRIVER, &SANITY])
    }

    /// Finds the programs, and builds those that are missing. Blocks, for minutes when the cache is empty.
    pub fn locate() -> Result<Self> {
        Ok(Self {
            provisioner: PROVISIONER.locate("csi-provisioner")?,
            snapshotter: SNAPSHOTTER.locate("csi-snapshotter")?,
            snapshot_controller: SNAPSHOTTER.locate("snapshot-controller")?,
            driver: DRIVER.locate("csi-driver")?,
            kinds: kinds()?,
        })
    }

    /// csi-sanity, which tests a driver. Built like the others.
    pub fn sanity() -> Result<PathBuf> {
        SANITY.locate("csi-sanity")
    }
}

const PROVISIONER: Module = Module::plain(
    "csi-provisioner",
    &[(
        "csi-provisioner",
        "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner",
    )],
);

/// Its `go.mod` asks for the client's module too: the version that the snapshotter's own asks for doesn't fit it.
const SNAPSHOTTER: Module = Module::plain(
    "csi-snapshotter",
    &[
        (
            "csi-snapshotter",
            "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter",
        ),
        (
            "snapshot-controller",
            "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
        ),
    ],
);

const DRIVER: Module = Module::plain("csi-driver", &[("csi-driver", ".")]);

const SANITY: Module = Module::plain(
    "csi-sanity",
    &[(
        "csi-sanity",
        "github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity",
    )],
);

/// The module of the snapshots' kinds, by its version in `tests/tools/csi-snapshotter/go.mod`.
const CLIENT: &str = "github.com/kubernetes-csi/external-snapshotter/client/v8";

fn kinds() -> Result<PathBuf> {
    let sources = SNAPSHOTTER.sources();
    let files = ["go.mod", "go.sum"].map(|file| sources.join(file));
    module::made_once(module::cached("csi-kinds", &files, CLIENT)?, |unfinished| {
        module::copy_folder(
            &module::downloaded(&sources, CLIENT)?.join("config/crd"),
            unfinished,
        )
    })
}
