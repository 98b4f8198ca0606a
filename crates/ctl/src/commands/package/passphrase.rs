//! The passphrase of a signing key: from a file, or typed on the terminal. Never from an argument, which others can see
//! in the list of processes.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use ::package::limits::MAX_PASSPHRASE;
use ::package::{Passphrase, Protection, SigningKey};

use crate::args::{ProtectionArgs, SignerArgs};
use crate::failure::Failure;

/// How a new key is protected.
///
/// # Errors
/// No option is given and there is no terminal to ask on, or the two passphrases differ.
pub(super) fn of_a_new_key(args: &ProtectionArgs) -> Result<Protection, Failure> {
    match (&args.passphrase_file, args.no_passphrase) {
        (Some(file), _) => Ok(Protection::Passphrase(from_file(file)?)),
        (None, true) => Ok(Protection::Nothing),
        (None, false) => {
            let first = ask("Passphrase of the new key: ", "--passphrase-file FILE, or --no-passphrase")?;
            let again = ask("The same again: ", "--passphrase-file FILE")?;
            if first != again {
                return Err(Failure::Usage("the two passphrases differ; no key was made".into()));
            }
            Ok(Protection::Passphrase(Passphrase::new(first)?))
        }
    }
}

/// Reads a signing key, with its passphrase if it has one.
///
/// # Errors
/// The key or its passphrase is wrong or cannot be read.
pub(in crate::commands) fn open(signer: &SignerArgs) -> Result<SigningKey, Failure> {
    let key = &signer.key;
    if !SigningKey::is_protected(key)? {
        return Ok(SigningKey::load(key)?);
    }
    let passphrase = match &signer.passphrase_file {
        Some(file) => from_file(file)?,
        None => {
            let question = format!("Passphrase of {}: ", key.display());
            Passphrase::new(ask(&question, "--passphrase-file FILE")?)?
        }
    };
    Ok(SigningKey::load_protected(key, &passphrase)?)
}

/// The first line of a file.
fn from_file(file: &Path) -> Result<Passphrase, Failure> {
    let doing = || format!("read the passphrase from {}", file.display());
    let mut text = String::new();
    let opened = File::open(file).map_err(Failure::io(doing()))?;
    // One byte more than the longest, and a line end, so that a longer one is refused and not truncated.
    opened.take(MAX_PASSPHRASE as u64 + 2).read_to_string(&mut text).map_err(Failure::io(doing()))?;
    Ok(Passphrase::new(text.lines().next().unwrap_or_default())?)
}

fn ask(question: &str, instead: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "the key needs a passphrase, and there is no terminal to ask on; give {instead}"
        )));
    }
    let terminal = console::Term::stderr();
    let asked = terminal.write_str(question).and_then(|()| terminal.read_secure_line());
    asked.map_err(Failure::io("read the passphrase from the terminal"))
}
