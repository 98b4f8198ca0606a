//! `pitlane room` and `pitlane location`, and the lookup of configured objects by name that other commands share.

use serde_json::{Value, json};

use super::session::Session;
use crate::api::{Configured, List};
use crate::args::{LocationCommand, RoomCommand};
use crate::client::view;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::nodes::{self, is_named};

const ROOMS: &str = "configuration/v1/conference/";
const LOCATIONS: &str = "configuration/v1/system_location/";

/// Virtual Meeting Rooms.
pub(crate) async fn rooms(session: &Session, command: &RoomCommand) -> Result<Exit, Failure> {
    let client = &session.client;
    match command {
        RoomCommand::List => {
            let doing = "list the Virtual Meeting Rooms";
            let list = client.list(doing, ROOMS, &[]).await?;
            let rooms: List<Configured> = view(doing, &list)?;
            session.answer(&list, || nodes::rooms(rooms.objects, session.canvas));
        }
        RoomCommand::Add { name, aliases } => {
            let aliases: Vec<Value> = aliases.iter().map(|alias| json!({"alias": alias})).collect();
            let body = json!({"name": name, "service_type": "conference", "aliases": aliases});
            client.post(&format!("add the room {name}"), ROOMS, &body).await?;
            session
                .done(&format!("Virtual Meeting Room {name} is added; the nodes know it within a minute."));
        }
        RoomCommand::Remove { name } => {
            let room = find(session, ROOMS, "Virtual Meeting Room", name).await?;
            client.delete(&format!("remove the room {name}"), &detail(ROOMS, &room)).await?;
            session.done(&format!("Virtual Meeting Room {name} is removed."));
        }
    }
    Ok(Exit::Ok)
}

/// System locations.
pub(crate) async fn locations(session: &Session, command: &LocationCommand) -> Result<Exit, Failure> {
    let client = &session.client;
    match command {
        LocationCommand::List => {
            let doing = "list the system locations";
            let list = client.list(doing, LOCATIONS, &[]).await?;
            let locations: List<Configured> = view(doing, &list)?;
            session.answer(&list, || nodes::locations(locations.objects, session.canvas));
        }
        LocationCommand::Add { name, description } => {
            let body = json!({"name": name, "description": description});
            client.post(&format!("add the location {name}"), LOCATIONS, &body).await?;
            session.done(&format!("System location {name} is added."));
        }
    }
    Ok(Exit::Ok)
}

/// The path in the API of the system location of this name.
pub(crate) async fn location_uri(session: &Session, name: &str) -> Result<String, Failure> {
    let object = find(session, LOCATIONS, "system location", name).await?;
    let location: Configured = view("find the location", &object)?;
    Ok(location.resource_uri.unwrap_or_else(|| format!("/api/admin/{LOCATIONS}{}/", location.id)))
}

/// The object in a list that has exactly this name.
pub(crate) async fn find(session: &Session, list: &str, kind: &str, name: &str) -> Result<Value, Failure> {
    let found = session.client.list(&format!("find the {kind} {name}"), list, &[("name", name)]).await?;
    let objects = found["objects"].as_array().into_iter().flatten();
    let object = objects.into_iter().find(|object| is_named(object, name));
    object.cloned().ok_or_else(|| Failure::NotFound {
        what: format!("there is no {kind} named {name}"),
        hint: "check the name; the list command shows all".into(),
    })
}

/// The path of an object that was found.
pub(crate) fn detail(list: &str, object: &Value) -> String {
    format!("{list}{}/", object["id"])
}
