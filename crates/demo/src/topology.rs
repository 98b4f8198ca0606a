//! The topology of a platform: all machines on loopback addresses, or each machine in a network namespace with a
//! disk of its own, so that faults can be injected into its links and its disk.
//!
//! Responsible for the addresses of machines and callers and for where commands run; relies on `network` and
//! `disk`. Never starts a program of the platform.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use crate::address_block::AddressBlock;
use crate::disk::{Disk, Disks};
use crate::error::Error;
use crate::network::{Network, on_machine};
use crate::role::Role;

/// How the machines of a platform are connected.
#[derive(Clone, Copy, Debug)]
pub enum Topology {
    /// All machines in this process' network namespace, on the addresses of a block.
    Loopback(AddressBlock),
    /// Each machine in a network namespace, with an interface in the management network, one in the media
    /// network, and a disk.
    Isolated(Network, Disks),
}

impl Topology {
    /// Creates what a machine needs before it is installed into `root`: interfaces and a disk if it is isolated.
    pub(crate) fn prepare(
        self,
        name: &str,
        role: Role,
        host: u8,
        root: &Path,
    ) -> Result<Option<Disk>, Error> {
        match self {
            Self::Loopback(_) => Ok(None),
            Self::Isolated(network, disks) => {
                network.add(name, host)?;
                Disk::make(disks, root, role).map(Some)
            }
        }
    }

    /// The address of a machine for other machines and for operators.
    pub(crate) fn management(self, host: u8, port: u16) -> SocketAddr {
        let address = match self {
            Self::Loopback(block) => block.host(host),
            Self::Isolated(network, _) => network.management(host),
        };
        SocketAddr::new(address, port)
    }

    /// The address of a machine for callers.
    pub(crate) fn media(self, host: u8, port: u16) -> SocketAddr {
        let address = match self {
            Self::Loopback(block) => block.host(host),
            Self::Isolated(network, _) => network.media(host),
        };
        SocketAddr::new(address, port)
    }

    /// The address of the callers.
    pub(crate) fn callers(self, host: u8) -> IpAddr {
        match self {
            Self::Loopback(block) => block.host(host),
            Self::Isolated(network, _) => network.callers(),
        }
    }

    /// A command that runs on a machine.
    pub(crate) fn command(self, machine: &str, program: &OsStr) -> Command {
        match self {
            Self::Loopback(_) => Command::new(program),
            Self::Isolated(..) => on_machine(machine, program),
        }
    }
}
