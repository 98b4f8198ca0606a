//! SRTP of one leg: a packet that is sent is sealed under our key, one that is received counts only when it is genuine and
//! has not come before. Pure.
//!
//! What both directions have come to is plain data, [`State`], from which another protection goes on under other keys.
//! Another process goes on from less: how far the streams have come. Relies on [`crate::srtp`] for packets and streams,
//! and on the session descriptions or a handshake for the keys. Knows no addresses.

use std::time::Duration;

use crate::handover::message::{ExportedReceived, ExportedSealed};
use crate::rtcp::is_rtcp;
use crate::sdp::Keys;
use crate::srtp::{Received, Receiver, Sender, Sent, Stream};
use crate::time::Time;

/// How long packets under a key that was replaced may still arrive, once there was sound under the new one.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// How far both directions have come. Whoever goes on from it is the only one who may: see [`Sent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// What was sent.
    pub(crate) sent: Sent,
    /// What came under the key of the far end.
    pub(crate) received: Received,
    /// What came under the key that it had before, if that may still come.
    pub(crate) replaced: Option<Received>,
}

impl State {
    /// Nothing was sent and nothing has come.
    fn new(keys: &Keys) -> State {
        State { sent: Sent::new(keys.ours), received: Received::new(keys.theirs, keys.mki), replaced: None }
    }

    /// The same under the keys that were agreed on now. Our count of packets goes on over a change of our key, and that
    /// of the far end begins where it wants.
    fn renewed(&self, keys: &Keys) -> State {
        let sent = Sent { key: keys.ours, ..self.sent };
        if self.received.key == keys.theirs {
            let received = Received { mki: keys.mki, ..self.received.clone() };
            return State { sent, received, replaced: self.replaced.clone() };
        }
        // A key that was never used has replaced nothing.
        let before = if self.received.streams.is_empty() { &self.replaced } else { &None };
        let replaced = before.clone().or_else(|| Some(self.received.clone()));
        State { sent, received: Received::new(keys.theirs, keys.mki), replaced }
    }
}

/// The protection of a leg.
#[derive(Debug)]
pub(crate) struct Protection {
    sender: Sender,
    receiver: Receiver,
    replaced: Option<Replaced>,
}

/// A key of the far end that was replaced.
#[derive(Debug)]
struct Replaced {
    receiver: Receiver,
    /// Until when it counts; `None` while there was no sound under the new one.
    until: Option<Time>,
}

impl Protection {
    /// Begins under these keys.
    pub(crate) fn new(keys: &Keys) -> Protection {
        Protection::restore(State::new(keys))
    }

    /// Goes on from there.
    pub(crate) fn restore(state: State) -> Protection {
        let State { sent, received, replaced } = state;
        let replaced = replaced.map(|replaced| Replaced { receiver: Receiver::new(replaced), until: None });
        Protection { sender: Sender::new(sent), receiver: Receiver::new(received), replaced }
    }

    /// How far it has come.
    pub(crate) fn state(&self) -> State {
        let replaced = self.replaced.as_ref().map(|replaced| replaced.receiver.received().clone());
        State { sent: *self.sender.sent(), received: self.receiver.received().clone(), replaced }
    }

    /// Goes on under the keys that were agreed on now, which may be the same. Packets of the far end that are under way
    /// with its key before still count.
    pub(crate) fn renew(&mut self, keys: &Keys) {
        let state = self.state();
        let renewed = state.renewed(keys);
        if renewed != state {
            *self = Protection::restore(renewed);
        }
    }

    /// What was sent.
    pub(crate) fn sent(&self) -> &Sent {
        self.sender.sent()
    }

    /// How far our stream has come, for another process.
    pub(crate) fn export_sealed(&self, ssrc: u32) -> ExportedSealed {
        let sent = self.sent();
        ExportedSealed { rollover: sent.rollover(ssrc), control: sent.control }
    }

    /// Our stream goes on from where another process has left it, with a packet of this number.
    pub(crate) fn resume(&mut self, next: (u32, u16), sealed: ExportedSealed) {
        let ExportedSealed { rollover, control } = sealed;
        self.sender = Sender::new(Sent::before(self.sent().key, next, rollover, control));
    }

    /// How far the streams of the far end have come, for another process.
    pub(crate) fn export_received(&self) -> Vec<ExportedReceived> {
        let export = |Stream { ssrc, sound, control }: &Stream| ExportedReceived {
            ssrc: *ssrc,
            sound: sound.map(|window| window.highest),
            control: control.and_then(|window| window.highest.try_into().ok()),
        };
        self.receiver.received().streams.iter().map(export).collect()
    }

    /// The streams of the far end go on from where another process has seen them. They may be under a key that the far
    /// end has replaced since.
    pub(crate) fn go_on_receiving(&mut self, keys: &Keys, received: Received) {
        let before = State { sent: *self.sent(), received, replaced: None };
        *self = Protection::restore(before.renewed(keys));
    }

    /// Seals a packet; false if it cannot be, and then it must not be sent.
    #[must_use]
    pub(crate) fn seal(&mut self, datagram: &mut Vec<u8>) -> bool {
        self.sender.seal(datagram)
    }

    /// Writes a packet of the far end in the clear; false if it is none.
    #[must_use]
    pub(crate) fn open(&mut self, now: Time, datagram: &[u8], opened: &mut Vec<u8>) -> bool {
        self.replaced.take_if(|replaced| replaced.until.is_some_and(|until| now >= until));
        let before = self.replaced.as_ref().map(|replaced| &replaced.receiver);
        if self.receiver.open(datagram, before, opened) {
            if let Some(replaced) = self.replaced.as_mut().filter(|_| !is_rtcp(datagram)) {
                replaced.until.get_or_insert(now + UNDER_WAY);
            }
            return true;
        }
        self.replaced.as_mut().is_some_and(|replaced| replaced.receiver.open(datagram, None, opened))
    }
}
