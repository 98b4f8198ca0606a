//! `pitlane licence list`, `add`, `delete` and `usage`: the licences that are installed on the Management Node.

use std::path::Path;

use serde_json::{Value, json};

use super::licence;
use super::room::detail;
use super::session::Session;
use crate::api::{InstalledLicence, LicenceUsage, List};
use crate::client::view;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::licences;

const LICENCES: &str = "configuration/v1/licence/";
const USAGE: &str = "status/v1/licensing/";

/// Lists what is installed.
pub(super) async fn list(session: &Session) -> Result<Exit, Failure> {
    let doing = "list the licences";
    let list = session.client.list(doing, LICENCES, &[]).await?;
    let installed: List<InstalledLicence> = view(doing, &list)?;
    session.answer(&list, || licences::installed(&installed.objects, session.canvas));
    Ok(Exit::Ok)
}

/// Installs a licence from a file. The Management Node verifies it.
pub(super) async fn add(session: &Session, file: &Path) -> Result<Exit, Failure> {
    let text = licence::read(file)?;
    let doing = format!("install the licence {}", file.display());
    session.client.post(&doing, LICENCES, &json!({"text": text})).await?;
    session.done(&format!("{} is installed; it counts within a few seconds.", file.display()));
    Ok(Exit::Ok)
}

/// Deletes an installed licence.
pub(super) async fn delete(session: &Session, id: &str) -> Result<Exit, Failure> {
    let found =
        session.client.list(&format!("find the licence {id}"), LICENCES, &[("entitlement_id", id)]).await?;
    let mut objects = found["objects"].as_array().into_iter().flatten();
    let found = objects.find(|object| object["entitlement_id"] == id).ok_or_else(|| missing(id))?;
    session.client.delete(&format!("delete the licence {id}"), &detail(LICENCES, found)).await?;
    session.done(&format!("Licence {id} is deleted; calls that there are go on."));
    Ok(Exit::Ok)
}

fn missing(id: &str) -> Failure {
    Failure::NotFound {
        what: format!("no licence {id} is installed"),
        hint: "check the id; pitlane licence list shows all".into(),
    }
}

/// Shows what is used of the licences.
pub(super) async fn usage(session: &Session) -> Result<Exit, Failure> {
    let doing = "show the use of the licences";
    let list = session.client.list(doing, USAGE, &[]).await?;
    let used: List<LicenceUsage> = view(doing, &list)?;
    let object = list["objects"].get(0).cloned().unwrap_or(Value::Null);
    session.answer(&object, || used.objects.iter().flat_map(licences::used).collect());
    Ok(Exit::Ok)
}
