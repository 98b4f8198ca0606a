//! Logins: what the node answers to whom who asks who it is.

use std::time::Duration;

use crate::accounts::Secret;
use crate::logins::{Login, Logins};
use crate::settings::Settings;

use super::device::Device;
use super::far_end::{FAR, after_ack, answer, has_failed, to, to_device};
use super::kit::{PHONE, Phone, SDP, World, has_header, header, response, settings};
use super::user::{account, accounts};

const BOB: &str = "sip:bob@192.0.2.7:5070";
const CONTACT: &str = "Contact: <sip:bob@192.0.2.7:5070>\r\n";
const NO_LOGIN: &str =
    "the far end asks for a login of the realm \"pbx\", and there is none for its host that it takes";
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n";

/// A node with logins of everybody whom these tests know.
fn world() -> World {
    with_logins(settings())
}

fn with_logins(settings: Settings) -> World {
    let mut world = World::with(settings);
    let login = |(host, realm): (u8, &str)| Login {
        host: format!("192.0.2.{host}"),
        realm: realm.into(),
        username: "trunk".into(),
        secret: Secret::Password("geheim".into()),
    };
    world.agent.set_logins(
        Logins::new([(2, "pbx"), (7, "pbx"), (7, "other"), (9, "pbx")].map(login)).expect("logins"),
    );
    world
}

#[test]
fn challenge_without_a_login_is_a_failure() {
    let mut world = World::new();
    let invite = world.dial(&to(BOB));
    world.receive(FAR, &answer(&invite, "401 Unauthorized", "bob", CHALLENGE, ""));
    world.take_sent();
    has_failed(&mut world, NO_LOGIN);
}

#[test]
fn challenge_with_a_login_is_answered() {
    let mut world = world();
    let invite = world.dial(&to(BOB));
    world.receive(FAR, &answer(&invite, "407 Proxy", "bob", &CHALLENGE.replace("WWW-", "Proxy-"), ""));
    let sent = after_ack(&mut world);
    assert_eq!(header(&sent[0], "Call-ID"), header(&invite, "Call-ID"));
    assert_eq!(header(&sent[0], "CSeq"), "2 INVITE");
    let credentials = header(&sent[0], "Proxy-Authorization");
    assert!(
        credentials.starts_with("Digest username=\"trunk\", realm=\"pbx\", nonce=\"n1\", "),
        "{credentials}"
    );
    let body = |text: &str| text.split("\r\n\r\n").nth(1).expect("a body").to_owned();
    assert_eq!(body(&sent[0]), body(&invite), "the same offer");
    world.receive(FAR, &answer(&sent[0], "200 OK", "bob", "Contact: <sip:bob@192.0.2.7:5070>\r\n", SDP));
    let ack = world.answer();
    assert_eq!(header(&ack, "Proxy-Authorization"), credentials, "those of the INVITE");
    assert_eq!(world.take_done(), ["join 1 Meeting", "dialled 1: answered", "start 1"]);
}

#[test]
fn login_that_is_refused_is_not_tried_again() {
    let mut world = world();
    let invite = world.dial(&to(BOB));
    world.receive(FAR, &answer(&invite, "401 Unauthorized", "bob", CHALLENGE, ""));
    let again = after_ack(&mut world);
    world.receive(FAR, &answer(&again[0], "401 Unauthorized", "bob", CHALLENGE, ""));
    assert_eq!(after_ack(&mut world), [] as [&str; 0]);
    has_failed(&mut world, "the far end does not take the login of the realm \"pbx\"");
}

#[test]
fn far_end_that_challenges_for_ever_is_given_up() {
    let mut world = world();
    let mut invite = world.dial(&to(BOB));
    let mut invites = 1;
    let stale = CHALLENGE.replace("qop", "stale=true, qop");
    loop {
        world.receive(FAR, &answer(&invite, "401 Unauthorized", "bob", &stale, ""));
        let Some(again) = after_ack(&mut world).pop() else { break };
        (invite, invites) = (again, invites + 1);
    }
    assert_eq!(invites, 9);
    has_failed(&mut world, "the far end does not take the login of the realm \"pbx\"");
}

