//! `pitlane upgrade upload`: uploads a package to the Management Node piece by piece, and resumes an interrupted
//! upload. Checks the file for damage before; verification of the signature is done by the Management Node.

use std::path::Path;
use std::time::Duration;

use fleet::version::Sha256;
use indicatif::{ProgressBar, ProgressStyle};
use package::Refusal;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio::signal::unix::{SignalKind, signal};

use super::session::{Output, Session};
use super::upgrade;
use super::uploads::{REQUESTS, is_name};
use crate::api::Upload;
use crate::args::{PolicyArgs, UploadArgs};
use crate::client::{LONG_LIMIT, view};
use crate::client_error::ClientError;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::text::{bytes, sanitized, short};
use crate::view::check as draw_check;

const UPGRADE: &str = "configuration/v1/upgrade/";

/// How many bytes at the beginning of the file are hashed to identify it.
const HEAD_BYTES: u64 = 64 << 10;

/// Bytes sent in one request: large enough for a fast network, small enough that little is sent twice.
const PIECE: usize = 4 << 20;

/// Tries in a row without progress before the upload is given up.
const TRIES: u32 = 8;

/// Pause before the second try; it doubles with every further one: a minute in all.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Uploads a package and shows whether an upgrade to it could start.
pub(crate) async fn run(session: &Session, args: &UploadArgs) -> Result<Exit, Failure> {
    let file = &args.file;
    let reading = || format!("read {}", file.display());
    let manifest = undamaged(file).await?;
    let mut source = File::open(file).await.map_err(Failure::io(reading()))?;
    let size = source.metadata().await.map_err(Failure::io(reading()))?.len();
    let upload = match &args.resume {
        Some(id) => resume(session, id, size, file).await?,
        None => begin(session, &mut source, size, file).await?,
    };
    let resumed = upload.offset > 0;
    match transfer(session, &mut source, upload, (file, manifest)).await {
        // The file is undamaged, so the bytes that were there before were of another one. They are removed now.
        Err(failure) if resumed && manifest.is_some() && is_refused_package(&failure) => {
            terminal::message(&format!(
                "The bytes that were uploaded before are not of {}; it is sent again from its beginning.",
                file.display()
            ));
            let upload = begin(session, &mut source, size, file).await?;
            transfer(session, &mut source, upload, (file, manifest)).await
        }
        outcome => outcome,
    }
}

/// Sends the missing part of the file and has it verified. `file` comes with the hash of its package, if that is
/// known.
async fn transfer(
    session: &Session,
    source: &mut File,
    upload: Upload,
    (file, manifest): (&Path, Option<Sha256>),
) -> Result<Exit, Failure> {
    let id = upload.uuid.clone();
    let transferred = async {
        send(session, source, upload, file).await?;
        finish(session, &id, (file, manifest)).await
    };
    let outcome = tokio::select! {
        outcome = transferred => outcome,
        () = interrupted() => {
            let what = "the Management Node keeps the bytes that have arrived".into();
            return Err(Failure::Interrupted { what, hint: how_to_resume(file, &id) });
        }
    };
    if let Err(failure) = &outcome
        && failure.exit() != Exit::Refused
    {
        terminal::message(&format!("The upload is interrupted: {}.", how_to_resume(file, &id)));
    }
    outcome
}

/// Checks the whole file for damage before any of it is sent, and returns the hash of its package. A file of an unknown
/// format is left to the Management Node, which may be newer than this program.
async fn undamaged(file: &Path) -> Result<Option<Sha256>, Failure> {
    let path = file.to_path_buf();
    let reading = format!("read {}", file.display());
    let check = move || std::fs::File::open(path).map(package::check_undamaged);
    let checked = tokio::task::spawn_blocking(check).await.map_err(std::io::Error::from).flatten();
    let refusal = match checked.map_err(Failure::io(reading.clone()))? {
        Ok(manifest) => return Ok(Some(manifest)),
        Err(Refusal::Io { source, .. }) => return Err(Failure::Io { doing: reading, source }),
        Err(refusal) => refusal,
    };
    let is_damaged = matches!(
        refusal,
        Refusal::HeadTruncated { .. }
            | Refusal::Truncated { .. }
            | Refusal::Changed { .. }
            | Refusal::PieceChanged { .. }
            | Refusal::Trailing { .. }
    );
    if is_damaged {
        return Err(Failure::Declined {
            what: format!("{} is damaged, and nothing of it was sent: {refusal}", file.display()),
            hint: "copy the package again from where it was released, and upload that".into(),
        });
    }
    Ok(None)
}

