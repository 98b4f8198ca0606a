//! `pitlane machine`: the first installation of a machine, and the owners of its files. The release is confirmed as the
//! last step, so a machine whose installation was interrupted is installed again, not started. Relies on `package` for
//! verification and on `slots` for the slot; upgrades are not done here.

mod owner;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::package::{Installed, Role, TrustedKeys, Verified};
use jiff::civil::Date;
use serde_json::json;
use slots::{MACHINE_FILE, MACHINE_FILE_MAX, Machine, SlotIdentity, Staging, replace_file};

use self::owner::User;
use super::session::Output;
use crate::api::now;
use crate::args::{InstallArgs, MachineCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;

/// Runs a command about a machine.
pub(crate) fn run(command: &MachineCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        MachineCommand::Install(args) => install(args, output),
        MachineCommand::Protect { root, run_as } => protect(root, run_as, output),
    }
}

fn protect(root: &Path, user: &str, output: Output) -> Result<Exit, Failure> {
    // Fails if the directory is not a machine, before any owner is changed.
    Machine::open(root).record()?;
    owner::set_owners(root, User::named(user)?)?;
    match output {
        Output::Json => terminal::print_json(&json!({"root": root, "user": user})),
        Output::Words => terminal::print_line(format!(
            "{}: the trusted keys and the settings belong to root, the rest to {user}.",
            root.display()
        )),
    }
    Ok(Exit::Ok)
}

/// Installs a machine. Everything that can be refused is checked before anything is written.
fn install(args: &InstallArgs, output: Output) -> Result<Exit, Failure> {
    let role = Role::from(args.role);
    let settings = args.settings.as_deref().map(|file| settings(file, role)).transpose()?;
    check_settings_in_place(&args.root, settings.as_deref())?;
    let user = args.run_as.as_deref().map(User::named).transpose()?;
    let keys = TrustedKeys::load(&args.trust)?;
    let verified = verify(&args.package, &keys)?;
    let machine = Machine::open(&args.root);
    fs::create_dir_all(&args.root)
        .map_err(Failure::io(format!("make the directory {}", args.root.display())))?;
    let staging = machine.install_first()?;
    let slot = staging.slot();
    unpack(args, &verified, role, &staging)?;
    copy_keys(&args.trust, &args.root.join(package::TRUST_DIR))?;
    // The keys must be durable before the release beside them counts as installed.
    let durable = fs::File::open(&args.root).and_then(|root| root.sync_all());
    durable.map_err(Failure::io(format!("make {} durable", args.root.display())))?;
    if let Some(text) = &settings {
        write(&args.root.join(MACHINE_FILE), text.as_bytes())?;
    }
    let identity = identity(&verified, role);
    staging.finish(&identity)?;
    if let Some(user) = user {
        owner::set_owners(&args.root, user)?;
    }
    let root = args.root.display();
    match output {
        Output::Json => terminal::print_json(&json!({
            "root": args.root, "role": role.to_string(), "slot": slot.to_string(), "release": identity,
            "key": verified.key().to_string(),
        })),
        Output::Words => terminal::print(&[
            format!("{root} is installed as a {}: {identity} in slot {slot}, confirmed.", role_words(role)),
            format!("Verified with key {}; start it with: pitlane-boot --root {root}", verified.key()),
        ]),
    }
    if let Some(last) = expired(&verified) {
        terminal::message(&format!(
            "The package expired on {last}: it is installed all the same, as for a machine that is to run what its \
             platform runs; no upgrade is started with it."
        ));
    }
    if settings.is_none() && !args.root.join(MACHINE_FILE).exists() {
        terminal::message(&format!(
            "It has no settings yet: write {root}/{MACHINE_FILE} before it is started."
        ));
    }
    Ok(Exit::Ok)
}

/// The last day of the package, if that has passed.
fn expired(verified: &Verified) -> Option<Date> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(now().0).date();
    verified.taken_on(today).is_err().then_some(verified.manifest().valid_until).flatten()
}

fn role_words(role: Role) -> &'static str {
    match role {
        Role::Manager => "Management Node",
        Role::Node => "Conferencing Node",
    }
}

/// Reads the settings, which must be TOML and have a table for the role.
fn settings(file: &Path, role: Role) -> Result<String, Failure> {
    let reading = || Failure::io(format!("read the settings {}", file.display()));
    if fs::metadata(file).map_err(reading())?.len() > MACHINE_FILE_MAX {
        return Err(reading()(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    let text = fs::read_to_string(file).map_err(reading())?;
    let wrong = |source| Failure::Toml { file: file.into(), source: Box::new(source) };
    let table: toml::Table = toml::from_str(&text).map_err(wrong)?;
    let own = role.to_string();
    if table.get(&own).is_some_and(toml::Value::is_table) {
        return Ok(text);
    }
    Err(Failure::Declined {
        what: format!("{} has no table [{own}], so it is not for a {}", file.display(), role_words(role)),
        hint: "give the settings that belong to this role".into(),
    })
}

/// Refuses settings that differ from those already in place, which are the operator's and are kept.
fn check_settings_in_place(root: &Path, new: Option<&str>) -> Result<(), Failure> {
    let file = root.join(MACHINE_FILE);
    match (fs::read_to_string(&file), new) {
        (Ok(old), Some(new)) if old != new => Err(Failure::Declined {
            what: format!("{} exists already and differs; nothing was changed", file.display()),
            hint: "leave --settings out to keep it, or move it away".into(),
        }),
        _ => Ok(()),
    }
}

fn verify(file: &Path, keys: &TrustedKeys) -> Result<Verified, Failure> {
    let refused = |source| Failure::Package { what: format!("the package {}", file.display()), source };
    ::package::verify_file(file, keys).map_err(refused)
}

/// Unpacks the role's payload into the staging directory, with the signed manifest beside it.
fn unpack(args: &InstallArgs, verified: &Verified, role: Role, staging: &Staging) -> Result<(), Failure> {
    let refused =
        |source| Failure::Package { what: format!("the package {}", args.package.display()), source };
    let payload = args.root.join(format!("{}.install", role.payload_file()));
    let unpacked = ::package::extract_payload(&args.package, verified, role, &payload)
        .and_then(|()| ::package::unpack_release(&payload, verified, role, &staging.dir()));
    // The payload is temporary; if it cannot be removed, it does no harm.
    let _ = fs::remove_file(&payload);
    unpacked.map_err(refused)
}

fn identity(verified: &Verified, role: Role) -> SlotIdentity {
    let Installed { manifest, version, build, program } = verified.installed(role);
    SlotIdentity::new(manifest, version, build, program)
}

/// Copies the public keys, and only those.
fn copy_keys(from: &Path, to: &Path) -> Result<(), Failure> {
    let reading = || Failure::io(format!("read the keys in {}", from.display()));
    fs::create_dir_all(to).map_err(Failure::io(format!("make the directory {}", to.display())))?;
    for entry in fs::read_dir(from).map_err(reading())? {
        let file: PathBuf = entry.map_err(reading())?.path();
        if let (Some("pub"), Some(name)) = (file.extension().and_then(|e| e.to_str()), file.file_name()) {
            write(&to.join(name), &fs::read(&file).map_err(reading())?)?;
        }
    }
    Ok(())
}

fn write(file: &Path, content: &[u8]) -> Result<(), Failure> {
    replace_file(file, content, 0o644).map_err(Failure::io(format!("write {}", file.display())))
}
