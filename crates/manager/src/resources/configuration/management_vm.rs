//! `configuration/v1/management_vm/1/`: the Management Node as its machine is set up. Its settings are in `machine.toml`, so
//! nothing of it is written here.

use crate::resources::{Field, Resource, Rows, Served, Shape, Verb};

const fn text(name: &'static str, longest: usize) -> Field {
    Field::text(name, Shape::Text(longest)).or_empty().read_only()
}

/// The resource.
pub(crate) static MANAGEMENT_VM: Resource = Resource {
    called: "Management Node",
    plural: "Management Nodes",
    help: "The Management Node as its machine is set up; machine.toml of the machine has the settings.",
    served: Served::Rows(Rows::OwnMachine),
    list: &[Verb::Get],
    detail: &[Verb::Get],
    fields: &[
        text("name", 255).filtered().help("The first of its names."),
        text("hostname", 63).filtered().help("The host name in that, if it is no address."),
        text("domain", 192).filtered().help("The domain in that, if it is no address."),
        text("address", 45).or_null().filtered().help("That name, if it is an address."),
        Field::boolean("primary", true).read_only().help("Whether it leads the platform; there is only one."),
        Field::boolean("initializing", false).read_only().help("Whether it is being set up."),
    ],
    ..Resource::configuration("management_vm")
};
