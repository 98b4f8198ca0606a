//! Passwords: read from where they are kept, never printed.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The variable that a password is taken from.
pub(crate) const PASSWORD_VARIABLE: &str = "PITLANE_PASSWORD";

/// Longest accepted password file, in bytes.
const MAX_PASSWORD: u64 = 1024;

/// A password. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(String);

impl Password {
    /// Wraps a password.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the request that carries it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The password from a file (its first line) or from the environment; `None` when neither is given.
///
/// # Errors
/// The file cannot be read, or is empty.
pub(crate) fn given(file: Option<&Path>) -> Result<Option<Password>, Failure> {
    let Some(file) = file else {
        return Ok(std::env::var(PASSWORD_VARIABLE).ok().filter(|text| !text.is_empty()).map(Password::new));
    };
    let doing = || format!("read the password from {}", file.display());
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(Failure::io(doing()))?;
    opened.take(MAX_PASSWORD).read_to_string(&mut text).map_err(Failure::io(doing()))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Some(Password::new(line))),
        None => Err(Failure::Usage(format!("{} holds no password in its first line", file.display()))),
    }
}

/// Asks for the password on the terminal, without echo.
///
/// # Errors
/// Standard input is no terminal.
pub(crate) fn ask(user: &str, manager: &str) -> Result<Password, Failure> {
    use std::io::IsTerminal as _;
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "no password is known for {user}, and there is no terminal to ask on; \
             give --password-file FILE or set {PASSWORD_VARIABLE}"
        )));
    }
    let terminal = console::Term::stderr();
    let asked = terminal
        .write_str(&format!("Password of {user} on {manager}: "))
        .and_then(|()| terminal.read_secure_line());
    asked.map(Password::new).map_err(Failure::io("read the password from the terminal"))
}
