//! Runs `pitlane`, the command line, as an operator does.
//!
//! Relies on the program's arguments, exit codes and JSON output only. Never sends a request of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::Error;
use crate::topology::Topology;

/// Characters of an output that is no JSON that the error shows.
const OUTPUT_IN_ERROR: usize = 400;

/// `pitlane`, with the environment that every command needs.
#[derive(Clone, Debug)]
pub struct Pitlane {
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    machine: Option<(Topology, String)>,
}

impl Pitlane {
    /// The program, not yet bound to a platform.
    pub fn new(program: PathBuf) -> Self {
        Self { program, environment: Vec::new(), machine: None }
    }

    /// The same program with one more environment variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The same program, run on a machine.
    #[must_use]
    pub fn on(mut self, topology: Topology, machine: &str) -> Self {
        self.machine = Some((topology, machine.to_owned()));
        self
    }

    /// A command that has not been started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.machine {
            Some((topology, machine)) => topology.command(machine, self.program.as_os_str()),
            None => Command::new(&self.program),
        };
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// The line of a shell that runs the same command.
    pub fn shell_line(&self, arguments: &str) -> String {
        let environment = self.environment.iter().filter(|(name, _)| *name != "PITLANE_CONFIG");
        let environment: Vec<_> =
            environment.map(|(name, value)| format!("{name}={}", value.to_string_lossy())).collect();
        format!("{} {} {arguments}", environment.join(" "), self.program.display())
    }

    /// Runs a command and returns its standard output.
    ///
    /// # Errors
    /// [`Error::Command`] with its exit code and its standard error.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = self.command(arguments);
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::NotStarted { program: self.program.clone(), source })?;
        if !output.status.success() {
            return Err(Error::Command {
                command: arguments.join(" "),
                code: output.status.code().unwrap_or(-1),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command with `--json` and returns the parsed output.
    ///
    /// # Errors
    /// [`Error::Command`] or [`Error::NotJson`].
    pub fn query(&self, arguments: &[&str]) -> Result<Value, Error> {
        let output = self.run(&[&["--json"], arguments].concat())?;
        serde_json::from_str(&output).map_err(|_| Error::NotJson {
            command: arguments.join(" "),
            output: output.chars().take(OUTPUT_IN_ERROR).collect(),
        })
    }
}
