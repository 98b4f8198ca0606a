//! Conferencing Nodes, Virtual Meeting Rooms and system locations outside of a run: lists, one node in full, and what
//! a removal would end.

use answers::{RefusedContact, UpgradeStatus, UtcTime, WorkerVm};
use fleet::status::Status;
use serde_json::Value;

use super::Canvas;
use super::rows::natural;
use super::table::{table, width};
use crate::api::Configured;
use crate::text::one_line;

/// The columns of the list of nodes.
const HEADINGS: [&str; 8] =
    ["NODE", "LOCATION", "INSTALLED", "STATUS", "MAINTENANCE", "CALLS", "LOAD", "HEARD"];

/// The columns that can be shortened.
const INSTALLED: usize = 2;
const MAINTENANCE: usize = 4;

/// The sync status of a node that nothing is heard of.
const UNREACHABLE: &str = "UNREACHABLE";

/// Printed for a value that is not known.
const UNKNOWN: &str = "-";

/// The nodes in a table.
pub(crate) fn nodes(mut nodes: Vec<WorkerVm>, now: UtcTime, canvas: Canvas) -> Vec<String> {
    if nodes.is_empty() {
        return vec!["There are no Conferencing Nodes; add one with pitlane node add.".into()];
    }
    nodes.sort_by_key(|node| natural(&node.name));
    let rows = nodes.iter().map(|node| row(node, now)).collect();
    let mut lines = table(canvas, &HEADINGS, shortened(rows, canvas));
    lines.extend(canvas.start_faults(nodes.iter().map(|it| (it.name.as_str(), it.start_fault.as_deref()))));
    lines.extend(canvas.duplicates(nodes.iter().map(|it| (it.name.as_str(), it.duplicate.as_deref()))));
    for node in &nodes {
        let out_of_reach = out_of_reach(node, now).map(|why| format!("{}: {why}", node.name));
        lines.extend(out_of_reach.into_iter().flat_map(|text| canvas.wrap("", &text)));
        let clock =
            node.clock_offset_text.as_ref().map(|offset| format!("{}: its clock is {offset}", node.name));
        lines.extend(clock.into_iter().flat_map(|text| canvas.wrap("", &text)));
        let refused = node.refused_contact.as_ref().map(|refused| refusal(refused, now));
        lines.extend(refused.into_iter().flat_map(|why| canvas.wrap("", &format!("{}: {why}", node.name))));
    }
    lines
}

/// The rows shortened to one line each if possible: without the builds, and with the reasons of maintenance modes
/// cut. `pitlane node show` shows both in full.
fn shortened(mut rows: Vec<Vec<String>>, canvas: Canvas) -> Vec<Vec<String>> {
    let too_wide = |rows: &[Vec<String>]| {
        width(&HEADINGS, rows).saturating_sub(canvas.width.columns().unwrap_or(usize::MAX))
    };
    if too_wide(&rows) > 0 {
        for row in &mut rows {
            row[INSTALLED] = row[INSTALLED].split(" (").next().unwrap_or_default().into();
        }
    }
    let over = too_wide(&rows);
    if over > 0 {
        let widest = rows.iter().map(|row| console::measure_text_width(&row[MAINTENANCE])).max();
        let left = widest.unwrap_or(0).saturating_sub(over).max(HEADINGS[MAINTENANCE].len());
        for row in &mut rows {
            row[MAINTENANCE] = console::truncate_str(&row[MAINTENANCE], left, "…").into_owned();
        }
    }
    rows
}

/// A sentence about a node that the Management Node hears nothing of: its upgrade status is the last one that is known.
fn out_of_reach(node: &WorkerVm, now: UtcTime) -> Option<String> {
    let is_out_of_reach = node.sync_status == UNREACHABLE;
    is_out_of_reach.then(|| match node.last_updated {
        None => "has never reported; enrol its machine and start pitlane-node there".into(),
        Some(at) => format!(
            "last reported {}; the machine, its network or pitlane-node is down, and its calls are not known",
            at.ago(now)
        ),
    })
}

/// A sentence about a refused attempt to connect.
fn refusal(refused: &RefusedContact, now: UtcTime) -> String {
    let RefusedContact { reason: _, text, address, at } = refused;
    one_line(&format!(
        "an attempt to connect as this node from {address} was refused {}: {text}",
        at.ago(now)
    ))
}

fn row(node: &WorkerVm, now: UtcTime) -> Vec<String> {
    let number =
        |value: Option<u64>, unit: &str| value.map_or(UNKNOWN.into(), |value| format!("{value}{unit}"));
    vec![
        node.name.clone(),
        node.system_location.clone().unwrap_or_else(|| UNKNOWN.into()),
        node.version.clone().filter(|version| !version.is_empty()).unwrap_or_else(|| UNKNOWN.into()),
        node.upgrade_status_text.clone().unwrap_or_else(|| node.upgrade_status.clone()),
        maintenance(node),
        number(node.signaling_count.map(u64::from), ""),
        number(node.media_load, "%"),
        node.last_updated.map_or("never".into(), |at| format!("{} ago", now.since(at))),
    ]
}

