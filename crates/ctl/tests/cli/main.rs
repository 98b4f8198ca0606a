//! Tests of the built program: its output, where it prints it, and its exit codes.

mod account;
mod answers;
mod backup;
mod calls;
mod config;
mod history;
mod licence;
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

/// The home directory of a test, with its profile and files. The machine's own profile is not used.
pub(crate) struct Home(pub(crate) TempDir);

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
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

    /// The command, without the environment of this machine.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pitlane"));
        command.env_clear().env("HOME", self.path()).current_dir(self.path());
        command.args(line).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Outcome {
        outcome(&self.command(line).output().unwrap())
    }

    /// Runs a command that must succeed.
    pub(crate) fn run_ok(&self, line: &[&str]) -> Outcome {
        let outcome = self.run(line);
        assert_eq!(outcome.code, 0, "{line:?}: {outcome:#?}");
        outcome
    }
}

pub(crate) fn outcome(output: &Output) -> Outcome {
    Outcome {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

#[test]
fn exit_codes_are_in_the_help() {
    let outcome = Home::new().run_ok(&["--help"]);
    assert!(outcome.out.contains("  3  refused or blocked; nothing was changed"), "{}", outcome.out);
    assert_eq!(Home::new().run(&["upgrade", "fly"]).code, 2);
}

#[test]
fn completions_are_printed_for_a_shell() {
    let outcome = Home::new().run_ok(&["completions", "bash"]);
    assert!(outcome.out.contains("complete -F _pitlane"), "{}", outcome.out);
}

#[test]
fn missing_demonstration_is_reported() {
    let home = Home::new();
    // A copy of its own, so that a demonstration beside the tested program does not count.
    let program = home.path().join("pitlane");
    std::fs::copy(env!("CARGO_BIN_EXE_pitlane"), &program).unwrap();
    let run = || outcome(&Command::new(&program).args(["demo", "--nodes", "4"]).output().unwrap());
    let missing = run();
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("there is no demonstration at"), "{}", missing.err);

    let demo = home.path().join("pitlane-demo");
    std::fs::write(&demo, "#!/bin/sh\necho \"demo $*\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&demo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let there = run();
    assert_eq!((there.code, there.out.as_str()), (7, "demo --nodes 4\n"));
}
