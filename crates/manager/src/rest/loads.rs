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

    /// The objects of `status/v1/system_location/`: what the nodes of each have together that take calls. The load is 100 %
    /// where none does for maintenance mode.
    pub(crate) fn system_locations(self, all: &[(i64, String)]) -> Vec<Value> {
        let mut loads = BTreeMap::<&str, LocationLoad>::new();
        for (id, node) in self.fleet.nodes().iter() {
            let Some(location) = self.locations.get(&id) else { continue };
            let of_location = loads.entry(location).or_default();
            match self.load(id, node) {
                _ if in_maintenance(node) => of_location.in_maintenance = true,
                Some((calls, limit)) => {
                    of_location.calls += calls;
                    of_location.limit += limit;
                }
                None => {}
            }
        }
        let load = |name: &str| loads.get(name).copied().unwrap_or_default();
        all.iter().map(|(id, name)| system_location(*id, name, load(name))).collect()
    }
}

/// What the nodes of a location have together.
#[derive(Clone, Copy, Debug, Default)]
struct LocationLoad {
    calls: u64,
    limit: u64,
    in_maintenance: bool,
}

impl LocationLoad {
    /// In percent; none as long as it is unknown.
    fn percent(self) -> Option<f64> {
        let Self { calls, limit, in_maintenance } = self;
        match limit {
            0 => in_maintenance.then_some(100.0),
            _ => Some((calls as f64 * 100.0 / limit as f64).min(100.0)),
        }
    }
}

fn system_location(id: i64, name: &str, load: LocationLoad) -> Value {
    json!({
        "id": id,
        "name": name,
        "max_audio_calls": load.limit,
        "max_sd_calls": 0,
        "max_hd_calls": 0,
        "max_full_hd_calls": 0,
        "media_load": load.percent(),
        "resource_uri": format!("/api/admin/status/v1/system_location/{id}/"),
    })
}
