//! `status/v1/management_vm/`: the Management Node as it is.

use super::{shown, text};
use crate::resources::{Field, Resource, Rows};

/// The resource.
pub(crate) static MANAGEMENT_VM: Resource = Resource {
    called: "Management Node",
    plural: "Management Nodes",
    help: "The Management Node as it is.",
    fields: &[
        Field::count("configuration_id").filtered().help("Its number."),
        text("name").filtered().help("The name of the Management Node."),
        Field::boolean("primary", true).read_only().help("Whether it leads the platform; there is only one."),
        Field::version("version").filtered().help("The release that it runs."),
        text("upgrade_status").filtered().help("What an upgrade does with it: a token that never changes."),
        text("upgrade_status_text").help("The same in words."),
        text("sync_status").help("Always SYNCED."),
        Field::moment("last_updated").or_null().filtered().help("The present time."),
        Field::moment("last_attempted_contact").or_null().help("The present time."),
        text("start_fault").or_null().help("Why it would not start again, if it would not."),
    ],
    ..shown("management_vm", Rows::ManagementVm)
};
