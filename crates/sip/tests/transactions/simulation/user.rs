//! The user of a layer: it calls, asks, cancels, answers, and repeats its 2xx until the ACK is there.

use std::collections::BTreeMap;

use sip::message::Request;
use sip::status::Status;
use sip::transaction::TransactionId;
use sip::transaction::effect::Event;
use sip::transport::arrival::Arrival;
use sip::value::Token;

use crate::kit::Random;

/// What a user does at a time of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Sends the request of a number.
    Begin { number: u64 },
    /// Answers a request.
    Respond { id: TransactionId, status: u16 },
    /// Sends a 2xx again after a pause, unless the ACK has come.
    Repeat { id: TransactionId, pause: u64, until: u64 },
    /// Cancels an INVITE.
    Cancel { id: TransactionId },
    /// Acknowledges a 2xx.
    Acknowledge { number: u64 },
}

/// A request of the user, and what has become of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ours {
    pub(super) method: String,
    pub(super) number: u64,
    /// The final status, and every timeout and failure.
    pub(super) outcomes: Vec<String>,
    cancelled: bool,
}

impl Ours {
    fn is_failed_invite(&self) -> bool {
        let status = self.outcomes.first().and_then(|outcome| outcome.parse::<u16>().ok());
        self.method == "INVITE" && status.is_some_and(|status| status >= 300)
    }
}

/// A request of the other side.
#[derive(Clone, Debug)]
pub(super) struct Theirs {
    arrival: Arrival,
    request: Request,
    pub(super) answered: bool,
    pub(super) acknowledged: bool,
}

#[derive(Default)]
pub(super) struct User {
    pub(super) ours: BTreeMap<TransactionId, Ours>,
    pub(super) theirs: BTreeMap<TransactionId, Theirs>,
    /// How often each request has come.
    pub(super) came: BTreeMap<String, u32>,
    /// Transactions of the other side that have timed out or could not be answered.
    pub(super) troubles: Vec<String>,
}

impl User {
    /// What it does when something has happened, and after how many milliseconds.
    pub(super) fn described(&mut self, random: &mut Random, event: Event) -> Vec<(u64, Action)> {
        match event {
            Event::Request { transaction, arrival, request } => {
                self.asked(random, transaction, arrival, request)
            }
            Event::Cancel { transaction, invite, arrival, request } => {
                self.note(&request);
                let theirs = Theirs { arrival, request, answered: false, acknowledged: false };
                self.theirs.insert(transaction, theirs);
                let respond = |id, status| (0, Action::Respond { id, status });
                vec![respond(transaction, 200), respond(invite, 487)]
            }
            Event::Ack { request, .. } => {
                let id = request.headers().call_id();
                let mut theirs = self.theirs.values_mut();
                let invite = theirs.find(|theirs| {
                    theirs.request.headers().call_id() == id && theirs.request.method().as_str() == "INVITE"
                });
                invite.expect("an ACK has its INVITE").acknowledged = true;
                Vec::new()
            }
            Event::Response { transaction, response, .. } => {
                self.answered(random, transaction, response.status())
            }
            Event::Timeout { transaction } => self.ended(transaction, "timeout"),
            Event::Failed { transaction } => self.ended(transaction, "failed"),
        }
    }

    fn note(&mut self, request: &Request) {
        let name = format!("{} {}", request.method(), request.headers().call_id());
        *self.came.entry(name).or_default() += 1;
    }

    fn asked(
        &mut self,
        random: &mut Random,
        id: TransactionId,
        arrival: Arrival,
        request: Request,
    ) -> Vec<(u64, Action)> {
        self.note(&request);
        let is_invite = request.method().as_str() == "INVITE";
        self.theirs.insert(id, Theirs { arrival, request, answered: false, acknowledged: false });
        let mut actions = Vec::new();
        let first = random.below(1_000);
        if random.percent(50) {
            actions.push((first, Action::Respond { id, status: if is_invite { 180 } else { 100 } }));
        }
        // RFC 4320: who answers anything but an INVITE late answers in vain.
        let later = first + random.below(if is_invite { 15_000 } else { 3_000 });
        let status = [200, 486, 302, 603][usize::try_from(random.below(4)).expect("a small number")];
        actions.push((later, Action::Respond { id, status }));
        actions
    }

    fn answered(&mut self, random: &mut Random, id: TransactionId, status: Status) -> Vec<(u64, Action)> {
        let ours = self.ours.get_mut(&id).expect("a response is to a request of ours");
        let is_invite = ours.method == "INVITE";
        if status.is_provisional() {
            let cancels = is_invite && !ours.cancelled && random.percent(20);
            ours.cancelled |= cancels;
            return if cancels { vec![(random.below(500), Action::Cancel { id })] } else { Vec::new() };
        }
        let outcome = status.to_string();
        let again = is_invite && status.is_success() && ours.outcomes.contains(&outcome);
        if !again {
            ours.outcomes.push(outcome);
        }
        let acknowledges = is_invite && status.is_success();
        if acknowledges { vec![(0, Action::Acknowledge { number: ours.number })] } else { Vec::new() }
    }

    fn ended(&mut self, id: TransactionId, how: &str) -> Vec<(u64, Action)> {
        match self.ours.get_mut(&id) {
            // The ACK of a failed INVITE could not be sent; the INVITE has its answer.
            Some(ours) if ours.is_failed_invite() && how == "failed" => {}
            Some(ours) => ours.outcomes.push(how.to_owned()),
            None => self.troubles.push(format!("{how} {}", id.0)),
        }
        Vec::new()
    }

    pub(super) fn began(&mut self, id: TransactionId, method: &str, number: u64) {
        let before = self.ours.insert(id, Ours { method: method.to_owned(), number, ..Ours::default() });
        assert!(before.is_none(), "the number {} was given twice", id.0);
    }

    /// The bytes of a response.
    pub(super) fn response(&self, id: TransactionId, status: u16) -> Vec<u8> {
        let theirs = &self.theirs[&id];
        let status = Status::new(status).expect("a status");
        let tag = Token::new("tag").expect("a token");
        theirs.arrival.reply(&theirs.request, status).tagged(tag).draft().finish()
    }

    pub(super) fn is_invite(&self, id: TransactionId) -> bool {
        self.theirs[&id].request.method().as_str() == "INVITE"
    }
}
