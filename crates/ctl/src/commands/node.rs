//! `pitlane node`: lists, adds, enrols and removes Conferencing Nodes, and sets their maintenance mode. Enrolment files
//! are written readable by their owner alone.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use answers::{UpgradeStatus, WorkerVm};
use edge::text::is_hidden;
use serde_json::{Value, json};

use super::confirm::Question;
use super::room::{detail, find, location_uri};
use super::session::{Output, Session};
use super::upgrade;
use crate::api::{Configured, List, now};
use crate::args::{AddNode, MaintenanceCommand, NodeCommand};
use crate::client::view;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::view::Canvas;
use crate::view::nodes::{self, id_in, is_named};

const CONFIGURED: &str = "configuration/v1/worker_vm/";
const STATUS: &str = "status/v1/worker_vm/";
const KIND: &str = "Conferencing Node";

/// Runs a command about nodes.
pub(crate) async fn run(session: &Session, command: &NodeCommand) -> Result<Exit, Failure> {
    match command {
        NodeCommand::List => list(session).await,
        NodeCommand::Show { name } => show(session, name).await,
        NodeCommand::Add(node) => add(session, node).await,
        NodeCommand::Enrol { name, enrolment_file } => {
            let file = enrolment_file.clone().unwrap_or_else(|| file_of(name));
            enrol(session, name, &file).await
        }
        NodeCommand::Remove { name, yes } => remove(session, name, *yes).await,
        NodeCommand::Maintenance(MaintenanceCommand::On { name, reason }) => {
            let body = json!({"maintenance_mode": true, "maintenance_mode_reason": reason});
            let done = "is going into maintenance mode: it takes no more calls, those that it has go on";
            maintenance(session, name, &body, done).await
        }
        NodeCommand::Maintenance(MaintenanceCommand::Off { name }) => {
            let body = json!({"maintenance_mode": false, "maintenance_mode_reason": ""});
            let done = "leaves the operator's maintenance mode; it takes calls unless a run holds it";
            maintenance(session, name, &body, done).await
        }
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let doing = "list the Conferencing Nodes";
    let list = session.client.list(doing, STATUS, &[]).await?;
    let found: List<WorkerVm> = view(doing, &list)?;
    session.answer(&list, || nodes::nodes(found.objects, now(), session.canvas));
    Ok(Exit::Ok)
}

async fn show(session: &Session, name: &str) -> Result<Exit, Failure> {
    let doing = "show the Conferencing Node";
    let configured = find(session, CONFIGURED, KIND, name).await?;
    let list = session.client.list(doing, STATUS, &[("name", name)]).await?;
    let status = list["objects"].as_array().into_iter().flatten().find(|object| is_named(object, name));
    let status_view: Option<WorkerVm> = status.map(|status| view(doing, status)).transpose()?;
    let view: Configured = view(doing, &configured)?;
    session.answer(&configured, || nodes::node(&view, status_view.as_ref(), now()));
    if let (Output::Json, Some(status)) = (session.output, status) {
        terminal::print_json(status);
    }
    Ok(Exit::Ok)
}

/// Adds the node, and writes its enrolment file.
async fn add(session: &Session, node: &AddNode) -> Result<Exit, Failure> {
    let location = location_uri(session, &node.location).await?;
    let (name, file) = (&node.name, &node.enrolment_file);
    let request = EnrolmentRequest {
        doing: format!("add the node {name}"),
        path: CONFIGURED.into(),
        body: body(node, &location),
        again: format!("remove it with `pitlane node remove {name}`, and add it again"),
    };
    let id = enrolment_file(session, request, file).await?;
    let (id, file) = (id.as_deref().unwrap_or("not known"), file.display());
    session.done(&format!("Conferencing Node {name} is added (id {id}). Its enrolment file: {file}"));
    terminal::message(
        "Carry it to the node's machine. Whoever holds it can become this node: keep it secret until it is used.",
    );
    Ok(Exit::Ok)
}

/// The enrolment file of a node, in the current directory. Release 34 accepted any characters in a name, and such
/// names are kept: slashes and hidden characters are replaced.
fn file_of(name: &str) -> PathBuf {
    let safe = |c: char| if c == '/' || is_hidden(c) { '_' } else { c };
    PathBuf::from(name.chars().map(safe).chain(".toml".chars()).collect::<String>())
}

/// Makes a new enrolment file for a node that is registered.
async fn enrol(session: &Session, name: &str, file: &Path) -> Result<Exit, Failure> {
    let node = find(session, CONFIGURED, KIND, name).await?;
    let request = EnrolmentRequest {
        doing: format!("make an enrolment file for the node {name}"),
        path: format!("{}enrolment/", detail(CONFIGURED, &node)),
        body: json!({}),
        again: format!("run `pitlane node enrol {name}` again"),
    };
    enrolment_file(session, request, file).await?;
    session.done(&format!("A new enrolment file for the Conferencing Node {name}: {}", file.display()));
    terminal::message(
        "Carry it to the node's machine and use it there with `pitlane-node enrol --replace`; a running node adopts it \
         by itself. The certificate that the node has now is refused from then on. Keep the file secret until it is used.",
    );
    Ok(Exit::Ok)
}

/// A request whose answer is an enrolment file.
struct EnrolmentRequest {
    doing: String,
    path: String,
    body: Value,
    /// How to get another one.
    again: String,
}

/// Requests an enrolment file and writes it. It is sent only once, so the file is created before. Returns the number
/// of the node, if the answer contains it.
async fn enrolment_file(
    session: &Session,
    request: EnrolmentRequest,
    file: &Path,
) -> Result<Option<String>, Failure> {
    let EnrolmentRequest { doing, path, body, again } = request;
    let mut handle = reserve(file)?;
    let answer = match session.client.post(&doing, &path, &body).await {
        Ok(answer) => answer,
        Err(error) => {
            // The file is empty; the error to report is that of the request.
            let _ = fs::remove_file(file);
            return Err(error.into());
        }
    };
    let written = handle.write_all(answer.text.as_bytes()).and_then(|()| handle.sync_all());
    written.map_err(|source| Failure::Io {
        doing: format!("write the enrolment file {}, which is sent only once; {again}", file.display()),
        source,
    })?;
    if answer.text.is_empty() {
        let what = "no enrolment file came with the answer of the Management Node".into();
        return Err(Failure::Declined { what, hint: again });
    }
    Ok(answer.location.as_deref().and_then(id_in).map(Into::into))
}

/// Creates the enrolment file, readable by its owner alone. An existing file is never replaced.
fn reserve(file: &Path) -> Result<fs::File, Failure> {
    let mut options = fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(file);
    made.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let what = format!("there is a file {} already, and it may be in use", file.display());
            let hint = "give another name with --enrolment-file, or remove that file".into();
            return Failure::Declined { what, hint };
        }
        Failure::io(format!("make the enrolment file {}", file.display()))(error)
    })
}

