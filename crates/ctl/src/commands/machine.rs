//! `pitlane machine install`: the first installation of a machine. The release becomes the confirmed
//! one last, so that a machine that was cut off on the way is installed again, not started.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ::package::{MANIFEST_FILE, Role, SIGNATURE_FILE, TrustedKeys, Verified};
use serde_json::json;
use slots::{Machine, SlotIdentity, Staging};

use super::Output;
use crate::args::{InstallArgs, MachineCommand};
use crate::failure::{Exit, Failure};
use crate::terminal;

/// Largest accepted settings file, in bytes.
const MAX_SETTINGS: u64 = 64 << 10;

/// Runs a command about a machine.
pub(crate) fn run(command: &MachineCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        MachineCommand::Install(args) => install(args, output),
    }
}

/// Everything that can be refused is looked at before anything is written.
fn install(args: &InstallArgs, output: Output) -> Result<Exit, Failure> {
    let role = Role::from(args.role);
    let settings = args.settings.as_deref().map(|file| settings(file, role)).transpose()?;
    check_settings_in_place(&args.root, settings.as_deref())?;
    let keys = TrustedKeys::load(&args.trust)?;
    let verified = verify(&args.package, &keys)?;
    let machine = Machine::open(&args.root);
    fs::create_dir_all(&args.root)
        .map_err(Failure::io(format!("make the directory {}", args.root.display())))?;
    let staging = machine.install_first()?;
    let slot = staging.slot();
    unpack(args, &verified, role, &staging)?;
    copy_keys(&args.trust, &args.root.join("trust"))?;
    if let Some(text) = &settings {
        write(&args.root.join("machine.toml"), text.as_bytes())?;
    }
    let identity = identity(&verified, role);
    staging.finish(&identity)?;
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
    if settings.is_none() && !args.root.join("machine.toml").exists() {
        terminal::tell(&format!("It has no settings yet: write {root}/machine.toml before it is started."));
    }
    Ok(Exit::Ok)
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
    if fs::metadata(file).map_err(reading())?.len() > MAX_SETTINGS {
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

/// Settings that lie there already and say something else are the operator's, and stay.
fn check_settings_in_place(root: &Path, new: Option<&str>) -> Result<(), Failure> {
    let file = root.join("machine.toml");
    match (fs::read_to_string(&file), new) {
        (Ok(old), Some(new)) if old != new => Err(Failure::Declined {
            what: format!("{} is there already and says something else; nothing was changed", file.display()),
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
        .and_then(|()| ::package::unpack(&payload, verified.payload(role), &staging.dir(), &mut |_| {}));
    // The payload was only on its way; one that cannot be removed does no harm.
    let _ = fs::remove_file(&payload);
    unpacked.map_err(refused)?;
    write(&staging.dir().join(MANIFEST_FILE), verified.manifest_bytes())?;
    write(&staging.dir().join(SIGNATURE_FILE), verified.signature_text().as_bytes())
}

fn identity(verified: &Verified, role: Role) -> SlotIdentity {
    let manifest = verified.manifest();
    let program = verified.payload(role).program.as_str().to_string();
    SlotIdentity::new(verified.hash().to_string(), manifest.version.to_string(), manifest.build.0, program)
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
    sync_dir(to)
}

/// Writes a file, whole and durable, replacing one that is there.
fn write(file: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut partial = file.as_os_str().to_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut handle = options.write(true).create(true).truncate(true).mode(0o644).open(&partial)?;
        handle.write_all(content)?;
        handle.sync_all()?;
        fs::rename(&partial, file)
    };
    written().map_err(Failure::io(format!("write {}", file.display())))?;
    sync_dir(file.parent().unwrap_or(Path::new(".")))
}

fn sync_dir(dir: &Path) -> Result<(), Failure> {
    let synced = fs::File::open(dir).and_then(|handle| handle.sync_all());
    synced.map_err(Failure::io(format!("make {} durable", dir.display())))
}
