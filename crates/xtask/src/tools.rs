//! The tools that a build and the tests need: installs missing Debian packages, and names the command for those that
//! do not come from Debian.

use std::process::Command;

use crate::run::{Failed, cargo, run, workspace};

/// A program, and the Debian package that contains it.
type Tool = (&'static str, &'static str);

/// What a build needs: libopus and OpenSSL are compiled in.
const FOR_BUILDS: [Tool; 3] = [
    ("cmake", "cmake"),
    ("make", "make"),
    // OpenSSL is configured by Perl with its modules. This program comes with them; `perl` itself is there without.
    ("corelist", "perl"),
];

/// What the tests need besides.
const FOR_TESTS: [Tool; 12] = [
    ("sipp", "sip-tester"),
    ("sipsak", "sipsak"),
    ("baresip", "baresip"),
    ("linphonec", "linphone-cli"),
    (PROXY, "kamailio"),
    ("minisign", "minisign"),
    // Certificates and backups are compared with those of the stock tools.
    ("openssl", "openssl"),
    ("age", "age"),
    // Network namespaces, virtual links and their limits for tests.
    ("ip", "iproute2"),
    // The shipped units under systemd.
    ("systemd-nspawn", "systemd-container"),
    // libFuzzer is written in C++.
    ("g++", "g++"),
    // Earlier releases are built from their commits.
    ("git", "git"),
];

/// A SIP proxy. Its package starts a service.
const PROXY: &str = "kamailio";

/// The tool that judges the management API by its OpenAPI document, from PyPI.
const API_JUDGE: &str = "schemathesis==4.32.5";

/// Where it is installed, below the root of the workspace.
const API_JUDGE_IN: &str = "target/tools/schemathesis";

/// Installs what the tests need and is missing.
pub(crate) fn install() -> Result<(), Failed> {
    check_nextest()?;
    install_missing(&[&FOR_BUILDS[..], &FOR_TESTS].concat())?;
    install_api_judge()
}

/// Installs it into an environment of its own, so that the machine's Python stays as it is.
fn install_api_judge() -> Result<(), Failed> {
    let folder = workspace().join(API_JUDGE_IN);
    let pip = folder.join("bin/pip");
    if folder.join("bin/schemathesis").is_file() {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", API_JUDGE]))
}

/// Installs what a build needs and is missing.
pub(crate) fn install_for_builds() -> Result<(), Failed> {
    install_missing(&FOR_BUILDS)
}

fn install_missing(tools: &[Tool]) -> Result<(), Failed> {
    let missing: Vec<&str> =
        tools.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_there("apt-get") {
        let missing = missing.join(", ");
        return Err(Failed::Tool(format!(
            "these Debian packages are needed, install them by hand: {missing}"
        )));
    }
    if missing.contains(&PROXY) {
        mask_the_proxy()?;
    }
    run(as_root("apt-get").args(["update", "-qq"]))?;
    run(as_root("apt-get").args(["install", "-y", "-qq", "--no-install-recommends"]).args(missing))
}

/// The tests run last; that their runner is there is checked first.
pub(crate) fn check_nextest() -> Result<(), Failed> {
    let answer = cargo(&["nextest", "--version"]).output();
    if answer.is_ok_and(|answer| answer.status.success()) {
        return Ok(());
    }
    Err(Failed::Tool(
        "cargo-nextest, which runs the tests, is missing; install it with `cargo install --locked \
         cargo-nextest`, then run this again"
            .into(),
    ))
}

/// Keeps systemd from starting a proxy on the addresses of this machine when its package is installed: the tests start
/// proxies of their own.
fn mask_the_proxy() -> Result<(), Failed> {
    if !is_there("systemctl") {
        return Ok(());
    }
    run(as_root("systemctl").args(["--quiet", "mask", "kamailio.service"]))
}

/// Whether a program is in the search path, or where those of the system's services are.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let services = std::path::PathBuf::from("/usr/sbin");
    std::env::split_paths(&path).chain([services]).any(|folder| folder.join(program).is_file())
}

/// A program of the system, through sudo where there is one and it is needed.
fn as_root(program: &str) -> Command {
    let mut command = if is_there("sudo") && !is_root() {
        let mut sudo = Command::new("sudo");
        // sudo passes no environment on.
        sudo.args(["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", program]);
        sudo
    } else {
        Command::new(program)
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
