//! `pitlane package`: keys, and building, inspecting and verifying packages on this machine. Relies on crate `package`;
//! the Management Node is not needed.

mod head;
pub(super) mod passphrase;
mod spec;

use std::path::Path;

use ::package::rules::{CertificateHash, Rule};
use ::package::{KeyError, Level, Manifest, Protection, Role, TrustedKeys, Verified};
use serde_json::{Value, json};

use super::session::Output;
use crate::args::{BuildArgs, PackageCommand, ProtectionArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::text::{bytes, sanitized};

/// Runs a command about packages.
pub(crate) fn run(command: &PackageCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        PackageCommand::Keygen { out, comment, protection } => keygen(out, comment, protection, output),
        PackageCommand::Build(args) => build(args, output),
        PackageCommand::Inspect { file, trust: None } => unverified(file, output),
        PackageCommand::Inspect { file, trust: Some(trust) } => inspect(file, trust, output),
        PackageCommand::Verify { file, trust } => verify(file, trust, output),
    }
}

fn keygen(out: &Path, comment: &str, protection: &ProtectionArgs, output: Output) -> Result<Exit, Failure> {
    let name = out.file_name().and_then(|name| name.to_str());
    let name = name
        .ok_or_else(|| Failure::Usage(format!("{} does not end with a name for the key", out.display())))?;
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let protection = passphrase::of_a_new_key(protection)?;
    let pair = ::package::generate_kept_key(comment, &protection)?;
    let (secret, public) = pair.write(dir, name)?;
    let id = pair.signing.id();
    match output {
        Output::Json => {
            terminal::print_json(&json!({"key": id.to_string(), "secret": secret, "public": public}))
        }
        Output::Words => terminal::print(&[
            format!("Key {id}"),
            format!(
                "  secret  {}  signs packages; {}keep it off the platform's machines",
                secret.display(),
                match protection {
                    Protection::Passphrase(_) => "",
                    Protection::Nothing => "it has no passphrase, so whoever copies it can sign: ",
                }
            ),
            format!("  public  {}  goes into the trust directory of every machine", public.display()),
        ]),
    }
    Ok(Exit::Ok)
}

fn build(args: &BuildArgs, output: Output) -> Result<Exit, Failure> {
    let level = if args.quick { Level::QUICK } else { Level::RELEASE };
    let recipe = spec::read(&args.spec, level)?;
    let key = passphrase::open(&args.signer)?;
    let refused = |source| Failure::Build { what: args.out.display().to_string(), source };
    let verified = ::package::build(&recipe, &key, &args.out).map_err(refused)?;
    let first = format!("{} is built, signed with key {} and verified.", args.out.display(), verified.key());
    show_verified(&verified, first, output);
    Ok(Exit::Ok)
}

/// Shows the head of a package without keys, and that nothing of it is verified.
fn unverified(file: &Path, output: Output) -> Result<Exit, Failure> {
    let head = head::read(file)?;
    let claim = head.signer.map_or("it names no key".into(), |key| format!("it names the signing key {key}"));
    let first = format!("NOT VERIFIED: no keys were given; {claim}. Nothing of the file below is verified.");
    match output {
        Output::Json => terminal::print_json(&json!({"verified": false, "manifest": head.manifest})),
        Output::Words => {
            terminal::print_line(first);
            terminal::print(&describe(&head.manifest, &head.hash.to_string(), None));
            terminal::print_line("Verify it with: pitlane package verify FILE --trust DIR");
        }
    }
    Ok(Exit::Ok)
}

fn keys(trust: &Path) -> Result<TrustedKeys, KeyError> {
    TrustedKeys::load(trust)
}

fn refused(file: &Path) -> impl FnOnce(::package::Refusal) -> Failure {
    move |source| Failure::Package { what: file.display().to_string(), source }
}

fn inspect(file: &Path, trust: &Path, output: Output) -> Result<Exit, Failure> {
    let opened = std::fs::File::open(file).map_err(Failure::io(format!("open {}", file.display())))?;
    let verified = ::package::read_head(opened, &keys(trust)?).map_err(refused(file))?;
    let first = format!(
        "Signed with key {}, which is trusted. What is below is verified; the payloads were not read.",
        verified.key()
    );
    show_verified(&verified, first, output);
    Ok(Exit::Ok)
}

fn verify(file: &Path, trust: &Path, output: Output) -> Result<Exit, Failure> {
    let verified = ::package::verify_file(file, &keys(trust)?).map_err(refused(file))?;
    let first = format!(
        "{} is verified, every byte of it: signed with key {}, which is trusted.",
        file.display(),
        verified.key()
    );
    show_verified(&verified, first, output);
    Ok(Exit::Ok)
}

fn show_verified(verified: &Verified, first: String, output: Output) {
    let (manifest, hash) = (verified.manifest(), verified.hash().to_string());
    match output {
        Output::Json => terminal::print_json(&json!({
            "verified": true, "key": verified.key().to_string(), "package": hash,
            "manifest": serde_json::to_value(manifest).unwrap_or(Value::Null),
        })),
        Output::Words => {
            terminal::print_line(first);
            terminal::print(&describe(manifest, &hash, Some(verified.package_size())));
        }
    }
}

/// What a rule asks for, a line.
fn rule(rule: &Rule) -> String {
    match rule {
        Rule::CertificateHash(CertificateHash { from_below, hashes }) => format!(
            "  rule      from before {from_below}, no certificate but a root is signed with {}",
            sanitized(&hashes.join(", "))
        ),
        Rule::Unknown { name, fields: _ } => {
            format!("  rule      {}, which this program does not know", sanitized(name))
        }
    }
}

/// The fields of a manifest, a line each.
fn describe(manifest: &Manifest, hash: &str, size: Option<u64>) -> Vec<String> {
    let wire = manifest.protocols.wire;
    let mut lines = vec![
        format!("  version   {}, released {}", manifest.release(), manifest.released),
        format!("  package   {hash}"),
        match manifest.valid_until {
            Some(last) => format!("  upgrades  until {last}; what is installed runs on"),
            None => "  upgrades  for ever: it names no last day".into(),
        },
    ];
    lines.extend(size.map(|size| format!("  size      {}", bytes(size))));
    for step in &manifest.path.0 {
        let reason = sanitized(&step.reason);
        lines.push(format!("  path      {} can be installed on {} or later: {reason}", step.to, step.from));
    }
    lines.extend(manifest.rules.iter().flatten().map(rule));
    lines.push(format!("  protocol  wire {} to {}, media {}", wire.min, wire.max, manifest.protocols.media));
    for role in Role::ALL {
        let payload = manifest.payloads.get(role);
        let (size, unpacked) = (bytes(payload.size), bytes(payload.unpacked_size));
        let (name, files) = (role.to_string(), payload.files.len());
        let files = if files == 1 { "1 file".into() } else { format!("{files} files") };
        lines.push(format!(
            "  {name:8}  {size}, unpacked {unpacked}, {files}, starts {}",
            payload.program.as_str()
        ));
    }
    let notes = sanitized(&manifest.notes);
    for (position, line) in notes.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let name = if position == 0 { "notes" } else { "" };
        lines.push(format!("  {name:8}  {}", line.trim_end()));
    }
    lines
}
