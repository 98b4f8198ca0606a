//! Requests of ours, and the responses to them (RFC 3261 sections 8.1, 9.1, 17.1 and 18.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::draft::SentVia;
use crate::message::{self, Message, Request, Response};
use crate::method::Method;
use crate::time::Time;
use crate::transaction::TransactionId;
use crate::transaction::effect::{Effect, Event};
use crate::transaction::invite_client::InviteClient;
use crate::transaction::key::ClientKey;
use crate::transaction::layer::Layer;
use crate::transaction::machine::Machine;
use crate::transaction::made;
use crate::transaction::other_client::OtherClient;
use crate::transaction::outgoing::{Branch, Outgoing, Unsendable};
use crate::transaction::record::{Client, Instead, Part, Transaction};
use crate::transport::flow::{Destination, Flow, Peer, Stream};
use crate::transport::listeners::with_via;

/// The longest payload of a UDP datagram over IPv4 (RFC 768, RFC 791).
const LONGEST_DATAGRAM: usize = 65_507;

impl Layer {
    /// Sends a request. Its responses name the transaction that is returned; an ACK has none, and its number is
    /// named again only when it could not be sent.
    ///
    /// # Errors
    /// Nothing is sent.
    pub fn request(
        &mut self,
        now: Time,
        outgoing: Outgoing,
    ) -> Result<(TransactionId, Vec<Effect>), Unsendable> {
        let Outgoing { bytes, destination, branch } = outgoing;
        let request = self.with_own_via(&bytes, &destination, &branch)?;
        if request.method() == Method::Cancel {
            return Err(Unsendable::Cancel);
        }
        if self.table.has_branch_of(&request) {
            return Err(Unsendable::BranchInUse);
        }
        let id = match destination {
            Destination::Datagrams { local, remote } if request.bytes().len() > self.settings.datagram => {
                let peer = Peer { stream: Stream::Tcp, remote, name: None };
                let destination = Destination::Stream { local: local.ip(), connection: None, peer };
                let at = now + self.settings.connection_attempt;
                let fits = request.bytes().len() <= LONGEST_DATAGRAM;
                let request = self.with_own_via(&bytes, &destination, &branch)?;
                let instead = fits.then_some(Instead { at, local, remote, branch, bare: bytes });
                self.begin_ours(now, request, destination, instead)?
            }
            Destination::Datagrams { .. } | Destination::Stream { .. } => {
                self.begin_ours(now, request, destination, None)?
            }
        };
        Ok((id, self.take_effects()))
    }

    /// Sends a CANCEL for an INVITE of ours. If nothing final comes within 64 × T1, the INVITE has timed out.
    ///
    /// # Errors
    /// Nothing is sent.
    pub fn cancel(
        &mut self,
        now: Time,
        invite: TransactionId,
    ) -> Result<(TransactionId, Vec<Effect>), Unsendable> {
        let transaction = self.table.get(invite).ok_or(Unsendable::NothingToCancel)?;
        let (Some(client), Some(Machine::InviteClient(state))) = (transaction.client(), transaction.machine)
        else {
            return Err(Unsendable::NothingToCancel);
        };
        let conditions = self.conditions(&transaction.destination);
        let cancelled = state.cancel(now, &conditions).ok_or(Unsendable::NothingToCancel)?;
        let destination = transaction.destination.clone();
        let cancel = read(&made::cancel(&client.request))?;
        let id = self.begin_ours(now, cancel, destination, None)?;
        if let Some(transaction) = self.table.get_mut(invite) {
            transaction.machine = Some(Machine::InviteClient(cancelled));
        }
        self.table.settle(invite);
        Ok((id, self.take_effects()))
    }

    /// A request of ours as it was sent, as long as its transaction is there.
    pub fn request_of(&self, id: TransactionId) -> Option<&Request> {
        Some(&self.table.get(id)?.client()?.request)
    }

    fn with_own_via(
        &self,
        bare: &[u8],
        destination: &Destination,
        branch: &Branch,
    ) -> Result<Request, Unsendable> {
        let protocol = destination.protocol();
        let sent_by = self.settings.listeners.sent_by(protocol, destination.local());
        let via = SentVia {
            transport: protocol.in_via(),
            host: sent_by.host(),
            port: Some(sent_by.port()),
            branch: branch.token(),
        };
        read(&with_via(bare, via).ok_or(Unsendable::NotARequest)?)
    }

