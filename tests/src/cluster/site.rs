//! Where a control plane listens, and how its processes get there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::network::Network;
use crate::ports;

/// Which APIs a cluster serves.
#[derive(Clone, Copy)]
pub(super) enum Apis {
    /// Those that are on by default.
    Usual,
    /// Every one there is, alpha and beta.
    Every,
    /// Those that are on by default; what the cluster was like a few seconds ago is forgotten.
    Forgetful,
}

/// The place of one control plane.
pub(super) enum Site {
    /// On loopback: no node could reach it, and none has to.
    Loopback(Apis),
    /// In a network namespace with nodes.
    Network(Box<Network>),
}

impl Site {
    pub(super) fn command(&self, program: &Path) -> Command {
        match self {
            Self::Loopback(_) => Command::new(program),
            Self::Network(network) => network.command(program),
        }
    }

    pub(super) fn address(&self) -> IpAddr {
        match self {
            Self::Loopback(_) => Ipv4Addr::LOCALHOST.into(),
            Self::Network(network) => network.address().into(),
        }
    }

    /// Where the server that usually has this port may listen. In a namespace, all ports are free.
    pub(super) fn endpoint(&self, usual: u16) -> Result<SocketAddr> {
        match self {
            Self::Loopback(_) => ports::free(),
            Self::Network(_) => Ok(SocketAddr::new(self.address(), usual)),
        }
    }

    /// What tells the API server about its clients, who come from here only, or from nodes and pods as well.
    pub(super) fn flags(&self) -> &'static [&'static str] {
        match self {
            // The address is one of the documentation range: the API server insists on advertising one that is not
            // loopback, and nobody reaches it this way.
            Self::Loopback(Apis::Usual) => {
                &["--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none"]
            }
            Self::Loopback(Apis::Every) => &[
                "--advertise-address=192.0.2.1",
                "--endpoint-reconciler-type=none",
                "--runtime-config=api/all=true",
                "--feature-gates=AllAlpha=true,AllBeta=true",
            ],
            Self::Loopback(Apis::Forgetful) => &[
                "--advertise-address=192.0.2.1",
                "--endpoint-reconciler-type=none",
                "--etcd-compaction-interval=1s",
                // Else it goes on from its own memory of that state for a while, as it has done since 1.34.
                "--feature-gates=ListFromCacheSnapshot=false",
            ],
            Self::Network(_) => &[
                "--endpoint-reconciler-type=lease",
                "--kubelet-preferred-address-types=InternalIP",
            ],
        }
    }
}
