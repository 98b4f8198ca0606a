//! `status/v1/licensing/`: what is used of the licences.

use super::shown;
use crate::resources::{Field, Resource, Rows};

/// What the compatible API counts and Pitlane does not have.
const fn none(name: &'static str) -> Field {
    Field::count(name).filtered().help("Always 0: Pitlane does not have what this counts.")
}

/// The resource.
pub(crate) static LICENSING: Resource = Resource {
    called: "use of the licences",
    plural: "uses of the licences",
    help: "What is used of the licences that are installed.",
    fields: &[
        Field::count("port_count").filtered().help("How many calls there are."),
        Field::count("port_total").filtered().help(
            "How many calls there may be at one time; 2147483647 is without a limit, which it is without licences.",
        ),
        none("audio_count"),
        none("audio_total"),
        none("system_count"),
        none("system_total"),
        none("teams_count"),
        none("teams_total"),
        none("ghm_count"),
        none("ghm_total"),
        none("otj_count"),
        none("otj_total"),
        none("scheduling_count"),
        none("scheduling_total"),
        none("telehealth_count"),
        none("telehealth_total"),
        Field::count("vmr_count").filtered().help("How many Virtual Meeting Rooms are configured."),
        Field::count("vmr_total").filtered().help(
            "How many Virtual Meeting Rooms the licences allow, which limits none; 2147483647 is without a limit.",
        ),
    ],
    ..shown("licensing", Rows::Licensing)
};
