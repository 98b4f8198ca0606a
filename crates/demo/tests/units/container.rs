//! A machine that boots systemd: a container with the programs of this machine's `/usr` and everything
//! else of its own.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use demo::Role;

use crate::apart::group;
use crate::unit::Unit;
use crate::wait::wait_for;

/// How `systemd-nspawn` says that its container is to be started again.
const START_AGAIN: i32 = 133;

/// What of this machine's `/etc` the container's own programs need.
const FROM_ETC: [&str; 4] = ["os-release", "passwd", "group", "login.defs"];

/// The programs and the first package, as they come to a machine.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// The built programs, seen as `/mnt/programs`.
    pub(crate) programs: PathBuf,
    /// Settings, packages and keys, seen as `/mnt/medium`.
    pub(crate) medium: PathBuf,
}

/// A machine that is on.
#[derive(Debug)]
pub(crate) struct Container {
    role: Role,
    folder: PathBuf,
    media: Media,
    nspawn: Child,
}

impl Container {
    /// Makes a machine in `folder` and switches it on.
    pub(crate) fn boot(role: Role, folder: PathBuf, media: Media) -> Self {
        lay_out(&folder, role).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let nspawn = switch_on(role, &folder, &media);
        let mut container = Self { role, folder, media, nspawn };
        container.wait_until_booted();
        container
    }

    /// Restarts the machine as an operator does.
    pub(crate) fn reboot(&mut self) {
        self.run("systemctl reboot");
        let ended = wait_for("the machine's way down", || match self.nspawn.try_wait() {
            Ok(Some(ended)) => Ok(ended),
            other => Err(format!("{other:?}")),
        });
        assert_eq!(ended.code(), Some(START_AGAIN), "{self} asked for a restart:\n{}", self.console());
        self.nspawn = switch_on(self.role, &self.folder, &self.media);
        self.wait_until_booted();
    }

    fn wait_until_booted(&mut self) {
        wait_for("the machine's way up", || {
            if let Ok(Some(ended)) = self.nspawn.try_wait() {
                panic!("{self} ended with {ended}:\n{}", self.console());
            }
            self.try_run("systemctl is-active multi-user.target")
        });
    }

    /// Runs a script on the machine, as root.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        self.try_run(script).unwrap_or_else(|said| panic!("{self}: {said}\n{}", self.story()))
    }

    /// Runs a script on the machine, as root, which may fail.
    pub(crate) fn try_run(&self, script: &str) -> Result<String, String> {
        let leader = self.leader().ok_or("it has no systemd yet")?;
        let output = Command::new("nsenter")
            .args(["--target", &leader, "--all", "sh", "-ec", script])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("nsenter cannot be started: {error}"))?;
        let [answer, story] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        match output.status.success() {
            true => Ok(answer.trim().to_owned()),
            false => Err(format!("`{script}` ended with {}: {answer}{story}", output.status)),
        }
    }

    /// Its systemd, as this test numbers processes.
    fn leader(&self) -> Option<String> {
        let nspawn = self.nspawn.id();
        let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
        let leader = children.split_whitespace().next()?;
        let name = fs::read_to_string(format!("/proc/{leader}/comm")).ok()?;
        (name.trim() == "systemd").then(|| leader.to_owned())
    }

    /// The unit that makes this machine what it is.
    pub(crate) fn unit(&self) -> Unit<'_> {
        Unit { machine: self, role: self.role }
    }

    /// The folder that holds the machine's control groups.
    pub(crate) fn groups(&self) -> PathBuf {
        Path::new(&group()).join(self.role.word()).join("payload")
    }

    /// A file of the machine.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.join("tree").join(path)
    }

    /// What the unit and systemd have said, for a failure.
    pub(crate) fn story(&self) -> String {
        self.try_run("journalctl --no-pager --quiet --lines=60 --unit='pitlane-*'")
            .unwrap_or_else(|said| said)
    }

    fn console(&self) -> String {
        fs::read_to_string(self.folder.join("console")).unwrap_or_default()
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the machine of the {}", self.role.word())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // All that runs in it goes with the namespaces of the test.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// An empty machine: `/usr` is laid over that of this machine when it is switched on.
fn lay_out(folder: &Path, role: Role) -> std::io::Result<()> {
    let tree = folder.join("tree");
    for name in ["etc/systemd/system", "usr", "var", "root", "mnt"] {
        fs::create_dir_all(tree.join(name))?;
    }
    fs::create_dir(folder.join("usr"))?;
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(Path::new("usr").join(name), tree.join(name))?;
    }
    for name in FROM_ETC {
        fs::copy(Path::new("/etc").join(name), tree.join("etc").join(name))?;
    }
    for name in ["shadow", "gshadow"] {
        File::create(tree.join("etc").join(name))?;
    }
    // With a number of its own the machine is not at its first boot, which would ask questions.
    let number = match role {
        Role::Manager => 1,
        Role::Node => 2,
    };
    fs::write(tree.join("etc/machine-id"), format!("{number:032x}\n"))
}

fn switch_on(role: Role, folder: &Path, media: &Media) -> Child {
    let console = File::options().create(true).append(true).open(folder.join("console"));
    let console = console.expect("the console is a file");
    let group = format!("{}/{}", group(), role.word());
    fs::create_dir_all(&group).unwrap_or_else(|error| panic!("{group}: {error}"));
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/systemd");
    let units = fs::canonicalize(&units).unwrap_or_else(|error| panic!("{}: {error}", units.display()));
    let seen = [(&media.programs, "programs"), (&media.medium, "medium"), (&units, "units")];
    Command::new("sh")
        .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec systemd-nspawn \"$@\"", &group])
        .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no"])
        .arg(format!("--machine=pitlane-{}", role.word()))
        .arg(format!("--directory={}", folder.join("tree").display()))
        .arg(format!("--overlay=/usr:{}:/usr", folder.join("usr").display()))
        .args(seen.map(|(path, name)| format!("--bind-ro={}:/mnt/{name}", path.display())))
        .arg("systemd.unit=multi-user.target")
        // By itself it looks for the container's systemd where `/usr` is not laid over yet.
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        // It ends when its standard input does, so that is held open.
        .stdin(Stdio::piped())
        .stdout(console.try_clone().expect("a second handle"))
        .stderr(console)
        .spawn()
        .expect("systemd-nspawn starts")
}
