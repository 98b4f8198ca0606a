//! The present state. Each file declares one resource, whose objects are made from the state of the platform.

pub(crate) mod alarm;
pub(crate) mod calls;
pub(crate) mod licensing;
pub(crate) mod management_vm;
pub(crate) mod system_location;
pub(crate) mod worker_vm;

use super::{Area, Field, Resource, Rows, Served, Shape, Verb};

/// A resource whose objects are made when they are asked for.
const fn shown(name: &'static str, rows: Rows) -> Resource {
    Resource {
        area: Area::Status,
        served: Served::Rows(rows),
        list: &[Verb::Get],
        detail: &[Verb::Get],
        ..Resource::configuration(name)
    }
}

/// A text that the Management Node makes.
const fn text(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only()
}

/// How many calls of a kind fit in, of which there is none here.
const fn no_video(name: &'static str) -> Field {
    Field::count(name).filtered().help("Always 0: there is no video.")
}
