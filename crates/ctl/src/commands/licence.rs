//! `pitlane licence`: signing and verifying licences on this machine, for which the Management Node is not needed, and the
//! entry to what is installed there. Relies on crate `licence`.
//!
//! What a licence says is written in TOML:
//!
//! ```toml
//! id = "2026-0042"
//! customer = "Example Ltd"
//! features = ["customlayouts"]
//! not_before = "2026-11-23"      # valid from the start when left out
//! expires = "2027-11-22"         # the last day; never when left out
//! counts = { port = 100, vmr = "unlimited" }
//! versions = { from = 34, to = 36 }  # all later ones without `to`
//! ```

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use ::licence::limits::MAX_LICENCE;
use ::licence::{Licence, Terms, sign};
use ::package::TrustedKeys;
use serde_json::json;

use super::installed_licences;
use super::package::passphrase;
use super::session::{Output, Session, block_on, output};
use crate::args::{Global, LicenceCommand, SignArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::text::sanitized;

/// Runs a command about licences.
pub(crate) fn run(global: &Global, command: &LicenceCommand) -> Result<Exit, Failure> {
    match command {
        LicenceCommand::Sign(args) => sign_one(args, output(global)),
        LicenceCommand::Verify { file, trust } => verify(file, trust, output(global)),
        LicenceCommand::List => block_on(async { installed_licences::list(&Session::open(global)?).await }),
        LicenceCommand::Add { file } => {
            block_on(async { installed_licences::add(&Session::open(global)?, file).await })
        }
        LicenceCommand::Delete { id } => {
            block_on(async { installed_licences::delete(&Session::open(global)?, id).await })
        }
        LicenceCommand::Usage => block_on(async { installed_licences::usage(&Session::open(global)?).await }),
    }
}

fn sign_one(args: &SignArgs, output: Output) -> Result<Exit, Failure> {
    let terms = specified(&args.spec)?;
    let key = passphrase::open(&args.signer)?;
    let text = sign(&terms, &key).map_err(refused(&args.spec))?;
    let created = File::create_new(&args.out).and_then(|mut file| file.write_all(text.as_bytes()));
    created.map_err(Failure::io(format!("write {}", args.out.display())))?;
    show(&terms, format!("{} is signed with key {}.", args.out.display(), key.id()), output);
    Ok(Exit::Ok)
}

fn verify(file: &Path, trust: &Path, output: Output) -> Result<Exit, Failure> {
    let licence = Licence::read(&read(file)?, &TrustedKeys::load(trust)?).map_err(refused(file))?;
    let first = format!("{} is verified: signed with key {}, which is trusted.", file.display(), licence.key);
    show(&licence.terms, first, output);
    Ok(Exit::Ok)
}

fn refused(file: &Path) -> impl FnOnce(::licence::Refusal) -> Failure {
    move |source| Failure::Licence { what: file.display().to_string(), source }
}

/// Reads a file that is no larger than a licence.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let io = || Failure::io(format!("read {}", file.display()));
    let mut text = String::new();
    // One byte more, so that a longer one is refused and not truncated.
    let opened = File::open(file).map_err(io())?;
    opened.take(MAX_LICENCE as u64 + 1).read_to_string(&mut text).map_err(io())?;
    Ok(text)
}

/// Reads what a licence is to say.
fn specified(file: &Path) -> Result<Terms, Failure> {
    let wrong = |source| Failure::Toml { file: file.into(), source: Box::new(source) };
    let given: toml::Table = toml::from_str(&read(file)?).map_err(wrong)?;
    let terms: Terms = given.clone().try_into().map_err(wrong)?;
    let known = toml::Table::try_from(&terms).unwrap_or_default();
    match unknown(&given, &known) {
        None => Ok(terms),
        Some(field) => Err(Failure::Declined {
            what: format!("{}: there is no field {field:?} in a licence", file.display()),
            hint: "correct the file and try again".into(),
        }),
    }
}

/// A field that was given and is in no licence. A licence itself may have fields of a later release; in what is signed
/// here a misspelt one would be a term that nobody notices to be missing.
fn unknown(given: &toml::Table, known: &toml::Table) -> Option<String> {
    given.iter().find_map(|(name, value)| match (value, known.get(name)) {
        (_, None) => Some(name.clone()),
        (toml::Value::Table(given), Some(toml::Value::Table(known))) => unknown(given, known),
        (_, Some(_)) => None,
    })
}

fn show(terms: &Terms, first: String, output: Output) {
    match output {
        Output::Json => terminal::print_json(&json!(terms)),
        Output::Words => {
            terminal::print_line(first);
            terminal::print(&describe(terms));
        }
    }
}

/// The fields of a licence, a line each.
fn describe(terms: &Terms) -> Vec<String> {
    let features: Vec<&str> = terms.features.iter().map(String::as_str).collect();
    let begins = terms.not_before.map_or("from the start".into(), |day| format!("from {day}"));
    let ends = terms.expires.map_or("for ever".into(), |day| format!("to the end of {day}"));
    let mut lines = vec![
        format!("  licence   {}, for {}", terms.id, sanitized(&terms.customer)),
        format!("  calls     {}", terms.counts.port),
        format!("  rooms     {}", terms.counts.vmr),
    ];
    if !features.is_empty() {
        lines.push(format!("  features  {}", features.join(", ")));
    }
    lines.push(format!("  valid     {begins} {ends}"));
    lines.push(format!("  versions  {}", terms.versions));
    lines
}
