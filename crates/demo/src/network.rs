//! Two bridged networks in this process' network namespace. Each machine is a network namespace with an interface
//! in the management network and one in the media network, so that its management link can be cut or slowed.
//!
//! Relies on `ip` and `tc`, and on the caller being root in network, mount and process namespaces of its own
//! (`unshare`). Cleans nothing up: everything that is created here ends with those namespaces.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use crate::error::Error;
use crate::system::{run, run_with_input};

/// The bridge of the management network, and the bridge of the media network.
const MANAGEMENT: &str = "management";
const MEDIA: &str = "media";

/// A machine's interface in each network, by its name in the machine's namespace.
const MANAGEMENT_INTERFACE: &str = "eth0";
const MEDIA_INTERFACE: &str = "eth1";

/// The largest burst on a slow link: a few packets, so that no large message passes at full speed.
const SLOW_BURST: &str = "16kb";

/// How long a packet may wait in the queue of a slow link before it is dropped.
const SLOW_QUEUE: &str = "300ms";

/// The condition of a machine's management link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not impaired.
    Good,
    /// Down in both directions.
    Cut,
    /// Drops everything sent to the machine; everything that it sends passes.
    InboundBlocked,
    /// Limited to this many kilobits a second in each direction.
    Slow(u32),
}

/// The management network and the media network.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    callers: u8,
}

impl Network {
    /// Creates both networks, with an address for callers in the media network.
    ///
    /// # Errors
    /// `ip` or `mount` fails, as they do without root privileges.
    pub fn make(callers: u8) -> Result<Self, Error> {
        let network = Self { callers };
        // Namespaces are named by files. In this mount namespace no other process sees them.
        run(Command::new("mkdir").args(["-p", "/run/netns"]))?;
        run(Command::new("mount").args(["-t", "tmpfs", "pitlane", "/run/netns"]))?;
        let address = network.media(callers);
        batch(
            &[],
            &format!(
                "link set lo up\n\
                 link add {MANAGEMENT} type bridge\nlink set {MANAGEMENT} up\n\
                 link add {MEDIA} type bridge\nlink set {MEDIA} up\n\
                 address add {address}/24 dev {MEDIA}\n"
            ),
        )?;
        Ok(network)
    }

    /// Creates the namespace of a machine and connects it to both networks.
    ///
    /// # Errors
    /// `ip` fails.
    pub(crate) fn add(self, machine: &str, host: u8) -> Result<(), Error> {
        run(Command::new("ip").args(["netns", "add", machine]))?;
        let [management, media] = [port(MANAGEMENT, machine), port(MEDIA, machine)];
        batch(
            &[],
            &format!(
                "link add {management} type veth peer name {MANAGEMENT_INTERFACE} netns {machine}\n\
                 link set {management} master {MANAGEMENT} up\n\
                 link add {media} type veth peer name {MEDIA_INTERFACE} netns {machine}\n\
                 link set {media} master {MEDIA} up\n"
            ),
        )?;
        let (at_management, at_media) = (self.management(host), self.media(host));
        batch(
            &["-n", machine],
            &format!(
                "link set lo up\n\
                 address add {at_management}/24 dev {MANAGEMENT_INTERFACE}\nlink set {MANAGEMENT_INTERFACE} up\n\
                 address add {at_media}/24 dev {MEDIA_INTERFACE}\nlink set {MEDIA_INTERFACE} up\n"
            ),
        )
    }

    /// Sets the condition of a machine's management link.
    ///
    /// # Errors
    /// `ip` or `tc` fails.
    pub fn set_link(self, machine: &str, link: Link) -> Result<(), Error> {
        let port = port(MANAGEMENT, machine);
        let state = if link == Link::Cut { "down" } else { "up" };
        shape(&[], &port, link)?;
        let outbound = if link == Link::InboundBlocked { Link::Good } else { link };
        shape(&["-n", machine], MANAGEMENT_INTERFACE, outbound)?;
        run(Command::new("ip").args(["link", "set", &port, state]))
    }

    /// An address in the management network.
    pub fn management(self, host: u8) -> IpAddr {
        Ipv4Addr::new(10, 34, 0, host).into()
    }

    /// An address in the media network.
    pub fn media(self, host: u8) -> IpAddr {
        Ipv4Addr::new(10, 34, 1, host).into()
    }

    /// The address of the callers, which are in the media network only.
    pub(crate) fn callers(self) -> IpAddr {
        self.media(self.callers)
    }
}

/// A command that runs on a machine.
pub(crate) fn on_machine(machine: &str, program: &OsStr) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", machine]).arg(program);
    command
}

/// The bridge's end of a machine's link. An interface name has at most 15 characters.
fn port(network: &str, machine: &str) -> String {
    format!("{}-{machine}", &network[..2])
}

/// Shapes the traffic that leaves through an interface.
fn shape(namespace: &[&str], interface: &str, link: Link) -> Result<(), Error> {
    let mut command = Command::new("tc");
    command.args(namespace).args(["qdisc", "replace", "dev", interface, "root"]);
    match link {
        Link::Good | Link::Cut => command.arg("pfifo_fast"),
        // No packet fits into a token bucket of one byte, so every packet is dropped.
        Link::InboundBlocked => command.args(["tbf", "rate", "8bit", "burst", "1", "limit", "1"]),
        Link::Slow(kilobits) => {
            let rate = format!("{kilobits}kbit");
            command.args(["tbf", "rate", &rate, "burst", SLOW_BURST, "latency", SLOW_QUEUE])
        }
    };
    run(&mut command)
}

/// Runs several lines of one `ip` command.
fn batch(options: &[&str], lines: &str) -> Result<(), Error> {
    run_with_input(Command::new("ip").args(options).args(["-batch", "-"]), lines)
}
