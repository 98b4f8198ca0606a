//! Calls to a room that takes accounts alone: challenges, and credentials of every kind.

use std::time::Duration;

use crate::admission::{Admission, Closed};
use crate::settings::{Settings, SourceRate};

use super::super::{Algorithm, UserAgent};
use super::kit::{PHONE, Phone, SDP, World, has_header, header, settings};
use super::user::{User, account, accounts, param};

fn world_with(settings: Settings) -> World {
    let mut world = World::with(settings);
    world.agent.set_accounts(accounts([account("ann", &["ann"]), account("bob", &["bob"])]));
    world
}

fn world() -> World {
    world_with(settings())
}

fn phone(call_id: &str) -> Phone {
    Phone { target: "sip:board@192.0.2.1".into(), ..Phone::new(call_id) }
}

/// The answer to an INVITE, which is acknowledged if it is a refusal.
fn invite(world: &mut World, phone: &mut Phone) -> String {
    world.receive(PHONE, &phone.invite(SDP));
    let answer = world.answer();
    if !answer.starts_with("SIP/2.0 200") {
        let ack = phone.request("ACK", &format!("i{}", phone.sequence), "");
        world.receive(
            PHONE,
            &ack.replace("To: <sip:meet@192.0.2.1>", &format!("To: {}", header(&answer, "To"))),
        );
        phone.sequence += 1;
    }
    answer
}

/// The answer to an INVITE with credentials that answer a challenge.
fn invite_as(world: &mut World, phone: &mut Phone, user: &mut User, challenge: &str) -> String {
    phone.extra = user.answer(challenge, phone, "INVITE");
    invite(world, phone)
}

fn is_challenge(answer: &str) -> bool {
    answer.starts_with("SIP/2.0 401 ") && !answer.contains("stale")
}

fn is_stale(answer: &str) -> bool {
    answer.starts_with("SIP/2.0 401 ") && header(answer, "WWW-Authenticate").ends_with(", stale=true")
}

