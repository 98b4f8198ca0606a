//! Conferencing Nodes, Virtual Meeting Rooms and system locations.

use serde_json::Value;

use super::{Canvas, rows::natural, table::table};
use crate::api::{Configured, RefusedContact, WorkerStatus};
use crate::text::one_line;
use crate::when::When;

/// Said where something is not known.
const UNKNOWN: &str = "-";

/// The nodes in a table.
pub(crate) fn nodes(mut nodes: Vec<WorkerStatus>, now: When, canvas: Canvas) -> Vec<String> {
    if nodes.is_empty() {
        return vec!["There are no Conferencing Nodes; add one with pitlane node add.".into()];
    }
    nodes.sort_by_key(|node| natural(&node.name));
    let headings = ["NODE", "LOCATION", "INSTALLED", "STATUS", "MAINTENANCE", "CALLS", "LOAD", "HEARD"];
    let mut lines = table(canvas, &headings, nodes.iter().map(|node| row(node, now)).collect());
    lines.extend(canvas.start_faults(nodes.iter().map(|it| (it.name.as_str(), it.start_fault.as_deref()))));
    lines.extend(canvas.duplicates(nodes.iter().map(|it| (it.name.as_str(), it.duplicate.as_deref()))));
    for node in &nodes {
        let clock =
            node.clock_offset_text.as_ref().map(|offset| format!("{}: its clock is {offset}", node.name));
        lines.extend(clock.into_iter().flat_map(|text| canvas.wrap("", &text)));
        let refused = node.refused_contact.as_ref().map(|refused| refusal(refused, now));
        lines.extend(refused.into_iter().flat_map(|why| canvas.wrap("", &format!("{}: {why}", node.name))));
    }
    lines
}

/// That a node was refused, and why.
fn refusal(refused: &RefusedContact, now: When) -> String {
    let RefusedContact { text, address, at } = refused;
    one_line(&format!("its try to connect from {address} was refused {}: {text}", at.ago(now)))
}

fn row(node: &WorkerStatus, now: When) -> Vec<String> {
    let number =
        |value: Option<u64>, unit: &str| value.map_or(UNKNOWN.into(), |value| format!("{value}{unit}"));
    vec![
        node.name.clone(),
        node.system_location.clone().unwrap_or_else(|| UNKNOWN.into()),
        node.version.clone().filter(|version| !version.is_empty()).unwrap_or_else(|| UNKNOWN.into()),
        node.upgrade_status_text.clone().unwrap_or_else(|| node.upgrade_status.clone()),
        maintenance(node),
        number(node.signaling_count, ""),
        number(node.media_load, "%"),
        node.last_updated.map_or("never".into(), |at| format!("{} ago", now.since(at))),
    ]
}

fn maintenance(node: &WorkerStatus) -> String {
    let reason = node.maintenance_mode_reason.as_deref().map(one_line).filter(|reason| !reason.is_empty());
    match (node.maintenance_mode, reason) {
        (false, _) => "off".into(),
        (true, None) => "on".into(),
        (true, Some(reason)) => format!("on: {reason}"),
    }
}

/// One node in full.
pub(crate) fn node(configured: &Configured, status: Option<&WorkerStatus>, now: When) -> Vec<String> {
    let kind = if configured.cloud_bursting { "cloud bursting node" } else { "always on" };
    let mut pairs = vec![
        ("Conferencing Node", format!("{} (id {}, {kind})", configured.name, configured.id)),
        ("Address", configured.address.clone().unwrap_or_else(|| UNKNOWN.into())),
    ];
    if let Some(status) = status {
        let row = row(status, now);
        pairs.extend([
            ("System location", row[1].clone()),
            ("Installed version", row[2].clone()),
            ("Upgrade status", row[3].clone()),
            ("Maintenance mode", row[4].clone()),
            ("Calls", row[5].clone()),
            ("Media load", row[6].clone()),
            ("Configuration", status.sync_status.clone()),
            ("Last heard", status.last_updated.map_or("never".into(), |at| at.ago(now))),
        ]);
        pairs.extend(status.duplicate.clone().map(|two| ("Duplicate", two)));
        pairs.extend(status.refused_contact.as_ref().map(|refused| ("Refused", refusal(refused, now))));
        pairs.extend(status.clock_offset_text.clone().map(|offset| ("Clock", offset)));
        pairs.extend(status.start_fault.clone().map(|why| ("Restart", format!("would fail: {why}"))));
    }
    pairs.extend(
        configured.description.clone().filter(|text| !text.is_empty()).map(|text| ("Description", text)),
    );
    pairs.iter().map(|(name, value)| format!("{name:17}  {}", one_line(value))).collect()
}

/// The rooms in a table.
pub(crate) fn rooms(mut rooms: Vec<Configured>, canvas: Canvas) -> Vec<String> {
    if rooms.is_empty() {
        return vec![
            "There are no Virtual Meeting Rooms; add one with pitlane room add NAME --alias ALIAS.".into(),
        ];
    }
    rooms.sort_by_key(|room| natural(&room.name));
    let row = |room: &Configured| {
        let aliases: Vec<&str> = room.aliases.iter().map(|alias| alias.alias.as_str()).collect();
        vec![room.name.clone(), aliases.join(", ")]
    };
    table(canvas, &["ROOM", "ALIASES"], rooms.iter().map(row).collect())
}

/// The locations in a table.
pub(crate) fn locations(mut locations: Vec<Configured>, canvas: Canvas) -> Vec<String> {
    if locations.is_empty() {
        return vec!["There are no system locations; add one with pitlane location add NAME.".into()];
    }
    locations.sort_by_key(|location| natural(&location.name));
    let row =
        |location: &Configured| vec![location.name.clone(), location.description.clone().unwrap_or_default()];
    table(canvas, &["LOCATION", "DESCRIPTION"], locations.iter().map(row).collect())
}

/// The number that a `resource_uri` or `Location` ends with.
pub(crate) fn id_in(uri: &str) -> Option<&str> {
    uri.trim_end_matches('/').rsplit('/').next().filter(|id| !id.is_empty())
}

/// Whether an object has this name, letter by letter: a filter of the API may be more generous.
pub(crate) fn is_named(object: &Value, name: &str) -> bool {
    object["name"].as_str() == Some(name)
}
