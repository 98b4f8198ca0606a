//! A call that moves to another process, on the side that takes it over (decision 39).
//!
//! First an OPTIONS within the dialog shows whether the far end answers this process: some answer whoever called first,
//! and a call of theirs stays where it is. Then a re-INVITE brings the far end here. When anything fails, this side
//! forgets the call and sends no BYE, for it goes on at the other.

use std::net::SocketAddr;
use std::time::Duration;

use sip::dialog::exported::Exported;
use sip::dialog::id::DialogId;
use sip::dialog::responses::Outcome;
use sip::dialog::state::{Dialog, Role};
use sip::message::Response as SentResponse;
use sip::method::Method;
use sip::transport::flow::{Flow, Protocol};

use crate::audio::Participant;
use crate::handover::message::{
    ExportedCall, ExportedDialog, ExportedParticipant, ExportedPath, ExportedReceived, ExportedStream,
    ExportedTimer, FORMAT, Transport,
};
use crate::handover::{Changed, NotImported, NotTakenOver};
use crate::participants::{CallDirection, Departure};
use crate::rooms::RoomName;
use crate::sdp::{Negotiation, NoSession, Security};
use crate::session_timer::{Refresher, SessionTimer};
use crate::srtp::{MAX_STREAMS, Received, Stream};
use crate::time::Time;

use super::agent::UserAgent;
use super::authentication::Authorizations;
use super::call::{Call, Import, Media, Progress, Purpose, Refresh};
use super::destination::media_path;
use super::headers;
use super::input::{Handover, Output};
use super::member::{Member, MemberIds};
use super::response::finish;

/// How long the far end may take to answer the probe. It takes a round trip where it works; who answers elsewhere never
/// does.
const PROBE_LIMIT: Duration = Duration::from_millis(700);
/// How long a call that has answered waits for the others of its conference.
const READY_LIMIT: Duration = Duration::from_secs(10);

impl UserAgent {
    /// Takes in a call of another process, and probes its far end. [`Handover::Ready`] follows, or
    /// [`Handover::NotTakenOver`].
    ///
    /// # Errors
    /// It cannot be carried here. Nothing is left of it.
    pub(crate) fn import(
        &mut self,
        now: Time,
        exported: ExportedCall,
    ) -> (Result<Participant, NotImported>, Vec<Output>) {
        self.advance_to(now);
        let imported = self.import_call(exported);
        (imported, self.finish())
    }

    fn import_call(&mut self, exported: ExportedCall) -> Result<Participant, NotImported> {
        let ExportedCall { format, room, age_ms, dialog, path, timer, session, received, participant } =
            exported;
        if format > FORMAT {
            return Err(NotImported::Format(format));
        }
        if self.calls.count() >= self.settings.call_limit {
            return Err(NotImported::Full);
        }
        let flow = self.import_flow(&path)?;
        let negotiation = Negotiation::import(&session, media_path(flow), self.certificate)?;
        let at = self
            .of_family(negotiation.family(), flow.local.ip())
            .ok_or(NoSession("there is no media address of its family"))?;
        let received = import_received(&negotiation, &received)?;
        let room = RoomName::from(room.as_str());
        let member = self.import_member(&room, &dialog, participant.as_ref());
        let dialog = import_dialog(dialog)?;
        if let (Some(address), Ok(hop)) = (path.next_hop, dialog.next_hop()) {
            self.names.ask(self.time(), &hop.host.to_string());
            self.names.learn(&hop.host.to_string(), vec![address]);
        }
        let (id, tag) = (dialog.id().clone(), dialog.id().local_tag().to_owned());
        self.forget_moved(&id);
        self.dialogs.insert(dialog)?;
        let call_id = self.calls.next_id();
        self.by_dialog.insert(id.clone(), call_id);
        let call = Call {
            id: call_id,
            purpose: Purpose::Caller,
            began: self.time().before(Duration::from_millis(age_ms)),
            room,
            member,
            tag,
            progress: Progress::Importing(Import::Opening),
            media: Media::Port,
            invite: None,
            deferred: None,
            dialog: Some(id),
            secure: path.sips,
            flow,
            is_translated: path.translated,
            session: session.id,
            offer: None,
            negotiation: Some(negotiation),
            stream: self.random.stream(),
            received,
            timer: self.import_timer(timer),
            refresh: Refresh::ByTimer,
            dialling: None,
            authorizations: Authorizations::default(),
        };
        self.add_call(call);
        self.outputs.push(Output::OpenPort { call: call_id, at, spare: false });
        Ok(call_id)
    }

