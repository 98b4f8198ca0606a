//! A platform of one Management Node and its Conferencing Nodes, and what is seen of it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Pitlane;
use crate::error::Error;
use crate::ground::Ground;
use crate::machine::{Machine, Role};
use crate::package::{Contents, Recipe, text};
use crate::releases::{Built, Releases};

/// The manager's place on its ground, and the first node's.
const MANAGER: u8 = 1;
const FIRST_NODE: u8 = 11;
/// The address that callers use.
pub(crate) const CALLERS: u8 = 200;
/// Where the manager listens for people, and for nodes.
const PEOPLE: u16 = 8443;
const NODES: u16 = 8444;
/// Where a node listens for SIP, and for its status.
const SIP: u16 = 5060;
const WEB: u16 = 8080;
/// The system location of all nodes.
const LOCATION: &str = "this machine";
/// How often what is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is to be set up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the programs are.
    pub releases: Releases,
    /// What the Management Node is installed with.
    pub manager: Built,
    /// What the Conferencing Nodes are installed with.
    pub conferencing: Built,
    /// An empty folder for everything.
    pub folder: PathBuf,
    /// Where the machines stand.
    pub ground: Ground,
    /// How many Conferencing Nodes.
    pub nodes: u8,
    /// The Virtual Meeting Rooms, each dialled by its name.
    pub rooms: Vec<String>,
    /// Further tables of every machine's `machine.toml`.
    pub settings: String,
}

/// What [`Platform::wait_for`] waits for, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    /// In words, for the failure.
    pub what: &'a str,
    /// For how long.
    pub limit: Duration,
}

/// A platform that runs. Dropping it ends its processes.
#[derive(Debug)]
pub struct Platform {
    /// The Management Node.
    pub manager: Machine,
    /// The Conferencing Nodes, `node1` first.
    pub nodes: Vec<Machine>,
    /// The command line, bound to this platform.
    pub pitlane: Pitlane,
    plan: Plan,
}

impl Platform {
    /// Sets up a platform of the first release and waits until all its nodes are in touch.
    ///
    /// # Errors
    /// What failed, with what the command line said.
    pub fn bring_up(plan: Plan) -> Result<Self, Error> {
        let logs = plan.folder.join("logs");
        fs::create_dir_all(&logs).map_err(Error::file(&logs))?;
        let unbound = Pitlane::new(plan.releases.program("pitlane"))
            .with("PITLANE_CONFIG", plan.folder.join("no-profile.toml"));
        let recipe = Recipe { releases: &plan.releases, pitlane: &unbound, folder: &plan.folder };
        recipe.make_key()?;
        let package = recipe.build("manager", &Contents::of(plan.manager))?;
        let manager = plan.install(&unbound, &package, "manager", Role::Manager, MANAGER)?;
        let package = match plan.conferencing == plan.manager {
            true => package,
            false => recipe.build("conferencing", &Contents::of(plan.conferencing))?,
        };
        let mut platform = Self { manager, nodes: Vec::new(), pitlane: unbound, plan };
        platform.manager.power_on()?;
        platform.bind()?;
        platform.pitlane.say(&["location", "add", LOCATION])?;
        for room in platform.plan.rooms.clone() {
            platform.pitlane.say(&["room", "add", &room, "--alias", &room])?;
        }
        for number in 1..=platform.plan.nodes {
            platform.add_node(number, &package)?;
        }
        platform.wait_until_in_touch()?;
        Ok(platform)
    }

    /// Waits for the Management Node's first start, and learns its authority and its password.
    fn bind(&mut self) -> Result<(), Error> {
        let state = self.manager.root.join("state");
        let (authority, password) = (state.join("authority.pem"), state.join("admin-password"));
        let here = || authority.is_file() && password.is_file();
        self.wait(
            Wait { what: "the Management Node's first start", limit: Duration::from_secs(60) },
            |_| (here(), String::from("no authority and no password yet")),
        )?;
        let password = fs::read_to_string(&password).map_err(Error::file(password))?;
        let people = format!("https://{}", self.plan.ground.management(MANAGER, PEOPLE));
        self.pitlane = self
            .pitlane
            .clone()
            .on(self.plan.ground, &self.manager.name)
            .with("PITLANE_MANAGER", people)
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
        let place = FIRST_NODE + number - 1;
        let enrolment = self.plan.folder.join(format!("{name}.enrolment.toml"));
        let address = self.plan.ground.media(place, SIP).ip().to_string();
        let options = ["--address", &address, "--location", LOCATION, "--enrolment-file", &text(&enrolment)];
        self.pitlane.say(&[&["node", "add", &name], &options[..]].concat())?;
        let mut machine = self.plan.install(&self.pitlane, package, &name, Role::Node, place)?;
        let program = machine.root.join("slots/a/bin/pitlane-node");
        let enrol = Pitlane::new(program).on(self.plan.ground, &name);
        enrol.say(&["enrol", "--root", &text(&machine.root), "--file", &text(&enrolment)])?;
        machine.power_on()?;
        self.nodes.push(machine);
        Ok(())
    }

    /// Copies a node's machine as it is, at another place: the same identity, and addresses of its own. It is
    /// not running.
    ///
    /// # Errors
    /// When the copy cannot be made.
    pub fn copy_node(&self, number: u8, as_number: u8) -> Result<Machine, Error> {
        let name = format!("node{number}-copy");
        let (from, root) = (self.plan.folder.join(format!("node{number}")), self.plan.folder.join(&name));
        let cp = PathBuf::from("cp");
        let copied = Command::new(&cp).arg("-a").arg(&from).arg(&root).status();
        copied.map_err(|source| Error::NotStarted { program: cp, source })?;
        let settings = root.join("machine.toml");
        let place = FIRST_NODE + as_number - 1;
        fs::write(&settings, self.plan.settings_of(Role::Node, place)).map_err(Error::file(&settings))?;
        let boot = self.plan.releases.boot(self.plan.conferencing);
        Ok(Machine::new(name, root, boot, self.plan.ground, &self.logs()))
    }