/// The node as the API takes it: all compatible fields, which are mandatory there.
fn body(node: &AddNode, location: &str) -> Value {
    let AddNode {
        name,
        address,
        location: _,
        enrolment_file: _,
        bursting,
        hostname,
        domain,
        netmask,
        gateway,
        description,
    } = node;
    json!({
        "name": name,
        "hostname": hostname.as_ref().unwrap_or(name),
        "domain": domain,
        "address": address,
        "netmask": netmask,
        "gateway": gateway.as_ref().unwrap_or(address),
        "system_location": location,
        "node_type": "CONFERENCING",
        "deployment_type": "MANUAL-PROVISION-ONLY",
        "cloud_bursting": bursting,
        "description": description.as_deref().unwrap_or_default(),
    })
}

/// Removes the node, after showing what is lost.
async fn remove(session: &Session, name: &str, yes: bool) -> Result<Exit, Failure> {
    let node = find(session, CONFIGURED, KIND, name).await?;
    let doing = "report the status of the platform";
    let status: UpgradeStatus = view(doing, &session.client.get(doing, upgrade::STATUS).await?)?;
    let canvas = Canvas { width: terminal::stderr_width(), paint: terminal::Paint::Plain };
    nodes::removal(name, &status, canvas).iter().for_each(|line| terminal::message(line));
    let question = Question {
        asks: format!("Remove the Conferencing Node {name} from the platform?"),
        subject: format!("whether to remove the node {name}"),
        unasked: "remove it",
    };
    if !yes && !question.confirmed()? {
        terminal::message("Not removed; nothing was changed.");
        return Ok(Exit::Failure);
    }
    session.client.delete(&format!("remove the node {name}"), &detail(CONFIGURED, &node)).await?;
    session.done(&format!("Conferencing Node {name} is removed from the platform."));
    Ok(Exit::Ok)
}

async fn maintenance(session: &Session, name: &str, body: &Value, done: &str) -> Result<Exit, Failure> {
    let node = find(session, CONFIGURED, KIND, name).await?;
    let doing = format!("change the maintenance mode of {name}");
    session.client.patch(&doing, &detail(CONFIGURED, &node), body).await?;
    session.done(&format!("Conferencing Node {name} {done}."));
    Ok(Exit::Ok)
}
