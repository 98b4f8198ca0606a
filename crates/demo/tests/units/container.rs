//! A machine that boots systemd: a container that shares `/usr` with this machine and nothing else.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use demo::Role;

use crate::isolated::group;
use crate::unit::Unit;
use crate::wait::wait_for;

/// The exit code of `systemd-nspawn` when its container asks for a restart.
const RESTART: i32 = 133;

/// The files of this machine's `/etc` that programs in the container need.
const FROM_ETC: [&str; 4] = ["os-release", "passwd", "group", "login.defs"];

/// The folders with programs and packages that are mounted in a machine.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// The built programs, mounted at `/mnt/programs`.
    pub(crate) programs: PathBuf,
    /// Settings, packages and keys, mounted at `/mnt/medium`.
    pub(crate) medium: PathBuf,
}

/// A machine that is powered on.
#[derive(Debug)]
pub(crate) struct Container {
    role: Role,
    folder: PathBuf,
    media: Media,
    nspawn: Child,
}

impl Container {
    /// Creates a machine in `folder` and powers it on.
    pub(crate) fn boot(role: Role, folder: PathBuf, media: Media) -> Self {
        lay_out(&folder, role).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let nspawn = power_on(role, &folder, &media);
        let mut container = Self { role, folder, media, nspawn };
        container.wait_until_booted();
        container
    }

    /// Reboots the machine as an operator does.
    pub(crate) fn reboot(&mut self) {
        self.run("systemctl reboot");
        let ended = wait_for("the machine's shutdown", || match self.nspawn.try_wait() {
            Ok(Some(ended)) => Ok(ended),
            other => Err(format!("{other:?}")),
        });
        assert_eq!(ended.code(), Some(RESTART), "{self} asked for a restart:\n{}", self.console());
        self.nspawn = power_on(self.role, &self.folder, &self.media);
        self.wait_until_booted();
    }

    fn wait_until_booted(&mut self) {
        wait_for("the machine's boot", || {
            if let Ok(Some(ended)) = self.nspawn.try_wait() {
                panic!("{self} ended with {ended}:\n{}", self.console());
            }
            self.try_run("systemctl is-active multi-user.target")
        });
    }

    /// Runs a script on the machine, as root.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        self.try_run(script).unwrap_or_else(|error| panic!("{self}: {error}\n{}", self.journal()))
    }

    /// Runs a script that may fail on the machine, as root.
    pub(crate) fn try_run(&self, script: &str) -> Result<String, String> {
        let leader = self.leader().ok_or("systemd has not started yet")?;
        let output = Command::new("nsenter")
            .args(["--target", &leader, "--all", "sh", "-ec", script])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("nsenter cannot be started: {error}"))?;
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        match output.status.success() {
            true => Ok(stdout.trim().to_owned()),
            false => Err(format!("`{script}` ended with {}: {stdout}{stderr}", output.status)),
        }
    }

    /// The process number of its systemd in the test's namespace.
    fn leader(&self) -> Option<String> {
        let nspawn = self.nspawn.id();
        let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
        let leader = children.split_whitespace().next()?;
        let name = fs::read_to_string(format!("/proc/{leader}/comm")).ok()?;
        (name.trim() == "systemd").then(|| leader.to_owned())
    }

    /// The unit of this machine's role.
    pub(crate) fn unit(&self) -> Unit<'_> {
        Unit { machine: self, role: self.role }
    }

    /// The folder of the machine's control groups.
    pub(crate) fn groups(&self) -> PathBuf {
        Path::new(&group()).join(self.role.name()).join("payload")
    }

    /// A file of the machine.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.join("tree").join(path)
    }

    /// The last lines of the journal, for the message of a failed test.
    pub(crate) fn journal(&self) -> String {
        self.try_run("journalctl --no-pager --quiet --lines=60 --unit='pitlane-*'")
            .unwrap_or_else(|error| error)
    }

    fn console(&self) -> String {
        fs::read_to_string(self.folder.join("console")).unwrap_or_default()
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the machine of the {}", self.role.name())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The processes of the container end with the namespaces of the test.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// Creates an empty machine: `/usr` is overlaid on that of this machine when it is powered on.
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
    // With a machine id, systemd does not treat the boot as the first one, which would ask questions.
    let id = match role {
        Role::Manager => 1,
        Role::Node => 2,
    };
    fs::write(tree.join("etc/machine-id"), format!("{id:032x}\n"))
}

fn power_on(role: Role, folder: &Path, media: &Media) -> Child {
    let console = File::options().create(true).append(true).open(folder.join("console"));
    let console = console.expect("the console is a file");
    let group = format!("{}/{}", group(), role.name());
    fs::create_dir_all(&group).unwrap_or_else(|error| panic!("{group}: {error}"));
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/systemd");
    let units = fs::canonicalize(&units).unwrap_or_else(|error| panic!("{}: {error}", units.display()));
    let mounts = [(&media.programs, "programs"), (&media.medium, "medium"), (&units, "units")];
    Command::new("sh")
        .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec systemd-nspawn \"$@\"", &group])
        .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no"])
        .arg(format!("--machine=pitlane-{}", role.name()))
        .arg(format!("--directory={}", folder.join("tree").display()))
        .arg(format!("--overlay=/usr:{}:/usr", folder.join("usr").display()))
        .args(mounts.map(|(path, name)| format!("--bind-ro={}:/mnt/{name}", path.display())))
        .arg("systemd.unit=multi-user.target")
        // Otherwise it would look for the container's systemd before `/usr` is mounted.
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        // It ends when its standard input is closed.
        .stdin(Stdio::piped())
        .stdout(console.try_clone().expect("a second handle"))
        .stderr(console)
        .spawn()
        .expect("systemd-nspawn starts")
}