#[test]
fn room_for_accounts_takes_a_call_with_credentials_and_challenges_within_it_no_more() {
    let (mut world, mut phone, mut ann) = (world(), phone("a"), User::new("ann"));
    let challenge = invite(&mut world, &mut phone);
    assert!(is_challenge(&challenge), "{challenge}");
    assert_eq!((param(&challenge, "realm"), param(&challenge, "qop")), ("pitlane", "auth"));
    assert_eq!((world.count(), world.agent.entries(), world.agent.next_deadline()), (0, 0, None));
    let answer = invite_as(&mut world, &mut phone, &mut ann, &challenge);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    phone.answered(&answer);
    world.receive(PHONE, &phone.ack(""));
    assert_eq!(world.take_done(), ["join 1 Board", "start 1"]);
    phone.extra = String::new();
    world.receive(PHONE, &phone.invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 200"), "a change is not challenged");
    world.receive(PHONE, &phone.ack(""));
    world.receive(PHONE, &phone.next("BYE", ""));
    assert!(world.answer().starts_with("SIP/2.0 200"));
}

#[test]
fn wrong_credentials_are_challenged_anew_and_counted() {
    let mut world = world();
    let challenge = invite(&mut world, &mut phone("a"));
    let nobody = User::new("nobody");
    let guess = User { password: "guess".into(), ..User::new("ann") };
    let other_case = User { name: "Ann".into(), ..User::new("ann") };
    for (n, mut user) in [nobody, guess, other_case].into_iter().enumerate() {
        let answer = invite_as(&mut world, &mut phone(&n.to_string()), &mut user, &challenge);
        assert!(is_challenge(&answer), "{answer}");
    }
    assert_eq!((world.count(), world.stats().wrong_credentials), (0, 3));
    assert_eq!((world.agent.authenticator.kept(), world.agent.entries()), (0, 0));
}

#[test]
fn account_that_there_is_not_has_no_secret_that_could_be_shown() {
    let mut world = world();
    let challenge = invite(&mut world, &mut phone("a"));
    let mut phone = phone("b");
    let line = header(&challenge, "WWW-Authenticate");
    phone.extra = User::new("nobody").answer_by(line, "INVITE", &phone.target, |_, _| String::new());
    assert!(is_challenge(&invite(&mut world, &mut phone)));
}

#[test]
fn credentials_that_cannot_be_judged_count_as_none() {
    let mut world = world();
    let challenge = invite(&mut world, &mut phone("a"));
    let good = User::new("ann").answer(&challenge, &phone("b"), "INVITE");
    let mut check = |what: &str, headers: String| {
        let mut phone = Phone { extra: headers, ..phone(what) };
        let answer = invite(&mut world, &mut phone);
        assert!(is_challenge(&answer), "{what}: {answer}");
    };
    check("auth-int", good.replace("qop=auth", "qop=auth-int"));
    check("no-qop", good.replace("qop=auth, ", ""));
    check("no-count", good.replace("nc=00000001, ", ""));
    check("wrong-count", good.replace("nc=00000001", "nc=1"));
    check("no-cnonce", good.replace("cnonce=\"cnonce\", ", ""));
    check("another-realm", good.replace("pitlane", "Pitlane"));
    check("another-algorithm", good.replace("SHA-256", "MD5"));
    check("no-algorithm", good.replace("algorithm=SHA-256, ", ""));
    check("another-scheme", good.replace("Digest", "Basic"));
    check("another-target", good.replace("uri=\"sip:board@", "uri=\"sip:meet@"));
    check("for-a-proxy", good.replace("Authorization", "Proxy-Authorization"));
    let stats = world.stats();
    assert_eq!((stats.wrong_credentials, world.agent.authenticator.kept()), (0, 0));
}

#[test]
fn credentials_through_a_proxy_that_writes_another_host_are_good() {
    let (mut world, mut phone, mut ann) = (world(), phone("a"), User::new("ann"));
    let challenge = invite(&mut world, &mut phone);
    let challenge = header(&challenge, "WWW-Authenticate");
    phone.extra = ann.answer_to(challenge, "INVITE", "sip:board@example.com;transport=tcp");
    assert!(invite(&mut world, &mut phone).starts_with("SIP/2.0 200"));
}

#[test]
fn credentials_for_another_method_are_wrong() {
    let (mut world, mut phone, mut ann) = (world(), phone("a"), User::new("ann"));
    let challenge = invite(&mut world, &mut phone);
    phone.extra = ann.answer(&challenge, &phone, "BYE");
    assert!(is_challenge(&invite(&mut world, &mut phone)));
    assert_eq!(world.stats().wrong_credentials, 1);
}

#[test]
fn request_that_is_sent_again_by_a_stranger_is_refused() {
    let (mut world, mut ann, mut heard) = (world(), User::new("ann"), phone("a"));
    let challenge = invite(&mut world, &mut heard);
    let answer = invite_as(&mut world, &mut heard, &mut ann, &challenge);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    let mut stranger = Phone { extra: heard.extra.clone(), ..phone("s") };
    assert!(is_stale(&invite(&mut world, &mut stranger)));
    let mut next = phone("b");
    let answer = invite_as(&mut world, &mut next, &mut ann, &challenge);
    assert!(answer.starts_with("SIP/2.0 200"), "the next number of the same nonce is good: {answer}");
    assert_eq!((world.count(), world.stats().wrong_credentials), (2, 0));
}

#[test]
fn nonce_that_is_old_or_of_another_process_is_stale_for_who_knows_the_secret_alone() {
    let mut world = world();
    let challenge = invite(&mut world, &mut phone("a"));
    let forged = challenge.replace(param(&challenge, "nonce"), "a nonce of another process");
    let answer = invite_as(&mut world, &mut phone("b"), &mut User::new("ann"), &forged);
    assert!(is_stale(&answer), "{answer}");
    world.pass(Duration::from_secs(301));
    let answer = invite_as(&mut world, &mut phone("c"), &mut User::new("ann"), &challenge);
    assert!(is_stale(&answer), "{answer}");
    let mut guess = User { password: "guess".into(), ..User::new("ann") };
    let answer = invite_as(&mut world, &mut phone("d"), &mut guess, &challenge);
    assert!(is_challenge(&answer), "{answer}");
    assert_eq!(world.agent.authenticator.kept(), 0);
}

#[test]
fn challenges_stand_in_the_order_of_the_settings_and_each_can_be_answered() {
    let mut settings = settings();
    settings.authentication.algorithms = vec![Algorithm::Sha512Over256, Algorithm::Sha256, Algorithm::Md5];
    settings.authentication.realm = "video.example".into();
    let mut world = world_with(settings);
    let refusal = invite(&mut world, &mut phone("a"));
    let challenges: Vec<_> =
        refusal.lines().filter_map(|line| line.strip_prefix("WWW-Authenticate: ")).collect();
    let names: Vec<_> = challenges.iter().map(|challenge| param(challenge, "algorithm")).collect();
    assert_eq!(names, ["SHA-512-256", "SHA-256", "MD5"]);
    for (n, challenge) in challenges.into_iter().enumerate() {
        let mut phone = phone(&n.to_string());
        let mut ann = User { count: n as u32, ..User::new("ann") };
        phone.extra = ann.answer_to(challenge, "INVITE", &phone.target);
        assert!(invite(&mut world, &mut phone).starts_with("SIP/2.0 200"), "{challenge}");
    }
}

fn few_failures() -> Settings {
    let mut few = settings();
    few.source_rate = SourceRate { admitted: 1000, burst: 1000, answered: 1000, failed: 3 };
    few
}

#[test]
fn credentials_of_a_source_that_was_wrong_too_often_are_not_looked_at() {
    let mut world = world_with(few_failures());
    let challenge = invite(&mut world, &mut phone("a"));
    let mut guess = User { password: "guess".into(), ..User::new("ann") };
    for n in 0..3 {
        assert!(is_challenge(&invite_as(&mut world, &mut phone(&n.to_string()), &mut guess, &challenge)));
    }
    let refusal = invite_as(&mut world, &mut phone("r"), &mut User::new("ann"), &challenge);
    assert!(refusal.starts_with("SIP/2.0 503"), "{refusal}");
    assert_eq!(header(&refusal, "Retry-After"), "60");
    assert!(is_challenge(&invite(&mut world, &mut phone("n"))), "without credentials nothing is guessed");
    assert_eq!((world.stats().wrong_credentials, world.stats().unchecked_credentials), (3, 1));
    world.pass(Duration::from_secs(60));
    let answer = invite_as(&mut world, &mut phone("s"), &mut User::new("ann"), &challenge);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
}

#[test]
fn guesses_behind_the_same_address_do_not_lock_out_a_device_that_has_shown_its_secret() {
    let mut world = world_with(few_failures());
    let challenge = invite(&mut world, &mut phone("a"));
    let mut ann = User::new("ann");
    assert!(invite_as(&mut world, &mut phone("b"), &mut ann, &challenge).starts_with("SIP/2.0 200"));
    let mut guess = User { password: "guess".into(), ..User::new("bob") };
    for n in 0..4 {
        invite_as(&mut world, &mut phone(&n.to_string()), &mut guess, &challenge);
    }
    assert_eq!(world.stats().unchecked_credentials, 1);
    let answer = invite_as(&mut world, &mut phone("c"), &mut ann, &challenge);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
}

#[test]
fn flood_with_wrong_credentials_leaves_nothing_and_is_answered_at_its_rate() {
    let mut world = world();
    let challenge = invite(&mut world, &mut phone("a"));
    for n in 0..1000 {
        let mut user = User::new(&format!("user{n}"));
        let mut phone = phone(&n.to_string());
        phone.extra = user.answer(&challenge, &phone, "INVITE");
        world.receive(PHONE, &phone.invite(SDP));
    }
    assert_eq!(world.take_sent().len(), 499, "with the first one as many as a second has");
    let stats = world.stats();
    assert_eq!((stats.wrong_credentials, stats.unchecked_credentials, stats.dropped), (60, 940, 501));
    assert_eq!((world.agent.authenticator.kept(), world.agent.entries(), world.count()), (0, 0, 0));
    assert_eq!(world.agent.next_deadline(), None);
}

#[test]
fn maintenance_mode_comes_before_the_challenge_and_other_rooms_challenge_nobody() {
    let mut world = world();
    let answer = invite(&mut world, &mut Phone::new("m"));
    assert!(answer.starts_with("SIP/2.0 200") && !has_header(&answer, "WWW-Authenticate"));
    world.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
    assert!(invite(&mut world, &mut phone("a")).starts_with("SIP/2.0 503"));
}

#[test]
fn accounts_are_replaced_at_run_time_and_calls_stay() {
    let (mut world, mut ann) = (world(), User::new("ann"));
    let challenge = invite(&mut world, &mut phone("a"));
    assert!(invite_as(&mut world, &mut phone("b"), &mut ann, &challenge).starts_with("SIP/2.0 200"));
    world.agent.set_accounts(accounts([account("bob", &["bob"])]));
    assert!(is_challenge(&invite_as(&mut world, &mut phone("c"), &mut ann, &challenge)));
    assert_eq!(world.count(), 1);
    world.act(UserAgent::shut_down);
}
