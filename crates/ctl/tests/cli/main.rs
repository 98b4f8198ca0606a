//! The built program, as an operator and a script meet it: what it prints where, and its exit codes.

mod account;
mod answers;
mod local;
mod platform;
mod server;
mod simulate;
mod trust;
mod upgrade;
mod uploads;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Where a test's profile and files are. Nothing of the machine's own profile is seen.
pub(crate) struct Home(pub(crate) TempDir);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The command, with nothing of this machine's environment.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane"));
        command.env_clear().env("HOME", self.path()).current_dir(self.path());
        command.args(line).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Came {
        came(&self.command(line).output().unwrap())
    }

    /// Runs a command that must succeed.
    pub(crate) fn good(&self, line: &[&str]) -> Came {
        let came = self.run(line);
        assert_eq!(came.code, 0, "{line:?}: {came:#?}");
        came
    }
}

pub(crate) fn came(output: &Output) -> Came {
    Came {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

#[test]
fn the_exit_codes_are_in_the_help() {
    let came = Home::new().good(&["--help"]);
    assert!(came.out.contains("  3  refused or blocked; nothing was changed"), "{}", came.out);
    assert_eq!(Home::new().run(&["upgrade", "fly"]).code, 2);
}

#[test]
fn completions_are_printed_for_a_shell() {
    let came = Home::new().good(&["completions", "bash"]);
    assert!(came.out.contains("complete -F _pitlane"), "{}", came.out);
}

#[test]
fn a_demonstration_that_is_not_installed_is_said_to_be_missing() {
    let home = Home::new();
    // A copy of its own, so that a demonstration beside the tested program does not count.
    let program = home.path().join("pitlane");
    std::fs::copy(env!("CARGO_BIN_EXE_pitlane"), &program).unwrap();
    let run = || came(&Command::new(&program).args(["demo", "--nodes", "4"]).output().unwrap());
    let missing = run();
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("there is no demonstration at"), "{}", missing.err);

    let demo = home.path().join("pitlane-demo");
    std::fs::write(&demo, "#!/bin/sh\necho \"demo $*\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&demo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let there = run();
    assert_eq!((there.code, there.out.as_str()), (7, "demo --nodes 4\n"));
}
