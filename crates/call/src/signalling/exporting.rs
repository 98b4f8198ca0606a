//! A call that moves to another process, on the side that gives it away (decision 39).
//!
//! While it is exported the call goes on here as it is: its sound, and what the far end asks for; only changes and
//! requests of ours wait. It is taken back when the other process has failed or says nothing, and handed out when that
//! process has taken it over: then it is not counted here any more, and its dialog is kept for as long as messages for
//! it may still arrive.

use std::time::Duration;

use sip::dialog::state::{Dialog, Role};
use sip::transport::flow::{Link, Stream};

use crate::audio::Participant;
use crate::handover::message::{
    ExportedCall, ExportedDialog, ExportedParticipant, ExportedPath, ExportedReceived, ExportedTimer, FORMAT,
    Transport,
};
use crate::handover::{Changed, NotExported};
use crate::participants::{Departure, Voice};
use crate::session_timer::Refresher;
use crate::time::Time;

use super::agent::UserAgent;
use super::call::{Call, Media, Progress, Purpose, Refresh};
use super::input::{Handover, Output};

/// How long a call waits for the other process beyond a transaction: its probe, and those of the other calls of the
/// conference.
const EXTRA: Duration = Duration::from_secs(15);
/// How far CSeq jumps ahead when the other process is lost: it may have sent requests that nobody has counted.
const JUMP: u32 = 1000;

impl UserAgent {
    /// Exports a call, of which `received` has come if its sound is encrypted. It goes on here until [`Self::hand_out`] or
    /// [`Self::take_back`] is called for it, which is owed.
    ///
    /// # Errors
    /// It cannot be moved, or not now.
    pub(crate) fn export(
        &mut self,
        now: Time,
        id: Participant,
        received: Vec<ExportedReceived>,
    ) -> Result<ExportedCall, NotExported> {
        self.advance_to(now);
        let exported = self.with_call(id, |agent, call| agent.export_call(call, received));
        exported.unwrap_or(Err(NotExported::Unknown))
    }

    fn export_call(
        &mut self,
        call: &mut Call,
        received: Vec<ExportedReceived>,
    ) -> Result<ExportedCall, NotExported> {
        if call.purpose == Purpose::Probe || call.has_left() {
            return Err(NotExported::Unknown);
        }
        if call.progress != Progress::Confirmed || call.deferred.is_some() {
            return Err(NotExported::Busy);
        }
        let negotiation = call.negotiation.as_ref().ok_or(NotExported::Unknown)?;
        if negotiation.has_handshake() {
            return Err(NotExported::Handshake);
        }
        let dialog = call.dialog.as_ref().and_then(|id| self.dialogs.get(id)).ok_or(NotExported::Unknown)?;
        let exported = ExportedCall {
            format: FORMAT,
            room: call.room.to_string(),
            age_ms: milliseconds(self.time().since(call.began)),
            dialog: export_dialog(dialog).ok_or(NotExported::Busy)?,
            path: self.export_path(call, dialog)?,
            timer: self.export_timer(call),
            session: negotiation.export().ok_or(NotExported::Busy)?,
            received,
            participant: Some(self.export_participant(call)),
        };
        call.progress = Progress::Exported { until: self.time() + self.settings.ack_timeout() + EXTRA };
        Ok(exported)
    }

    fn export_participant(&self, call: &Call) -> ExportedParticipant {
        let conference = self.roster.conference(&call.room);
        let began = conference.map_or(call.began, |conference| conference.began);
        let member = &call.member;
        ExportedParticipant {
            id: member.id,
            conference: member.conference,
            conference_age_ms: milliseconds(self.time().since(began)),
            locked: self.roster.is_locked(&call.room),
            display_name: member.display_name.clone(),
            source_alias: member.source_alias.clone(),
            destination_alias: member.destination_alias.clone(),
            vendor: member.vendor.clone(),
            muted: member.voice == Voice::Muted,
            joined_ms_ago: member.joined.map(|joined| milliseconds(self.time().since(joined))),
        }
    }

    /// A connection belongs to its process: behind an address translator nobody else can open one.
    fn export_path(&self, call: &Call, dialog: &Dialog) -> Result<ExportedPath, NotExported> {
        let transport = match call.flow.link {
            Link::Connection(..) if call.is_translated => return Err(NotExported::Unreachable),
            Link::Datagrams => Transport::Udp,
            Link::Connection(Stream::Tcp, _) => Transport::Tcp,
            Link::Connection(Stream::Tls, _) => Transport::Tls,
        };
        let ours = call.flow.local.ip().to_canonical();
        let hop = dialog.next_hop().ok().filter(|hop| hop.host.address().is_none());
        Ok(ExportedPath {
            transport,
            remote: call.flow.remote,
            translated: call.is_translated,
            sips: call.secure,
            next_hop: hop.and_then(|hop| self.names.find(&hop.host.to_string(), ours)),
        })
    }

