//! The user agent: the state of all calls, and which event goes where.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::net::{IpAddr, SocketAddr};

use sip::dialog::id::DialogId;
use sip::dialog::settings::Settings as DialogSettings;
use sip::dialog::table::{Dialogs, Place};
use sip::dialog::timing::Due;
use sip::message::Request;
use sip::status::Status;
use sip::time::{Millis, Time as SipTime};
use sip::transaction::TransactionId;
use sip::transaction::effect::{Effect, Event};
use sip::transaction::layer::Layer;
use sip::transaction::settings::{Settings as LayerSettings, Timers};
use sip::transport::flow::Connection;
use sip::transport::listeners::Listeners;

use crate::accounts::Accounts;
use crate::admission::{Admission, Admitter};
use crate::audio::Participant;
use crate::calls::Stats;
use crate::handover::{Changed, NotTakenOver};
use crate::logins::Logins;
use crate::rooms::{RoomName, Rooms};
use crate::sdp::Fingerprint;
use crate::settings::Settings;
use crate::time::Time;

use super::authentication::Authenticator;
use super::call::{Call, Import, Progress, Received, Refresh};
use super::calls::CallTable;
use super::ending::End;
use super::input::{Handover, Input, NoPort, Output};
use super::names::Names;
use super::random::Random;
use super::registrar::Bindings;
use super::response::Response;
use super::roster::Roster;

/// The probe that is expected, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpectedProbe {
    pub(super) alias: String,
    pub(super) from: SocketAddr,
}

/// All signalling of a node. See [`crate::signalling`] for what it decides and what it relies on.
pub(crate) struct UserAgent {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) admitter: Admitter,
    pub(super) rooms: Rooms,
    pub(super) accounts: Accounts,
    pub(super) authenticator: Authenticator,
    pub(super) bindings: Bindings,
    pub(super) logins: Logins,
    pub(super) stats: Stats,
    pub(super) layer: Layer,
    pub(super) dialogs: Dialogs,
    pub(super) calls: CallTable,
    pub(super) roster: Roster,
    pub(super) by_dialog: BTreeMap<DialogId, Participant>,
    /// The calls of the INVITEs that have no final response.
    pub(super) by_invite: BTreeMap<TransactionId, Participant>,
    /// The calls that are dialled of the INVITEs of ours that have no final response.
    pub(super) by_our_invite: BTreeMap<TransactionId, Participant>,
    /// The INVITEs of ours without a final response whose targets have had their turn.
    pub(super) cancelled_invites: BTreeSet<TransactionId>,
    /// How many answers that no call waits for have come to INVITEs of ours, as long as those have a transaction.
    pub(super) late_answers: BTreeMap<TransactionId, u32>,
    /// The calls that are dialled and wait for the address of a name.
    pub(super) awaited_names: BTreeMap<String, Vec<Participant>>,
    /// The calls of our requests that have no final response, with their CSeq.
    pub(super) requests: BTreeMap<TransactionId, (Participant, u32)>,
    pub(super) expected: Option<ExpectedProbe>,
    /// The probe that there is.
    pub(super) probe: Option<Participant>,
    pub(super) names: Names,
    /// Of the certificate that the media shows in handshakes.
    pub(super) certificate: Fingerprint,
    /// The system refused the last media port that was asked for.
    pub(super) port_refused: bool,
    pub(super) effects: VecDeque<Effect>,
    pub(super) outputs: Vec<Output>,
    time: Time,
}

impl UserAgent {
    /// A user agent without calls. `seed` is drawn at random and differs from that of every other process.
    pub(crate) fn new(
        settings: Settings,
        listeners: Listeners,
        rooms: Rooms,
        admission: Admission,
        seed: [u8; 32],
    ) -> UserAgent {
        let t1 = Millis(settings.t1_ms.into());
        let timers = Timers { t1, ..Timers::default() };
        let layer = LayerSettings { timers, listeners, ..LayerSettings::default() };
        let dialogs = DialogSettings { timers, ..DialogSettings::default() };
        let mut random = Random::new(seed);
        UserAgent {
            admitter: Admitter::new(admission, settings.call_limit, settings.source_rate),
            layer: Layer::new(layer, random.number()),
            dialogs: Dialogs::new(dialogs),
            authenticator: Authenticator::new(random.key()),
            settings,
            random,
            rooms,
            accounts: Accounts::default(),
            bindings: Bindings::default(),
            logins: Logins::default(),
            stats: Stats::default(),
            calls: CallTable::default(),
            roster: Roster::default(),
            by_dialog: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            by_our_invite: BTreeMap::new(),
            cancelled_invites: BTreeSet::new(),
            late_answers: BTreeMap::new(),
            awaited_names: BTreeMap::new(),
            requests: BTreeMap::new(),
            expected: None,
            probe: None,
            names: Names::default(),
            certificate: Fingerprint::of(&[]),
            port_refused: false,
            effects: VecDeque::new(),
            outputs: Vec::new(),
            time: Time::default(),
        }
    }

