//! `pitlane backup`: makes, lists, downloads, deletes and restores backups of the Management Node. The files are
//! encrypted there; nothing of one is read here but its hash.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sha2::Digest as _;

use super::confirm::Question;
use super::session::Session;
use crate::api::{Backup, List};
use crate::args::BackupCommand;
use crate::client::{LONG_LIMIT, view};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::password_input::{Repeated, passphrase};
use crate::terminal;
use crate::text::{bytes, sanitized};
use crate::view::backups;

const BACKUPS: &str = "configuration/v1/system_backup/";
const CREATE: &str = "command/v1/platform/backup_create/";
const RESTORE: &str = "command/v1/platform/backup_restore/";

/// Runs a command about backups.
pub(crate) async fn run(session: &Session, command: &BackupCommand) -> Result<Exit, Failure> {
    match command {
        BackupCommand::Create { passphrase_file } => create(session, passphrase_file.as_deref()).await,
        BackupCommand::List => list(session).await,
        BackupCommand::Download { name, out } => download(session, name.as_deref(), out.as_deref()).await,
        BackupCommand::Delete { name, yes } => delete(session, name, *yes).await,
        BackupCommand::Restore { file, passphrase_file, yes } => {
            restore(session, file, passphrase_file.as_deref(), *yes).await
        }
    }
}

async fn create(session: &Session, passphrase_file: Option<&Path>) -> Result<Exit, Failure> {
    let doing = "make a backup";
    let passphrase = passphrase(passphrase_file, "Passphrase of the new backup: ", Repeated::Twice)?;
    let body = json!({"passphrase": passphrase.reveal()});
    let request = session.client.request(Method::POST, CREATE, &[]).json(&body).timeout(LONG_LIMIT);
    let object = session.client.send(doing, request).await?.json(doing)?["data"]["system_backup"].take();
    let made: Backup = view(doing, &object)?;
    session.answer(&object, || {
        let Backup { filename, size, .. } = &made;
        vec![
            format!("The backup {filename} is made ({}).", bytes(*size)),
            "Keep it elsewhere: pitlane backup download".into(),
        ]
    });
    Ok(Exit::Ok)
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let (list, all) = listed(session).await?;
    session.answer(&list, || backups::table_of(&all, session.canvas));
    Ok(Exit::Ok)
}

/// The backups, the newest first: as they came, and as they are read.
async fn listed(session: &Session) -> Result<(Value, Vec<Backup>), Failure> {
    let doing = "list the backups";
    let list = session.client.list(doing, BACKUPS, &[]).await?;
    let all: List<Backup> = view(doing, &list)?;
    Ok((list, all.objects))
}

async fn find(session: &Session, name: Option<&str>) -> Result<Backup, Failure> {
    let (_, all) = listed(session).await?;
    let is_wanted = |backup: &Backup| name.is_none_or(|name| backup.filename == name);
    all.into_iter().find(|backup| is_wanted(backup) && is_plain(&backup.filename)).ok_or_else(|| {
        Failure::NotFound {
            what: match name {
                Some(name) => format!("the Management Node keeps no backup {name}"),
                None => "the Management Node keeps no backup".into(),
            },
            hint: "pitlane backup list shows all; pitlane backup create makes one".into(),
        }
    })
}

/// Whether a name is safe in a path, here and there.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.starts_with('.') && !name.is_empty() && name.bytes().all(plain)
}

async fn download(session: &Session, name: Option<&str>, out: Option<&Path>) -> Result<Exit, Failure> {
    let backup = find(session, name).await?;
    let out = out.map_or_else(|| PathBuf::from(&backup.filename), Path::to_path_buf);
    let hash = match fetch(session, &backup, &out).await {
        Ok(hash) if backup.sha256sum.is_empty() || hash == backup.sha256sum => hash,
        Ok(hash) => {
            discard(&out)?;
            return Err(Failure::Declined {
                what: format!("what has arrived of {} has the hash {hash}, and not its own", backup.filename),
                hint: "download it again; nothing was kept".into(),
            });
        }
        // The file of somebody else is left as it is.
        Err(Fetching::NotCreated(failure)) => return Err(failure),
        Err(Fetching::Broken(failure)) => {
            discard(&out)?;
            return Err(failure);
        }
    };
    session.done(&format!("{} is written ({}, SHA-256 {hash}).", out.display(), bytes(backup.size)));
    Ok(Exit::Ok)
}

