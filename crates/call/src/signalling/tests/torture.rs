//! The torture messages of the SIP syntax, one for each section of RFC 4475 and of RFC 5118, given to a user agent that
//! has rooms with the aliases that they call: each gets the one answer that its section asks for.

#[path = "../../../../sip/tests/support/messages.rs"]
mod notation;

use crate::rooms::{Callers, Room, Rooms};

use super::kit::{PHONE, World, settings};
use super::user::{account, accounts};

/// What each is answered. Of two answers that a section allows it is the stricter. The long request is longer than the
/// one of its section: its addresses alone are more than is kept of a call.
#[rustfmt::skip]
const ANSWERS: [(&str, &str); 61] = [
    ("wsinv", "481"), ("intmeth", "501"), ("esc01", "200"), ("escnull", "401"), ("esc02", "501"), ("lwsdisp", "200"),
    ("longreq", "513"), ("dblreq", "401"), ("semiuri", "200"), ("transports", "200"), ("mpart01", "405"),
    ("unreason", ""), ("noreason", ""), ("badinv01", "400"), ("clerr", "400"), ("ncl", "400"), ("scalar02", "400"),
    ("scalarlg", ""), ("quotbal", "400"), ("ltgtruri", "400"), ("lwsruri", "400"), ("lwsstart", "400"),
    ("trws", "400"), ("escruri", "400"), ("baddate", "200"), ("regbadct", "400"), ("badaspec", "400"),
    ("baddn", "400"), ("badvers", "505"), ("mismatch01", "400"), ("mismatch02", "400"), ("bigcode", ""),
    ("badbranch", "200"), ("insuf", "400"), ("unkscm", "416"), ("novelsc", "416"), ("unksm2", "400"),
    ("bext01", "420"), ("invut", "415"), ("regaut01", "401"), ("multi01", "400"), ("mcl01", "400"), ("bcast", ""),
    ("zeromf", "200"), ("cparam01", "401"), ("cparam02", "401"), ("regescrt", "401"), ("sdp01", "406"),
    ("inv2543", "200"), ("ipv6-good", "401"), ("ipv6-bad", "400"), ("port-ambiguous", "401"),
    ("port-unambiguous", "401"), ("via-received-param-with-delim", "481"), ("via-received-param-no-delim", "481"),
    ("ipv6-in-sdp", "200"), ("mult-ip-in-header", "481"), ("mult-ip-in-sdp", "200"), ("ipv4-mapped-ipv6", "200"),
    ("ipv6-bug-abnf-3-colons", "200"), ("ipv6-correct-abnf-2-colons", "200"),
];

/// What the messages call, as they spell it and decoded.
fn aliases() -> Vec<String> {
    let long = "long.name-of-a-bed.".repeat(120) + "4";
    let others = ["ward7", "bed4", "desk", "sips:bed4@video.example;lr", "bed4;side=left@window;lr"];
    others.map(str::to_owned).into_iter().chain([long]).collect()
}

/// The statuses of all answers to a message, one after the other.
fn answers(bytes: &[u8]) -> String {
    let mut settings = settings();
    settings.media_v6 = Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into());
    let mut world = World::with(settings);
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    let room = Room { name: "Ward".into(), aliases: aliases(), callers: Callers::Anyone };
    world.agent.set_rooms(Rooms::new([room]));
    world.receive_bytes(PHONE, bytes);
    let statuses = world.take_sent();
    statuses.iter().map(|text| text.split(' ').nth(1).unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_torture_message_is_answered_as_its_section_asks() {
    let files = [
        include_str!("../../../../sip/tests/messages/rfc4475.txt"),
        include_str!("../../../../sip/tests/messages/rfc5118.txt"),
    ];
    let messages = files.into_iter().flat_map(notation::messages);
    let answered: Vec<_> = messages.map(|(name, bytes)| (name, answers(&bytes))).collect();
    let answered: Vec<_> = answered.iter().map(|(name, answer)| (name.as_str(), answer.as_str())).collect();
    assert_eq!(answered, ANSWERS);
}
