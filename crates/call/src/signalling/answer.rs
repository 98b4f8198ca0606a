//! The answer to a new call: its media port, its ringing, its 200, and the ACK.

use std::net::SocketAddr;
use std::time::Duration;

use sip::dialog::answering::Answered;
use sip::dialog::creation::NoDialog;
use sip::dialog::state::Dialog;
use sip::dialog::table::NotKept;
use sip::fields::Fields;
use sip::message::{Request, Response as SentResponse};

use crate::admission::Refusal;
use crate::audio::TICK;
use crate::dial::DialError;
use crate::handover::{Changed, NotTakenOver};
use crate::media::leg::Plan;
use crate::participants::Voice;
use crate::sdp::{Family, Local, Negotiation};

use super::agent::UserAgent;
use super::call::{Call, Import, Media, Progress, Purpose, Received};
use super::destination::media_path;
use super::ending::End;
use super::headers::{self, Field};
use super::input::{NoPort, Output};
use super::outside::description_of;
use super::response::{Refused, Response};

/// How often a caller's port is tried again while a probe has the last one, in ticks: half a second, a ring that
/// nobody notices. A probe takes two ticks.
const PROBE_TRIES: u32 = 25;
/// The status that answers a probe when all media ports are in use by calls.
pub(crate) const FULL: u16 = 486;

impl UserAgent {
    /// Asks for the media port of a new call.
    pub(super) fn open_port(&mut self, call: &mut Call) {
        let Progress::Opening { tries, .. } = call.progress else { return };
        call.progress = Progress::Opening { tries: tries + 1, retry: None };
        call.media = Media::Port;
        let (at, spare) = (self.media_address(call), call.purpose == Purpose::Probe);
        self.outputs.push(Output::OpenPort { call: call.id, at, spare });
    }

    /// There is no port for a new call. The response to a caller says no more than that; that to a probe says why.
    pub(super) fn on_no_port(&mut self, call: &mut Call, why: &NoPort) {
        call.media = Media::None;
        if call.progress == Progress::Importing(Import::Opening) {
            return self.leave_to_other(call, NotTakenOver::NoPort, Changed::No);
        }
        let Progress::Opening { tries, .. } = call.progress else { return };
        let is_probed = self.probe.is_some();
        if *why == NoPort::Exhausted && call.purpose == Purpose::Caller && is_probed && tries < PROBE_TRIES {
            call.progress = Progress::Opening { tries, retry: Some(self.time() + TICK) };
            return;
        }
        if call.dialling.is_some() {
            return self.dial_failed(call, DialError::NoMediaPort(why.to_string()));
        }
        let response = match (call.purpose, why) {
            (Purpose::Probe, NoPort::Exhausted) => Response::new(FULL, Vec::new()),
            (Purpose::Probe, NoPort::Refused(text)) => Response::new(503, vec![headers::reason(503, text)]),
            (Purpose::Caller, NoPort::Exhausted | NoPort::Refused(_)) => {
                Response::new(503, headers::refusal(&Refusal::CallLimit))
            }
        };
        self.refuse(
            call,
            Refused {
                response,
                count: match why {
                    NoPort::Exhausted => |stats| stats.refused_limit += 1,
                    NoPort::Refused(_) => |stats| stats.refused_resource += 1,
                },
            },
        );
    }

    /// The media port of a call is open.
    pub(super) fn on_port(&mut self, call: &mut Call, address: SocketAddr) {
        let address = self.described(call, address);
        match call.progress {
            Progress::Opening { .. } => self.take_port(call, address),
            Progress::Importing(Import::Opening) => self.probe_far_end(call, address),
            // It has ended meanwhile.
            Progress::Ringing { .. }
            | Progress::Calling { .. }
            | Progress::GivenUp
            | Progress::Answered
            | Progress::Confirmed
            | Progress::Exported { .. }
            | Progress::Moved { .. }
            | Progress::Importing(_)
            | Progress::Ending { .. }
            | Progress::Over => {}
        }
    }

