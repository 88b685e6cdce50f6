//! The packages of Debian that nodes are made of.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::progress::Progress;

const PACKAGES: [&str; 6] = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "busybox-static",
    // A cut of the test driver is a snapshot of it.
    "btrfs-progs",
];

/// Asked by the packages' scripts before they start a service; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// What keeps the packages from being there, as what to do about it.
pub(super) fn obstacle() -> Option<String> {
    let missing = missing();
    (!missing.is_empty() && apt_get().arg("--version").output().is_err()).then(|| {
        format!(
            "nodes need packages of Debian, and there is no apt-get to install them: {}",
            missing.join(", ")
        )
    })
}

/// Installs those that are missing, without starting the services they bring.
pub(super) fn install() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let _shown = Progress::start(&format!("installing {}", missing.join(", ")));
    let _quiet = NoServices::enforced()?;
    run(apt_get().arg("update"))?;
    run(apt_get()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing))
    .with_context(|| format!("failed to install {}", missing.join(", ")))
}

fn missing() -> Vec<&'static str> {
    let is_there = |package: &&str| {
        !Path::new("/var/lib/dpkg/info")
            .join(format!("{package}.list"))
            .is_file()
    };
    PACKAGES.into_iter().filter(is_there).collect()
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().context("failed to run apt-get")?;
    ensure!(
        output.status.success(),
        "apt-get: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// While it lives no package starts a service, unless the machine has a policy of its own.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn enforced() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;

        let ours = !Path::new(POLICY).exists();
        if ours {
            fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            // Nothing more can be done about it here.
            let _ = fs::remove_file(POLICY);
        }
    }
}
