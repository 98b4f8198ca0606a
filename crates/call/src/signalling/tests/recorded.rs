//! The messages by which calls move between processes of different releases: those of every release so far are read,
//! and this one writes what was recorded of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audio::Participant;
use crate::handover::message::{ExportedCall, ExportedReceived, ExportedSealed, ExportedStream};

use crate::participants::{ConferenceId, ParticipantId};

use super::kit::{PHONE, Phone, SDP, World};

/// The release whose messages this one writes. A new one gets a folder of its own when a message changes.
const RELEASE: &str = "34.1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

/// Compares a message with the recorded one; with `RECORD=1` it is recorded.
fn check(name: &str, message: &impl Serialize) {
    let file = folder().join(RELEASE).join(name);
    let text = serde_json::to_string_pretty(message).expect("JSON") + "\n";
    if std::env::var_os("RECORD").is_some() {
        fs::write(&file, &text).expect("a writable folder");
    }
    let recorded = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(text, recorded, "{name}: a later release would read this; record it as a release of its own");
}

/// What is exported, with the same tag and number of the session whatever was drawn before them.
fn export(world: &mut World, received: Vec<ExportedReceived>) -> ExportedCall {
    let mut call = world.agent.export(world.now, Participant(1), received).expect("it is at rest");
    call.dialog.local = b"<sip:meet@192.0.2.1>;tag=3c253fa74c0a7bf5".to_vec();
    call.session.id = 4_306_458_165_686_741_432;
    let (id, conference) = (uuid::Uuid::from_u128(7 << 96 | 1), uuid::Uuid::from_u128(7 << 96 | 2));
    call.participant.iter_mut().for_each(|participant| {
        (participant.id, participant.conference) = (ParticipantId(id), ConferenceId(conference));
    });
    call.session.keys.iter_mut().for_each(|keys| keys.ours = "B".repeat(keys.ours.len()));
    call
}

/// A call over UDP with one codec.
fn plain() -> ExportedCall {
    let mut world = World::new();
    world.call(&mut Phone::new("plain"));
    world.pass(std::time::Duration::from_secs(100));
    export(&mut world, Vec::new())
}

/// A call whose sound is encrypted.
fn encrypted() -> ExportedCall {
    let mut world = World::new();
    let mut phone = Phone::new("encrypted");
    let key = "A".repeat(40);
    let keys = format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^31|1:4\r\n");
    world.receive(PHONE, &phone.invite(&(SDP.replace("RTP/AVP", "RTP/SAVP") + &keys)));
    phone.answered(&world.answer());
    world.receive(PHONE, &phone.ack(""));
    let received = [
        ExportedReceived { ssrc: 9, sound: None, control: Some(3) },
        ExportedReceived { ssrc: u32::MAX, sound: Some((1 << 48) - 1), control: None },
    ];
    export(&mut world, received.into())
}

/// A call through two proxies over a connection, with our offer, a video line, and then put on hold; its caller
/// refreshes the session.
fn proxied() -> ExportedCall {
    let mut world = World::new();
    let mut phone = Phone::new("proxied");
    phone.via = "SIP/2.0/TCP 192.0.2.2:5062".into();
    phone.extra =
        "Record-Route: <sip:p1.example.com;lr>, \"p\r\n 2\" <sip:192.0.2.2:5062;lr;transport=tcp>\r\n\
                   Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n"
            .into();
    world.accept(PHONE);
    world.receive_over_connection(&phone.invite(""));
    phone.answered(&world.answer());
    let answer = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
                  m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n";
    world.receive_over_connection(&phone.ack(answer));
    let held = answer.replace("m=audio 4000 RTP/AVP 96", "a=sendonly\r\nm=audio 4000 RTP/AVP 8")
        + "m=video 4002 RTP/AVP 97 98\r\n";
    world.receive_over_connection(&phone.invite(&held));
    world.take_sent();
    world.receive_over_connection(&phone.ack(""));
    export(&mut world, Vec::new())
}

#[test]
fn messages_are_written_as_they_were_recorded() {
    check("call-plain.json", &plain());
    check("call-proxied.json", &proxied());
    check("call-encrypted.json", &encrypted());
    let target = Some("192.0.2.2:4000".parse().expect("an address"));
    let stream = ExportedStream {
        ssrc: u32::MAX,
        sequence: 65_535,
        timestamp: 160,
        packets: 5000,
        octets: 800_000,
        target,
        sealed: None,
    };
    check("stream.json", &stream);
    let sealed = Some(ExportedSealed { rollover: 3, control: 77 });
    check("stream-encrypted.json", &ExportedStream { sealed, ..stream });
}

#[test]
fn calls_of_every_release_so_far_are_imported() {
    let releases =
        fs::read_dir(folder()).expect("recorded messages").map(|entry| entry.expect("a folder").path());
    let mut imported = 0;
    for file in releases.flat_map(|release| fs::read_dir(release).expect("a folder")) {
        let file = file.expect("a file").path();
        let text = fs::read_to_string(&file).expect("text");
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("call-")) {
            let call =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let mut world = World::new();
            let (result, _) = world.agent.import(world.now, call);
            assert!(result.is_ok(), "{}: {result:?}", file.display());
            imported += 1;
        } else {
            let stream = serde_json::from_str::<ExportedStream>(&text);
            assert!(stream.is_ok(), "{}: {stream:?}", file.display());
        }
    }
    assert!(imported >= 3);
}

#[test]
fn field_that_a_later_release_adds_is_ignored_and_one_that_is_missing_is_named() {
    let mut call = serde_json::to_value(plain()).expect("JSON");
    call["session"]["added_later"] = "x".into();
    assert_eq!(serde_json::from_value::<ExportedCall>(call.clone()).expect("a call"), plain());
    call["dialog"].as_object_mut().expect("an object").remove("target");
    let error = serde_json::from_value::<ExportedCall>(call).expect_err("no target").to_string();
    assert!(error.contains("target"), "{error}");
    let mut call = serde_json::to_value(plain()).expect("JSON");
    call.as_object_mut().expect("an object").remove("participant");
    let read =
        serde_json::from_value::<ExportedCall>(call).expect("a call of a process that knows no participants");
    assert_eq!(read.participant, None);
}

#[test]
fn address_that_is_no_utf_8_survives() {
    let mut call = plain();
    call.dialog.remote = b"\"J\xfcrg\" <sip:phone@example.com>;tag=plain".to_vec();
    let text = serde_json::to_string(&call).expect("JSON");
    assert_eq!(serde_json::from_str::<ExportedCall>(&text).expect("a call"), call);
    let foreign = text.replace("J\u{fc}rg", "\u{4e2d}");
    assert!(serde_json::from_str::<ExportedCall>(&foreign).is_err());
}
