//! Two networks of this process' own, and machines between them: each machine is a network namespace with
//! one foot in the management network and one in the media network, so that a cable can be pulled.
//!
//! The caller must be root in network, mount and process namespaces of its own (`unshare`): whatever is
//! made here goes with them.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};

use crate::error::Error;

/// The bridge that stands for the management network, and the one for the media network.
const MANAGEMENT: &str = "management";
const MEDIA: &str = "media";

/// The name of a machine's foot in each network, as the machine sees it.
const MANAGEMENT_CARD: &str = "eth0";
const MEDIA_CARD: &str = "eth1";

/// The largest burst of a slow line: a few packets, so that nothing large slips through at full speed.
const SLOW_BURST: &str = "16kb";

/// How long a packet may wait for a slow line before it is dropped.
const SLOW_QUEUE: &str = "300ms";

/// How a machine's management line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// As it should be.
    Good,
    /// The cable is pulled.
    Cut,
    /// Nothing arrives at the machine; what it sends goes out.
    Deaf,
    /// So many kilobits a second in each direction.
    Slow(u32),
}

/// The two networks.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    callers: u8,
}

impl Network {
    /// Makes both networks, with a place for callers in the media network.
    ///
    /// # Errors
    /// `ip` or `mount` refuses, as they do without the rights of root.
    pub fn make(callers: u8) -> Result<Self, Error> {
        let network = Self { callers };
        // The names of the namespaces are files; these are seen by nobody else.
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

    /// Puts a machine between the networks.
    ///
    /// # Errors
    /// `ip` refuses.
    pub(crate) fn add(self, machine: &str, place: u8) -> Result<(), Error> {
        run(Command::new("ip").args(["netns", "add", machine]))?;
        let [management, media] = [port(MANAGEMENT, machine), port(MEDIA, machine)];
        batch(
            &[],
            &format!(
                "link add {management} type veth peer name {MANAGEMENT_CARD} netns {machine}\n\
                 link set {management} master {MANAGEMENT} up\n\
                 link add {media} type veth peer name {MEDIA_CARD} netns {machine}\n\
                 link set {media} master {MEDIA} up\n"
            ),
        )?;
        let (at_management, at_media) = (self.management(place), self.media(place));
        batch(
            &["-n", machine],
            &format!(
                "link set lo up\n\
                 address add {at_management}/24 dev {MANAGEMENT_CARD}\nlink set {MANAGEMENT_CARD} up\n\
                 address add {at_media}/24 dev {MEDIA_CARD}\nlink set {MEDIA_CARD} up\n"
            ),
        )
    }

    /// Makes a machine's management line so.
    ///
    /// # Errors
    /// `ip` or `tc` refuses.
    pub fn set_line(self, machine: &str, line: Line) -> Result<(), Error> {
        let port = port(MANAGEMENT, machine);
        let state = if line == Line::Cut { "down" } else { "up" };
        shape(&[], &port, line)?;
        let outwards = if line == Line::Deaf { Line::Good } else { line };
        shape(&["-n", machine], MANAGEMENT_CARD, outwards)?;
        run(Command::new("ip").args(["link", "set", &port, state]))
    }

    /// An address in the management network.
    pub fn management(self, place: u8) -> IpAddr {
        Ipv4Addr::new(10, 34, 0, place).into()
    }

    /// An address in the media network.
    pub fn media(self, place: u8) -> IpAddr {
        Ipv4Addr::new(10, 34, 1, place).into()
    }

    /// The address of the callers, who are in the media network only.
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

/// The switch's side of a machine's line: the name of an interface has 15 characters at most.
fn port(network: &str, machine: &str) -> String {
    format!("{}-{machine}", &network[..2])
}

/// What leaves a card is shaped at it.
fn shape(namespace: &[&str], card: &str, line: Line) -> Result<(), Error> {
    let of = ["qdisc", "replace", "dev", card, "root"];
    let mut command = Command::new("tc");
    command.args(namespace).args(of);
    match line {
        Line::Good | Line::Cut => command.arg("pfifo_fast"),
        // No packet fits into a bucket of one byte, so each is dropped.
        Line::Deaf => command.args(["tbf", "rate", "8bit", "burst", "1", "limit", "1"]),
        Line::Slow(kilobits) => {
            let rate = format!("{kilobits}kbit");
            command.args(["tbf", "rate", &rate, "burst", SLOW_BURST, "latency", SLOW_QUEUE])
        }
    };
    run(&mut command)
}

/// Several lines for one `ip`.
fn batch(options: &[&str], lines: &str) -> Result<(), Error> {
    let mut command = Command::new("ip");
    command.args(options).args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let started = |source| Error::NotStarted { program: "ip".into(), source };
    let mut child = command.spawn().map_err(started)?;
    if let Some(mut input) = child.stdin.take() {
        // One that has ended already says why.
        let _ = input.write_all(lines.as_bytes());
    }
    told(&command, &child.wait_with_output().map_err(started)?)
}

/// Runs a command of the operating system to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let output = command.stdin(Stdio::null()).output();
    let program = || command.get_program().into();
    let output = output.map_err(|source| Error::NotStarted { program: program(), source })?;
    told(command, &output)
}

fn told(command: &Command, output: &std::process::Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    Err(Error::System {
        command: words.join(" "),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