fn maintenance(node: &WorkerVm) -> String {
    let reason = node.maintenance_mode_reason.as_deref().map(one_line).filter(|reason| !reason.is_empty());
    match (node.maintenance_mode, reason) {
        (false, _) => "off".into(),
        (true, None) => "on".into(),
        (true, Some(reason)) => format!("on: {reason}"),
    }
}

/// One node in full.
pub(crate) fn node(configured: &Configured, status: Option<&WorkerVm>, now: UtcTime) -> Vec<String> {
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

/// What the removal of a node would end, from the status of the platform.
pub(crate) fn removal(name: &str, status: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let node = status.nodes.iter().find(|node| node.name == name);
    let mut losses = Vec::new();
    if let Some(calls) = node.and_then(|node| node.calls).filter(|calls| *calls > 0) {
        let calls = if calls == 1 { "1 call".into() } else { format!("{calls} calls") };
        losses.push(format!(
            "{name} carries {calls}: they go on without being counted or waited for, and end when the machine is \
             stopped. To let them clear first: pitlane node maintenance on {name}"
        ));
    }
    if node.is_some_and(|node| node.calls.is_none() && node.contact != "never") {
        losses.push(format!("How many calls {name} carries is not known."));
    }
    let in_run = node.filter(|node| node.upgrade_status != Some(Status::NoUpgradeInProgress));
    if let (Some(run), Some(node)) = (&status.run, in_run) {
        losses.push(format!(
            "{name} is in upgrade run {} ({}): the run goes on without it, and nothing upgrades it any more.",
            run.id, node.upgrade_status_text
        ));
    }
    losses.push(format!(
        "The Management Node refuses the machine of {name} from then on. To bring it back, add the node and enrol \
         the machine again."
    ));
    losses.iter().flat_map(|loss| canvas.wrap("", &one_line(loss))).collect()
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

/// Whether an object has exactly this name: a filter of the API may match more.
pub(crate) fn is_named(object: &Value, name: &str) -> bool {
    object["name"].as_str() == Some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::terminal::{Paint, Width};

    fn worker(name: &str, reason: &str) -> WorkerVm {
        let status = json!({"name": name, "version": "34.1 (34100)", "sync_status": "SYNCED",
            "upgrade_status": "IDLE", "upgrade_status_text": "No upgrade in progress",
            "maintenance_mode": !reason.is_empty(), "maintenance_mode_reason": reason, "media_load": 100,
            "signaling_count": 12, "last_updated": "2026-11-23T18:00:00.000000", "system_location": "London"});
        serde_json::from_value(status).unwrap()
    }

    fn listed(width: Width) -> Vec<String> {
        let fleet =
            vec![worker("lon-1", ""), worker("lon-2", "the power supply in rack 3 is replaced on Monday")];
        let now = serde_json::from_value(json!("2026-11-23T18:00:07.000000")).unwrap();
        nodes(fleet, now, Canvas { width, paint: Paint::Plain })
    }

    #[test]
    fn node_has_one_line_on_a_terminal_of_a_hundred_columns() {
        let lines = listed(Width::Columns(100));
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines.iter().all(|line| console::measure_text_width(line) <= 100), "{lines:#?}");
        assert!(
            lines[2].starts_with("lon-2  London    34.1       No upgrade in progress  on: the power"),
            "{lines:#?}"
        );
        assert!(lines[2].contains('…') && lines[2].ends_with("12     100%  7 s ago"), "{lines:#?}");
    }

    #[test]
    fn node_that_is_not_heard_is_named_below_the_list() {
        let now = serde_json::from_value(json!("2026-11-23T18:05:00.000000")).unwrap();
        let canvas = Canvas { width: Width::Endless, paint: Paint::Plain };
        let unreachable = |name, last_updated| WorkerVm {
            sync_status: UNREACHABLE.into(),
            last_updated,
            ..worker(name, "")
        };
        let lost = unreachable("lon-2", worker("", "").last_updated);
        let lines = nodes(vec![worker("lon-1", ""), lost, unreachable("lon-3", None)], now, canvas);
        assert!(lines[4].starts_with("lon-2: last reported 2026-11-23"), "{lines:#?}");
        assert!(lines[4].contains("ago); the machine, its network or"), "{lines:#?}");
        assert!(lines[5].starts_with("lon-3: has never reported; enrol its machine"), "{lines:#?}");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn node_is_not_shortened_if_it_fits_or_without_a_terminal() {
        for width in [Width::Columns(160), Width::Endless] {
            let lines = listed(width);
            assert!(
                lines[2].contains("34.1 (34100)  No upgrade in progress  on: the power supply in rack 3 is")
            );
            assert!(lines[2].contains("replaced on Monday"), "{lines:#?}");
        }
    }
}
