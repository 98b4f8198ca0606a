//! The command line, as an operator uses it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::Error;
use crate::ground::Ground;

/// `pitlane`, with the settings that every command needs.
#[derive(Clone, Debug)]
pub struct Pitlane {
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    console: Option<(Ground, String)>,
}

impl Pitlane {
    /// The program, not yet bound to a platform.
    pub fn new(program: PathBuf) -> Self {
        Self { program, environment: Vec::new(), console: None }
    }

    /// The same program with one more environment variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The same program at the console of a machine.
    #[must_use]
    pub fn on(mut self, ground: Ground, machine: &str) -> Self {
        self.console = Some((ground, machine.to_owned()));
        self
    }

    /// A command that is about to be run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = match &self.console {
            Some((ground, machine)) => ground.command(machine, self.program.as_os_str()),
            None => Command::new(&self.program),
        };
        command.args(words).envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// What a person types to say the same.
    pub fn as_typed(&self, words: &str) -> String {
        let environment = self.environment.iter().filter(|(name, _)| *name != "PITLANE_CONFIG");
        let environment: Vec<_> =
            environment.map(|(name, value)| format!("{name}={}", value.to_string_lossy())).collect();
        format!("{} {} {words}", environment.join(" "), self.program.display())
    }

    /// Runs a command and returns what it says on standard output.
    ///
    /// # Errors
    /// [`Error::Command`] with its exit code and what it said on standard error.
    pub fn say(&self, words: &[&str]) -> Result<String, Error> {
        let mut command = self.command(words);
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::NotStarted { program: self.program.clone(), source })?;
        if !output.status.success() {
            return Err(Error::Command {
                command: words.join(" "),
                code: output.status.code().unwrap_or(-1),
                said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command and returns its answer.
    ///
    /// # Errors
    /// [`Error::Command`] or [`Error::NotJson`].
    pub fn ask(&self, words: &[&str]) -> Result<Value, Error> {
        let said = self.say(&[&["--json"], words].concat())?;
        serde_json::from_str(&said)
            .map_err(|_| Error::NotJson { command: words.join(" "), said: said.chars().take(400).collect() })
    }
}