    /// The participant keeps its name and what was done to it; one of a release that knows none gets a name.
    fn import_member(
        &mut self,
        room: &RoomName,
        dialog: &ExportedDialog,
        participant: Option<&ExportedParticipant>,
    ) -> Member {
        let direction = if dialog.was_called { CallDirection::In } else { CallDirection::Out };
        let ids = self.member_ids(room);
        let Some(participant) = participant else {
            return Member::of_dialog(ids, direction, &dialog.local, &dialog.remote);
        };
        let is_here = self.roster.conference(room).is_some();
        let ids = MemberIds {
            participant: participant.id,
            conference: if is_here { ids.conference } else { participant.conference },
        };
        let before = |ms: u64| self.time().before(Duration::from_millis(ms));
        let times = [participant.joined_ms_ago.map(before), Some(before(participant.conference_age_ms))];
        Member::of_exported(ids, direction, times, participant)
    }

    /// A call that comes back soon after it has moved away finds its dialog here.
    fn forget_moved(&mut self, dialog: &DialogId) {
        let Some(call) = self.by_dialog.get(dialog).copied() else { return };
        self.with_call(call, |agent, call| {
            if matches!(call.progress, Progress::Moved { .. }) {
                agent.forget(call);
            }
        });
    }

    fn import_flow(&self, path: &ExportedPath) -> Result<Flow, NotImported> {
        let protocol = match path.transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::TCP,
            Transport::Tls => Protocol::TLS,
        };
        self.flow_to(protocol, path.remote).ok_or(NotImported::Transport)
    }

    fn import_timer(&self, timer: ExportedTimer) -> SessionTimer {
        let interval = Duration::from_secs(timer.interval_s);
        let refresher = if timer.node_refreshes { Refresher::Us } else { Refresher::FarEnd };
        let refreshed = self.time().before(Duration::from_millis(timer.refreshed_ms_ago));
        SessionTimer::continued(interval, refresher, refreshed, self.policy())
    }

    /// The media port of a call that is being taken over is open: its far end is probed.
    pub(super) fn probe_far_end(&mut self, call: &mut Call, address: SocketAddr) {
        call.negotiation.iter_mut().for_each(|negotiation| negotiation.move_to(address));
        let drafted = call
            .dialog
            .as_ref()
            .and_then(|id| self.dialogs.change(id, |dialog| dialog.request(Method::Options)));
        let sent = drafted.and_then(Result::ok).is_some_and(|draft| {
            self.send_request(call, finish(draft, &[headers::accept(), headers::allow()], None))
        });
        if sent {
            call.progress = Progress::Importing(Import::Probing { until: self.time() + PROBE_LIMIT });
        } else {
            self.leave_to_other(call, NotTakenOver::Unreachable, Changed::No);
        }
    }

    /// Brings the far end of a call here. [`Handover::TakenOver`] follows, or [`Handover::NotTakenOver`].
    pub(crate) fn take_over(&mut self, now: Time, id: Participant) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| {
            if matches!(call.progress, Progress::Importing(Import::Ready { .. })) {
                call.progress = Progress::Importing(Import::TakingOver);
                agent.send_refresh(call);
                if call.refresh != Refresh::InProgress {
                    agent.leave_to_other(call, NotTakenOver::Unreachable, Changed::No);
                }
            }
        });
        self.finish()
    }

    /// Gives a call up that was not taken over yet: the other process has ended it, or keeps it.
    pub(crate) fn give_up_import(&mut self, now: Time, id: Participant) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| {
            if matches!(call.progress, Progress::Importing(_)) {
                agent.leave(call);
            }
        });
        self.finish()
    }

    /// The stream of a call that was taken over goes on from where the other process has left it, or begins anew.
    pub(crate) fn go_on(
        &mut self,
        now: Time,
        id: Participant,
        stream: Option<ExportedStream>,
    ) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| {
            if call.progress == Progress::Confirmed && call.media == Media::Leg {
                let resume = stream.map(|stream| Output::Resume { call: call.id, stream });
                agent.outputs.extend(resume);
                agent.outputs.push(Output::Start(call.id));
            }
        });
        self.finish()
    }

    /// A response to the probe or to the re-INVITE.
    pub(super) fn on_import_response(
        &mut self,
        call: &mut Call,
        import: Import,
        outcome: Option<Outcome>,
        response: &SentResponse,
    ) {
        match (import, outcome) {
            (Import::TakingOver, Some(Outcome::Acknowledge { sequence })) => {
                self.acknowledge(call, sequence);
                self.taken_over(call, response);
            }
            (Import::Opening | Import::Ready { .. }, _) | (_, Some(Outcome::Ignore) | None) => {}
            (_, Some(Outcome::Deliver)) if response.status().is_provisional() => {}
            (Import::Probing { .. }, Some(Outcome::Deliver)) => {
                call.progress = Progress::Importing(Import::Ready { until: self.time() + READY_LIMIT });
                let last_sequence = self.last_sequence(call);
                self.report(call, Handover::Ready { last_sequence });
            }
            (Import::Probing { .. } | Import::TakingOver, Some(_)) => {
                let status = response.status().code();
                self.leave_to_other(call, NotTakenOver::Refused(status), Changed::No);
            }
        }
    }

    fn taken_over(&mut self, call: &mut Call, response: &SentResponse) {
        call.progress = Progress::Confirmed;
        call.member.joined.get_or_insert(self.time());
        self.refreshed(call, response);
        if call.media == Media::Port {
            self.update_media(call);
        }
        self.stats.taken_over += 1;
        self.report(call, Handover::TakenOver);
    }

    /// The far end has hung up while its call was moved: the other process has it as well.
    pub(super) fn end_elsewhere(&mut self, call: &mut Call) {
        self.count_end(call);
        call.member.depart(Departure::HungUp);
        self.leave(call);
        self.report(call, Handover::Ended);
    }

    /// A call was not taken over, and goes on at the other process.
    pub(super) fn leave_to_other(&mut self, call: &mut Call, why: NotTakenOver, changed: Changed) {
        let last_sequence = self.last_sequence(call);
        self.leave(call);
        self.report(call, Handover::NotTakenOver { last_sequence, changed, why });
    }

    /// Forgets a call without a BYE.
    pub(super) fn leave(&mut self, call: &mut Call) {
        self.release(call);
        self.forget(call);
    }
}

