//! `history/v1/workervm_status_event/`: what has happened to Conferencing Nodes.

use crate::resources::{Area, Field, Resource, Shape, Verb};

const fn text(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only().filtered()
}

/// The resource.
pub(crate) static WORKERVM_STATUS_EVENT: Resource = Resource {
    area: Area::History,
    called: "event of a Conferencing Node",
    plural: "events of Conferencing Nodes",
    help: "Something that has changed the status of a Conferencing Node.",
    list: &[Verb::Get],
    detail: &[Verb::Get],
    fields: &[
        text("event_type").column().help("What has happened: a token that never changes."),
        text("details").help("The same in words."),
        text("context").nowhere().help("Always empty: the details say everything."),
        text("state").nowhere().help("Always empty: the type of the event says it."),
        Field { nullable: false, ..Field::moment("time_changed").column().filtered() }
            .help("When it has happened."),
        text("workervm_address").help("The address of the node."),
        Field::count("workervm_configuration_id")
            .column()
            .filtered()
            .help("The number of the node's registration."),
        text("workervm_configuration_name").help("The name of the node."),
        text("workervm_configuration_location_name").help("The name of its system location."),
    ],
    ..Resource::configuration("workervm_status_event")
};
