//! `pitlane upgrade uploads`: lists and removes uploads of packages that are in progress or were interrupted. Uploading
//! is in `upload`.

use super::session::Session;
use crate::api::{List, Upload, now};
use crate::client::view;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view as draw;

pub(crate) const REQUESTS: &str = "configuration/v1/upgrade_request/";

/// Fewest characters that name an upload.
const SHORTEST_NAME: usize = 4;

/// Lists the uploads.
pub(crate) async fn list(session: &Session) -> Result<Exit, Failure> {
    let doing = "list the uploads";
    let list = session.client.list(doing, REQUESTS, &[]).await?;
    let uploads: List<Upload> = view(doing, &list)?;
    session.answer(&list, || draw::history::uploads(&uploads.objects, now(), session.canvas));
    Ok(Exit::Ok)
}

/// Removes an upload and the bytes that have arrived.
pub(crate) async fn remove(session: &Session, name: &str) -> Result<Exit, Failure> {
    let upload = named(session, name).await?;
    session
        .client
        .delete(&format!("remove the upload {}", upload.uuid), &format!("{REQUESTS}{}/", upload.uuid))
        .await?;
    session.done(&format!("Upload {} is removed.", upload.uuid));
    Ok(Exit::Ok)
}

/// The upload with this number, or whose number begins so.
async fn named(session: &Session, name: &str) -> Result<Upload, Failure> {
    let doing = "list the uploads";
    let list = session.client.list(doing, REQUESTS, &[]).await?;
    let uploads: List<Upload> = view(doing, &list)?;
    let matches = |upload: &Upload| {
        let begins = name.len() >= SHORTEST_NAME && upload.uuid.starts_with(name);
        (upload.uuid == name || begins) && is_name(&upload.uuid)
    };
    let mut found: Vec<Upload> = uploads.objects.into_iter().filter(matches).collect();
    let what = match (found.pop(), found.len()) {
        (Some(upload), 0) => return Ok(upload),
        (Some(_), others) => format!("{} uploads begin with {name}", others + 1),
        (None, _) => format!("there is no upload {name}"),
    };
    let hint = "pitlane upgrade uploads list shows all; give the number, or its first characters";
    Err(Failure::NotFound { what, hint: hint.into() })
}

/// Whether a text can be the number of an upload, and so is safe in a path.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