/// Whether the Management Node has verified a package and does not accept it.
fn is_refused_package(failure: &Failure) -> bool {
    matches!(failure, Failure::Client(ClientError::Refused { body: Some(body), .. })
        if body["kind"] == "package_refused")
}

/// How to resume an upload, and how to remove it.
fn how_to_resume(file: &Path, id: &str) -> String {
    format!(
        "resume it with pitlane upgrade upload {}, or remove it with pitlane upgrade uploads remove {id}",
        file.display()
    )
}

/// Returns when somebody presses Ctrl-C or ends the program.
async fn interrupted() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => _ = signals.recv().await,
            // Without a handler the signal ends the program.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

/// The SHA-256 of the beginning of the file, by which the Management Node recognises it.
async fn head_of(source: &mut File, size: u64, file: &Path) -> Result<String, Failure> {
    let failed = || Failure::io(format!("read {}", file.display()));
    let length = size.min(HEAD_BYTES);
    let mut head = vec![0; usize::try_from(length).unwrap_or(0)];
    source.seek(SeekFrom::Start(0)).await.map_err(failed())?;
    source.read_exact(&mut head).await.map_err(failed())?;
    Ok(sha2::Sha256::digest(&head).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Begins an upload of the file, or finds the one that was interrupted.
async fn begin(session: &Session, source: &mut File, size: u64, file: &Path) -> Result<Upload, Failure> {
    let doing = "accept an upload";
    let head = head_of(source, size, file).await?;
    let body = json!({"request": true, "total_size": size, "head_sha256": head});
    let answer = session.client.post(doing, UPGRADE, &body).await?;
    let answer = answer.json(doing)?;
    let id = ["upload_id", "uuid"].into_iter().find_map(|key| answer[key].as_str());
    // An earlier release does not send the offset, and always begins from zero.
    let offset = answer["offset"].as_u64().unwrap_or(0).min(size);
    match id.filter(|id| is_name(id)) {
        Some(id) => {
            if offset == size {
                terminal::message("The Management Node has the whole file already; nothing is sent.");
            } else if offset > 0 {
                let (offset, size) = (bytes(offset), bytes(size));
                terminal::message(&format!(
                    "{offset} of {size} were uploaded before; the upload is resumed."
                ));
            }
            Ok(Upload {
                uuid: id.into(),
                state: "uploading".into(),
                offset,
                total_size: size,
                ..Upload::default()
            })
        }
        None => {
            let why = "it does not contain the number of the upload".to_string();
            Err(ClientError::NotUnderstood { doing: doing.into(), why }.into())
        }
    }
}

/// Looks up an interrupted upload.
async fn resume(session: &Session, id: &str, size: u64, file: &Path) -> Result<Upload, Failure> {
    if !is_name(id) {
        return Err(Failure::Usage(format!("{id:?} is not the number of an upload")));
    }
    let upload = Upload { uuid: id.into(), ..state(session, id).await? };
    if upload.total_size != size {
        return Err(Failure::Declined {
            what: format!(
                "upload {id} is of a package of {} bytes, and {} has {size}",
                upload.total_size,
                file.display()
            ),
            hint: "give the file that was being uploaded, or begin again without --resume".into(),
        });
    }
    if upload.state != "uploading" {
        return Err(Failure::Declined {
            what: format!("upload {id} cannot be resumed: it is {}{}", upload.state, because(&upload)),
            hint: "begin again without --resume".into(),
        });
    }
    Ok(upload)
}

fn because(upload: &Upload) -> String {
    upload.error.as_ref().map_or(String::new(), |error| format!(", because {error}"))
}

async fn state(session: &Session, id: &str) -> Result<Upload, ClientError> {
    let doing = "report the state of the upload";
    let object = session.client.get(doing, &format!("{REQUESTS}{id}/")).await?;
    view(doing, &object)
}

/// Sends what is left of the file.
async fn send(session: &Session, source: &mut File, upload: Upload, file: &Path) -> Result<(), Failure> {
    let size = upload.total_size;
    if upload.offset >= size {
        return Ok(());
    }
    let bar = progress(size, upload.offset);
    let mut at = upload.offset;
    let mut failed = 0;
    while at < size {
        let piece = read(source, at, size, file).await?;
        let end = at + piece.len() as u64;
        match put(session, &upload.uuid, at, piece).await {
            Ok(()) => (at, failed) = (end, 0),
            Err(error) if failed + 1 < TRIES && (is_offset_conflict(&error) || error.is_transient()) => {
                bar.suspend(|| terminal::message(&format!("{error}; trying again")));
                if !is_offset_conflict(&error) {
                    tokio::time::sleep(FIRST_PAUSE * 2u32.pow(failed)).await;
                }
                failed += 1;
                // The Management Node knows how much has arrived. If it does not answer, the same piece is tried
                // again.
                if let Ok(now) = state(session, &upload.uuid).await {
                    at = now.offset.min(size);
                }
            }
            Err(error) => {
                bar.abandon();
                return Err(error.into());
            }
        }
        bar.set_position(at);
    }
    bar.finish_and_clear();
    terminal::message(&format!("{} uploaded, {}.", file.display(), bytes(size)));
    Ok(())
}

/// Whether the Management Node expects another offset.
fn is_offset_conflict(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status, .. } if *status == StatusCode::CONFLICT)
}

