//! Legs whose keys come of a handshake: two of them, one on each side.

use std::thread;
use std::time::Instant;

use super::super::handshake::{Handshake, Identity, NoKeys, is_handshake};
use super::tests::{said, spoken};
use super::*;
use crate::audio::{Epoch, FRAME_SAMPLES, Participant};
use crate::sdp::{self, Fingerprint, Role};

const SERVER: &str = "192.0.2.1:5004";
const CLIENT: &str = "192.0.2.2:5004";

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn identity() -> Identity {
    Identity::generate().expect("a certificate")
}

fn plan(remote: &str, role: Role, theirs: Fingerprint) -> Plan {
    Plan {
        codec: Codec::Pcmu,
        payload_type: 0,
        packet_time: PacketTime::USUAL,
        receives: vec![Format { payload_type: 0, content: Content::Sound(Codec::Pcmu) }],
        remote: Some(at(remote)),
        rtcp: Some(Rtcp::Muxed),
        signalling: Some(at(remote).ip()),
        direction: Direction::SendReceive,
        held: false,
        security: Security::Handshake(sdp::Handshake { role, theirs: vec![theirs] }),
    }
}

/// One side of a call.
struct Side {
    address: SocketAddr,
    identity: Identity,
    leg: Leg,
    /// What it has said in the last tick.
    said: i16,
}

impl Side {
    fn new(address: &str, plan: Plan, identity: Identity) -> Side {
        let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
        let outgoing = Outgoing { ssrc: 7, sequence: 1, timestamp: 0 };
        let mut leg = Leg::new(Time(0), tag, plan, outgoing);
        leg.begin_handshake(Time(0), &identity);
        leg.start(Time(0));
        Side { address: at(address), identity, leg, said: 0 }
    }

    fn change(&mut self, now: u64, plan: Plan) {
        self.leg.change(Time(now), plan);
        self.leg.begin_handshake(Time(now), &self.identity);
    }

    /// What it sends in a tick: its handshake, and sound.
    fn tick(&mut self, now: u64) -> Vec<(SocketAddr, Vec<u8>)> {
        self.said = said(&mut self.leg);
        let (mut datagram, mut sent) = (Vec::new(), Vec::new());
        while let Some(to) = self.leg.next_handshake_packet(Time(now), &mut datagram) {
            sent.push((to, datagram.clone()));
        }
        self.leg.hear(&mut spoken(1000));
        while let Some(to) = self.leg.next_packet(&mut datagram) {
            sent.push((to, datagram.clone()));
        }
        sent
    }

    fn receive(&mut self, now: u64, from: SocketAddr, datagram: &[u8]) {
        self.leg.receive(Time(now), Channel::Media, from, datagram);
    }

    fn keys(&self) -> Option<super::super::protection::State> {
        self.leg.protected_state()
    }
}

/// Both sides, which know each other's certificates.
fn sides() -> (Side, Side) {
    let (server, client) = (identity(), identity());
    let of_server = plan(CLIENT, Role::Server, client.fingerprint());
    let of_client = plan(SERVER, Role::Client, server.fingerprint());
    (Side::new(SERVER, of_server, server), Side::new(CLIENT, of_client, client))
}

/// Lets ticks pass from `from` to `to`, in milliseconds; the network loses what `loses` says of each datagram. Returns how
/// many datagrams of sound either side has sent.
fn pass(
    (a, b): (&mut Side, &mut Side),
    (from, to): (u64, u64),
    mut loses: impl FnMut(&[u8]) -> bool,
) -> [usize; 2] {
    let mut sounds = [0, 0];
    for now in (from..to).step_by(20) {
        let sent = [a.tick(now), b.tick(now)];
        for (n, datagrams) in sent.into_iter().enumerate() {
            for (_, datagram) in datagrams {
                sounds[n] += usize::from(!is_handshake(&datagram));
                if loses(&datagram) {
                    continue;
                }
                let (a_address, b_address) = (a.address, b.address);
                if n == 0 {
                    b.receive(now, a_address, &datagram)
                } else {
                    a.receive(now, b_address, &datagram)
                }
            }
        }
    }
    sounds
}

