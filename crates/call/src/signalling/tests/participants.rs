//! What is shown of participants, and what an operator does to them and to their conferences.

use std::time::Duration;

use crate::participants::{
    CallDirection, CommandError, Departure, Encryption, Lock, ParticipantChanges, ParticipantState, Voice,
};

use super::super::RefusedCall;
use super::far_end::to;
use super::handover::{CALL, export, import, other_settings};
use super::kit::{PHONE, Phone, SDP, World, address, header, response};

const ALL: usize = 1000;

impl World {
    fn changes(&self, since: u64) -> ParticipantChanges {
        self.agent.participants(self.now, since, ALL)
    }

    /// All participants as they are now.
    fn shown(&self) -> Vec<ParticipantState> {
        self.changes(0).changed
    }

    fn revision(&self) -> u64 {
        self.agent.participant_revision()
    }

    fn set_voice(&mut self, place: usize, voice: Voice) -> Result<(), CommandError> {
        let id = self.shown()[place].id;
        self.command(|agent, now| agent.set_voice(now, id, voice))
    }

    fn disconnect(&mut self, place: usize) -> Result<(), CommandError> {
        let id = self.shown()[place].id;
        self.command(|agent, now| agent.disconnect(now, id))
    }

    fn command(
        &mut self,
        command: impl FnOnce(
            &mut super::super::UserAgent,
            crate::time::Time,
        ) -> (Result<(), CommandError>, Vec<super::super::Output>),
    ) -> Result<(), CommandError> {
        let mut outcome = Err(CommandError::NoParticipant);
        self.act(|agent, now| {
            let (result, outputs) = command(agent, now);
            outcome = result;
            outputs
        });
        outcome
    }
}

/// Phones with these names in a conference.
fn calling<const N: usize>(names: [&str; N]) -> (World, [Phone; N]) {
    let mut world = World::new();
    let mut phones = names.map(Phone::new);
    phones.iter_mut().for_each(|phone| world.call(phone));
    world.take_done();
    (world, phones)
}

#[test]
fn participant_is_shown_with_what_its_invite_says() {
    let mut world = World::new();
    let mut phone = Phone::new("a");
    phone.extra = "User-Agent: Phone/1.0\r\n".into();
    let invite = phone.invite(SDP).replace("From: <sip:phone", "From: \"Ann \\\"A\\\"\" <sip:phone");
    world.receive(PHONE, &invite);
    let shown = world.shown().remove(0);
    assert_eq!((shown.joined, shown.display_name.as_str()), (None, "Ann \"A\""), "it is not confirmed");
    phone.answered(&world.answer());
    world.pass(Duration::from_secs(1));
    world.take_sent();
    world.receive(PHONE, &phone.ack("").replace("From: <sip:phone", "From: \"Ann \\\"A\\\"\" <sip:phone"));
    world.pass(Duration::from_secs(7));
    let shown = world.shown().remove(0);
    assert_eq!((shown.joined, shown.conference.age), (Some(Duration::from_secs(7)), Duration::from_secs(8)));
    assert_eq!(
        (shown.source_alias.as_str(), shown.destination_alias.as_str()),
        ("phone@example.com", "meet@192.0.2.1")
    );
    assert_eq!((shown.vendor.as_str(), shown.call_id.as_str()), ("Phone/1.0", "a"));
    assert_eq!((shown.conference.room.as_str(), shown.conference.lock), ("Meeting", Lock::Open));
    assert_eq!(
        (shown.remote, shown.direction, shown.encryption),
        (address(PHONE), CallDirection::In, Encryption::Off)
    );
}

