//! Where passwords come from: a file, the environment, standard input or the terminal. None is printed, and the
//! terminal does not echo.

use std::io::Read as _;
use std::path::Path;

use crate::failure::Failure;
use crate::password::Password;

/// The environment variable with the password.
pub(crate) const PASSWORD_VARIABLE: &str = "PITLANE_PASSWORD";

/// Longest accepted password file, in bytes: a passphrase of 1,000 characters in any script, and its line end.
const MAX_PASSWORD: u64 = 4_002;

/// The password from a file (its first line) or from the environment; `None` if neither is given.
///
/// # Errors
/// The file cannot be read, or is empty.
pub(crate) fn given(file: Option<&Path>) -> Result<Option<Password>, Failure> {
    let Some(file) = file else {
        return Ok(std::env::var(PASSWORD_VARIABLE).ok().filter(|text| !text.is_empty()).map(Password::new));
    };
    let doing = || format!("read the password from {}", file.display());
    let opened = std::fs::File::open(file).map_err(Failure::io(doing()))?;
    first_line(opened, &file.display().to_string()).map(Some)
}

/// The new password from a file, or from standard input if the file is `-`; asked for twice on the terminal if no
/// file is given.
///
/// # Errors
/// It cannot be read, is empty, or the two differ.
pub(crate) fn new_password(file: Option<&Path>, user: &str) -> Result<Password, Failure> {
    match file {
        Some(file) => from_file(file),
        None => {
            let missing = "there is no terminal to ask on for the new password; give --new-password-file FILE, or - for \
                           standard input";
            let new = ask_for(&format!("New password of {user}: "), missing)?;
            if new == ask_for("The same again: ", missing)? {
                return Ok(new);
            }
            Err(Failure::Usage("the two passwords differ; nothing was changed".into()))
        }
    }
}

/// Whether a passphrase is asked for once more, lest it is misspelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// It is known to something, which would notice.
    Once,
    /// It is new.
    Twice,
}

/// The passphrase of a backup from a file, or from standard input if the file is `-`; asked for on the terminal if no
/// file is given.
///
/// # Errors
/// It cannot be read, is empty, or the two differ.
pub(crate) fn passphrase(
    file: Option<&Path>,
    question: &str,
    repeated: Repeated,
) -> Result<Password, Failure> {
    if let Some(file) = file {
        return from_file(file);
    }
    let missing = "there is no terminal to ask on for the passphrase; give --passphrase-file FILE, or - for standard \
                   input";
    let first = ask_for(question, missing)?;
    if repeated == Repeated::Twice && first != ask_for("The same again: ", missing)? {
        return Err(Failure::Usage("the two passphrases differ; nothing was changed".into()));
    }
    Ok(first)
}

/// The first line of a file, or of standard input if the file is `-`.
fn from_file(file: &Path) -> Result<Password, Failure> {
    if file == Path::new("-") {
        return first_line(std::io::stdin(), "standard input");
    }
    let doing = format!("read the password from {}", file.display());
    first_line(std::fs::File::open(file).map_err(Failure::io(doing))?, &file.display().to_string())
}

/// The first line of a source.
fn first_line(source: impl std::io::Read, name: &str) -> Result<Password, Failure> {
    let mut text = String::new();
    let read = source.take(MAX_PASSWORD).read_to_string(&mut text);
    read.map_err(Failure::io(format!("read the password from {name}")))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Password::new(line)),
        None => Err(Failure::Usage(format!("{name} holds no password in its first line"))),
    }
}

/// Asks for the password on the terminal, without echo.
///
/// # Errors
/// Standard input is no terminal.
pub(crate) fn ask(user: &str, manager: &str) -> Result<Password, Failure> {
    let missing = format!(
        "no password is known for {user}, and there is no terminal to ask on; \
         give --password-file FILE or set {PASSWORD_VARIABLE}"
    );
    ask_for(&format!("Password of {user} on {manager}: "), &missing)
}

/// Asks a question on the terminal, and reads the answer without echo.
fn ask_for(question: &str, missing: &str) -> Result<Password, Failure> {
    use std::io::IsTerminal as _;
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(missing.into()));
    }
    let terminal = console::Term::stderr();
    let asked = terminal.write_str(question).and_then(|()| terminal.read_secure_line());
    asked.map(Password::new).map_err(Failure::io("read the password from the terminal"))
}