#[test]
fn handshake_gives_both_sides_their_keys_and_sound_waits_for_them() {
    let (mut server, mut client) = sides();
    let early = pass((&mut server, &mut client), (0, 20), |_| false);
    assert_eq!((early, server.keys(), client.keys()), ([0, 0], None, None));
    let sounds = pass((&mut server, &mut client), (20, 600), |_| false);
    assert!(sounds.iter().all(|count| *count > 10), "{sounds:?}");
    assert_eq!([server.leg.lacks_keys(Time(30_000)), client.leg.lacks_keys(Time(30_000))], [None, None]);
    let (a, b) = (server.keys().expect("keys"), client.keys().expect("keys"));
    assert_eq!((a.sent.key, a.received.key), (b.received.key, b.sent.key));
    assert_ne!(a.sent.key, a.received.key);
    assert!(server.said > 900 && client.said > 900);
}

#[test]
fn handshake_of_another_certificate_gives_no_keys_and_nothing_is_sent_or_heard() {
    for forged_side in [Role::Server, Role::Client] {
        let (server, client) = (identity(), identity());
        let named = |role, real: &Identity| match role == forged_side {
            true => Fingerprint::of(b"another"),
            false => real.fingerprint(),
        };
        let of_server = plan(CLIENT, Role::Server, named(Role::Server, &client));
        let of_client = plan(SERVER, Role::Client, named(Role::Client, &server));
        let mut server = Side::new(SERVER, of_server, server);
        let mut client = Side::new(CLIENT, of_client, client);
        let sounds = pass((&mut server, &mut client), (0, 20_000), |_| false);
        let deceived =
            if forged_side == Role::Server { (&mut server, sounds[0]) } else { (&mut client, sounds[1]) };
        assert_eq!((deceived.1, deceived.0.keys()), (0, None), "{forged_side:?}");
        assert_eq!(deceived.0.said, 0);
        assert!(!deceived.0.leg.fell_silent(Time(30_000), Duration::from_secs(10)));
        assert_eq!(deceived.0.leg.lacks_keys(Time(14_999)), None);
        assert_eq!(deceived.0.leg.lacks_keys(Time(15_000)), Some(NoKeys::OtherCertificate));
        assert_eq!(deceived.0.leg.lacks_keys(Time(15_020)), None, "said once");
    }
}

/// In real time, because OpenSSL repeats by the clock of the process; all at the same time.
#[test]
fn handshake_succeeds_whichever_of_its_datagrams_is_lost() {
    /// More datagrams than a handshake has, also when some are repeated on a machine that is busy.
    const DATAGRAMS: usize = 16;
    let mut calls: Vec<_> = (1..=DATAGRAMS).map(|lost| (sides(), 0, lost)).collect();
    let until = Instant::now() + Duration::from_secs(30);
    let mut now = 0;
    while calls.iter().any(|((server, client), ..)| server.keys().is_none() || client.keys().is_none()) {
        assert!(Instant::now() < until, "a handshake is not over");
        for ((server, client), count, lost) in &mut calls {
            pass((server, client), (now, now + 20), |datagram| {
                *count += usize::from(is_handshake(datagram));
                is_handshake(datagram) && *count == *lost
            });
        }
        now += 20;
        thread::sleep(Duration::from_millis(20));
    }
    for ((server, client), _, lost) in &mut calls {
        pass((server, client), (now, now + 200), |_| false);
        assert!(server.said > 900 && client.said > 900, "{lost}");
    }
    assert!(calls.iter().any(|(_, count, lost)| count < lost), "a datagram was not lost");
}

#[test]
fn nothing_in_the_clear_is_taken_before_or_after_a_handshake() {
    let (mut server, mut client) = sides();
    let header = Header { payload_type: 0, marker: false, sequence: 1, timestamp: 0, ssrc: 9 };
    let mut sound = Vec::new();
    header.write(&[0; FRAME_SAMPLES], &mut sound);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    for now in [0, 1000] {
        server.leg.heard = Time(0);
        server.receive(now + 500, at(CLIENT), &sound);
        server.receive(now + 500, at(CLIENT), &report);
        assert_eq!(server.leg.heard, Time(0));
        pass((&mut server, &mut client), (0, 500), |_| false);
    }
}

