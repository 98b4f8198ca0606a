//! A platform of one Management Node and its Conferencing Nodes: installation, upload, start of a run, status.
//!
//! Does everything with the command line, as an operator does. Injects no fault: that is `faults` and `machine`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Pitlane;
use crate::error::Error;
use crate::machine::Machine;
use crate::package::{Contents, PackageBuilder, text};
use crate::releases::{Built, Releases};
use crate::role::Role;
use crate::topology::Topology;

/// The log line of a node of any release that has applied its rooms.
const ROOMS_APPLIED: &str = "Virtual Meeting Rooms, revision";

/// The host numbers of the manager and of the first node in the address block or network.
const MANAGER: u8 = 1;
const FIRST_NODE: u8 = 11;
/// The host number of the callers.
pub(crate) const CALLERS: u8 = 200;
/// The ports of the manager for users, and for nodes.
const USERS: u16 = 8443;
const NODES: u16 = 8444;
/// The ports of a node for SIP, and for its status.
const SIP: u16 = 5060;
const WEB: u16 = 8080;
/// The system location of all nodes.
const LOCATION: &str = "this machine";
/// How often a condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How a platform is set up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The built releases.
    pub releases: Releases,
    /// The release of the Management Node.
    pub manager: Built,
    /// The release of the Conferencing Nodes.
    pub conferencing: Built,
    /// An empty folder for all files.
    pub folder: PathBuf,
    /// How the machines are connected.
    pub topology: Topology,
    /// How many Conferencing Nodes.
    pub nodes: u8,
    /// The Virtual Meeting Rooms, each dialled by its name.
    pub rooms: Vec<String>,
    /// Further tables of every machine's `machine.toml`.
    pub settings: String,
}

/// A condition to wait for, and the time limit.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    /// The condition, for the error.
    pub what: &'a str,
    /// The time limit.
    pub limit: Duration,
}

/// A platform that runs. Dropping it kills its processes.
#[derive(Debug)]
pub struct Platform {
    /// The Management Node.
    pub manager: Machine,
    /// The Conferencing Nodes, `node1` first.
    pub nodes: Vec<Machine>,
    /// The command line, with this platform's address and credentials.
    pub pitlane: Pitlane,
    plan: Plan,
}

impl Platform {
    /// Sets up a platform and waits until all its nodes have reported.
    ///
    /// # Errors
    /// The step that failed, with the output of the command line.
    pub fn bring_up(plan: Plan) -> Result<Self, Error> {
        let logs = plan.folder.join("logs");
        fs::create_dir_all(&logs).map_err(Error::file(&logs))?;
        let pitlane = Pitlane::new(plan.releases.program("pitlane"))
            .with("PITLANE_CONFIG", plan.folder.join("no-profile.toml"));
        let builder = PackageBuilder { releases: &plan.releases, pitlane: &pitlane, folder: &plan.folder };
        builder.make_key()?;
        let package = builder.build("manager", &Contents::of(plan.manager))?;
        let manager = plan.install(&pitlane, &package, "manager", Role::Manager, MANAGER)?;
        let package = match plan.conferencing == plan.manager {
            true => package,
            false => builder.build("conferencing", &Contents::of(plan.conferencing))?,
        };
        let mut platform = Self { manager, nodes: Vec::new(), pitlane, plan };
        platform.manager.power_on()?;
        platform.read_credentials()?;
        platform.pitlane.run(&["location", "add", LOCATION])?;
        for room in platform.plan.rooms.clone() {
            platform.pitlane.run(&["room", "add", &room, "--alias", &room])?;
        }
        for number in 1..=platform.plan.nodes {
            platform.add_node(number, &package)?;
        }
        platform.wait_until_all_have_reported()?;
        platform.wait_until_all_have_rooms()?;
        Ok(platform)
    }

    /// Waits for the Management Node's first start, and gives its authority and first password to `pitlane`.
    fn read_credentials(&mut self) -> Result<(), Error> {
        let state = self.manager.root.join("state");
        let (authority, password) = (state.join("authority.pem"), state.join("admin-password"));
        let exist = || authority.is_file() && password.is_file();
        self.wait(
            Wait { what: "the Management Node's first start", limit: Duration::from_secs(60) },
            |_| (exist(), String::from("no authority and no password yet")),
        )?;
        let password = fs::read_to_string(&password).map_err(Error::file(password))?;
        let url = format!("https://{}", self.plan.topology.management(MANAGER, USERS));
        self.pitlane = self
            .pitlane
            .clone()
            .on(self.plan.topology, &self.manager.name)
            .with("PITLANE_MANAGER", url)
            .with("PITLANE_AUTHORITY", authority)
            .with("PITLANE_USER", "admin")
            .with("PITLANE_PASSWORD", password.trim());
        self.wait_for(
            Wait { what: "an answer of the Management Node", limit: Duration::from_secs(60) },
            |status| status.is_object(),
        )?;
        Ok(())
    }

