//! A Management Node and a Conferencing Node, set up as the README says.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use demo::{Built, Contents, Pitlane, Recipe, Releases, Role, Step};
use tempfile::TempDir;

use crate::container::{Container, Media};
use crate::people::{ROOM, Talk};
use crate::wait::wait_for;

/// The settings of the machines, on the ports that only a privileged program may listen on.
const MANAGER: &str =
    "[manager]\npeople = \"127.0.0.1:443\"\nnodes = \"127.0.0.1:8444\"\nnames = [\"127.0.0.1\"]\n";
const NODE: &str = "[node]\nsip = \"127.0.0.2:5060\"\nmedia = \"127.0.0.2\"\nmedia_ports = [20000, 20999]\n\
     web = \"127.0.0.2:80\"\n";
/// Where the node takes calls.
const SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 5060);

/// What both machines are installed with, and what they are upgraded to.
const STEP: Step = Step::TO_NEXT;

/// A platform that runs under systemd.
pub(crate) struct World {
    pub(crate) manager: Container,
    pub(crate) node: Container,
    pitlane: Pitlane,
    releases: Releases,
    folder: TempDir,
}

impl World {
    /// Two machines, set up, and in touch with each other.
    pub(crate) fn new() -> Self {
        let releases = Releases::of_the_gate(STEP).unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::Builder::new().prefix("pitlane-units-").tempdir().expect("a temporary folder");
        let pitlane = Pitlane::new(releases.program("pitlane"))
            .with("PITLANE_CONFIG", folder.path().join("no-profile.toml"));
        let media = media(&releases, folder.path(), &pitlane).unwrap_or_else(|error| panic!("{error}"));
        let boot = |role: Role| Container::boot(role, folder.path().join(role.word()), media.clone());
        let [manager, node] = [boot(Role::Manager), boot(Role::Node)];
        install(&manager, Role::Manager);
        manager.run("systemctl enable --now pitlane-manager");
        let pitlane = bound(pitlane, &manager);
        let world = Self { manager, node, pitlane, releases, folder };
        world.enrol(&media);
        world.wait_until_in_touch(STEP.from);
        world
    }

    /// Registers the node, sets up its machine and starts it.
    fn enrol(&self, media: &Media) {
        let file = media.medium.join("node.enrolment.toml");
        let file = file.to_str().expect("a plain path");
        wait_for("an answer of the Management Node", || self.say(&["location", "add", "London"]));
        let add = ["room", "add", ROOM, "--alias", ROOM];
        self.say(&add).unwrap_or_else(|said| panic!("{said}"));
        let add = ["node", "add", "lon-1", "--address", "127.0.0.2", "--location", "London"];
        self.say(&[&add[..], &["--enrolment-file", file]].concat()).unwrap_or_else(|said| panic!("{said}"));
        install(&self.node, Role::Node);
        self.node.run(
            "install -D -m 600 /mnt/medium/node.enrolment.toml /etc/pitlane/lon-1.toml\n\
             systemctl start pitlane-enrol@lon-1",
        );
        self.node.run("systemctl enable --now pitlane-node");
    }

    /// Brings the platform to the next release while people talk on it.
    pub(crate) fn upgrade(&self) {
        let talk = self.talk();
        let recipe = Recipe {
            releases: &self.releases,
            pitlane: &self.pitlane,
            folder: &self.folder.path().join("medium"),
        };
        let package = recipe.build("next", &Contents::of(STEP.to)).unwrap_or_else(|error| panic!("{error}"));
        let package = package.to_str().expect("a plain path");
        for words in [&["upgrade", "upload", package][..], &["upgrade", "start", "--yes", "--rest", "1s"]] {
            self.say(words).unwrap_or_else(|said| panic!("{said}\n{}", self.manager.story()));
        }
        wait_for("the node's wait for its calls", || {
            let status = self.pitlane.ask(&["upgrade", "status"]).map_err(|error| self.told(&error))?;
            let waits = status["nodes"][0]["upgrade_status_text"] == "Waiting for calls to clear";
            if waits { Ok(()) } else { Err(self.told(&status)) }
        });
        talk.end();
        self.wait_until_in_touch(STEP.to);
    }

    /// Waits until no run is under way, and both say that they run this release.
    pub(crate) fn wait_until_in_touch(&self, release: Built) {
        wait_for("the platform's quiet", || {
            let status = self.pitlane.ask(&["upgrade", "status"]).map_err(|error| self.told(&error))?;
            let (manager, node) = (&status["manager"], &status["nodes"][0]);
            let runs = [manager, node].iter().all(|machine| machine["version"] == release.version);
            let heard = node["contact"] == "heard" && node["calls"].is_u64();
            if runs && heard && status["run"].is_null() { Ok(()) } else { Err(self.told(&status)) }
        });
    }

    /// Two people talk, as soon as the node takes calls.
    fn talk(&self) -> Talk {
        wait_for("a conversation", || Talk::begin(SIP).map_err(|error| self.told(&error)))
    }

    fn say(&self, words: &[&str]) -> Result<String, String> {
        self.pitlane.say(words).map_err(|error| error.to_string())
    }

    fn told(&self, seen: &impl std::fmt::Display) -> String {
        format!("{seen}\nmanager: {}\nnode: {}", self.manager.story(), self.node.story())
    }
}

/// What is brought to both machines.
fn media(releases: &Releases, folder: &Path, pitlane: &Pitlane) -> Result<Media, demo::Error> {
    let medium = folder.join("medium");
    fs::create_dir(&medium).expect("a folder in a new folder");
    for (name, text) in [("manager.toml", MANAGER), ("node.toml", NODE)] {
        fs::write(medium.join(name), text).expect("a file in a new folder");
    }
    let recipe = Recipe { releases, pitlane, folder: &medium };
    recipe.make_key()?;
    recipe.build("first", &Contents::of(STEP.from))?;
    let programs = releases.program("pitlane").parent().map(PathBuf::from).unwrap_or_default();
    Ok(Media { programs, medium })
}

/// The README's commands.
fn install(machine: &Container, role: Role) {
    let role = role.word();
    machine.run(&format!(
        "useradd --system --home-dir /var/lib/pitlane pitlane\n\
         install -D /mnt/programs/pitlane-boot /usr/lib/pitlane/pitlane-boot\n\
         /mnt/programs/pitlane machine install --root /var/lib/pitlane --role {role} \
         --package /mnt/medium/first.pitlane --trust /mnt/medium/trust --settings /mnt/medium/{role}.toml \
         --run-as pitlane\n\
         install -m 644 /mnt/units/pitlane-{role}.service /mnt/units/pitlane-enrol@.service /etc/systemd/system/"
    ));
}

/// The command line with what the Management Node's first start has left for its operator.
fn bound(pitlane: Pitlane, manager: &Container) -> Pitlane {
    let [authority, password] = ["authority.pem", "admin-password"]
        .map(|name| manager.file(&format!("var/lib/pitlane/state/{name}")));
    let password = wait_for("the Management Node's first start", || {
        let there = authority.is_file().then_some(()).ok_or_else(|| manager.story());
        there.and_then(|()| fs::read_to_string(&password).map_err(|error| error.to_string()))
    });
    pitlane
        .with("PITLANE_MANAGER", "https://127.0.0.1:443")
        .with("PITLANE_AUTHORITY", authority)
        .with("PITLANE_USER", "admin")
        .with("PITLANE_PASSWORD", password.trim())
}