/// What the other process has received under the key of the far end; `None` if its sound is not encrypted.
fn import_received(
    negotiation: &Negotiation,
    streams: &[ExportedReceived],
) -> Result<Option<Box<Received>>, NoSession> {
    let Some(Security::Keys(keys)) = negotiation.agreed().map(|agreed| &agreed.security) else {
        return Ok(None);
    };
    if streams.len() > MAX_STREAMS {
        return Err(NoSession("too many streams of the far end are encrypted"));
    }
    let import = |received: &ExportedReceived| Stream::after(received.ssrc, received.sound, received.control);
    let streams: Option<Vec<_>> = streams.iter().map(import).collect();
    let streams = streams.ok_or(NoSession("a packet of the far end has an index beyond 48 bits"))?;
    Ok(Some(Box::new(Received { key: keys.theirs, mki: keys.mki, streams })))
}

fn import_dialog(dialog: ExportedDialog) -> Result<Dialog, NotImported> {
    let ExportedDialog {
        call_id,
        was_called,
        secure,
        local,
        remote,
        target,
        routes,
        local_sequence,
        remote_sequence,
    } = dialog;
    let role = if was_called { Role::Uas } else { Role::Uac };
    Ok(Dialog::import(Exported {
        call_id,
        role,
        secure,
        local,
        remote,
        target,
        routes,
        local_sequence,
        remote_sequence,
    })?)
}