    /// Registers a node, sets up its machine, enrols it and powers it on.
    fn add_node(&mut self, number: u8, package: &Path) -> Result<(), Error> {
        let name = format!("node{number}");
        let host = FIRST_NODE + number - 1;
        let enrolment = self.plan.folder.join(format!("{name}.enrolment.toml"));
        let address = self.plan.topology.media(host, SIP).ip().to_string();
        let options = ["--address", &address, "--location", LOCATION, "--enrolment-file", &text(&enrolment)];
        self.pitlane.run(&[&["node", "add", &name], &options[..]].concat())?;
        let mut machine = self.plan.install(&self.pitlane, package, &name, Role::Node, host)?;
        let program = machine.root.join("slots/a/bin/pitlane-node");
        let enrol = Pitlane::new(program).on(self.plan.topology, &name);
        enrol.run(&["enrol", "--root", &text(&machine.root), "--file", &text(&enrolment)])?;
        machine.power_on()?;
        self.nodes.push(machine);
        Ok(())
    }

    /// Replaces the Management Node's machine by a fresh one of the same release and addresses, which knows nothing of
    /// the platform, and gives its authority and first password to `pitlane`.
    ///
    /// # Errors
    /// The step that failed.
    pub fn redeploy_manager(&mut self) -> Result<(), Error> {
        self.manager.cut_power();
        let (root, lost) = (&self.manager.root, self.plan.folder.join("manager-lost"));
        fs::rename(root, &lost).map_err(Error::file(root))?;
        let package = self.build_package("fresh", &Contents::of(self.plan.manager))?;
        self.manager = self.plan.install(&self.pitlane, &package, "manager", Role::Manager, MANAGER)?;
        self.manager.power_on()?;
        self.read_credentials()
    }

    /// Copies a node's machine, with the same identity but addresses of its own. The copy is not running.
    ///
    /// # Errors
    /// The copy fails.
    pub fn copy_node(&self, number: u8, as_number: u8) -> Result<Machine, Error> {
        let name = format!("node{number}-copy");
        let (from, root) = (self.plan.folder.join(format!("node{number}")), self.plan.folder.join(&name));
        let cp = PathBuf::from("cp");
        let copied = Command::new(&cp).arg("-a").arg(&from).arg(&root).status();
        copied.map_err(|source| Error::NotStarted { program: cp, source })?;
        let settings = root.join("machine.toml");
        let host = FIRST_NODE + as_number - 1;
        fs::write(&settings, self.plan.settings_of(Role::Node, host)).map_err(Error::file(&settings))?;
        let boot = self.plan.releases.boot(self.plan.conferencing);
        Ok(Machine::new(name, root, boot, self.plan.topology, &self.logs()))
    }

    fn wait_until_all_have_reported(&self) -> Result<(), Error> {
        self.wait_for(Wait { what: "a report of every node", limit: Duration::from_secs(60) }, |status| {
            nodes(status).iter().all(|node| node["contact"] == "heard" && node["calls"].is_u64())
        })
        .map(drop)
    }

    /// A node takes calls before its first report is answered, and has no room until then.
    fn wait_until_all_have_rooms(&self) -> Result<(), Error> {
        if self.plan.rooms.is_empty() {
            return Ok(());
        }
        let without = |machine: &&Machine| !machine.log().contains(ROOMS_APPLIED);
        self.wait(Wait { what: "the rooms of every node", limit: Duration::from_secs(60) }, |platform| {
            let missing: Vec<_> = platform.nodes.iter().filter(without).map(|node| &*node.name).collect();
            (missing.is_empty(), format!("without rooms: {missing:?}"))
        })
    }

    /// Builds a package, signed with the key that the platform trusts.
    ///
    /// # Errors
    /// The command line fails.
    pub fn build_package(&self, name: &str, contents: &Contents) -> Result<PathBuf, Error> {
        let Plan { releases, folder, .. } = &self.plan;
        PackageBuilder { releases, pitlane: &self.pitlane, folder }.build(name, contents)
    }

    /// Uploads a package.
    ///
    /// # Errors
    /// It is rejected.
    pub fn upload(&self, package: &Path) -> Result<(), Error> {
        self.pitlane.run(&["upgrade", "upload", &text(package)]).map(drop)
    }

    /// Starts a run, with limits of the policy as options of the command line.
    ///
    /// # Errors
    /// Something blocks the start.
    pub fn start(&self, options: &[&str]) -> Result<Value, Error> {
        self.pitlane.query(&[&["upgrade", "start", "--yes"], options].concat())
    }