#[test]
fn requests_of_the_call_answer_the_challenges_of_a_provider() {
    let mut world = world();
    world.dialled();
    let challenge = |nonce: &str| {
        format!("Proxy-Authenticate: Digest realm=\"pbx\", nonce=\"{nonce}\", qop=\"auth\"\r\n")
    };
    world.pass(Duration::from_secs(900));
    let refresh = world.answer();
    assert!(!has_header(&refresh, "Proxy-Authorization"));
    world.receive(FAR, &answer(&refresh, "407 Who", "", &challenge("n1"), ""));
    world.take_sent();
    world.pass(Duration::ZERO);
    let refresh = world.answer();
    assert!(header(&refresh, "Proxy-Authorization").contains("nonce=\"n1\""), "{refresh}");
    world.receive(FAR, &answer(&refresh, "200 OK", "", CONTACT, SDP));
    let ack = world.answer();
    assert_eq!(header(&ack, "Proxy-Authorization"), header(&refresh, "Proxy-Authorization"));
    world.hang_up(1);
    let bye = world.answer();
    assert!(header(&bye, "Proxy-Authorization").contains("nc=00000002"), "{bye}");
    world.receive(FAR, &answer(&bye, "407 Who", "", &challenge("n2"), ""));
    let bye = world.answer();
    assert!(header(&bye, "Proxy-Authorization").contains("nonce=\"n2\""), "{bye}");
    world.receive(FAR, &answer(&bye, "407 Who", "", &challenge("n3"), ""));
    assert_eq!(world.take_sent(), [] as [&str; 0], "the login is refused");
    world.pass(Duration::from_secs(4));
    assert_eq!(world.count(), 0);
}

/// An INVITE with credentials that a provider has asked for, which rings.
fn ringing(world: &mut World) -> String {
    let invite = world.dial(&to(BOB));
    world.receive(FAR, &answer(&invite, "407 Who", "bob", &CHALLENGE.replace("WWW-", "Proxy-"), ""));
    let invite = after_ack(world).pop().expect("an INVITE");
    world.receive(FAR, &answer(&invite, "180 Ringing", "bob", "", ""));
    invite
}

#[test]
fn answer_that_crosses_the_cancel_is_ended_with_the_credentials_of_its_invite() {
    let mut world = world();
    let invite = ringing(&mut world);
    world.hang_up(1);
    assert!(world.answer().starts_with("CANCEL "));
    world.receive(FAR, &answer(&invite, "200 OK", "bob", CONTACT, SDP));
    let sent = world.take_sent();
    assert_eq!(header(&sent[0], "Proxy-Authorization"), header(&invite, "Proxy-Authorization"));
    assert!(sent[0].starts_with("ACK ") && sent[1].starts_with("BYE "), "{sent:?}");
    assert!(header(&sent[1], "Proxy-Authorization").contains("nc=00000002"), "{}", sent[1]);
    let challenge = CHALLENGE.replace("WWW-", "Proxy-").replace("n1", "n2");
    world.receive(FAR, &answer(&sent[1], "407 Who", "", &challenge, ""));
    let bye = world.answer();
    assert!(header(&bye, "Proxy-Authorization").contains("nonce=\"n2\""), "{bye}");
    assert_eq!(world.count(), 1, "until the BYE is answered");
    world.receive(FAR, &answer(&bye, "200 OK", "", "", ""));
    assert_eq!(world.count(), 0);
}

#[test]
fn answer_of_a_second_fork_is_acknowledged_with_the_credentials_of_its_invite() {
    let mut world = world();
    let invite = ringing(&mut world);
    world.receive(FAR, &answer(&invite, "200 OK", "bob", CONTACT, SDP));
    world.take_sent();
    world.receive(FAR, &answer(&invite, "200 OK", "other", CONTACT, SDP));
    let ack = world.take_sent().remove(0);
    assert!(ack.starts_with("ACK ") && header(&ack, "To").ends_with(";tag=other"), "{ack}");
    assert_eq!(header(&ack, "Proxy-Authorization"), header(&invite, "Proxy-Authorization"));
}

/// How many refreshes are sent at once to a far end that answers each with the next of these challenges, and repeats
/// the answer to the call.
fn refreshes_at_once(challenges: [&str; 2]) -> usize {
    let interval = Duration::from_secs(20);
    let short = Settings { session_interval: interval, min_session_interval: interval, ..settings() };
    let mut world = with_logins(short);
    let (_, accepted) = world.dialled();
    world.pass(Duration::from_secs(10));
    for (count, challenge) in challenges.into_iter().cycle().take(100).enumerate() {
        world.pass(Duration::ZERO);
        let sent = world.take_sent();
        let Some(refresh) = sent.iter().find(|text| text.starts_with("INVITE ")) else { return count };
        world.receive(FAR, &answer(refresh, "401 Unauthorized", "", challenge, ""));
        world.receive(FAR, &accepted);
    }
    100
}