#[test]
fn handshake_is_made_with_an_address_that_a_source_may_have() {
    let hello = |client: &mut Side| client.tick(0).remove(0).1;
    for (from, now, expected) in [
        (CLIENT, 60_000, true),
        ("192.0.2.2:9", 9_999, true),
        ("192.0.2.2:9", 10_000, false),
        ("203.0.113.9:5004", 0, false),
    ] {
        let (mut server, mut client) = sides();
        server.receive(now, at(from), &hello(&mut client));
        let answered = server.tick(now);
        assert_eq!(!answered.is_empty(), expected, "{from} {now}");
        assert!(answered.iter().all(|(to, _)| *to == at(from)), "{from} {now}");
    }
}

#[test]
fn sound_goes_to_where_the_handshake_came_from_until_it_comes_from_elsewhere() {
    let (mut server, mut client) = sides();
    client.address = at("192.0.2.2:9");
    pass((&mut server, &mut client), (0, 600), |datagram| !is_handshake(datagram));
    assert_eq!(server.tick(600)[0].0, at("192.0.2.2:9"));
}

#[test]
fn handshake_that_somebody_else_has_spoilt_is_made_again() {
    let (mut server, mut client) = sides();
    let stranger = identity();
    let plan = plan(SERVER, Role::Client, server.identity.fingerprint());
    let mut stranger = Side::new("192.0.2.2:9", plan, stranger);
    pass((&mut server, &mut stranger), (0, 400), |_| false);
    assert_eq!(server.keys(), None);
    pass((&mut server, &mut client), (400, 5_000), |_| false);
    assert!(
        server.keys().is_some()
            && server.keys().map(|state| state.sent.key) == client.keys().map(|state| state.received.key)
    );
}

#[test]
fn as_many_handshakes_fail_as_the_limit_says_and_then_none_is_answered() {
    let (mut server, _) = sides();
    for n in 0..20 {
        let plan = plan(SERVER, Role::Client, server.identity.fingerprint());
        let mut stranger = Side::new(CLIENT, plan, identity());
        pass((&mut server, &mut stranger), (1000 * n, 1000 * n + 400), |_| false);
    }
    let (_, mut late) = sides();
    server.receive(30_000, at(CLIENT), &late.tick(0).remove(0).1);
    assert_eq!(server.tick(30_000), []);
}

#[test]
fn agreement_on_the_same_handshake_keeps_its_keys_and_another_replaces_them_without_a_gap() {
    let (mut server, mut client) = sides();
    pass((&mut server, &mut client), (0, 600), |_| false);
    let before = server.keys().expect("keys").sent.key;
    server.change(600, plan(CLIENT, Role::Server, client.identity.fingerprint()));
    pass((&mut server, &mut client), (600, 800), |_| false);
    assert_eq!(server.keys().expect("keys").sent.key, before);

    let renewed = identity();
    let fingerprint = server.identity.fingerprint();
    server.change(800, plan(CLIENT, Role::Server, renewed.fingerprint()));
    client.identity = renewed;
    client.leg.handshake = None;
    client.change(800, plan(SERVER, Role::Client, fingerprint));
    let sounds = pass((&mut server, &mut client), (800, 1400), |_| false);
    assert_eq!(sounds, [30, 30], "sound goes on");
    let after = (server.keys().expect("keys"), client.keys().expect("keys"));
    assert!(after.0.sent.key != before && after.0.sent.key == after.1.received.key);
    assert!(server.said > 900 && client.said > 900);
}

#[test]
fn far_end_at_another_address_makes_another_handshake_and_one_on_hold_does_not() {
    let (mut server, mut client) = sides();
    pass((&mut server, &mut client), (0, 600), |_| false);
    let before = server.keys().expect("keys").sent.key;
    let (ours, theirs) = (server.identity.fingerprint(), client.identity.clone());
    let again = |server: &mut Side, now: u64, from: &str| {
        let mut moved = Side::new(from, plan(SERVER, Role::Client, ours), theirs.clone());
        pass((server, &mut moved), (now, now + 600), |_| false);
        server.keys().expect("keys").sent.key
    };
    server.change(600, Plan { remote: None, ..plan(CLIENT, Role::Server, theirs.fingerprint()) });
    assert_eq!(again(&mut server, 600, CLIENT), before, "on hold");
    server.change(1200, plan("192.0.2.9:5004", Role::Server, theirs.fingerprint()));
    assert_ne!(again(&mut server, 1200, "192.0.2.9:5004"), before);
}

