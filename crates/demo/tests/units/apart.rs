//! A test in namespaces of its own: a network, a tree of control groups, and all of its processes. They go
//! with the test, however it ends.

use std::path::Path;
use std::process::{Command, Stdio};

/// The variable that tells a test that it is in its namespaces already: its name is that of its group.
const INSIDE: &str = "PITLANE_UNITS_GROUP";

/// The programs that are run, each with the Debian package that brings it.
const NEEDED: [(&str, &str); 5] = [
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/lib/systemd/systemd", "systemd"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/sbin/useradd", "passwd"),
];

/// Makes the namespaces, runs the words that it is given in them, and takes away its files and control
/// groups, also when it is told to end. `systemd-nspawn` keeps its own in `/run/systemd`, and wants that to be in memory.
const GROUND: &str = r#"
set -e
mkdir -p /run/systemd
mount -t tmpfs pitlane /run/systemd
mount -t cgroup2 pitlane /sys/fs/cgroup
ip link set lo up
mkdir "/sys/fs/cgroup/$PITLANE_UNITS_GROUP"
TMPDIR=$(mktemp -d)
export TMPDIR
unshare --pid --fork --kill-child --mount-proc "$@" &
inside=$!
# The first process inside hears no SIGTERM; with it ends every other.
trap 'kill -KILL $(cat /proc/$inside/task/$inside/children)' INT TERM
code=1
while kill -0 $inside 2>/dev/null; do
    code=0
    wait $inside || code=$?
done
find "/sys/fs/cgroup/$PITLANE_UNITS_GROUP" -depth -type d -exec rmdir {} +
rm -rf "$TMPDIR"
exit $code
"#;

/// Runs a test's story apart from everything else on this machine.
pub(crate) fn apart(test: &str, story: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return story();
    }
    assert_possible();
    let itself = std::env::current_exe().expect("the test knows its own program");
    let ended = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", GROUND, "sh"])
        .arg(itself)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, format!("pitlane-units-{}", std::process::id()))
        .stdin(Stdio::null())
        .status()
        .expect("unshare starts");
    assert!(ended.success(), "{test} ended with {ended} in its namespaces; what it said is above");
}

/// The folder of this test's control groups.
pub(crate) fn group() -> String {
    let name = std::env::var(INSIDE).expect("the test is in its namespaces");
    format!("/sys/fs/cgroup/{name}")
}

fn assert_possible() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this boots systemd in containers, which needs the rights of root; run it as root"
    );
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(program, _)| !Path::new(program).is_file())
        .map(|(_, package)| *package)
        .collect();
    assert!(
        missing.is_empty(),
        "this boots systemd in containers; install these Debian packages: {}",
        missing.join(", ")
    );
}
