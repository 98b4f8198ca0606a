//! The load of nodes and of system locations, from the calls that nodes have and those that they may have.

use std::collections::BTreeMap;

use fleet::node::{Node, NodeId};
use serde_json::{Value, json};

use super::views::{ViewContext, in_maintenance, known_calls};

impl ViewContext<'_> {
    /// The load of a node in percent: 100 in maintenance mode, as in the compatible API; none as long as its calls or
    /// their limit are unknown.
    pub(super) fn media_load(self, id: NodeId, node: &Node) -> Option<u64> {
        if in_maintenance(node) {
            return Some(100);
        }
        let (calls, limit) = self.load(id, node)?;
        (calls * 100).checked_div(limit).map(|load| load.min(100))
    }

    /// How many calls a node has, and how many it may have.
    fn load(self, id: NodeId, node: &Node) -> Option<(u64, u64)> {
        Some((known_calls(node)?.into(), self.machines.get(&id)?.call_limit?.into()))
    }

    /// The objects of `status/v1/system_location/`: what the nodes of each have together that take calls.
    pub(crate) fn system_locations(self, all: &[(i64, String)]) -> Vec<Value> {
        let mut loads = BTreeMap::<&str, (u64, u64)>::new();
        for (id, node) in self.fleet.nodes().iter().filter(|(_, node)| !in_maintenance(node)) {
            if let (Some(location), Some((calls, limit))) = (self.locations.get(&id), self.load(id, node)) {
                let load = loads.entry(location).or_default();
                *load = (load.0 + calls, load.1 + limit);
            }
        }
        let load = |name: &str| loads.get(name).copied().unwrap_or_default();
        all.iter().map(|(id, name)| system_location(*id, name, load(name))).collect()
    }
}

fn system_location(id: i64, name: &str, (calls, limit): (u64, u64)) -> Value {
    json!({
        "id": id,
        "name": name,
        "max_audio_calls": limit,
        "max_sd_calls": 0,
        "max_hd_calls": 0,
        "max_full_hd_calls": 0,
        "media_load": (limit > 0).then(|| (calls as f64 * 100.0 / limit as f64).min(100.0)),
        "resource_uri": format!("/api/admin/status/v1/system_location/{id}/"),
    })
}
