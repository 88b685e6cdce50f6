//! Packages of Debian that tests run on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::progress::Progress;

/// What nodes are made of.
pub(crate) static OF_NODES: Packages = Packages {
    who: "nodes need",
    names: &[
        "containerd",
        "runc",
        "containernetworking-plugins",
        "iptables",
        "busybox-static",
        // A cut of the test driver is a snapshot of it.
        "btrfs-progs",
    ],
};

/// What a person reads a recovery point with.
pub static FOR_READING_BY_HAND: Packages = Packages {
    who: "reading a recovery point by hand needs",
    names: &["age", "jq", "tar", "zstd"],
};

/// What a page of the plugin is looked at with.
pub static FOR_LOOKING_AT_PAGES: Packages = Packages {
    who: "looking at a page needs",
    names: &["chromium-headless-shell", "fonts-dejavu-core"],
};

/// Packages that somebody needs.
#[derive(Debug)]
pub struct Packages {
    who: &'static str,
    names: &'static [&'static str],
}

/// Asked by the packages' scripts before they start a service; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

impl Packages {
    /// What keeps the packages from being there, as what to do about it.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let missing = self.missing();
        (!missing.is_empty() && apt_get().arg("--version").output().is_err()).then(|| {
            format!(
                "{} packages of Debian, and there is no apt-get to install them: {}",
                self.who,
                missing.join(", ")
            )
        })
    }

    /// Installs those that are missing, without starting the services they bring.
    pub fn install(&self) -> Result<()> {
        let missing = self.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let _shown = Progress::start(&format!("installing {}", missing.join(", ")));
        let _quiet = NoServices::enforced()?;
        run(apt_get().arg("update"))?;
        run(apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&missing))
        .with_context(|| format!("{} {}, which can't be installed", self.who, missing.join(", ")))
    }

    fn missing(&self) -> Vec<&'static str> {
        let is_missing = |package: &&&str| {
            !Path::new("/var/lib/dpkg/info")
                .join(format!("{package}.list"))
                .is_file()
        };
        self.names.iter().filter(is_missing).copied().collect()
    }
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
