//! `status/v1/worker_vm/`: the Conferencing Nodes as they are.

use super::{no_video, text};
use crate::resources::{Area, Field, Initial, Resource, Served, Verb};

/// What is shown before a node has said it, or if it cannot.
const UNKNOWN: Initial = Initial::Text("Unknown");

/// The resource.
pub(crate) static WORKER_VM: Resource = Resource {
    called: "Conferencing Node",
    plural: "Conferencing Nodes",
    help: "A Conferencing Node as it is.",
    fields: &[
        Field::count("configuration_id").filtered().help("The number of its registration."),
        text("name").filtered().help("The name of the node."),
        text("node_type").filtered().help("What the node does."),
        text("system_location").or_null().filtered().help("The name of its system location."),
        Field::version("version")
            .filtered()
            .help("The release that it runs; empty before it has reported one."),
        text("upgrade_status")
            .filtered()
            .help("What an upgrade does with the node: a token that never changes."),
        text("upgrade_status_text").help("The same in words."),
        text("sync_status")
            .filtered()
            .help("Whether the node has accepted what is wanted of it: SYNCED, SYNCING or UNREACHABLE."),
        Field::boolean("maintenance_mode", false)
            .read_only()
            .filtered()
            .help("Whether the node refuses new calls."),
        text("maintenance_mode_reason").help("Why it does."),
        Field::count("media_load")
            .or_null()
            .filtered()
            .help("How many of the calls that it may have it has, in percent; 100 in maintenance mode."),
        Field::count("signaling_count")
            .or_null()
            .filtered()
            .help("How many calls it has; null if that is unknown."),
        Field::moment("last_updated").or_null().filtered().help("When it was last heard."),
        Field::moment("last_attempted_contact").or_null().help("When it was last heard."),
        Field::record("refused_contact")
            .help("Why a machine with its identity was refused last, if it has not been heard since."),
        Field::moment("boot_time").or_null().help("When its release started."),
        Field::fraction("clock_offset").or_null().help("How far its clock is ahead, in seconds."),
        text("clock_offset_text").or_null().help("The same in words, if its clock is off."),
        text("start_fault").or_null().help("Why it would not start again, if it would not."),
        text("duplicate").or_null().help("The other machine under its identity, if there is one."),
        Field::count("cpu_count").help("How many processors the node may use; 0 before it has said so."),
        text("cpu_model").or(UNKNOWN).help("What its processors call themselves."),
        text("hypervisor").or(UNKNOWN).help("The vendor of its virtual machine."),
        Field::count("total_ram").help("The memory of its machine, in KiB."),
        Field::count("max_audio_calls").filtered().help("How many calls it may have."),
        no_video("max_sd_calls"),
        no_video("max_hd_calls"),
        no_video("max_full_hd_calls"),
    ],
    area: Area::Status,
    served: Served::Own,
    list: &[Verb::Get],
    detail: &[Verb::Get],
    ..Resource::configuration("worker_vm")
};