    /// The certificate that the media shows in handshakes. Before it is known, no handshake can succeed.
    pub(crate) fn set_certificate(&mut self, certificate: Fingerprint) {
        self.certificate = certificate;
    }

    /// Opens or closes the node for new calls. Running ones are not touched.
    pub(crate) fn set_admission(&mut self, admission: Admission) {
        self.admitter.set(admission);
    }

    /// Sets how many calls there may be with a new one by the licences.
    pub(crate) fn set_licensed(&mut self, calls: Option<u32>) {
        self.admitter.set_licensed(calls);
    }

    /// Replaces all rooms. Running calls stay where they are.
    pub(crate) fn set_rooms(&mut self, rooms: Rooms) {
        self.rooms = rooms;
    }

    /// Replaces all accounts. Calls of those that are gone stay; devices stay registered whose account has the same
    /// secret and alias.
    pub(crate) fn set_accounts(&mut self, accounts: Accounts) {
        let before = mem::replace(&mut self.accounts, accounts);
        self.bindings.retain(|alias| {
            let owners = (before.owner(alias), self.accounts.owner(alias));
            matches!(owners, (Some(was), Some(is)) if was.username == is.username && was.secret == is.secret)
        });
    }

    /// Replaces all logins.
    pub(crate) fn set_logins(&mut self, logins: Logins) {
        self.logins = logins;
    }

    /// A call to this alias from this address is the engine's own: it is admitted once, whatever the admission is.
    pub(crate) fn expect_probe(&mut self, alias: String, from: SocketAddr) {
        self.expected = Some(ExpectedProbe { alias, from });
    }

    /// No probe is expected any more. Whether one was.
    pub(crate) fn expect_no_probe(&mut self) -> bool {
        self.expected.take().is_some()
    }