    fn export_timer(&self, call: &Call) -> ExportedTimer {
        ExportedTimer {
            interval_s: call.timer.interval.as_secs(),
            refreshed_ms_ago: milliseconds(self.time().since(call.timer.refreshed)),
            node_refreshes: call.timer.refresher == Refresher::Us,
        }
    }

    /// The other process has not taken an exported call over, and its last request within the dialog had this CSeq.
    /// The call goes on here; if the far end may have been changed, it is brought back by a re-INVITE at once.
    pub(crate) fn take_back(
        &mut self,
        now: Time,
        id: Participant,
        last_sequence: Option<u32>,
        changed: Changed,
    ) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| {
            if matches!(call.progress, Progress::Exported { .. }) {
                agent.take_back_call(call, last_sequence, changed);
            }
        });
        self.finish()
    }

    fn take_back_call(&mut self, call: &mut Call, last_sequence: Option<u32>, changed: Changed) {
        call.progress = Progress::Confirmed;
        if let (Some(id), Some(last)) = (&call.dialog, last_sequence) {
            self.dialogs.change(id, |dialog| dialog.skip_sequence(last));
        }
        if changed == Changed::Perhaps {
            call.refresh = Refresh::RetryAt(self.time());
        }
    }

    /// Nothing was heard of the process that an exported call was given to: it is taken for lost.
    pub(super) fn recover(&mut self, call: &mut Call) {
        let last = self.last_sequence(call).unwrap_or_default();
        self.take_back_call(call, Some(last.saturating_add(JUMP)), Changed::Perhaps);
    }

    /// The other process is lost; see [`Self::recover`].
    pub(crate) fn take_back_from_lost(&mut self, now: Time, id: Participant) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| {
            if matches!(call.progress, Progress::Exported { .. }) {
                agent.recover(call);
            }
        });
        self.finish()
    }

    /// The other process has taken an exported call over: its leg leaves here, and [`Handover::Stream`] says where its
    /// stream has come to. False when the call has ended meanwhile.
    pub(crate) fn hand_out(&mut self, now: Time, id: Participant) -> (bool, Vec<Output>) {
        self.advance_to(now);
        let handed_out = self.with_call(id, |agent, call| {
            let is_exported = matches!(call.progress, Progress::Exported { .. });
            if is_exported {
                call.progress = Progress::Moved { until: agent.time() + agent.settings.ack_timeout() };
                call.media = Media::Releasing;
                agent.stats.handed_over += 1;
                agent.outputs.push(Output::HandOut(call.id));
            }
            is_exported
        });
        (handed_out == Some(true), self.finish())
    }

    /// The far end of a call has hung up at the other process.
    pub(crate) fn end_moved(&mut self, now: Time, id: Participant) -> Vec<Output> {
        self.advance_to(now);
        self.with_call(id, |agent, call| {
            agent.count_end(call);
            call.member.depart(Departure::HungUp);
            agent.leave(call);
        });
        self.finish()
    }

    /// Counts that the far end of a call has hung up, at the process of both that has the call.
    pub(super) fn count_end(&mut self, call: &Call) {
        if !matches!(call.progress, Progress::Moved { .. } | Progress::Importing(_)) {
            self.count(call.purpose, |stats| stats.ended_by_far_end += 1);
        }
    }

    /// The CSeq of our last request within the dialog of a call.
    pub(super) fn last_sequence(&self, call: &Call) -> Option<u32> {
        call.dialog.as_ref().and_then(|id| self.dialogs.get(id)).and_then(Dialog::last_sequence)
    }

    /// Reports to whoever moves a call what has become of it.
    pub(super) fn report(&mut self, call: &Call, event: Handover) {
        self.outputs.push(Output::Handover { call: call.id, event });
    }
}

fn export_dialog(dialog: &Dialog) -> Option<ExportedDialog> {
    let sip::dialog::exported::Exported {
        call_id,
        role,
        secure,
        local,
        remote,
        target,
        routes,
        local_sequence,
        remote_sequence,
    } = dialog.export()?;
    Some(ExportedDialog {
        call_id,
        was_called: role == Role::Uas,
        secure,
        local,
        remote,
        target,
        routes,
        local_sequence,
        remote_sequence,
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