    /// A media address of ours as a session description names it: by the outer address of a NAT, if there is one for its
    /// family. A probe comes from this side of that NAT.
    fn described(&self, call: &Call, address: SocketAddr) -> SocketAddr {
        let outer = match call.purpose {
            Purpose::Caller => self.settings.advertised,
            Purpose::Probe => None,
        };
        let outer = outer.filter(|outer| Family::of(*outer) == Family::of(address.ip()));
        SocketAddr::new(outer.unwrap_or(address.ip()), address.port())
    }

    /// A new call has its port: it rings, or is answered at once. One that this node dials begins to be tried.
    fn take_port(&mut self, call: &mut Call, address: SocketAddr) {
        if call.dialling.is_some() {
            return self.begin_trying(call, address);
        }
        let path = media_path(call.flow);
        let local = Local { address, session: call.session, path, certificate: self.certificate };
        let negotiation = call.negotiation.insert(Negotiation::new(local));
        if let Some(offer) = call.offer.take() {
            negotiation.answer_to(&offer, self.random.generator());
        }
        let ring_time = match call.purpose {
            Purpose::Caller => self.settings.ring_time,
            Purpose::Probe => Duration::ZERO,
        };
        if ring_time.is_zero() {
            return self.answer(call);
        }
        call.progress = Progress::Ringing { until: self.time() + ring_time };
        self.ring(call);
    }

    /// Sends the 200 to the INVITE that began the call.
    pub(super) fn answer(&mut self, call: &mut Call) {
        let Some(received) = call.invite.as_ref().map(|invite| invite.received.clone()) else {
            return self.forget(call);
        };
        let response = self.agreement(call).with_description(self.description(call));
        if !self.send_within(call, &received, &response) {
            return;
        }
        self.by_invite.remove(&received.transaction);
        call.progress = Progress::Answered;
        self.update_media(call);
    }

    /// Our Contact in the dialog of a call.
    pub(super) fn contact(&self, call: &Call) -> Field {
        headers::contact(self.listeners(), call.flow.protocol(), call.flow.local.ip(), call.secure)
    }

    /// A 200 with the headers of a session.
    pub(super) fn agreement(&self, call: &Call) -> Response {
        let contact = self.contact(call);
        Response::new(200, headers::of_answer(contact, &call.timer))
    }

    /// Sends a response within the dialog of a call, which begins with the first one that has a tag. False when the
    /// INVITE can begin no dialog, or no more are kept: then the call is refused.
    pub(super) fn send_within(&mut self, call: &mut Call, received: &Received, response: &Response) -> bool {
        let written = Self::written(received, response, &call.tag);
        if let Err(response) = self.enter_dialog(call, received, &written) {
            self.refuse(call, Refused { response, count: |stats| stats.not_acceptable += 1 });
            return false;
        }
        if let Some(id) = call.dialog.clone() {
            let (now, timers) = (self.now(), self.timers());
            let answered = self
                .dialogs
                .change(&id, |dialog| dialog.response_sent(now, &timers, &received.request, &written));
            match answered {
                Some(Answered::Ends) => self.leave_dialog(call),
                // Who has confirmed nothing may be forged, and has nothing looked up.
                Some(Answered::Continues) if call.progress == Progress::Confirmed => {
                    self.resolve_next_hop(&id)
                }
                Some(Answered::Continues) | None => {}
            }
        }
        self.send_response(received, &written);
        true
    }

