//! `status/v1/licensing/`: what is used of the licences.

use super::shown;
use crate::resources::{Field, Resource, Rows};

/// The resource. What the compatible API counts beside these, Pitlane does not have; clients read it as 0.
pub(crate) static LICENSING: Resource = Resource {
    called: "use of the licences",
    plural: "uses of the licences",
    help: "What is used of the licences that are installed.",
    fields: &[
        Field::count("port_count").filtered().help("How many calls there are."),
        Field::count("port_total").filtered().help(
            "How many calls there may be at one time; 2147483647 is without a limit, which it is without licences.",
        ),
        Field::count("vmr_count").filtered().help("How many Virtual Meeting Rooms are configured."),
        Field::count("vmr_total").filtered().help(
            "How many Virtual Meeting Rooms the licences allow, which limits none; 2147483647 is without a limit.",
        ),
    ],
    ..shown("licensing", Rows::Licensing)
};
