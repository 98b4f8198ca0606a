//! `configuration/v1/worker_vm/`: the registrations of Conferencing Nodes.

use fleet::platform::NODES_AT_MOST;

use super::GLOBAL_OFF_ON;
use crate::resources::{Action, Affects, Case, Created, Field, Initial, Permission, Resource, Shape, Verb};

/// The name of the node, which is also that of its enrolment file.
pub(crate) const NAME: Field = Field::text("name", Shape::FileName(32))
    .unique(Case::Insensitive, "A Conferencing Node with this name exists already.")
    .column()
    .filtered()
    .help("The name of the Conferencing Node.");

/// Whether it is a bursting node.
pub(crate) const CLOUD_BURSTING: Field = Field::boolean("cloud_bursting", false)
    .filtered()
    .help("Whether the node is started only when the others are full.");

/// Whether the operator has put it into maintenance mode.
pub(crate) const MAINTENANCE_MODE: Field = Field::boolean("maintenance_mode", false)
    .core()
    .filtered()
    .help("Whether the node refuses new calls because the operator wants it so. Calls that it has go on.");

/// Why the operator has done so.
pub(crate) const MAINTENANCE_MODE_REASON: Field = Field::text("maintenance_mode_reason", Shape::Text(250))
    .or_empty()
    .filtered()
    .help("Why the node is in maintenance mode.");

/// The system location of the node.
pub(crate) const SYSTEM_LOCATION: Field =
    Field::to_one("system_location", "system_location").column().filtered().help("Where the node is.");

/// The certificate that it shows to callers.
pub(crate) const TLS_CERTIFICATE: Field = Field::to_one("tls_certificate", "tls_certificate").or_null().needing(Permission::ChangeTrust).help(
    "The TLS certificate that the node shows for SIP over TLS. The field nodes of the certificate does the same; both are for who may change certificates.",
);

/// Its host name, which with the domain is one of its names in certificates.
pub(crate) const HOSTNAME: Field = Field::text("hostname", Shape::Hostname)
    .unique(Case::Insensitive, "A Conferencing Node with this host name exists already.")
    .filtered()
    .help("The host name of the node, without its domain.");

const ADDRESS: Field = Field::text("address", Shape::Address)
    .unique(Case::Sensitive, "A Conferencing Node with this address exists already.")
    .filtered()
    .help("The IP address of the node.");

const IPV6_ADDRESS: Field = Field::text("ipv6_address", Shape::Ipv6Address)
    .or_null()
    .unique(Case::Sensitive, "A Conferencing Node with this IPv6 address exists already.")
    .filtered()
    .kept()
    .help("The IPv6 address of the node.");

