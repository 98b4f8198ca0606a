//! Keys in the descriptions of a call: each call has its own, and a change of its session keeps them.

use super::kit::{PHONE, Phone, SDP, World};

const KEY: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\r\n";

fn protected() -> String {
    SDP.replace("RTP/AVP", "RTP/SAVP") + KEY
}

/// The line of a message that names a key.
fn key(message: &str) -> Option<&str> {
    message.lines().find(|line| line.starts_with("a=crypto:"))
}

/// The answer to the next offer of a phone, confirmed.
fn answer(world: &mut World, phone: &mut Phone, offer: &str) -> String {
    world.receive(PHONE, &phone.invite(offer));
    let answer = world.answer();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    phone.answered(&answer);
    world.receive(PHONE, &phone.ack(""));
    answer
}

#[test]
fn each_call_has_a_key_of_its_own_which_a_change_of_the_session_keeps() {
    let mut world = World::new();
    let (mut one, mut other) = (Phone::new("a"), Phone::new("b"));
    let first = answer(&mut world, &mut one, &protected());
    assert!(first.contains("m=audio 40000 RTP/SAVP 0\r\n"), "{first}");
    assert!(key(&first).is_some_and(|key| key.starts_with("a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:")));
    assert_ne!(key(&first), key(&answer(&mut world, &mut other, &protected())));
    let held = protected() + "a=sendonly\r\n";
    assert_eq!(key(&answer(&mut world, &mut one, &held)), key(&first));
}

#[test]
fn offer_over_a_path_that_others_can_read_names_no_key() {
    let (mut world, phone) = (World::new(), Phone::new("a"));
    world.receive(PHONE, &phone.invite(""));
    let offer = world.answer();
    assert_eq!((key(&offer), offer.contains("m=audio 40000 RTP/AVP ")), (None, true));
}

#[test]
fn offer_without_a_suite_of_ours_is_refused_with_a_warning_that_names_ours() {
    let mut world = World::new();
    world.receive(PHONE, &Phone::new("a").invite(&protected().replace("AES_CM_128_HMAC_SHA1_80", "F8_128")));
    let refusal = world.answer();
    assert!(refusal.starts_with("SIP/2.0 488"), "{refusal}");
    assert!(
        refusal
            .contains("Warning: 306 pitlane \"no SRTP suite in common: supported AES_CM_128_HMAC_SHA1_80,")
    );
    assert_eq!(world.stats().not_acceptable, 1);
}
