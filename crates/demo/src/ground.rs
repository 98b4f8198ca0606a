//! Where the machines of a platform stand: on loopback addresses beside each other, or each with a network
//! card and a disk of its own, so that both can fail.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use crate::block::Block;
use crate::disk::{Disk, Disks};
use crate::error::Error;
use crate::machine::Role;
use crate::network::{Network, on_machine};

/// Where the machines stand.
#[derive(Clone, Copy, Debug)]
pub enum Ground {
    /// Beside each other, on the loopback addresses of a block.
    Loopback(Block),
    /// Each by itself, between a management network and a media network, with a disk of its own.
    Apart(Network, Disks),
}

impl Ground {
    /// Makes what a machine needs before it is installed into `root`.
    pub(crate) fn prepare(
        self,
        name: &str,
        role: Role,
        place: u8,
        root: &Path,
    ) -> Result<Option<Disk>, Error> {
        match self {
            Self::Loopback(_) => Ok(None),
            Self::Apart(network, disks) => {
                network.add(name, place)?;
                Disk::make(disks, root, role).map(Some)
            }
        }
    }

    /// An address of a machine for the other machines and for operators.
    pub(crate) fn management(self, place: u8, port: u16) -> SocketAddr {
        let host = match self {
            Self::Loopback(block) => block.host(place),
            Self::Apart(network, _) => network.management(place),
        };
        SocketAddr::new(host, port)
    }

    /// An address of a machine for callers.
    pub(crate) fn media(self, place: u8, port: u16) -> SocketAddr {
        let host = match self {
            Self::Loopback(block) => block.host(place),
            Self::Apart(network, _) => network.media(place),
        };
        SocketAddr::new(host, port)
    }

    /// The address of the callers themselves.
    pub(crate) fn callers(self, place: u8) -> IpAddr {
        match self {
            Self::Loopback(block) => block.host(place),
            Self::Apart(network, _) => network.callers(),
        }
    }

    /// A command that runs on a machine.
    pub(crate) fn command(self, machine: &str, program: &OsStr) -> Command {
        match self {
            Self::Loopback(_) => Command::new(program),
            Self::Apart(..) => on_machine(machine, program),
        }
    }
}