    /// What happened to calls.
    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }

    /// The callers' calls in a conference, but for those that have left it.
    pub(crate) fn calls_in(&self, room: &RoomName) -> Vec<Participant> {
        let calls = self.calls.callers().filter(|call| call.room == *room && !call.has_left());
        calls.map(|call| call.id).collect()
    }

    /// The conferences that callers are in.
    pub(crate) fn conferences(&self) -> BTreeSet<RoomName> {
        self.calls.callers().filter(|call| !call.has_left()).map(|call| call.room.clone()).collect()
    }

    /// How many callers' calls there are, and when the oldest began.
    pub(crate) fn counted(&self) -> (u32, Option<Time>) {
        (self.calls.count(), self.calls.oldest())
    }

    /// How much there is of calls, dialogs and transactions: none when there are no calls and all is over.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn entries(&self) -> usize {
        self.calls.ids().len()
            + self.dialogs.count()
            + self.by_dialog.len()
            + self.by_invite.len()
            + self.by_our_invite.len()
            + self.cancelled_invites.len()
            + self.late_answers.len()
            + self.awaited_names.len()
            + self.requests.len()
            + self.layer.load().entries
    }

    /// How many dialogs there are, and how many lead to a call: as many.
    #[cfg(test)]
    pub(crate) fn dialogs(&self) -> [usize; 2] {
        [self.dialogs.count(), self.by_dialog.len()]
    }

    /// The transaction that began first, of those that there are and those that something is kept of.
    #[cfg(test)]
    pub(crate) fn oldest_transaction(&self) -> Option<TransactionId> {
        let first = [self.by_invite.keys().min(), self.requests.keys().min(), self.late_answers.keys().min()];
        first.into_iter().flatten().copied().chain(self.layer.load().oldest).min()
    }

    /// The Call-ID of a call that has a dialog.
    #[cfg(test)]
    pub(crate) fn call_id_of(&self, call: Participant) -> Option<String> {
        let of = |(id, of): (&DialogId, &Participant)| (*of == call).then(|| id.call_id().to_owned());
        self.by_dialog.iter().find_map(of)
    }

    /// The connections that calls use, and over which registered devices are reached.
    pub(crate) fn connections(&self) -> BTreeSet<Connection> {
        let mut used = self.calls.connections();
        used.extend(self.bindings.connections());
        used
    }

    /// When [`Self::pass_time`] is owed if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let calls = self.calls.next_deadline().map(|(at, _)| at).into_iter();
        let layers = [self.layer.next_deadline(), self.dialogs.next_deadline()];
        layers
            .into_iter()
            .flatten()
            .map(|at| Time(at.0))
            .chain(calls)
            .chain(self.bindings.next_deadline())
            .min()
    }

    /// Does what is due.
    pub(crate) fn pass_time(&mut self, now: Time) -> Vec<Output> {
        self.advance_to(now);
        self.bindings.pass_time(self.time);
        let effects = self.layer.pass_time(self.now());
        self.effects.extend(effects);
        self.late_answers.retain(|invite, _| self.layer.request_of(*invite).is_some());
        self.work();
        for (dialog, due) in self.dialogs.pass_time(self.now()) {
            self.on_due(&dialog, due);
            self.work();
        }
        while let Some((_, id)) = self.calls.next_deadline().filter(|(at, _)| *at <= self.time) {
            self.with_call(id, Self::on_deadline);
            self.work();
        }
        self.finish()
    }

    /// Takes in what has happened.
    pub(crate) fn handle(&mut self, now: Time, input: Input) -> Vec<Output> {
        self.advance_to(now);
        match input {
            Input::Transport(input) => {
                let effects = self.layer.apply(self.now(), input);
                self.effects.extend(effects);
            }
            Input::Resolved { name, addresses } => {
                self.names.learn(&name, addresses);
                self.on_resolved(&name);
            }
            Input::PortOpened { call, address } => {
                self.port_refused = false;
                self.with_call(call, |agent, call| agent.on_port(call, address));
            }
            Input::NoPort { call, why } => {
                self.port_refused |= matches!(why, NoPort::Refused(_));
                self.with_call(call, |agent, call| agent.on_no_port(call, &why));
            }
            Input::Silent(call) => {
                self.with_call(call, |agent, call| agent.end(call, End::MediaTimeout));
            }
            Input::NoKeys { call, why: _ } => {
                self.with_call(call, |agent, call| agent.end(call, End::NoKeys));
            }
            Input::HandedOut { call, stream } => {
                self.with_call(call, |agent, call| agent.report(call, Handover::Stream(stream)));
            }
            Input::Released(call) => {
                self.with_call(call, |_, call| call.media = super::call::Media::None);
            }
        }
        self.finish()
    }

    /// Ends all calls.
    pub(crate) fn shut_down(&mut self, now: Time) -> Vec<Output> {
        self.advance_to(now);
        for id in self.calls.ids() {
            self.with_call(id, |agent, call| agent.end(call, End::ShutDown));
        }
        self.finish()
    }

    /// An input begins. The time never goes back.
    pub(super) fn advance_to(&mut self, now: Time) {
        self.time = self.time.max(now);
    }

    /// What an input has led to.
    pub(super) fn finish(&mut self) -> Vec<Output> {
        self.work();
        mem::take(&mut self.outputs)
    }

    /// Where this node is reached.
    pub(super) fn listeners(&self) -> &Listeners {
        &self.layer.settings().listeners
    }

    /// The timers of transactions and dialogs.
    pub(super) fn timers(&self) -> Timers {
        self.layer.settings().timers
    }

    /// The present moment, for the layers below.
    pub(super) fn now(&self) -> SipTime {
        SipTime(self.time.0)
    }

    /// The present moment.
    pub(super) fn time(&self) -> Time {
        self.time
    }

    /// Changes a call, and forgets it when it is over then.
    pub(super) fn with_call<T>(
        &mut self,
        id: Participant,
        change: impl FnOnce(&mut UserAgent, &mut Call) -> T,
    ) -> Option<T> {
        let mut call = self.calls.take(id)?;
        let result = change(self, &mut call);
        self.roster.note(self.time, &call);
        if let Some(over) = self.calls.put(call)
            && self.probe.take_if(|probe| *probe == over.id).is_some()
        {
            self.outputs.push(Output::ProbeOver);
        }
        Some(result)
    }

    /// Performs what the layer wants done, until nothing is left.
    fn work(&mut self) {
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Send { flow, bytes } => self.outputs.push(Output::Send { flow, bytes }),
                Effect::Refuse { flow, source, status, bytes } => {
                    self.answer_at_once(source, status, Output::Send { flow, bytes });
                }
                Effect::Open { peer, local } => self.outputs.push(Output::Connect { peer, local }),
                Effect::Close(connection) => self.outputs.push(Output::Disconnect(connection)),
                Effect::Notify(event) => self.on_event(*event),
            }
        }
    }

    /// Answers what has no transaction, unless its source has had its share of answers.
    fn answer_at_once(&mut self, source: IpAddr, status: Status, answer: Output) {
        if !self.admitter.answer(self.time, source) {
            self.stats.dropped += 1;
            return;
        }
        // There is no room for its transaction.
        self.stats.refused_limit += u64::from(status == Status::SERVICE_UNAVAILABLE);
        self.outputs.push(answer);
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Request { transaction, arrival, request } => {
                self.on_request(Received { transaction, arrival, request });
            }
            Event::Cancel { transaction, invite, arrival, request } => {
                let received = Received { transaction, arrival, request };
                match self.by_invite.get(&invite).copied() {
                    Some(call) => {
                        self.with_call(call, |agent, call| agent.on_cancel(call, &received, invite));
                    }
                    None => self.respond(&received, &Response::new(200, Vec::new())),
                }
            }
            Event::Ack { request, .. } => self.on_ack(&request),
            Event::Response { transaction, flow, response } => {
                self.on_response(transaction, flow, &response);
            }
            Event::Timeout { transaction } | Event::Failed { transaction } => {
                let timed_out = matches!(event, Event::Timeout { .. });
                self.on_no_response(transaction, timed_out);
            }
        }
    }

    fn on_request(&mut self, received: Received) {
        match self.dialogs.place(&received.request) {
            Place::Outside => self.outside(received),
            Place::Unknown => self.refuse_unknown(&received),
            Place::Within(dialog) => match self.by_dialog.get(&dialog).copied() {
                Some(call) => {
                    self.with_call(call, |agent, call| agent.within(call, received));
                }
                None => self.refuse_unknown(&received),
            },
        }
    }

    fn on_ack(&mut self, ack: &Request) {
        let Place::Within(dialog) = self.dialogs.place(ack) else { return };
        let is_first = self.dialogs.change(&dialog, |dialog| dialog.ack_received(ack)) == Some(true);
        if let Some(call) = self.by_dialog.get(&dialog).copied().filter(|_| is_first) {
            self.with_call(call, |agent, call| agent.confirmed(call, ack));
        }
    }

    fn on_due(&mut self, dialog: &DialogId, due: Due) {
        let Some(call) = self.by_dialog.get(dialog).copied() else { return };
        self.with_call(call, |agent, call| match due {
            Due::Repeat(bytes) => agent.repeat_response(call, &bytes),
            Due::NoAck => agent.end(call, End::NoAck),
            Due::NoPrack => agent.end(call, End::NoPrack),
            // Unless the far end has refreshed the session meanwhile.
            Due::Retry if call.refresh == Refresh::Delayed => agent.send_refresh(call),
            Due::Retry => {}
        });
    }

    fn on_deadline(&mut self, call: &mut Call) {
        match call.progress {
            Progress::Opening { .. } => self.open_port(call),
            Progress::Ringing { .. } => self.answer(call),
            Progress::Calling { .. } => self.on_turn_over(call),
            Progress::Ending { .. } | Progress::Moved { .. } => self.forget(call),
            Progress::Exported { .. } => self.recover(call),
            Progress::Importing(Import::Probing { .. }) => {
                self.leave_to_other(call, NotTakenOver::NoAnswer, Changed::No);
            }
            Progress::Importing(Import::Ready { .. }) => {
                self.leave_to_other(call, NotTakenOver::TooLate, Changed::No);
            }
            Progress::Importing(Import::Opening | Import::TakingOver) => {}
            Progress::Answered | Progress::Confirmed if self.time >= call.timer.lapses_at() => {
                self.end(call, End::SessionLapsed);
            }
            Progress::Answered | Progress::Confirmed => self.send_refresh(call),
            Progress::GivenUp | Progress::Over => {}
        }
    }
}