/// The resource.
pub(crate) static WORKER_VM: Resource = Resource {
    called: "Conferencing Node",
    plural: "Conferencing Nodes",
    help: "A machine that carries calls.",
    most: NODES_AT_MOST as i64,
    // One request must not be able to remove all nodes.
    list: &[Verb::Get, Verb::Post, Verb::Patch],
    affects: Affects::Fleet,
    created: Created::EnrolmentFile,
    actions: &[Action::Enrolment],
    fields: &[
        NAME,
        HOSTNAME,
        Field::text("domain", Shape::Domain).filtered().help("The domain of the node."),
        TLS_CERTIFICATE,
        ADDRESS,
        Field::text("netmask", Shape::Netmask).filtered().help("The netmask of its network."),
        Field::text("gateway", Shape::Address).filtered().help("The address of its router."),
        SYSTEM_LOCATION,
        Field::choice("node_type", &["CONFERENCING"])
            .or(Initial::Text("CONFERENCING"))
            .filtered()
            .help("What the node does. All nodes of Pitlane carry calls."),
        Field::boolean("transcoding", true)
            .read_only()
            .help("Whether the node mixes media, as all nodes do."),
        CLOUD_BURSTING,
        MAINTENANCE_MODE,
        MAINTENANCE_MODE_REASON,
        Field::text("description", Shape::Text(250))
            .or_empty()
            .filtered()
            .help("What the operator notes about the node."),
        Field::choice("deployment_type", &["MANUAL-PROVISION-ONLY"])
            .or(Initial::Text("MANUAL-PROVISION-ONLY"))
            .help("How the node is deployed: with an enrolment file that the operator carries."),
        Field::text("alternative_fqdn", Shape::Text(255))
            .or_empty()
            .filtered()
            .kept()
            .help("Another name of the node in certificates."),
        IPV6_ADDRESS,
        Field::text("ipv6_gateway", Shape::Ipv6Address)
            .or_null()
            .filtered()
            .kept()
            .help("The IPv6 router of its network."),
        Field::text("secondary_address", Shape::Address)
            .or_null()
            .kept()
            .help("The address of a second interface."),
        Field::text("secondary_netmask", Shape::Netmask)
            .or_null()
            .kept()
            .help("The netmask of the second interface."),
        Field::text("static_nat_address", Shape::Address)
            .or_null()
            .kept()
            .help("The address of the node before a NAT. The machine itself says it in machine.toml."),
        Field::whole("media_priority_weight", 0, 1_000)
            .or(Initial::Whole(0))
            .nullable()
            .kept()
            .help("How much the node is preferred for media."),
        Field::whole("vm_cpu_count", 2, 128)
            .or(Initial::Whole(4))
            .kept()
            .help("How many processors the machine has."),
        Field::whole("vm_system_memory", 2_000, 64_000)
            .or(Initial::Whole(4_096))
            .kept()
            .help("How much memory the machine has, in megabytes."),
        Field::text("password", Shape::Text(100))
            .or_empty()
            .dropped()
            .help("The password of the machine's account. It is not stored."),
        Field::boolean("enable_distributed_database", true)
            .kept()
            .help("Whether the node keeps a copy of the configuration."),
        Field::boolean("managed", false).kept().help("Whether another system manages the machine."),
        Field::boolean("service_manager", true).kept().help("A setting of earlier tools."),
        Field::boolean("service_policy", true).kept().help("A setting of earlier tools."),
        Field::boolean("signalling", true).kept().help("A setting of earlier tools."),
        Field::choice("enable_ssh", GLOBAL_OFF_ON)
            .or(Initial::Text("GLOBAL"))
            .kept()
            .help("Whether the machine has SSH."),
        Field::boolean("ssh_authorized_keys_use_cloud", true)
            .kept()
            .help("Whether the machine takes the SSH keys of its cloud."),
        Field::choice("snmp_mode", &["DISABLED", "STANDARD", "AUTHPRIV"])
            .or(Initial::Text("DISABLED"))
            .filtered()
            .kept()
            .help("Whether the machine has SNMP."),
        Field::text("snmp_community", Shape::Text(16))
            .or(Initial::Text("public"))
            .filtered()
            .kept()
            .help("The community of SNMP."),
        Field::text("snmp_username", Shape::Text(100))
            .or_empty()
            .filtered()
            .kept()
            .help("The account of SNMP."),
        Field::text("snmp_authentication_password", Shape::Text(100))
            .or_empty()
            .dropped()
            .help("A password of SNMP. It is not stored."),
        Field::text("snmp_privacy_password", Shape::Text(100))
            .or_empty()
            .dropped()
            .help("A password of SNMP. It is not stored."),
        Field::text("snmp_system_contact", Shape::Text(70))
            .or(Initial::Text("admin@domain.com"))
            .filtered()
            .kept()
            .help("Who is responsible for the machine, for SNMP."),
        Field::text("snmp_system_location", Shape::Text(70))
            .or(Initial::Text("Virtual machine"))
            .filtered()
            .kept()
            .help("Where the machine is, for SNMP."),
    ],
    ..Resource::configuration("worker_vm")
};
