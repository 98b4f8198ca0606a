//! `pitlane config`: anything that is configured, by the schema that the Management Node gives. It knows no resource.

use std::io::Read as _;

use serde_json::{Map, Value, json};

use super::confirm::Question;
use super::room::detail;
use super::session::Session;
use crate::args::ConfigCommand;
use crate::client::Answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::text::sanitized;
use crate::view::config;

const AREA: &str = "configuration/v1/";

/// The most bytes of a value from a file.
const VALUE_BYTES: u64 = 1 << 20;

/// Runs a command about what is configured.
pub(crate) async fn run(session: &Session, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Resources => {
            let directory = session.client.get("list what can be configured", AREA).await?;
            session.answer(&directory, || config::resources(&directory));
        }
        ConfigCommand::Fields { resource } => {
            let schema = schema(session, resource).await?;
            session.answer(&schema, || config::fields(&schema, session.canvas));
        }
        ConfigCommand::List { resource, filters } => {
            let filters: Vec<_> =
                filters.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
            let list = session.client.list(&format!("list {resource}"), &path(resource), &filters).await?;
            session.answer(&list, || config::objects(&list, session.canvas));
        }
        ConfigCommand::Show { resource, name } => {
            let object = find(session, resource, name).await?;
            session.answer(&object, || config::object(&object));
        }
        ConfigCommand::Add { resource, fields } => add(session, resource, fields).await?,
        ConfigCommand::Set { resource, name, fields } => {
            let schema = schema(session, resource).await?;
            let object = find(session, resource, name).await?;
            let body = body(session, &schema, fields).await?;
            let path = detail(&path(resource), &object);
            session.client.patch(&format!("change {resource} {name}"), &path, &body).await?;
            session.done(&format!("{resource} {name} is changed."));
        }
        ConfigCommand::Remove { resource, name, yes } => {
            let object = find(session, resource, name).await?;
            let question = Question {
                asks: format!("Remove {resource} {name}?"),
                subject: format!("whether to remove {resource} {name}"),
                unasked: "remove it",
            };
            if !yes && !question.confirmed()? {
                terminal::message("Not removed; nothing was changed.");
                return Ok(Exit::Failure);
            }
            session
                .client
                .delete(&format!("remove {resource} {name}"), &detail(&path(resource), &object))
                .await?;
            session.done(&format!("{resource} {name} is removed."));
        }
    }
    Ok(Exit::Ok)
}

fn path(resource: &str) -> String {
    // A name of a resource has no characters that mean something in a path.
    let name: String = resource.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
    format!("{AREA}{name}/")
}

async fn schema(session: &Session, resource: &str) -> Result<Value, Failure> {
    Ok(session.client.get(&format!("describe {resource}"), &format!("{}schema/", path(resource))).await?)
}

async fn add(session: &Session, resource: &str, fields: &[(String, String)]) -> Result<(), Failure> {
    let schema = schema(session, resource).await?;
    let body = body(session, &schema, fields).await?;
    let answer = session.client.post(&format!("add a {resource}"), &path(resource), &body).await?;
    let Answer { location, text, .. } = answer;
    let number =
        location.as_deref().and_then(|uri| uri.trim_end_matches('/').rsplit('/').next()).unwrap_or("");
    let done = format!("{resource} {} is added.", sanitized(number));
    if text.is_empty() {
        session.done(&done);
        return Ok(());
    }
    // What is given only once, such as an enrolment file or a key, may go into a file.
    terminal::message(&done);
    text.lines().for_each(|line| terminal::print_line(sanitized(line)));
    Ok(())
}

/// The object of this name or number.
async fn find(session: &Session, resource: &str, name: &str) -> Result<Value, Failure> {
    let list = path(resource);
    // A name may consist of digits, as aliases do.
    match named(session, &list, name).await {
        Err(Failure::NotFound { .. }) if is_number(name) => {
            Ok(session.client.get(&format!("find {resource} {name}"), &format!("{list}{name}/")).await?)
        }
        found => found,
    }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The object in a list whose name is this one: the field that every object of a resource is known by comes first.
async fn named(session: &Session, list: &str, name: &str) -> Result<Value, Failure> {
    let schema = session.client.get("read the fields", &format!("{list}schema/")).await?;
    let names = ["name", "alias", "codename", "client_name"];
    let Some(field) = names.into_iter().find(|field| schema["fields"][field].is_object()) else {
        return Err(Failure::NotFound {
            what: format!("nothing in {list} is called {name}"),
            hint: "give the number, which pitlane config list shows".into(),
        });
    };
    let found = session.client.list(&format!("find {name}"), list, &[(field, name)]).await?;
    found["objects"].as_array().and_then(|objects| objects.first()).cloned().ok_or_else(|| {
        Failure::NotFound {
            what: format!("nothing in {list} has the {field} {name}"),
            hint: "check the name; pitlane config list shows all".into(),
        }
    })
}

/// The fields of a request, each as its type in the schema says.
async fn body(session: &Session, schema: &Value, fields: &[(String, String)]) -> Result<Value, Failure> {
    let mut body = Map::new();
    for (name, given) in fields {
        let field = &schema["fields"][name];
        if !field.is_object() {
            return Err(Failure::Usage(format!("there is no field {name}; pitlane config fields shows all")));
        }
        let text = content(given)?;
        body.insert(name.clone(), value(session, field, text).await?);
    }
    Ok(Value::Object(body))
}

/// The text of a value: itself, or what is in a file.
fn content(given: &str) -> Result<String, Failure> {
    let Some(file) = given.strip_prefix('@') else { return Ok(given.into()) };
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().take(VALUE_BYTES + 1).read_to_string(&mut text),
        _ => std::fs::File::open(file).and_then(|file| file.take(VALUE_BYTES + 1).read_to_string(&mut text)),
    };
    read.map_err(Failure::io(format!("read {file}")))?;
    if text.len() as u64 > VALUE_BYTES {
        return Err(Failure::Usage(format!("{file} has more than {VALUE_BYTES} bytes")));
    }
    // The end of the only line of a password is not part of it.
    let is_one_line = text.trim_end_matches(['\r', '\n']).lines().count() <= 1;
    Ok(if is_one_line { text.trim_end_matches(['\r', '\n']).into() } else { text })
}

async fn value(session: &Session, field: &Value, text: String) -> Result<Value, Failure> {
    if text.is_empty() && field["nullable"] == true {
        return Ok(Value::Null);
    }
    if field["type"] == "list" {
        let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        return Ok(texts.collect());
    }
    let Some(list) = field["related_schema"].as_str().and_then(|schema| schema.strip_suffix("schema/"))
    else {
        return Ok(text.into());
    };
    let list = list.strip_prefix("/api/admin/").unwrap_or(list);
    if field["related_type"] == "to_one" {
        return related(session, list, text.trim()).await;
    }
    let mut all = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        all.push(related(session, list, name).await?);
    }
    Ok(json!(all))
}

/// What names an object in a request: its number or URI, or the URI of the one with this name.
async fn related(session: &Session, list: &str, name: &str) -> Result<Value, Failure> {
    if is_number(name) || name.starts_with('/') || list.ends_with("conference_alias/") {
        return Ok(name.into());
    }
    Ok(named(session, list, name).await?["resource_uri"].clone())
}
