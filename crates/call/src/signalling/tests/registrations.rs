//! Devices that register: bindings, their expiry and order, who may have them, and maintenance mode.

use std::time::Duration;

use crate::admission::{Admission, Closed};
use crate::settings::SourceRate;

use super::device::{Device, contacts};
use super::kit::{PHONE, Phone, World, header, settings};
use super::user::{User, account, accounts};

const DESK: &str = "Contact: <sip:ann@192.0.2.2:5062>\r\n";

fn world() -> World {
    let mut world = World::new();
    world.agent.set_accounts(accounts([account("ann", &["ann", "sales"]), account("bob", &["bob"])]));
    world
}

/// The contacts that a query shows.
fn shown(world: &mut World, device: &mut Device) -> Vec<String> {
    let answer = device.register(world, "");
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    contacts(&answer).into_iter().map(str::to_owned).collect()
}

#[test]
fn device_is_challenged_registered_shown_and_removed() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    let challenge = { world.exchange(PHONE, &ann.request(DESK)) };
    assert!(challenge.starts_with("SIP/2.0 401"), "{challenge}");
    assert_eq!((world.agent.entries(), world.agent.next_deadline()), (0, None));
    let answer = ann.register(&mut world, DESK);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(contacts(&answer), ["<sip:ann@192.0.2.2:5062>;expires=600"]);
    world.pass(Duration::from_millis(1500));
    assert_eq!(shown(&mut world, &mut ann), ["<sip:ann@192.0.2.2:5062>;expires=599"]);
    let answer = ann.register(&mut world, "Contact: <sip:ann@192.0.2.2:5062>;expires=0\r\n");
    assert!(answer.starts_with("SIP/2.0 200") && contacts(&answer).is_empty(), "{answer}");
    assert_eq!((world.count(), world.stats()), (0, crate::calls::Stats::default()), "it is no call");
}

#[test]
fn registration_expires_after_what_was_asked_for_within_the_limits() {
    let check = |headers: &str, seconds: u64| {
        let (mut world, mut ann) = (world(), Device::new("ann"));
        let answer = ann.register(&mut world, headers);
        let shown = contacts(&answer);
        assert_eq!(shown, [format!("<sip:ann@192.0.2.2:5062>;expires={seconds}")], "{answer}");
        world.pass(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(world.agent.bindings.of("ann").len(), 1);
        world.pass(Duration::from_millis(1));
        assert_eq!(world.agent.bindings.of("ann").len(), 0);
    };
    check("Contact: <sip:ann@192.0.2.2:5062>;expires=60\r\nExpires: 300\r\n", 60);
    check("Contact: <sip:ann@192.0.2.2:5062>\r\nExpires: 300\r\n", 300);
    check("Contact: <sip:ann@192.0.2.2:5062>;expires=86400\r\n", 600);
    check("Contact: <sip:ann@192.0.2.2:5062>;expires=nonsense\r\n", 600);
}

#[test]
fn register_that_cannot_be_done_is_refused_and_changes_nothing() {
    let mut world = world();
    let mut ann = Device::new("ann");
    ann.register(&mut world, DESK);
    let long = format!("Contact: <sip:{}@192.0.2.2>\r\n", "a".repeat(512));
    for (headers, status, with) in [
        ("Contact: <sip:ann@192.0.2.2:5062>;expires=59\r\n", "423", "Min-Expires: 60\r\n"),
        ("Contact: *\r\n", "400", "Expires: 0"),
        ("Contact: *\r\nExpires: 60\r\n", "400", "Expires: 0"),
        ("Contact: *, <sip:ann@192.0.2.3>\r\nExpires: 0\r\n", "400", "wrong"),
        ("Contact: <sip:ann@192.0.2.3\r\n", "400", "wrong"),
        ("Contact: <sip:ann@192.0.2.3>, <tel:5>\r\n", "400", "no SIP URI"),
        (&long, "400", "too long"),
        ("Path: <sip:edge.example.com;lr>\r\nContact: <sip:ann@192.0.2.3>\r\n", "420", "Unsupported: path"),
        ("Require: path\r\nContact: <sip:ann@192.0.2.3>\r\n", "420", "Unsupported: path"),
    ] {
        let answer = ann.register(&mut world, headers);
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{headers}: {answer}");
        assert!(answer.contains(with), "{headers}: {answer}");
    }
    assert_eq!(shown(&mut world, &mut ann), ["<sip:ann@192.0.2.2:5062>;expires=600"]);
}

#[test]
fn account_registers_its_own_aliases_alone() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    for (alias, status) in [("SALES@192.0.2.1", "200"), ("bob@192.0.2.1", "403"), ("nobody@192.0.2.1", "403")]
    {
        ann.alias = alias.into();
        let answer = ann.register(&mut world, DESK);
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{alias}: {answer}");
    }
    assert_eq!((world.agent.bindings.of("sales").len(), world.agent.bindings.of("bob").len()), (1, 0));
}

