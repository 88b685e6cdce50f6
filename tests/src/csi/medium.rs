//! What the driver's data lies on: btrfs in a file, where a cut of everything is one moment, or else just a folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Sparse, so it takes the room of what is written.
const SIZE: u64 = 4 << 30;

/// Written at once and in order, as by an application that cares, but without waiting for the disk.
const OPTIONS: &str = "loop,sync,nobarrier";

/// Prepares `folder`; whether it is on btrfs. The warden of the folder unmounts it, which gives the loop device back.
pub(super) fn prepare(folder: &Path) -> Result<bool> {
    fs::create_dir_all(folder)?;
    let mounted = mount(folder);
    if let Err(error) = &mounted {
        eprintln!("volumes are cut by copying them, which takes its time: {error:#}");
    }
    Ok(mounted.is_ok())
}

/// The files below a folder that are attached to a loop device, also those that are deleted.
pub fn attached_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut attached = Vec::new();
    for device in fs::read_dir("/sys/block")? {
        // Only loop devices have one, and only while they are in use.
        let file = fs::read_to_string(device?.path().join("loop/backing_file")).unwrap_or_default();
        if Path::new(&file).starts_with(folder) {
            attached.push(PathBuf::from(file));
        }
    }
    Ok(attached)
}

fn mount(folder: &Path) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root may mount btrfs; run the tests as root"
    );
    let image = folder.with_extension("btrfs");
    File::create(&image)?.set_len(SIZE)?;
    run(Command::new("mkfs.btrfs").arg("--quiet").arg(&image))
        .context("no btrfs; install the package btrfs-progs")?;
    run(Command::new("mount")
        .args(["-t", "btrfs", "-o", OPTIONS])
        .arg(&image)
        .arg(folder))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("failed to run {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