    fn enter_dialog(
        &mut self,
        call: &mut Call,
        received: &Received,
        response: &SentResponse,
    ) -> Result<(), Response> {
        if call.dialog.is_some() || !(101..300).contains(&response.status().code()) {
            return Ok(());
        }
        let protocol = received.arrival.flow.protocol();
        let dialog = Dialog::as_uas(&received.request, response, protocol).map_err(|error| match error {
            NoDialog::Method | NoDialog::Status | NoDialog::Tag => Response::new(500, Vec::new()),
            NoDialog::Field(error) => Response::new(400, vec![headers::warning(399, &error.to_string())]),
        })?;
        let id = dialog.id().clone();
        self.dialogs.insert(dialog).map_err(|error| match error {
            NotKept::Exists => Response::new(482, Vec::new()),
            NotKept::Full => Response::new(503, headers::refusal(&Refusal::CallLimit)),
            NotKept::TooLarge => Response::new(513, Vec::new()),
        })?;
        self.by_dialog.insert(id.clone(), call.id);
        call.dialog = Some(id);
        Ok(())
    }

    /// Gives our 2xx or our reliable provisional response to the transaction of its INVITE again.
    pub(super) fn repeat_response(&mut self, call: &Call, bytes: &[u8]) {
        let Some(invite) = &call.invite else { return };
        if let Ok(effects) = self.layer.respond(self.now(), invite.received.transaction, bytes) {
            self.effects.extend(effects);
        }
    }

    /// The first ACK for our last 200 has come.
    pub(super) fn confirmed(&mut self, call: &mut Call, ack: &Request) {
        let Some(invite) = call.invite.take() else { return };
        if invite.offers && !self.take_answer(call, ack.headers(), ack.body()) {
            return self.end(call, End::NoCodec);
        }
        self.confirm(call);
        if let Some(received) = call.deferred.take() {
            self.by_invite.remove(&received.transaction);
            self.change(call, &received);
        }
    }

    /// The far end has our answer: the call is carried, sound may leave.
    pub(super) fn confirm(&mut self, call: &mut Call) {
        if call.progress == Progress::Answered {
            call.progress = Progress::Confirmed;
            call.member.joined = Some(self.time());
            if let Some(dialog) = &call.dialog {
                self.resolve_next_hop(dialog);
            }
            self.count(call.purpose, |stats| stats.carried += 1);
            self.outputs.push(Output::Start(call.id));
        }
    }

    /// Takes over the answer to an offer of ours. False when it cannot be used; then all stays as it was.
    pub(super) fn take_answer(&mut self, call: &mut Call, headers: &Fields, body: &[u8]) -> bool {
        let Some(negotiation) = &mut call.negotiation else { return false };
        let before = negotiation.agreed().cloned();
        let answer = description_of(headers, body).ok().flatten().unwrap_or_default();
        if negotiation.apply_answer(answer).is_err() {
            return false;
        }
        if negotiation.agreed() != before.as_ref() {
            self.update_media(call);
        }
        true
    }

    /// Passes on to the media what was agreed, if anything; the first time, the leg joins its room.
    pub(super) fn update_media(&mut self, call: &mut Call) {
        let Some(agreed) = call.negotiation.as_ref().and_then(Negotiation::agreed) else { return };
        let plan = Plan::new(agreed, Some(call.flow.remote.ip()));
        match call.media {
            Media::Port => {
                call.media = Media::Leg;
                let (room, outgoing) = (call.room.clone(), call.stream);
                self.outputs.push(Output::Join { call: call.id, room, plan, outgoing });
                if call.member.voice == Voice::Muted {
                    self.outputs.push(Output::SetVoice { call: call.id, voice: Voice::Muted });
                }
                let received = call.received.take();
                let go_on = received.map(|received| Output::GoOnReceiving { call: call.id, received });
                self.outputs.extend(go_on);
            }
            Media::Leg => self.outputs.push(Output::Change { call: call.id, plan }),
            Media::None | Media::Releasing => {}
        }
    }

    /// Our session description in a response: the answer to an offer, or an offer of ours.
    pub(super) fn description(&mut self, call: &mut Call) -> String {
        let offers = call.invite.as_ref().is_some_and(|invite| invite.offers);
        match &mut call.negotiation {
            Some(negotiation) if offers => negotiation.offer(self.random.generator()),
            Some(negotiation) => negotiation.description(),
            None => String::new(),
        }
    }
}