#[test]
fn caller_that_hides_is_shown_by_its_host_and_a_dialled_one_by_its_name() {
    let mut world = World::new();
    let invite = Phone::new("a").invite(SDP).replace("<sip:phone@example.com>", "<sip:anonymous.invalid>");
    world.receive(PHONE, &invite);
    assert_eq!(world.shown()[0].display_name, "anonymous.invalid");
    let mut dial = to("sip:bob@192.0.2.7");
    dial.options.display_name = Some("Bob".into());
    world.try_to_dial(&dial).expect("dialled");
    let shown = world.shown().remove(1);
    assert_eq!((shown.display_name.as_str(), shown.direction), ("Bob", CallDirection::Out));
    assert_eq!((shown.source_alias.as_str(), shown.destination_alias.as_str()), ("meet", "bob@192.0.2.7"));
}

#[test]
fn revision_rises_with_what_is_shown_and_with_nothing_else() {
    let (mut world, [mut phone]) = calling(["a"]);
    let mut revision = world.revision();
    let mut rises = |world: &World| std::mem::replace(&mut revision, world.revision()) != world.revision();
    world.receive(PHONE, &phone.next("OPTIONS", ""));
    world.receive(PHONE, &phone.next("INFO", ""));
    world.pass(Duration::from_secs(100));
    assert!(!rises(&world), "time and requests without news");
    world.receive(PHONE, &phone.invite(&SDP.replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=sendonly\r\n")));
    assert!(rises(&world));
    assert!(world.shown()[0].on_hold);
    world.receive(PHONE, &phone.ack(""));
    assert_eq!(world.set_voice(0, Voice::Muted), Ok(()));
    assert!(rises(&world));
    assert_eq!(world.set_voice(0, Voice::Muted), Ok(()));
    assert!(!rises(&world), "it was muted already");
    world.receive(PHONE, &phone.next("BYE", ""));
    assert!(rises(&world));
    assert!(world.shown().is_empty());
}

#[test]
fn whoever_takes_all_changes_over_has_the_present_state_however_few_come_at_once() {
    let (mut world, mut phones) = calling(["a", "b", "c", "d", "e"]);
    for (phone, at_most) in phones.iter_mut().zip(1..4) {
        let (mut known, mut at) = (std::collections::BTreeMap::new(), 0);
        let catch_up = |world: &World, known: &mut std::collections::BTreeMap<_, _>, at: &mut u64| {
            while *at != world.revision() {
                let changes = world.agent.participants(world.now, *at, at_most);
                assert_eq!(changes.since, *at);
                assert!(changes.changed.len() + changes.removed.len() <= at_most);
                changes.removed.iter().for_each(|removal| drop(known.remove(&removal.id)));
                known.extend(changes.changed.into_iter().map(|state| (state.id, state)));
                *at = changes.to;
            }
            let shown: std::collections::BTreeMap<_, _> =
                world.shown().into_iter().map(|state| (state.id, state)).collect();
            assert_eq!(*known, shown);
        };
        catch_up(&world, &mut known, &mut at);
        world.set_voice(0, if at_most == 2 { Voice::Heard } else { Voice::Muted }).expect("a participant");
        world.receive(PHONE, &phone.next("BYE", ""));
        *phone = Phone::new(&format!("again{at_most}"));
        world.take_sent();
        world.call(phone);
        catch_up(&world, &mut known, &mut at);
    }
}

#[test]
fn who_is_too_far_behind_or_ahead_begins_with_nothing() {
    let mut settings = super::kit::settings();
    settings.session_interval = Duration::from_secs(100_000);
    let (mut world, mut phone) = (World::with(settings), Phone::new("a"));
    world.call(&mut phone);
    for n in 0..4200 {
        let mut other = Phone::new(&format!("o{n}"));
        world.receive(PHONE, &other.invite(SDP));
        other.answered(&world.answer());
        world.receive(PHONE, &other.ack(""));
        world.receive(PHONE, &other.next("BYE", ""));
        world.pass(Duration::from_secs(1));
        world.take_sent();
    }
    for since in [1, 100, world.revision() + 1, u64::MAX] {
        let changes = world.changes(since);
        assert_eq!((changes.since, changes.changed.len(), changes.removed.len()), (0, 1, 0), "{since}");
    }
    world.receive(PHONE, &phone.next("BYE", ""));
    let before = world.revision() - 1;
    let changes = world.changes(before);
    assert_eq!((changes.since, changes.to, changes.removed.len()), (before, before + 1, 1));
}

#[test]
fn muted_participant_stays_so_over_a_change_of_its_session() {
    let (mut world, [phone]) = calling(["a"]);
    assert_eq!(world.set_voice(0, Voice::Muted), Ok(()));
    assert_eq!(world.take_done(), ["voice 1 Muted"]);
    world.receive(PHONE, &phone.invite(SDP));
    world.take_sent();
    assert_eq!(world.take_done(), ["change 1 SendReceive"], "the leg knows it");
    assert_eq!(world.shown()[0].voice, Voice::Muted);
    assert_eq!(world.set_voice(0, Voice::Heard), Ok(()));
    assert_eq!(world.take_done(), ["voice 1 Heard"]);
    assert_eq!(world.count(), 1, "it stays in its call");
}

#[test]
fn participant_that_is_muted_before_its_answer_joins_muted() {
    let mut world = World::new();
    world.try_to_dial(&to("sip:bob@192.0.2.7:5070")).expect("dialled");
    assert_eq!(world.set_voice(0, Voice::Muted), Ok(()));
    assert_eq!(world.take_done(), [] as [&str; 0]);
    let invite = world.answer();
    let answer =
        super::far_end::answer(&invite, "200 OK", "bob", "Contact: <sip:bob@192.0.2.7:5070>\r\n", SDP);
    world.receive("192.0.2.7:5070", &answer);
    assert_eq!(world.take_done(), ["join 1 Meeting", "voice 1 Muted", "dialled 1: answered", "start 1"]);
}

#[test]
fn disconnected_participant_gets_a_bye_with_the_reason() {
    let (mut world, _phones) = calling(["a", "b"]);
    let id = world.shown()[0].id;
    assert_eq!(world.disconnect(0), Ok(()));
    let bye = world.answer();
    assert!(bye.starts_with("BYE "), "{bye}");
    assert_eq!(header(&bye, "Reason"), "SIP;cause=200;text=\"Disconnected by an administrator\"");
    assert_eq!((world.shown().len(), world.stats().disconnected), (1, 1), "it is leaving");
    let again = world.command(|agent, now| agent.disconnect(now, id));
    assert_eq!(again, Err(CommandError::NoParticipant));
    let muted = world.command(|agent, now| agent.set_voice(now, id, Voice::Muted));
    assert_eq!(muted, Err(CommandError::NoParticipant));
    world.receive(PHONE, &response(&bye, "200 OK", "", ""));
    assert_eq!(world.count(), 1);
}

#[test]
fn caller_that_is_disconnected_while_it_rings_is_declined() {
    let mut settings = super::kit::settings();
    settings.ring_time = Duration::from_secs(5);
    let mut world = World::with(settings);
    world.receive(PHONE, &Phone::new("a").invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 180"));
    assert_eq!(world.disconnect(0), Ok(()));
    let refusal = world.answer();
    assert!(refusal.starts_with("SIP/2.0 603"), "{refusal}");
    assert_eq!((world.count(), world.stats().disconnected), (0, 1));
}

#[test]
fn whole_conference_is_disconnected_and_no_other() {
    let (mut world, _phones) = calling(["a", "b"]);
    let mut other = Phone::new("c");
    other.target = "sip:8000@192.0.2.1".into();
    world.call(&mut other);
    let all = |world: &mut World| world.command(|agent, now| agent.disconnect_all(now, &"Meeting".into()));
    assert_eq!(all(&mut world), Ok(()));
    assert_eq!(world.take_sent().iter().filter(|sent| sent.starts_with("BYE ")).count(), 2);
    let rooms: Vec<_> = world.shown().into_iter().map(|state| state.conference.room).collect();
    assert_eq!(rooms, ["Number"]);
    assert_eq!(all(&mut world), Err(CommandError::NoConference));
}

/// Why the participants have left that a reader of the state before learns of.
fn departures(world: &World, since: u64) -> Vec<Option<Departure>> {
    world.changes(since).removed.into_iter().map(|removal| removal.departure).collect()
}

#[test]
fn participant_that_has_left_is_named_with_the_reason() {
    let (mut world, [mut hangs_up, _cut_off, _in_conference, _silent]) = calling(["a", "b", "c", "d"]);
    let mut revision = world.revision();
    let mut left = |world: &World| departures(world, std::mem::replace(&mut revision, world.revision()));
    world.receive(PHONE, &hangs_up.next("BYE", ""));
    assert_eq!(left(&world), [Some(Departure::HungUp)]);
    world.disconnect(0).expect("a participant");
    assert_eq!(left(&world), [Some(Departure::Disconnected)]);
    world.act(|agent, now| agent.disconnect_all(now, &"Meeting".into()).1);
    assert_eq!(left(&world), [Some(Departure::ConferenceEnded); 2]);
    world.try_to_dial(&to("sip:bob@192.0.2.7")).expect("dialled");
    let invite = world.take_sent().pop().expect("an INVITE");
    world.receive(PHONE, &response(&invite, "603 Decline", "", ""));
    assert_eq!(left(&world), [Some(Departure::Rejected)]);
}

#[test]
fn participant_that_moves_is_named_as_such_by_the_process_that_it_leaves() {
    let (mut giving, [_phone]) = calling(["a"]);
    export(&mut giving);
    let before = giving.revision();
    giving.act(|agent, now| agent.hand_out(now, CALL).1);
    assert_eq!(departures(&giving, before), [Some(Departure::Moved)]);
}

#[test]
fn locked_conference_refuses_new_callers_until_it_is_unlocked_or_empty() {
    let (mut world, [mut phone]) = calling(["a"]);
    let room = || crate::rooms::RoomName::from("Meeting");
    let set = |world: &mut World, lock| world.agent.set_lock(&room(), lock);
    assert_eq!(set(&mut world, Lock::Locked), Ok(()));
    assert_eq!(world.shown()[0].conference.lock, Lock::Locked);
    let refused = |world: &mut World, name: &str| {
        let answer = world.exchange(PHONE, &Phone::new(name).invite(SDP));
        if answer.starts_with("SIP/2.0 403") {
            assert_eq!(header(&answer, "Reason"), "SIP;cause=403;text=\"Locked conference\"");
            assert_eq!(world.shown().len(), 1);
            true
        } else {
            assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
            false
        }
    };
    assert!(refused(&mut world, "b"));
    let options = world.exchange(PHONE, &Phone::new("o").request("OPTIONS", "o", ""));
    assert!(options.starts_with("SIP/2.0 403"), "the status is that of an INVITE: {options}");
    assert_eq!((world.count(), world.stats().refused_locked), (1, 1));
    world.try_to_dial(&to("sip:bob@192.0.2.7:5070")).expect("whom the node dials comes in");
    world.hang_up(2);
    world.take_sent();
    world.receive(PHONE, &phone.invite(SDP));
    assert!(world.answer().starts_with("SIP/2.0 200"), "who is in it stays");
    world.receive(PHONE, &phone.ack(""));

    assert_eq!(set(&mut world, Lock::Open), Ok(()));
    assert!(!refused(&mut world, "c"));
    assert_eq!(set(&mut world, Lock::Locked), Ok(()));
    world.disconnect(1).expect("the new one");
    world.receive(PHONE, &phone.next("BYE", ""));
    world.pass(Duration::from_secs(40));
    world.take_sent();
    assert_eq!(set(&mut world, Lock::Locked), Err(CommandError::NoConference));
    assert_eq!(world.shown().len(), 0);
}

#[test]
fn participant_keeps_its_name_its_muting_and_the_lock_in_another_process() {
    let (mut giving, [_phone]) = calling(["a"]);
    giving.pass(Duration::from_secs(5));
    giving.set_voice(0, Voice::Muted).expect("a participant");
    giving.agent.set_lock(&"Meeting".into(), Lock::Locked).expect("a conference");
    let before = giving.shown().remove(0);
    let exported = export(&mut giving);
    assert_eq!(giving.disconnect(0), Err(CommandError::Moving));
    assert_eq!(giving.shown().len(), 1, "it is here until it is there");
    let mut taking = World::with(other_settings());
    import(&mut taking, exported).expect("imported");
    let probe = taking.answer();
    taking.receive(PHONE, &response(&probe, "200 OK", "", ""));
    taking.act(|agent, now| agent.take_over(now, CALL));
    assert!(taking.shown().is_empty(), "it is not here yet");
    let invite = taking.answer();
    taking.receive(PHONE, &response(&invite, "200 OK", "Contact: <sip:phone@192.0.2.2:5062>\r\n", SDP));
    assert_eq!(taking.take_done(), ["join 1 Meeting", "voice 1 Muted"]);
    let after = taking.shown().remove(0);
    assert_eq!(after.joined, before.joined.map(|joined| joined.min(Duration::from_millis(1000))));
    let times = |state: ParticipantState| ParticipantState {
        joined: None,
        conference: crate::participants::Conference { age: Duration::ZERO, ..state.conference.clone() },
        ..state
    };
    assert_eq!(times(after), times(before));
    let answer = taking.take_sent();
    assert_eq!(answer.len(), 1, "the ACK");
    assert!(taking.exchange(PHONE, &Phone::new("b").invite(SDP)).starts_with("SIP/2.0 403"));
}

#[test]
fn call_of_a_release_without_participants_is_shown_by_its_dialog() {
    let (mut giving, [_phone]) = calling(["a"]);
    let mut exported = export(&mut giving);
    exported.participant = None;
    let mut taking = World::with(other_settings());
    import(&mut taking, exported).expect("imported");
    let probe = taking.answer();
    taking.receive(PHONE, &response(&probe, "200 OK", "", ""));
    taking.act(|agent, now| agent.take_over(now, CALL));
    let invite = taking.answer();
    taking.receive(PHONE, &response(&invite, "200 OK", "Contact: <sip:phone@192.0.2.2:5062>\r\n", SDP));
    let shown = taking.shown().remove(0);
    assert_eq!(
        (shown.display_name.as_str(), shown.source_alias.as_str()),
        ("phone@example.com", "phone@example.com")
    );
    assert_eq!((shown.destination_alias.as_str(), shown.joined), ("meet@192.0.2.1", Some(Duration::ZERO)));
}

#[test]
fn refused_caller_is_reported_and_one_that_gives_up_is_not() {
    let mut world = World::new();
    let mut phone = Phone::new("a");
    phone.target = "sip:nobody@192.0.2.1".into();
    world.receive(PHONE, &phone.invite(SDP));
    let expected = RefusedCall {
        remote: address(PHONE),
        source_alias: "phone@example.com".into(),
        destination_alias: "nobody@192.0.2.1".into(),
        status: 404,
        reason: "Not Found".into(),
    };
    assert_eq!(std::mem::take(&mut world.refused), [expected]);
    world
        .agent
        .set_admission(crate::admission::Admission::Closed(crate::admission::Closed::maintenance_mode()));
    world.receive(PHONE, &Phone::new("b").invite(SDP));
    let reasons: Vec<_> = world.refused.drain(..).map(|refused| (refused.status, refused.reason)).collect();
    assert_eq!(reasons, [(503, "System in maintenance mode".to_owned())]);
    world.agent.set_admission(crate::admission::Admission::Open);
    world.ports = super::kit::Ports::Pending;
    let phone = Phone::new("c");
    world.receive(PHONE, &phone.invite(SDP));
    world.receive(PHONE, &phone.request("CANCEL", "i1", ""));
    assert_eq!(world.refused, []);
}