#[test]
fn far_end_that_challenges_for_ever_within_a_call_is_not_answered_for_ever() {
    let stale = CHALLENGE.replace("qop", "stale=true, qop");
    assert_eq!(refreshes_at_once([&stale, &stale]), 9);
    // The answers to both fit into a datagram.
    let short = CHALLENGE.replace(", algorithm=SHA-256, qop=\"auth\"", "");
    assert_eq!(refreshes_at_once([&short, &short.replace("pbx", "other")]), 9);
}

#[test]
fn credentials_are_for_the_request_uri_behind_a_strict_router_as_well() {
    let mut world = world();
    let invite = world.dial(&to(BOB));
    let routed = "Record-Route: <sip:router@192.0.2.7:5070>\r\nContact: <sip:bob@192.0.2.8>\r\n";
    world.receive(FAR, &answer(&invite, "200 OK", "bob", routed, SDP));
    world.take_sent();
    world.hang_up(1);
    let bye = world.answer();
    world.receive(FAR, &answer(&bye, "401 Unauthorized", "", CHALLENGE, ""));
    let bye = world.answer();
    assert!(bye.starts_with("BYE sip:router@192.0.2.7:5070 SIP/2.0\r\n"), "{bye}");
    assert!(header(&bye, "Authorization").contains("uri=\"sip:router@192.0.2.7:5070\""), "{bye}");
}

#[test]
fn challenges_of_other_requests_do_not_add_up() {
    let mut world = world();
    world.dialled();
    for count in 0..20 {
        world.pass(Duration::from_secs(900));
        let refresh = world.answer();
        let challenge = CHALLENGE.replace("n1", &format!("n{count}"));
        world.receive(FAR, &answer(&refresh, "401 Unauthorized", "", &challenge, ""));
        world.take_sent();
        world.pass(Duration::ZERO);
        let refresh = world.answer();
        assert!(header(&refresh, "Authorization").contains(&format!("nonce=\"n{count}\"")), "{refresh}");
        world.receive(FAR, &answer(&refresh, "200 OK", "", CONTACT, SDP));
        assert!(world.answer().starts_with("ACK "));
    }
}

#[test]
fn caller_who_asks_for_a_login_gets_none() {
    let (mut world, mut phone) = (world(), Phone::new("a"));
    world.call(&mut phone);
    world.pass(Duration::from_secs(900));
    let refresh = world.answer();
    world.receive(PHONE, &response(&refresh, "401 Unauthorized", CHALLENGE, ""));
    assert!(world.answer().starts_with("ACK "));
    world.pass(Duration::from_secs(9));
    assert_eq!(world.take_sent(), [] as [&str; 0], "as with any other refusal");
    world.pass(Duration::from_secs(1));
    assert!(!has_header(&world.answer(), "Authorization"));
    world.hang_up(1);
    let bye = world.take_sent().pop().expect("a BYE");
    world.receive(PHONE, &response(&bye, "401 Unauthorized", CHALLENGE, ""));
    assert_eq!(world.take_sent(), [] as [&str; 0]);
}

#[test]
fn redirection_leads_to_nobody_who_gets_a_login() {
    let mut world = world();
    let invite = world.dial(&to(BOB));
    world.receive(FAR, &answer(&invite, "401 Unauthorized", "bob", CHALLENGE, ""));
    let again = after_ack(&mut world);
    assert!(has_header(&again[0], "Authorization"));
    let moved = answer(&again[0], "302 Moved", "bob", "Contact: <sip:b@192.0.2.9>\r\n", "");
    world.receive(FAR, &moved);
    let redirected = after_ack(&mut world);
    assert!(
        redirected[0].starts_with("INVITE sip:b@192.0.2.9 ") && !has_header(&redirected[0], "Authorization")
    );
    world.receive("192.0.2.9:5060", &answer(&redirected[0], "401 Unauthorized", "b", CHALLENGE, ""));
    assert_eq!(after_ack(&mut world), [] as [&str; 0]);
    has_failed(&mut world, NO_LOGIN);
}

#[test]
fn device_that_asks_for_a_login_gets_none() {
    let mut world = world();
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    Device::new("ann").register(&mut world, "Contact: <sip:ann@192.0.2.2:5062>\r\n");
    let invite = world.dial(&to_device("ann"));
    world.receive(PHONE, &answer(&invite, "401 Unauthorized", "ann", CHALLENGE, ""));
    assert_eq!(after_ack(&mut world), [] as [&str; 0]);
    has_failed(&mut world, NO_LOGIN);
}