#[test]
fn other_handshake_that_fails_leaves_the_sound_of_the_one_before() {
    let (mut server, mut client) = sides();
    pass((&mut server, &mut client), (0, 600), |_| false);
    let before = server.keys().expect("keys").sent.key;
    server.change(600, plan(CLIENT, Role::Server, Fingerprint::of(b"another")));
    pass((&mut server, &mut client), (600, 800), |_| false);
    assert_eq!(server.leg.lacks_keys(Time(15_600)), None);
    assert_eq!(server.keys().expect("keys").sent.key, before);
    assert!(server.said > 900 && client.said > 900);
}

#[test]
fn time_for_the_keys_begins_with_the_confirmation_and_stands_still_while_the_far_end_has_no_address() {
    let named = plan(CLIENT, Role::Server, Fingerprint::of(b"x"));
    let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
    let mut leg = Leg::new(Time(0), tag, named.clone(), Outgoing { ssrc: 7, sequence: 1, timestamp: 0 });
    leg.begin_handshake(Time(0), &identity());
    assert_eq!(leg.lacks_keys(Time(20_000)), None);
    leg.start(Time(20_000));
    assert_eq!(leg.lacks_keys(Time(34_999)), None);
    leg.change(Time(34_999), Plan { remote: None, direction: Direction::Inactive, ..named.clone() });
    assert_eq!(leg.lacks_keys(Time(60_000)), None, "on hold");
    leg.change(Time(60_000), named);
    assert_eq!(leg.lacks_keys(Time(60_000)), Some(NoKeys::Unanswered));
}

#[test]
fn unconfirmed_call_begins_no_handshake() {
    let identity = identity();
    let tag = Tag { participant: Participant(1), epoch: Epoch(0) };
    let plan = plan(SERVER, Role::Client, Fingerprint::of(b"x"));
    let mut leg = Leg::new(Time(0), tag, plan, Outgoing { ssrc: 7, sequence: 1, timestamp: 0 });
    leg.begin_handshake(Time(0), &identity);
    let mut datagram = Vec::new();
    assert_eq!(leg.next_handshake_packet(Time(100), &mut datagram), None);
    leg.start(Time(100));
    assert_eq!(leg.next_handshake_packet(Time(120), &mut datagram), Some(at(SERVER)));
    assert!(is_handshake(&datagram));
}

/// Genuine datagrams with some bytes changed or cut off, and any bytes: no panic, no keys of what was forged, and the
/// handshake goes on.
#[test]
fn no_datagram_causes_a_panic_or_ends_a_handshake_that_is_over() {
    let (mut server, mut client) = sides();
    let mut seed = 13_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut genuine = Vec::new();
    pass((&mut server, &mut client), (0, 600), |datagram| {
        genuine.extend(is_handshake(datagram).then(|| datagram.to_vec()));
        false
    });
    let keys = server.keys();
    let ours = identity();
    let fresh = |role| {
        let agreed = sdp::Handshake { role, theirs: vec![Fingerprint::of(b"x")] };
        Handshake::new(Time(0), &ours, &agreed, None)
    };
    let mut targets = [fresh(Role::Server), fresh(Role::Client)];
    for n in 0..5000 {
        let mut datagram = genuine[random(genuine.len())].clone();
        for _ in 0..random(4) {
            let place = random(datagram.len());
            datagram[place] = random(256) as u8;
        }
        datagram.truncate(1 + random(datagram.len()));
        if n % 50 == 0 {
            targets = [fresh(Role::Server), fresh(Role::Client)];
        }
        for target in &mut targets {
            assert!(target.receive(Time(n), &datagram).is_none());
            while target.next_packet().is_some() {}
        }
        server.receive(600 + n, at(CLIENT), &datagram);
    }
    assert_eq!(server.keys().map(|state| state.sent.key), keys.map(|state| state.sent.key));
}