    fn begin_ours(
        &mut self,
        now: Time,
        request: Request,
        destination: Destination,
        instead: Option<Instead>,
    ) -> Result<TransactionId, Unsendable> {
        if self.table.ours() >= self.settings.client_transactions {
            return Err(Unsendable::Full);
        }
        let machine = Some(self.started(now, &request, &destination));
        let part =
            Part::Client(Box::new(Client { key: ClientKey::of(&request), request, ack: None, instead }));
        let id = self.table.insert(Transaction { machine, destination, over: None, awaits: None, part });
        self.send(now, id);
        self.table.settle(id);
        Ok(id)
    }

    fn started(&self, now: Time, request: &Request, destination: &Destination) -> Machine {
        let conditions = self.conditions(destination);
        if request.method() == Method::Ack {
            Machine::Ack
        } else if request.method() == Method::Invite {
            Machine::InviteClient(InviteClient::start(now, &conditions))
        } else {
            Machine::OtherClient(OtherClient::start(now, &conditions))
        }
    }

    /// Whether a request of ours has waited long enough for a connection.
    pub(super) fn is_tired_of_waiting(&self, now: Time, id: TransactionId) -> bool {
        let client = self.table.get(id).and_then(Transaction::client);
        client.and_then(|client| client.instead.as_ref()).is_some_and(|instead| instead.at <= now)
    }

    /// Sends a request as a datagram for which no connection has come about (section 18.1.1).
    pub(super) fn fall_back(&mut self, now: Time, id: TransactionId) {
        self.stop_waiting(id);
        let client = self.table.get_mut(id).and_then(Transaction::client_mut);
        let Some(Instead { local, remote, branch, bare, .. }) =
            client.and_then(|client| client.instead.take())
        else {
            return;
        };
        let destination = Destination::Datagrams { local, remote };
        // It was read with another Via, so that it can be read with this one.
        let Ok(request) = self.with_own_via(&bare, &destination, &branch) else { return };
        let machine = self.started(now, &request, &destination);
        if let Some(transaction) = self.table.get_mut(id) {
            transaction.destination = destination;
            transaction.machine = Some(machine);
            if let Some(client) = transaction.client_mut() {
                client.request = request;
            }
        }
        self.send(now, id);
        self.table.settle(id);
    }

    /// A response has come. One that belongs to no request of ours is dropped: it is late, or somebody else's
    /// (sections 8.1.3.3 and 18.1.2, RFC 6026 section 7.2).
    pub(super) fn response_came(&mut self, now: Time, flow: Flow, response: Response) {
        let Some(id) = self.table.by_response(&response) else { return };
        let client = self.table.get(id).and_then(Transaction::client);
        if !client.is_some_and(|client| is_to(&response, &client.request)) {
            return;
        }
        let status = response.status();
        let event = Event::Response { transaction: id, flow, response };
        self.advance(now, id, Some(event), |machine, conditions| machine.response(now, status, conditions));
    }

    /// Makes the ACK for a final response that is not 2xx (section 17.1.1.3).
    pub(super) fn acknowledge(&mut self, id: TransactionId, came: Option<&Event>) {
        let Some(transaction) = self.table.get_mut(id) else { return };
        let Some(client) = transaction.client_mut() else { return };
        if let Some(Event::Response { response, .. }) = came {
            client.ack = Some(made::ack(&client.request, response).into());
        }
    }
}

/// Whether `sent-by` is ours, and nobody else waits for the response.
fn is_to(response: &Response, request: &Request) -> bool {
    let (theirs, ours) = (response.headers().top_via(), request.headers().top_via());
    let is_last = response.headers().vias().nth(1).is_none();
    is_last && theirs.host == ours.host && theirs.port == ours.port
}

fn read(bytes: &[u8]) -> Result<Request, Unsendable> {
    match message::datagram(bytes) {
        Ok(Message::Request(request)) => Ok(request),
        Ok(Message::Response(_)) | Err(_) => Err(Unsendable::NotARequest),
    }
}
