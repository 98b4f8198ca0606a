//! Runs commands, and the error type of all tasks, which names the command that failed.

use std::path::PathBuf;
use std::process::Command;

use thiserror::Error;

/// Why a task failed.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    /// A command could not be started.
    #[error("{0} cannot be started: {1}")]
    NotStarted(String, std::io::Error),
    /// A command ended with an error.
    #[error("{0} failed ({1})")]
    Command(String, std::process::ExitStatus),
    /// A file could not be read, copied or made.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The tree breaks rules of tidiness.
    #[error("the tree is not tidy:\n{}", .0.join("\n"))]
    Untidy(Vec<String>),
    /// A tool is missing and cannot be installed.
    #[error("{0}")]
    Tool(String),
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.pop();
    folder.pop();
    folder
}

/// Cargo, in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), Failed> {
    let name = describe(command);
    let status = command.status().map_err(|error| Failed::NotStarted(name.clone(), error))?;
    if status.success() { Ok(()) } else { Err(Failed::Command(name, status)) }
}

/// The standard output of a command.
pub(crate) fn output(command: &mut Command) -> Result<String, Failed> {
    let name = describe(command);
    let output = command.output().map_err(|error| Failed::NotStarted(name.clone(), error))?;
    if !output.status.success() {
        return Err(Failed::Command(name, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program and its arguments, for messages.
pub(crate) fn describe(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    format!("{program} {}", arguments.join(" "))
}