    /// The Management Node's status of the upgrade.
    ///
    /// # Errors
    /// It does not answer.
    pub fn status(&self) -> Result<Value, Error> {
        self.pitlane.query(&["upgrade", "status"])
    }

    /// Waits until the Management Node's status meets a condition. A manager that does not answer is no error: it
    /// may be restarting.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the last status.
    pub fn wait_for(&self, wait: Wait<'_>, condition: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        let mut found = Value::Null;
        self.wait(wait, |platform| match platform.status() {
            Ok(status) => {
                let met = condition(&status);
                found = status;
                (met, found.to_string())
            }
            Err(error) => (false, error.to_string()),
        })?;
        Ok(found)
    }

    /// Waits until the run has ended.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the last status.
    pub fn wait_until_ended(&self, limit: Duration) -> Result<Value, Error> {
        self.wait_for(Wait { what: "the end of the run", limit }, |status| {
            status["run"].is_null() && !status["last_run"].is_null()
        })
    }

    fn wait(&self, wait: Wait<'_>, mut check: impl FnMut(&Self) -> (bool, String)) -> Result<(), Error> {
        let until = Instant::now() + wait.limit;
        loop {
            let (met, seen) = check(self);
            if met {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Error::Timeout {
                    what: wait.what.to_owned(),
                    seconds: wait.limit.as_secs(),
                    logs: self.logs(),
                    last: seen,
                });
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The folder with the logs of all machines.
    pub fn logs(&self) -> PathBuf {
        self.plan.folder.join("logs")
    }

    /// The address of a node for SIP.
    pub fn sip(&self, number: u8) -> SocketAddr {
        self.plan.topology.media(FIRST_NODE + number - 1, SIP)
    }

    /// The address of a node for its status.
    pub fn web(&self, number: u8) -> SocketAddr {
        self.plan.topology.media(FIRST_NODE + number - 1, WEB)
    }

    /// The address that callers use; all callers of a platform can share it.
    pub fn callers(&self) -> std::net::IpAddr {
        self.plan.topology.callers(CALLERS)
    }

    /// All nodes, as callers dial them.
    pub fn dial_targets(&self) -> Vec<callers::Node> {
        (1..=self.plan.nodes)
            .map(|number| callers::Node {
                name: callers::NodeName(format!("node{number}")),
                sip: self.sip(number),
            })
            .collect()
    }

    /// Shuts every machine down, nodes first.
    pub fn stop(&mut self) {
        for machine in self.nodes.iter_mut().chain([&mut self.manager]) {
            machine.stop();
        }
    }
}

/// The nodes of a status.
pub(crate) fn nodes(status: &Value) -> &[Value] {
    status["nodes"].as_array().map_or(&[], Vec::as_slice)
}

impl Plan {
    /// Installs a machine with a package.
    fn install(
        &self,
        pitlane: &Pitlane,
        package: &Path,
        name: &str,
        role: Role,
        host: u8,
    ) -> Result<Machine, Error> {
        let root = self.folder.join(name);
        let disk = self.topology.prepare(name, role, host, &root)?;
        let settings = self.folder.join(format!("{name}.machine.toml"));
        fs::write(&settings, self.settings_of(role, host)).map_err(Error::file(&settings))?;
        let trust = self.folder.join("trust");
        let arguments = [
            "machine",
            "install",
            "--root",
            &text(&root),
            "--role",
            role.name(),
            "--package",
            &text(package),
            "--trust",
            &text(&trust),
            "--settings",
            &text(&settings),
        ];
        pitlane.run(&arguments)?;
        let boot = self.releases.boot(match role {
            Role::Manager => self.manager,
            Role::Node => self.conferencing,
        });
        let mut machine = Machine::new(name.to_owned(), root, boot, self.topology, &self.folder.join("logs"));
        machine.disk = disk;
        Ok(machine)
    }

    fn settings_of(&self, role: Role, host: u8) -> String {
        let management = |port| self.topology.management(host, port);
        let media = |port| self.topology.media(host, port);
        let own = match role {
            Role::Manager => format!(
                "[manager]\npeople = \"{}\"\nnodes = \"{}\"\nnames = [\"{}\"]\n[api]\nrequests_per_minute = 0\n",
                management(USERS),
                management(NODES),
                management(NODES).ip()
            ),
            Role::Node => format!(
                "[node]\nsip = \"{}\"\nmedia = \"{}\"\nmedia_ports = [20000, 29999]\nweb = \"{}\"\n",
                media(SIP),
                media(SIP).ip(),
                media(WEB)
            ),
        };
        format!("{own}\n{}", self.settings)
    }
}
