//! The tools that the tests need: installs missing Debian packages, and names the command for those that do not
//! come from Debian.

use std::process::Command;

use crate::run::{Failed, cargo, run};

/// A program, and the Debian package that contains it.
const NEEDED: [(&str, &str); 8] = [
    // libopus is compiled in.
    ("cmake", "cmake"),
    ("sipp", "sip-tester"),
    ("baresip", "baresip"),
    ("minisign", "minisign"),
    // Network namespaces, virtual links and their limits for tests.
    ("ip", "iproute2"),
    // The shipped units under systemd.
    ("systemd-nspawn", "systemd-container"),
    // libFuzzer is written in C++.
    ("g++", "g++"),
    // Earlier releases are built from their commits.
    ("git", "git"),
];

/// Installs what is missing.
pub(crate) fn install() -> Result<(), Failed> {
    check_nextest()?;
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_there("apt-get") {
        let missing = missing.join(", ");
        return Err(Failed::Tool(format!(
            "the tests need these Debian packages, install them by hand: {missing}"
        )));
    }
    run(apt().args(["update", "-qq"]))?;
    run(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(missing))
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

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// `apt-get`, through sudo where there is one and it is needed.
fn apt() -> Command {
    let mut command = if is_there("sudo") && !is_root() {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    } else {
        Command::new("apt-get")
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
