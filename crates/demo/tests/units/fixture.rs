//! A Management Node and a Conferencing Node, set up as the README describes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use demo::{Built, Contents, PackageBuilder, Pitlane, Releases, Role, Step};
use tempfile::TempDir;

use crate::container::{Container, Media};
use crate::conversation::{Conversation, ROOM};
use crate::wait::wait_for;

/// The settings of the machines, with privileged ports.
const MANAGER: &str =
    "[manager]\npeople = \"127.0.0.1:443\"\nnodes = \"127.0.0.1:8444\"\nnames = [\"127.0.0.1\"]\n";
const NODE: &str = "[node]\nsip = \"127.0.0.2:5060\"\nmedia = \"127.0.0.2\"\nmedia_ports = [20000, 20999]\n\
     web = \"127.0.0.2:80\"\n";
/// The address of the node for SIP.
const SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 5060);

/// The releases before and after the upgrade.
const STEP: Step = Step::TO_NEXT;

/// A platform that runs under systemd.
pub(crate) struct Fixture {
    pub(crate) manager: Container,
    pub(crate) node: Container,
    pitlane: Pitlane,
    releases: Releases,
    folder: TempDir,
}

impl Fixture {
    /// Sets up two machines and waits until the node has reported.
    pub(crate) fn new() -> Self {
        let releases = Releases::of_the_gate(STEP).unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::Builder::new().prefix("pitlane-units-").tempdir().expect("a temporary folder");
        let pitlane = Pitlane::new(releases.program("pitlane"))
            .with("PITLANE_CONFIG", folder.path().join("no-profile.toml"));
        let media = media(&releases, folder.path(), &pitlane).unwrap_or_else(|error| panic!("{error}"));
        let boot = |role: Role| Container::boot(role, folder.path().join(role.name()), media.clone());
        let [manager, node] = [boot(Role::Manager), boot(Role::Node)];
        install(&manager, Role::Manager);
        manager.run("systemctl enable --now pitlane-manager");
        let pitlane = with_credentials(pitlane, &manager);
        let fixture = Self { manager, node, pitlane, releases, folder };
        fixture.enrol(&media);
        fixture.wait_until_all_have_reported(STEP.from);
        fixture
    }

    /// Registers the node, sets up its machine and starts it.
    fn enrol(&self, media: &Media) {
        let file = media.medium.join("node.enrolment.toml");
        let file = file.to_str().expect("a plain path");
        wait_for("an answer of the Management Node", || self.run(&["location", "add", "London"]));
        let add = ["room", "add", ROOM, "--alias", ROOM];
        self.run(&add).unwrap_or_else(|error| panic!("{error}"));
        let add = ["node", "add", "lon-1", "--address", "127.0.0.2", "--location", "London"];
        self.run(&[&add[..], &["--enrolment-file", file]].concat()).unwrap_or_else(|error| panic!("{error}"));
        install(&self.node, Role::Node);
        self.node.run(
            "install -D -m 600 /mnt/medium/node.enrolment.toml /etc/pitlane/lon-1.toml\n\
             systemctl start pitlane-enrol@lon-1",
        );
        self.node.run("systemctl enable --now pitlane-node");
    }

    /// Upgrades the platform to the next release while a call goes on.
    pub(crate) fn upgrade(&self) {
        let conversation = self.conversation();
        let builder = PackageBuilder {
            releases: &self.releases,
            pitlane: &self.pitlane,
            folder: &self.folder.path().join("medium"),
        };
        let package = builder.build("next", &Contents::of(STEP.to)).unwrap_or_else(|error| panic!("{error}"));
        let package = package.to_str().expect("a plain path");
        for arguments in [&["upgrade", "upload", package][..], &["upgrade", "start", "--yes", "--rest", "1s"]]
        {
            self.run(arguments).unwrap_or_else(|error| panic!("{error}\n{}", self.manager.journal()));
        }
        wait_for("the node's drain", || {
            let status =
                self.pitlane.query(&["upgrade", "status"]).map_err(|error| self.with_journals(&error))?;
            let waits = status["nodes"][0]["upgrade_status_text"] == "Waiting for calls to clear";
            if waits { Ok(()) } else { Err(self.with_journals(&status)) }
        });
        conversation.end();
        self.wait_until_all_have_reported(STEP.to);
    }

    /// Waits until no run is in progress and both machines report this release.
    pub(crate) fn wait_until_all_have_reported(&self, release: Built) {
        wait_for("the end of the run", || {
            let status =
                self.pitlane.query(&["upgrade", "status"]).map_err(|error| self.with_journals(&error))?;
            let (manager, node) = (&status["manager"], &status["nodes"][0]);
            let runs = [manager, node].iter().all(|machine| machine["version"] == release.version);
            let heard = node["contact"] == "heard" && node["calls"].is_u64();
            if runs && heard && status["run"].is_null() { Ok(()) } else { Err(self.with_journals(&status)) }
        });
    }

    /// Begins a conversation as soon as the node accepts calls.
    fn conversation(&self) -> Conversation {
        wait_for("a conversation", || Conversation::begin(SIP).map_err(|error| self.with_journals(&error)))
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.pitlane.run(arguments).map_err(|error| error.to_string())
    }

    fn with_journals(&self, seen: &impl std::fmt::Display) -> String {
        format!("{seen}\nmanager: {}\nnode: {}", self.manager.journal(), self.node.journal())
    }
}

/// Creates the folders that are mounted in both machines.
fn media(releases: &Releases, folder: &Path, pitlane: &Pitlane) -> Result<Media, demo::Error> {
    let medium = folder.join("medium");
    fs::create_dir(&medium).expect("a folder in a new folder");
    for (name, text) in [("manager.toml", MANAGER), ("node.toml", NODE)] {
        fs::write(medium.join(name), text).expect("a file in a new folder");
    }
    let builder = PackageBuilder { releases, pitlane, folder: &medium };
    builder.make_key()?;
    builder.build("first", &Contents::of(STEP.from))?;
    let programs = releases.program("pitlane").parent().map(PathBuf::from).unwrap_or_default();
    Ok(Media { programs, medium })
}

/// Runs the README's commands.
fn install(machine: &Container, role: Role) {
    let role = role.name();
    machine.run(&format!(
        "useradd --system --home-dir /var/lib/pitlane pitlane\n\
         install -D /mnt/programs/pitlane-boot /usr/lib/pitlane/pitlane-boot\n\
         /mnt/programs/pitlane machine install --root /var/lib/pitlane --role {role} \
         --package /mnt/medium/first.pitlane --trust /mnt/medium/trust --settings /mnt/medium/{role}.toml \
         --run-as pitlane\n\
         install -m 644 /mnt/units/pitlane-{role}.service /mnt/units/pitlane-enrol@.service /etc/systemd/system/"
    ));
}

/// The command line with the credentials that the Management Node's first start has created.
fn with_credentials(pitlane: Pitlane, manager: &Container) -> Pitlane {
    let [authority, password] = ["authority.pem", "admin-password"]
        .map(|name| manager.file(&format!("var/lib/pitlane/state/{name}")));
    let password = wait_for("the Management Node's first start", || {
        let there = authority.is_file().then_some(()).ok_or_else(|| manager.journal());
        there.and_then(|()| fs::read_to_string(&password).map_err(|error| error.to_string()))
    });
    pitlane
        .with("PITLANE_MANAGER", "https://127.0.0.1:443")
        .with("PITLANE_AUTHORITY", authority)
        .with("PITLANE_USER", "admin")
        .with("PITLANE_PASSWORD", password.trim())
}