#[test]
fn several_devices_of_an_alias_are_bounded_and_the_oldest_goes() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    for n in 1..=10 {
        let answer = ann.register(&mut world, &format!("Contact: <sip:ann@192.0.2.{n}>\r\n"));
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }
    let shown = shown(&mut world, &mut ann);
    let expected: Vec<_> = (3..=10).rev().map(|n| format!("<sip:ann@192.0.2.{n}>;expires=600")).collect();
    assert_eq!(shown, expected);
    let nine: String = (1..=9).map(|n| format!("Contact: <sip:ann@192.0.2.{n}>\r\n")).collect();
    assert!(ann.register(&mut world, &nine).starts_with("SIP/2.0 400"));
    let answer = ann.register(&mut world, "Contact: *\r\nExpires: 0\r\n");
    assert!(contacts(&answer).is_empty(), "{answer}");
    assert_eq!(world.agent.bindings.next_deadline(), None);
}

#[test]
fn contacts_are_the_same_by_the_rules_of_uris() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    ann.register(&mut world, "Contact: <sip:%61nn@PHONE.example.com;x=y>\r\n");
    let answer = ann.register(&mut world, "Contact: Ann <sip:ann@phone.example.com;z>\r\n");
    assert_eq!(contacts(&answer), ["<sip:ann@phone.example.com;z>;expires=600"]);
    let answer = ann.register(&mut world, "Contact: <sip:ann@phone.example.com;transport=tcp>\r\n");
    assert_eq!(contacts(&answer).len(), 2, "another transport is another contact");
}

#[test]
fn request_that_is_overtaken_changes_nothing() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    ann.sequence = 10;
    ann.register(&mut world, DESK);
    let removals = ["Contact: <sip:ann@192.0.2.2:5062>;expires=0\r\n", "Contact: *\r\nExpires: 0\r\n"];
    for (sequence, headers) in (8..).zip(removals) {
        let mut late = Device { sequence, ..ann.clone() };
        let answer = late.register(&mut world, headers);
        assert!(answer.starts_with("SIP/2.0 500"), "{answer}");
        ann.user.count = late.user.count;
    }
    assert_eq!(shown(&mut world, &mut ann).len(), 1);
    let mut restarted = Device { call_id: "again".into(), sequence: 1, ..ann };
    let answer = restarted.register(&mut world, "Contact: <sip:ann@192.0.2.2:5062>;expires=0\r\n");
    assert!(answer.starts_with("SIP/2.0 200") && contacts(&answer).is_empty(), "{answer}");
}

#[test]
fn repeated_register_gets_its_answer_again_and_a_copy_of_it_none() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    ann.register(&mut world, DESK);
    let request = ann.request("Contact: <sip:ann@192.0.2.3>\r\n");
    let answer = world.exchange(PHONE, &request);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(world.exchange(PHONE, &request), answer);
    let copy = request.replace("z9hG4bK", "z9hG4bKs").replace("192.0.2.3", "203.0.113.66");
    let refusal = world.exchange("203.0.113.66:5060", &copy.replace("Call-ID: ann", "Call-ID: s"));
    assert!(refusal.starts_with("SIP/2.0 401") && refusal.contains("stale=true"), "{refusal}");
    assert_eq!(shown(&mut world, &mut ann).len(), 2);
}

#[test]
fn in_maintenance_mode_new_devices_are_refused_and_registered_ones_stay_for_the_shortest_time() {
    let (mut world, mut ann, mut bob) = (world(), Device::new("ann"), Device::new("bob"));
    ann.register(&mut world, DESK);
    world.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
    for (device, headers) in [(&mut bob, DESK), (&mut ann, "Contact: <sip:ann@192.0.2.3>\r\n")] {
        let refusal = device.register(&mut world, headers);
        assert!(refusal.starts_with("SIP/2.0 503"), "{refusal}");
        assert_eq!(header(&refusal, "Retry-After"), "120");
        assert_eq!(header(&refusal, "Reason"), "SIP;cause=503;text=\"System in maintenance mode\"");
    }
    let answer = ann.register(&mut world, "Contact: <sip:ann@192.0.2.2:5062>;expires=300\r\n");
    assert_eq!(contacts(&answer), ["<sip:ann@192.0.2.2:5062>;expires=60"]);
    let answer = ann.register(&mut world, "Contact: *\r\nExpires: 0\r\n");
    assert!(answer.starts_with("SIP/2.0 200") && contacts(&answer).is_empty(), "{answer}");
    world.agent.set_admission(Admission::Open);
    assert!(bob.register(&mut world, DESK).starts_with("SIP/2.0 200"));
}

