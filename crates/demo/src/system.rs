//! Runs programs of the operating system, such as `mount`, `ip` and `tc`, and turns a failure into an error.
//!
//! Relies on the programs being in the path. Never runs a program of the platform: that is `cli` and `machine`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::error::Error;

/// Runs a program until it ends.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let output = command.stdin(Stdio::null()).output();
    let program = || command.get_program().into();
    let output = output.map_err(|source| Error::NotStarted { program: program(), source })?;
    succeeded(command, &output)
}

/// Runs a program until it ends, with `lines` on its standard input.
pub(crate) fn run_with_input(command: &mut Command, lines: &str) -> Result<(), Error> {
    let program = command.get_program().into();
    let started = |source| Error::NotStarted { program, source };
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let output = child.and_then(|mut child| {
        if let Some(mut input) = child.stdin.take() {
            // A program that has ended before it read everything reports its own error below.
            let _ = input.write_all(lines.as_bytes());
        }
        child.wait_with_output()
    });
    succeeded(command, &output.map_err(started)?)
}

fn succeeded(command: &Command, output: &Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    Err(Error::System {
        command: words.join(" "),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