fn discard(out: &Path) -> Result<(), Failure> {
    fs::remove_file(out).map_err(Failure::io(format!("remove {}", out.display())))
}

/// Why a file was not fetched.
enum Fetching {
    /// Its place cannot be written, or is taken.
    NotCreated(Failure),
    /// Only a part of it has arrived.
    Broken(Failure),
}

/// Fetches a backup into a new file that only its owner reads; returns its SHA-256.
async fn fetch(session: &Session, backup: &Backup, out: &Path) -> Result<String, Fetching> {
    let writing = || Failure::io(format!("write {}", out.display()));
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let mut file = created.map_err(|error| Fetching::NotCreated(writing()(error)))?;
    let fetched = async {
        let path = format!("{BACKUPS}{}/", backup.filename);
        let request = session.client.request(Method::GET, &path, &[]).timeout(LONG_LIMIT);
        let mut response = session.client.open("download the backup", request).await?;
        let mut hasher = sha2::Sha256::new();
        while let Some(chunk) = session.client.chunk(&mut response).await? {
            hasher.update(&chunk);
            file.write_all(&chunk).map_err(writing())?;
        }
        file.sync_all().map_err(writing())?;
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    };
    fetched.await.map_err(Fetching::Broken)
}

async fn delete(session: &Session, name: &str, yes: bool) -> Result<Exit, Failure> {
    let backup = find(session, Some(name)).await?;
    let question = Question {
        asks: format!("Delete the backup {name}?"),
        subject: format!("whether to delete the backup {name}"),
        unasked: "delete it",
    };
    if !yes && !question.confirmed()? {
        terminal::message("Not deleted; nothing was changed.");
        return Ok(Exit::Failure);
    }
    let path = format!("{BACKUPS}{}/", backup.filename);
    session.client.delete(&format!("delete the backup {name}"), &path).await?;
    session.done(&format!("The backup {name} is deleted."));
    Ok(Exit::Ok)
}

async fn restore(
    session: &Session,
    file: &Path,
    passphrase_file: Option<&Path>,
    yes: bool,
) -> Result<Exit, Failure> {
    let doing = "restore the backup";
    let reading = || Failure::io(format!("read {}", file.display()));
    let content = tokio::fs::File::open(file).await.map_err(reading())?;
    let size = content.metadata().await.map_err(reading())?.len();
    let passphrase = passphrase(passphrase_file, "Passphrase of the backup: ", Repeated::Once)?;
    let manager = session.client.manager();
    let question = Question {
        asks: format!("Replace accounts, configuration and history of {manager} by those of the backup?"),
        subject: "whether to restore the backup".into(),
        unasked: "restore it",
    };
    if !yes && !question.confirmed()? {
        terminal::message("Not restored; nothing was changed.");
        return Ok(Exit::Failure);
    }
    let package = Part::stream_with_length(content, size).file_name("backup");
    let form = Form::new().text("passphrase", passphrase.reveal().to_string()).part("package", package);
    let request = session.client.request(Method::POST, RESTORE, &[]).multipart(form).timeout(LONG_LIMIT);
    let answer = session.client.send(doing, request).await?.json(doing)?;
    session.answer(&answer, || {
        let message = answer["data"]["message"].as_str().unwrap_or("the Management Node restarts with it");
        vec![
            format!("Accepted: {}.", sanitized(message)),
            "Log in again if your account is another one now.".into(),
        ]
    });
    Ok(Exit::Ok)
}
