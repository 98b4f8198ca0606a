//! Requests of others (RFC 3261 sections 8.2, 9.2 and 17.2).

use alloc::sync::Arc;

use crate::message::{self, Message, Request};
use crate::method::Method;
use crate::status::Status;
use crate::time::Time;
use crate::transaction::TransactionId;
use crate::transaction::effect::Event;
use crate::transaction::invite_server::InviteServer;
use crate::transaction::key::{MergeKey, ServerKey};
use crate::transaction::layer::Layer;
use crate::transaction::machine::Machine;
use crate::transaction::other_server::OtherServer;
use crate::transaction::record::{Part, Server, Transaction};
use crate::transaction::settings::Settings;
use crate::transaction::stateless;
use crate::transport::arrival::Arrival;
use crate::transport::flow::Flow;

impl Layer {
    /// A request has come: an ACK, one that has come before, one that is answered without a transaction, or a new
    /// one.
    pub(super) fn request_came(&mut self, now: Time, flow: Flow, request: Request) {
        if request.method() == Method::Ack {
            return self.ack_came(now, flow, request);
        }
        let arrival = Arrival::new(flow, Some(&request.headers().top_via()));
        let key = ServerKey::of(&request);
        if let Some(id) = self.table.by_server_key(&key) {
            return self.came_again(now, id, arrival);
        }
        let is_cancel = request.method() == Method::Cancel;
        let of_invite = is_cancel.then(|| ServerKey::of_invite(&request));
        let invite = of_invite.and_then(|key| self.table.by_server_key(&key));
        let head = request.bytes().len() - request.body().len();
        let server = Server { key, merge: MergeKey::of(&request), head, response: None };
        if is_cancel && invite.is_none() {
            self.answer_at_once(&arrival, &request, stateless::NO_TRANSACTION);
        } else if server.merge.as_ref().is_some_and(|merge| self.table.is_merged(merge)) {
            self.answer_at_once(&arrival, &request, stateless::LOOP_DETECTED);
        } else if !self.has_room_for(&request, &server) {
            self.answer_busy(&arrival, &request);
        } else {
            let transaction = self.begin(now, server, &arrival, &request);
            self.notify(match invite {
                Some(invite) => Event::Cancel { transaction, invite, arrival, request },
                None => Event::Request { transaction, arrival, request },
            });
            // The 100 of an INVITE may be due at once.
            self.advance(now, transaction, None, |machine, conditions| machine.pass_time(now, conditions));
        }
    }

    /// A request has come again. Whoever has sent it over a new connection, because the one before was closed, waits
    /// for the answer on the new one.
    fn came_again(&mut self, now: Time, id: TransactionId, arrival: Arrival) {
        let Some(transaction) = self.table.get(id) else { return };
        let is_over = transaction.machine.is_none();
        if transaction.awaits.is_some() || self.links.toward(&transaction.destination).is_none() {
            self.stop_waiting(id);
            self.table.redirect(id, arrival.destination);
        }
        if is_over {
            self.send(now, id);
            return self.table.settle(id);
        }
        self.advance(now, id, None, |machine, _| machine.repeated());
    }

    /// Whether another transaction may begin. There is one CANCEL for each INVITE at most, and what belongs to a
    /// dialog has room of its own.
    fn has_room_for(&self, request: &Request, server: &Server) -> bool {
        let belongs = request.headers().to_tag().is_some() || request.method() == Method::Cancel;
        let Settings { server_transactions, reserved_for_dialogs, kept, kept_for_dialogs, .. } =
            self.settings;
        let (more, more_kept) = if belongs { (reserved_for_dialogs, kept_for_dialogs) } else { (0, 0) };
        self.table.of_others() < server_transactions + more
            && self.table.kept() + server.kept() <= kept + more_kept
    }

    fn begin(&mut self, now: Time, server: Server, arrival: &Arrival, request: &Request) -> TransactionId {
        let destination = arrival.destination.clone();
        let (machine, response) = if request.method() == Method::Invite {
            let trying = arrival.reply(request, Status::TRYING).draft().finish();
            let machine = InviteServer::start(now, self.settings.trying_after);
            (Machine::InviteServer(machine), Some(Arc::from(trying)))
        } else {
            (Machine::OtherServer(OtherServer::start(now, &self.conditions(&destination))), None)
        };
        let part = Part::Server(Server { response, ..server });
        self.table.insert(Transaction { machine: Some(machine), destination, over: None, awaits: None, part })
    }

    /// An ACK ends its INVITE's transaction when that has failed. That of a 2xx has a branch of its own, and is for
    /// the user (section 17.1.1.3).
    fn ack_came(&mut self, now: Time, flow: Flow, request: Request) {
        let key = ServerKey::of_invite(&request);
        let of_transaction = self.table.by_server_key(&key).filter(|id| self.is_for(*id, &key, &request));
        if of_transaction.is_none() && self.answered_at_once(&request) {
            return;
        }
        let event = Event::Ack { flow, request };
        match of_transaction {
            Some(id) => {
                self.advance(now, id, Some(event), |machine, conditions| {
                    machine.acknowledged(now, conditions)
                });
            }
            None => self.notify(event),
        }
    }

    /// Whether an ACK has the tag of the response, which the key of a sender of RFC 2543 does not say.
    fn is_for(&self, id: TransactionId, key: &ServerKey, ack: &Request) -> bool {
        let response = || self.table.get(id)?.server()?.response.clone();
        match response().filter(|_| key.is_old()).map(|bytes| message::datagram(&bytes)) {
            Some(Ok(Message::Response(response))) => response.headers().to_tag() == ack.headers().to_tag(),
            Some(Ok(Message::Request(_)) | Err(_)) | None => true,
        }
    }
}