#[test]
fn devices_of_accounts_that_change_are_gone() {
    let (mut world, mut ann, mut bob) = (world(), Device::new("ann"), Device::new("bob"));
    ann.register(&mut world, DESK);
    ann.alias = "sales@192.0.2.1".into();
    ann.register(&mut world, DESK);
    bob.register(&mut world, DESK);
    let mut changed = account("bob", &["bob"]);
    changed.secret = crate::accounts::Secret::Password("another".into());
    world.agent.set_accounts(accounts([account("ann", &["ann", "new"]), changed]));
    let bound = ["ann", "sales", "bob"].map(|alias| world.agent.bindings.of(alias).len());
    assert_eq!(bound, [1, 0, 0]);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.agent.next_deadline(), None);
}

#[test]
fn connection_of_a_registered_device_is_in_use_until_its_registration_ends() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    world.accept("192.0.2.2:50123");
    ann.via = "SIP/2.0/TCP 192.0.2.2:5062".into();
    let request = ann.request(DESK);
    world.receive_over_connection(&request);
    (ann.challenge, ann.user.count) = (Some(world.answer()), 0);
    assert_eq!(world.agent.connections().len(), 0, "a challenge keeps no connection");
    let request = ann.request(DESK);
    world.receive_over_connection(&request);
    assert!(world.answer().starts_with("SIP/2.0 200"));
    assert_eq!(world.agent.connections().len(), 1);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.agent.connections().len(), 0);
}

#[test]
fn node_without_accounts_is_no_registrar() {
    let (mut world, mut ann) = (World::new(), Device::new("ann"));
    assert!(ann.register(&mut world, DESK).starts_with("SIP/2.0 405"));
}

#[test]
fn device_that_is_registered_from_there_is_not_locked_out_by_guesses_of_its_address() {
    let mut few = settings();
    few.source_rate = SourceRate { failed: 3, ..SourceRate::default() };
    let mut world = World::with(few);
    world.agent.set_accounts(accounts([account("ann", &["ann"]), account("bob", &["bob"])]));
    let mut ann = Device::new("ann");
    ann.register(&mut world, DESK);
    for n in 0..4 {
        let mut guess = Device { call_id: format!("g{n}"), from: "192.0.2.2:9".into(), ..Device::new("bob") };
        guess.user = User { password: "guess".into(), ..guess.user };
        guess.register(&mut world, DESK);
    }
    assert_eq!(world.stats().unchecked_credentials, 1);
    ann.challenge = None;
    assert!(ann.register(&mut world, DESK).starts_with("SIP/2.0 200"), "it answers another challenge");
}

#[test]
fn flood_of_registers_with_wrong_credentials_leaves_nothing() {
    let (mut world, mut ann) = (world(), Device::new("ann"));
    let challenge = world.exchange(PHONE, &ann.request(DESK));
    for n in 0..1000 {
        let mut guess = Device { call_id: format!("g{n}"), ..Device::new("ann") };
        (guess.challenge, guess.user.password) = (Some(challenge.clone()), n.to_string());
        let request = guess.request(DESK);
        world.receive("203.0.113.66:5060", &request);
    }
    let stats = world.stats();
    assert_eq!((stats.wrong_credentials, stats.unchecked_credentials, stats.dropped), (60, 440, 500));
    assert_eq!(
        (world.take_sent().len(), world.agent.authenticator.kept(), world.agent.entries()),
        (500, 0, 0)
    );
    assert_eq!(world.agent.next_deadline(), None);
    assert!(Device::new("ann").register(&mut world, DESK).starts_with("SIP/2.0 200"), "from elsewhere");
}

#[test]
fn source_registers_as_many_devices_at_once_as_it_may_make_calls() {
    let mut few = settings();
    few.source_rate = SourceRate { burst: 2, ..SourceRate::default() };
    let mut world = World::with(few);
    world.agent.set_accounts(accounts([account("ann", &["ann"])]));
    let mut ann = Device::new("ann");
    assert!(ann.register(&mut world, DESK).starts_with("SIP/2.0 200"));
    assert!(ann.register(&mut world, DESK).starts_with("SIP/2.0 200"));
    let refusal = ann.register(&mut world, DESK);
    assert!(refusal.starts_with("SIP/2.0 503"), "{refusal}");
    assert_eq!(header(&refusal, "Retry-After"), "10");
    assert_eq!(world.count(), 0);
    let mut phone = Phone::new("c");
    world.call(&mut phone);
}