async fn read(source: &mut File, at: u64, size: u64, file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = || Failure::io(format!("read {} at {at}", file.display()));
    let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
    let mut piece = vec![0; length];
    source.seek(SeekFrom::Start(at)).await.map_err(failed())?;
    source.read_exact(&mut piece).await.map_err(failed())?;
    Ok(piece)
}

async fn put(session: &Session, id: &str, at: u64, piece: Vec<u8>) -> Result<(), ClientError> {
    let request = session
        .client
        .request(Method::POST, &format!("{REQUESTS}{id}/upload/"), &[])
        .header("Upload-Offset", at)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .timeout(LONG_LIMIT)
        .body(piece);
    session.client.send("accept a piece of the package", request).await.map(|_| ())
}

fn progress(size: u64, at: u64) -> ProgressBar {
    let bar = ProgressBar::new(size).with_position(at);
    let shape =
        "{bar:30} {percent:>3}%  {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
    match ProgressStyle::with_template(shape) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Has the whole package verified, and requests the check of an upgrade to it.
async fn finish(
    session: &Session,
    id: &str,
    (file, expected): (&Path, Option<Sha256>),
) -> Result<Exit, Failure> {
    let doing = "accept the package";
    terminal::message("The Management Node verifies the package.");
    let path = format!("{REQUESTS}{id}/finish/");
    let request = session.client.request(Method::POST, &path, &[]).timeout(LONG_LIMIT);
    let answer =
        session.client.send(doing, request.json(&json!({"validate_only": true}))).await?.json(doing)?;
    let taken = manifest(&answer);
    if let (Some(taken), Some(expected)) = (&taken, expected.map(|expected| expected.to_string()))
        && *taken != expected
    {
        let (taken, expected) = (short(taken), short(&expected));
        return Err(Failure::Declined {
            what: format!(
                "the Management Node holds package {taken}, which has the same beginning as {}, but {} is package \
                 {expected}",
                file.display(),
                file.display()
            ),
            hint: "copy the package again from where it was released, and upload that".into(),
        });
    }
    let (object, check) = upgrade::request_check(session, taken.as_deref(), &PolicyArgs::default()).await?;
    if session.output == Output::Json {
        terminal::print_json(&answer);
    }
    for gone in answer["removed_packages"].as_array().into_iter().flatten() {
        let name = ["release_text", "manifest"].iter().find_map(|key| gone[key].as_str()).unwrap_or_default();
        terminal::message(&format!(
            "The package of {} was removed: it is no longer needed.",
            sanitized(name)
        ));
    }
    let name = upgrade::name_of(session, &check.package).await;
    session.answer(&object, || {
        let mut lines = draw_check::purpose(&check, session.canvas);
        lines.push(String::new());
        lines.extend(draw_check::verdict(&check, session.canvas));
        if check.blockers.is_empty() {
            lines.push(format!("Start it with: pitlane upgrade start {name}"));
        }
        lines
    });
    Ok(Exit::Ok)
}

/// The package that the answer names; none stands for the newest one.
fn manifest(answer: &Value) -> Option<String> {
    let places = [&answer["upgrade"]["manifest"], &answer["manifest"]];
    places.into_iter().find_map(Value::as_str).map(str::to_string)
}