    fn wait_until_in_touch(&self) -> Result<(), Error> {
        self.wait_for(Wait { what: "a report of every node", limit: Duration::from_secs(60) }, |status| {
            nodes(status).iter().all(|node| node["contact"] == "heard" && node["calls"].is_u64())
        })?;
        Ok(())
    }

    /// Builds a package with the platform's key.
    ///
    /// # Errors
    /// When the command line fails.
    pub fn build_package(&self, name: &str, contents: &Contents) -> Result<PathBuf, Error> {
        let Plan { releases, folder, .. } = &self.plan;
        Recipe { releases, pitlane: &self.pitlane, folder }.build(name, contents)
    }

    /// Uploads a package.
    ///
    /// # Errors
    /// When it is refused.
    pub fn upload(&self, package: &Path) -> Result<(), Error> {
        self.pitlane.say(&["upgrade", "upload", &text(package)]).map(drop)
    }

    /// Presses Start, with the policy's clocks scaled by options of the command line.
    ///
    /// # Errors
    /// When something stands in the way.
    pub fn start(&self, options: &[&str]) -> Result<Value, Error> {
        self.pitlane.ask(&[&["upgrade", "start", "--yes"], options].concat())
    }

    /// What the Management Node says of the upgrade.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> Result<Value, Error> {
        self.pitlane.ask(&["upgrade", "status"])
    }

    /// Waits until the Management Node's status is as wanted. A manager that does not answer is waited
    /// for: it may be restarting.
    ///
    /// # Errors
    /// [`Error::Late`] with the last status.
    pub fn wait_for(&self, wait: Wait<'_>, wanted: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        let mut found = Value::Null;
        self.wait(wait, |platform| match platform.status() {
            Ok(status) => {
                let there = wanted(&status);
                found = status;
                (there, found.to_string())
            }
            Err(error) => (false, error.to_string()),
        })?;
        Ok(found)
    }

    /// Waits until the run has ended and every node has said so.
    ///
    /// # Errors
    /// [`Error::Late`] with the last status.
    pub fn wait_until_ended(&self, limit: Duration) -> Result<Value, Error> {
        self.wait_for(Wait { what: "the end of the run", limit }, |status| {
            status["run"].is_null() && !status["last_run"].is_null()
        })
    }

    fn wait(&self, wait: Wait<'_>, mut look: impl FnMut(&Self) -> (bool, String)) -> Result<(), Error> {
        let until = Instant::now() + wait.limit;
        loop {
            let (there, seen) = look(self);
            if there {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Error::Late {
                    what: wait.what.to_owned(),
                    seconds: wait.limit.as_secs(),
                    logs: self.logs(),
                    last: seen,
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The folder of all logs.
    pub fn logs(&self) -> PathBuf {
        self.plan.folder.join("logs")
    }

    /// Where a node takes SIP.
    pub fn sip(&self, number: u8) -> SocketAddr {
        self.plan.ground.media(FIRST_NODE + number - 1, SIP)
    }

    /// Where a node answers for its status.
    pub fn web(&self, number: u8) -> SocketAddr {
        self.plan.ground.media(FIRST_NODE + number - 1, WEB)
    }

    /// The address that callers use; those of one platform may use it together.
    pub fn callers(&self) -> std::net::IpAddr {
        self.plan.ground.callers(CALLERS)
    }

    /// All nodes as the crowd dials them.
    pub fn as_dialled(&self) -> Vec<callers::Node> {
        (1..=self.plan.nodes)
            .map(|number| callers::Node {
                name: callers::NodeName(format!("node{number}")),
                sip: self.sip(number),
            })
            .collect()
    }

    /// Stops every machine in an orderly way, nodes first.
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
    /// Lays out a machine's folder with the first release in it.
    fn install(
        &self,
        pitlane: &Pitlane,
        package: &Path,
        name: &str,
        role: Role,
        place: u8,
    ) -> Result<Machine, Error> {
        let root = self.folder.join(name);
        let disk = self.ground.prepare(name, role, place, &root)?;
        let settings = self.folder.join(format!("{name}.machine.toml"));
        fs::write(&settings, self.settings_of(role, place)).map_err(Error::file(&settings))?;
        let trust = self.folder.join("trust");
        let words = [
            "machine",
            "install",
            "--root",
            &text(&root),
            "--role",
            role.word(),
            "--package",
            &text(package),
            "--trust",
            &text(&trust),
            "--settings",
            &text(&settings),
        ];
        pitlane.say(&words)?;
        let boot = self.releases.boot(match role {
            Role::Manager => self.manager,
            Role::Node => self.conferencing,
        });
        let mut machine = Machine::new(name.to_owned(), root, boot, self.ground, &self.folder.join("logs"));
        machine.disk = disk;
        Ok(machine)
    }

    fn settings_of(&self, role: Role, place: u8) -> String {
        let management = |port| self.ground.management(place, port);
        let media = |port| self.ground.media(place, port);
        let own = match role {
            Role::Manager => format!(
                "[manager]\npeople = \"{}\"\nnodes = \"{}\"\nnames = [\"{}\"]\n",
                management(PEOPLE),
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
