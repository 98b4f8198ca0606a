//! Runs a test in namespaces of its own: network, mounts, control groups and processes. They end with the test, however
//! it ends.

use std::path::Path;
use std::process::{Command, Stdio};

/// The variable that is set inside the namespaces; its value is the name of the test's control group.
const INSIDE: &str = "PITLANE_UNITS_GROUP";

/// The programs that are needed, each with its Debian package.
const NEEDED: [(&str, &str); 5] = [
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/lib/systemd/systemd", "systemd"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/sbin/useradd", "passwd"),
];

/// Creates the namespaces, runs a command in them, and removes its files and control groups, also on a signal.
/// `systemd-nspawn` requires that `/run/systemd` is in memory.
const SETUP: &str = r#"
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
# The first process of a process namespace ignores SIGTERM; when it is killed, all others end.
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

/// Runs the body of a test in namespaces of its own.
pub(crate) fn isolated(test: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    assert_possible();
    let itself = std::env::current_exe().expect("the test knows its own program");
    let ended = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", SETUP, "sh"])
        .arg(itself)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, format!("pitlane-units-{}", std::process::id()))
        .stdin(Stdio::null())
        .status()
        .expect("unshare starts");
    assert!(ended.success(), "{test} ended with {ended} in its namespaces; its output is above");
}

/// The folder of this test's control groups.
pub(crate) fn group() -> String {
    let name = std::env::var(INSIDE).expect("the test is in its namespaces");
    format!("/sys/fs/cgroup/{name}")
}

fn assert_possible() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this boots systemd in containers, which needs root privileges; run it as root"
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
